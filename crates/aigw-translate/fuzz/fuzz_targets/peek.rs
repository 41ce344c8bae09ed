//! `peek` accepts what serde_json accepts and finds the same values.

#![no_main]

use aigw_translate::json::{PeekError, Value, peek};
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;

const NAMES: [&str; 3] = ["model", "stream", "stream_options"];

/// The members of an object, repeated ones kept.
struct Members(Vec<(String, Json)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

fn as_json(value: &Value<'_>) -> Option<Json> {
    match value {
        Value::String(text) => Some(Json::from(text.as_ref())),
        Value::Bool(flag) => Some(Json::from(*flag)),
        Value::Null => Some(Json::Null),
        Value::Number(raw) | Value::Array(raw) | Value::Object(raw) => serde_json::from_str(raw).ok(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let peeked = peek(bytes, NAMES);
    if peeked.is_ok() {
        let text = std::str::from_utf8(bytes).expect("only UTF-8 passes");
        serde_json::from_str::<IgnoredAny>(text).expect("only JSON passes");
    }
    let Ok(Members(members)) = serde_json::from_slice::<Members>(bytes) else {
        return;
    };
    let count = |name: &str| members.iter().filter(|(known, _)| known == name).count();
    match peeked {
        Ok(peeked) => {
            for name in NAMES {
                assert!(count(name) < 2, "{name} occurs twice");
                let expected = members
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.clone());
                let found = peeked
                    .value(bytes, name)
                    .map(|value| as_json(&value).expect("a JSON value"));
                assert_eq!(found, expected, "{name}");
            }
        }
        Err(PeekError::Duplicate { name, .. }) => assert!(count(&name) > 1),
        Err(error) => panic!("serde_json accepts it: {error}"),
    }
});
