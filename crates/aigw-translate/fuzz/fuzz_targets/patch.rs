//! `patch` gives what the same edits on a tree give. The first byte chooses the edits.

#![no_main]

use aigw_translate::json::{Edit, patch, patch_peeked, peek};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const NAMES: [&str; 3] = ["model", "stream", "stream_options"];
const EDITS: [Edit<'static>; 8] = [
    Edit::Set {
        name: "model",
        value: "\"other\"",
    },
    Edit::SetNested {
        name: "stream_options",
        member: "include_usage",
        value: "true",
    },
    Edit::Remove { name: "stream" },
    Edit::Remove { name: "model" },
    Edit::Set {
        name: "added",
        value: "[1, {}]",
    },
    Edit::Remove {
        name: "stream_options",
    },
    Edit::SetNested {
        name: "model",
        member: "a\"b",
        value: "null",
    },
    Edit::Set {
        name: "stream",
        value: "1e3",
    },
];

fn apply(object: &mut Map<String, Value>, edit: &Edit<'_>) {
    let parse = |value: &str| serde_json::from_str::<Value>(value).expect("JSON");
    match *edit {
        Edit::Remove { name } => drop(object.shift_remove(name)),
        Edit::Set { name, value } => drop(object.insert(name.to_owned(), parse(value))),
        Edit::SetNested { name, member, value } => {
            let outer = object.entry(name).or_insert(Value::Null);
            if !outer.is_object() {
                *outer = json!({});
            }
            outer[member] = parse(value);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((mask, bytes)) = input.split_first() else {
        return;
    };
    let chosen = EDITS
        .iter()
        .enumerate()
        .filter(|(index, _)| mask & (1 << index) != 0);
    let edits: Vec<Edit<'_>> = chosen.map(|(_, edit)| *edit).collect();
    let Ok(patched) = patch(bytes, &edits) else {
        return;
    };
    if let Ok(peeked) = peek(bytes, NAMES) {
        assert_eq!(patch_peeked(bytes, &peeked, &edits).as_ref(), Ok(&patched));
    }
    if let Ok(mut expected) = serde_json::from_slice::<Map<String, Value>>(bytes) {
        for edit in &edits {
            apply(&mut expected, edit);
        }
        let found: Map<String, Value> = serde_json::from_slice(&patched).expect("still JSON");
        assert_eq!(found, expected);
    }
});
