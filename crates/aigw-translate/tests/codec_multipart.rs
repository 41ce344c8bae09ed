//! Forms: what usual clients send is read, one field is replaced, and what could be read in two ways is refused.

use aigw_translate::codec::multipart::{MultipartError, boundary, parse};
use proptest::prelude::*;

const TYPE: &str = "multipart/form-data; boundary=XyZ";

/// A body with the boundary `XyZ`.
fn body(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (headers, value) in parts {
        out.extend_from_slice(format!("--XyZ\r\n{headers}\r\n\r\n").as_bytes());
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"--XyZ--\r\n");
    out
}

fn named(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"")
}

#[test]
fn a_transcription_is_read_and_its_model_replaced() {
    let audio = b"RIFF\0\r\n--Xy\xff\xfe--XyZ in the middle\r\n";
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".wav\"\r\nContent-Type: audio/wav";
    let sent = body(&[
        (file, audio),
        (&named("model"), b"whisper-1"),
        (&named("prompt"), b""),
    ]);
    let form = parse(TYPE, &sent).unwrap();
    let names: Vec<&str> = form.parts().iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["file", "model", "prompt"]);
    let part = form.field("file").unwrap().unwrap();
    assert_eq!(part.value(&sent), audio);
    assert_eq!(part.filename.as_deref(), Some("a \"b\".wav"));
    assert_eq!(part.content_type.as_deref(), Some("audio/wav"));
    assert_eq!(form.field("prompt").unwrap().unwrap().value(&sent), b"");
    assert_eq!(form.field("seed"), Ok(None));
    let edited = form.replace(&sent, "model", b"whisper-large-v3").unwrap();
    let expected = body(&[
        (file, audio),
        (&named("model"), b"whisper-large-v3"),
        (&named("prompt"), b""),
    ]);
    assert_eq!(edited, expected);
    assert_eq!(
        form.replace(&sent, "seed", b"1").unwrap(),
        sent,
        "an absent field stays absent"
    );
}

#[test]
fn boundaries_are_read_from_content_types() {
    for (content_type, expected) in [
        ("multipart/form-data; boundary=abc", "abc"),
        ("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b:c\"", "a b:c"),
        (
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4 ; x=y",
            "----WebKitFormBoundary7MA4",
        ),
        ("multipart/form-data; boundary=\"\\\"", ""),
        ("multipart/form-data", ""),
        ("multipart/form-data; boundary=", ""),
        ("multipart/form-data; boundary=a; boundary=b", ""),
        ("multipart/form-data; boundary=\"a\"b", ""),
        ("multipart/form-data; boundary=\"a\\\"b\"", ""),
        ("multipart/form-data; boundary=\"a \"", ""),
    ] {
        match boundary(content_type) {
            Ok(found) => assert_eq!(found, expected, "{content_type}"),
            Err(error) => assert_eq!(
                (error, expected),
                (MultipartError::NoBoundary, ""),
                "{content_type}"
            ),
        }
    }
    let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
    assert_eq!(boundary(&long), Err(MultipartError::NoBoundary));
    for other in ["application/json", "multipart/mixed; boundary=a", ""] {
        assert_eq!(parse(other, b""), Err(MultipartError::NotMultipart), "{other}");
    }
}

#[test]
fn preamble_padding_and_epilogue_do_not_count() {
    let sent = b"preamble\r\n--XyZ \t\r\nX: y\r\ncontent-disposition:form-data;name=model\r\n\r\nm\r\n--XyZ-- \r\nepilogue --XyZ\r\n";
    let form = parse(TYPE, sent).unwrap();
    assert_eq!(form.parts().len(), 1);
    assert_eq!(form.field("model").unwrap().unwrap().value(sent), b"m");
    assert_eq!(parse(TYPE, b"--XyZ--").unwrap().parts(), []);
}

#[test]
fn a_file_name_may_be_in_any_charset() {
    let mut headers = b"--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"".to_vec();
    headers.extend_from_slice(b"\xe9.wav\"\r\n\r\nx\r\n--XyZ--");
    let form = parse(TYPE, &headers).unwrap();
    assert_eq!(form.field("file").unwrap().unwrap().value(&headers), b"x");
}

#[test]
fn a_field_that_decides_occurs_once() {
    let sent = body(&[
        (&named("model"), b"a"),
        (&named("x"), b""),
        (&named("model"), b"b"),
    ]);
    let form = parse(TYPE, &sent).unwrap();
    let error = form.field("model").unwrap_err();
    assert!(matches!(&error, MultipartError::Duplicate { name, .. } if name == "model"));
    assert_eq!(form.replace(&sent, "model", b"c"), Err(error));
}

#[test]
fn what_readers_take_differently_is_refused() {
    let model = "Content-Disposition: form-data; name=\"model\"\r\n\r\nevil\r\n--XyZ--\r\n";
    // A part without a value, whose blank line some take as the delimiter's line end.
    let no_value = format!("--XyZ\r\n{}\r\n\r\n--XyZ\r\n{model}", named("x"));
    // Line ends that are not CRLF, and a boundary line that goes on.
    let line_feed = format!("--XyZ\r\n{}\r\n\r\nx\n--XyZ\n{model}", named("x"));
    let longer = format!("--XyZ\r\n{}\r\n\r\nx\r\n--XyZ0\r\n{model}", named("x"));
    let first = format!("\n--XyZ\r\n{model}");
    for sent in [no_value, line_feed, longer, first] {
        let found = parse(TYPE, sent.as_bytes());
        assert!(
            matches!(found, Err(MultipartError::Ambiguous { .. })),
            "{sent:?}: {found:?}"
        );
    }
    for headers in [
        "X: y",
        "Content-Disposition: attachment; name=\"model\"",
        "Content-Disposition: form-data",
        "Content-Disposition: form-data; name=\"a\"; name=\"model\"",
        "Content-Disposition: form-data; name=\"a\"; name*=UTF-8''model",
        "Content-Disposition: form-data; name=\"a",
        "Content-Disposition: form-data; name=\"a\"b",
        "Content-Disposition: form-data;\r\n name=\"model\"",
        "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"model\"",
        "X: y\nContent-Disposition: form-data; name=\"model\"",
        "Content-Disposition: form-data; name=\"a\"\r\nX: y\nContent-Disposition: form-data; name=\"model\"",
    ] {
        let found = parse(TYPE, &body(&[(headers, b"x")]));
        assert_eq!(found, Err(MultipartError::BadPart { offset: 7 }), "{headers}");
    }
}

#[test]
fn what_is_cut_or_too_large_is_refused() {
    let sent = body(&[(&named("model"), b"a")]);
    for cut in 0..sent.len() - 2 {
        let found = parse(TYPE, &sent[..cut]);
        assert!(
            matches!(
                found,
                Err(MultipartError::Unterminated | MultipartError::Ambiguous { .. })
            ),
            "cut at {cut}: {found:?}"
        );
    }
    let headers = format!("{}\r\nX: {}", named("a"), "y".repeat(17 << 10));
    assert_eq!(
        parse(TYPE, &body(&[(&headers, b"")])),
        Err(MultipartError::TooLarge { offset: 7 })
    );
    let headers = named("a");
    let parts = vec![(headers.as_str(), &b""[..]); 1_001];
    assert!(parse(TYPE, &body(&parts[1..])).is_ok());
    assert!(matches!(
        parse(TYPE, &body(&parts)),
        Err(MultipartError::TooLarge { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(parts in prop::collection::vec(("[a-z_\\[\\]\"\\\\ ;=]{1,8}", prop::collection::vec(any::<u8>(), 0..40)), 0..6), value in "[a-z0-9/-]{0,20}") {
        let headers: Vec<String> = parts
            .iter()
            .map(|(name, _)| named(&name.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        let list: Vec<(&str, &[u8])> = headers.iter().zip(&parts).map(|(headers, (_, value))| (headers.as_str(), &value[..])).collect();
        let sent = body(&list);
        let form = parse(TYPE, &sent).unwrap();
        let found: Vec<(String, Vec<u8>)> = form.parts().iter().map(|part| (part.name.clone(), part.value(&sent).to_vec())).collect();
        prop_assert_eq!(&found, &parts);
        for (index, (name, _)) in parts.iter().enumerate() {
            let Ok(edited) = form.replace(&sent, name, value.as_bytes()) else {
                prop_assert!(parts.iter().filter(|(known, _)| known == name).count() > 1);
                continue;
            };
            let mut expected = list.clone();
            expected[index].1 = value.as_bytes();
            prop_assert_eq!(edited, body(&expected));
        }
    }

    #[test]
    fn broken_bodies_do_no_harm(at in any::<prop::sample::Index>(), bytes in prop::collection::vec(prop::sample::select(b"-XyZ\r\n\";=:a\xff".to_vec()), 0..12), size in 0..12usize) {
        let file = "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"";
        let mut sent = body(&[(file, b"audio"), (&named("model"), b"whisper-1")]);
        let at = at.index(sent.len());
        let end = sent.len().min(at + size);
        sent.splice(at..end, bytes);
        if let Ok(form) = parse(TYPE, &sent) {
            let mut from = 0;
            for part in form.parts() {
                prop_assert!(from <= part.headers.start && part.headers.end == part.value.start);
                prop_assert!(part.value.start <= part.value.end && part.value.end <= sent.len());
                from = part.value.end;
            }
        }
    }
}
