//! The parts of a form stand one after the other inside the body, and a replaced field is read back with all others as they
//! were.

#![no_main]

use aigw_translate::codec::multipart::{boundary, parse};
use libfuzzer_sys::fuzz_target;

const TYPE: &str = "multipart/form-data; boundary=b";

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = boundary(&format!("multipart/form-data;{text}"));
    }
    let Ok(form) = parse(TYPE, input) else {
        return;
    };
    let mut from = 0;
    for part in form.parts() {
        assert!(from <= part.headers.start);
        assert_eq!(part.headers.end, part.value.start);
        assert!(part.value.start <= part.value.end && part.value.end <= input.len());
        from = part.value.end;
    }
    for (index, part) in form.parts().iter().enumerate() {
        let Ok(edited) = form.replace(input, &part.name, b"other") else {
            continue;
        };
        let again = parse(TYPE, &edited).expect("still a form");
        assert_eq!(again.parts().len(), form.parts().len());
        for (place, (old, new)) in form.parts().iter().zip(again.parts()).enumerate() {
            assert_eq!((&old.name, &old.filename), (&new.name, &new.filename));
            let expected = if place == index {
                b"other"
            } else {
                old.value(input)
            };
            assert_eq!(new.value(&edited), expected);
        }
    }
});
