//! `peek` and `patch` against serde_json.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail the test"
)]

use aigw_translate::json::{Edit, PeekError, Value, literal, patch, patch_peeked, peek, quote};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

const NAMES: [&str; 3] = ["model", "stream", "stream_options"];

/// How deep arrays and objects stand inside each other in valid JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Valid JSON text with an object at the root, as serde_json's grammar says.
fn is_object(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        && text.trim_start_matches([' ', '\n', '\r', '\t']).starts_with('{')
        && depth(text) <= 127
}

/// The members of an object, repeated ones kept.
struct Members(Vec<(String, Json)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

fn as_json(value: &Value<'_>) -> Json {
    match value {
        Value::String(text) => Json::from(text.as_ref()),
        Value::Bool(flag) => Json::from(*flag),
        Value::Null => Json::Null,
        Value::Number(raw) | Value::Array(raw) | Value::Object(raw) => {
            serde_json::from_str(raw).expect("valid JSON")
        }
    }
}

/// `peek` says what serde_json says.
fn agree(bytes: &[u8]) {
    let peeked = peek(bytes, NAMES);
    let Ok(Members(members)) = serde_json::from_slice::<Members>(bytes) else {
        // What serde_json cannot hold (1e999, a lone surrogate) may still be JSON; nothing else may pass.
        assert!(
            peeked.is_err() || is_object(bytes),
            "accepts what is no JSON object"
        );
        return;
    };
    let repeated = NAMES
        .iter()
        .any(|name| members.iter().filter(|(known, _)| known == name).count() > 1);
    match peeked {
        Ok(peeked) => {
            assert!(!repeated, "a repeated member was not seen");
            for name in NAMES {
                let expected = members
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value);
                let found = peeked.value(bytes, name);
                assert_eq!(found.as_ref().map(as_json).as_ref(), expected, "value of {name}");
            }
        }
        Err(PeekError::Duplicate { name, offset }) => {
            assert!(repeated, "{name} does not occur twice");
            assert_eq!(bytes.get(offset), Some(&b'"'));
        }
        Err(error) => panic!("refuses what serde_json accepts: {error}"),
    }
}

fn space() -> impl Strategy<Value = String> + Clone {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\n\t"), 1 => Just("\r\n")].prop_map(str::to_owned)
}

/// JSON strings, quotes included.
fn string() -> impl Strategy<Value = String> + Clone {
    let piece = prop_oneof![
        8 => "[ !#-\\[\\]-~]{0,12}",
        2 => Just("\\n".to_owned()),
        1 => Just("\\\"".to_owned()),
        1 => Just("\\\\".to_owned()),
        1 => Just("\\u0041".to_owned()),
        1 => Just("\\ud83d\\uDE00".to_owned()),
        1 => Just("\u{e9}\u{4e2d}\u{1f600}".to_owned()),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn member_name() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        2 => Just("\"model\"".to_owned()),
        1 => Just("\"mod\\u0065l\"".to_owned()),
        2 => Just("\"stream\"".to_owned()),
        2 => Just("\"stream_options\"".to_owned()),
        2 => Just("\"messages\"".to_owned()),
        1 => Just("\"include_usage\"".to_owned()),
        1 => Just("\"\"".to_owned()),
        9 => string(),
    ]
}

fn json_text() -> impl Strategy<Value = String> + Clone {
    let leaf = prop_oneof![
        string(),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let array = (prop::collection::vec(inner.clone(), 0..4), space())
            .prop_map(|(values, space)| format!("[{space}{}]", values.join(&format!("{space},{space}"))));
        prop_oneof![array, object_of(inner)]
    })
}

fn object_of(value: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> + Clone {
    let member = (member_name(), space(), value, space())
        .prop_map(|(name, before, value, after)| format!("{before}{name}{after}:{before}{value}{after}"));
    prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")))
}

fn body() -> impl Strategy<Value = String> {
    (space(), object_of(json_text()), space()).prop_map(|(a, object, b)| format!("{a}{object}{b}"))
}

/// A body with one byte changed, removed or put in, or its end cut off.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        prop::sample::select(b"{}[]\",:\\u0e-+. \n\x00\x1f\x7f\x80\xc3\xff".to_vec()),
        any::<u8>()
    ];
    (body(), any::<prop::sample::Index>(), byte, 0..4).prop_map(|(body, index, byte, how)| {
        let mut bytes = body.into_bytes();
        let at = index.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
        bytes
    })
}

fn edits() -> impl Strategy<Value = Vec<(u8, &'static str, String)>> {
    let name = prop::sample::select(vec!["model", "stream", "stream_options", "added", "qu\"ote"]);
    prop::collection::vec((0..3u8, name, json_text()), 0..6)
}

fn as_edit<'a>(edit: &'a (u8, &'static str, String)) -> Edit<'a> {
    let (how, name, value) = edit;
    match how {
        0 => Edit::Remove { name },
        1 => Edit::Set { name, value },
        _ => Edit::SetNested {
            name,
            member: "include_usage",
            value,
        },
    }
}

/// The edit on a tree.
fn apply(object: &mut Map<String, Json>, edit: Edit<'_>) {
    match edit {
        Edit::Remove { name } => drop(object.shift_remove(name)),
        Edit::Set { name, value } => {
            object.insert(name.to_owned(), serde_json::from_str(value).unwrap());
        }
        Edit::SetNested { name, member, value } => {
            let outer = object.entry(name).or_insert(Json::Null);
            if !outer.is_object() {
                *outer = json!({});
            }
            outer[member] = serde_json::from_str(value).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn peek_agrees_on_bodies(body in body()) {
        prop_assert!(is_object(body.as_bytes()));
        agree(body.as_bytes());
    }

    #[test]
    fn peek_agrees_on_broken_bodies(bytes in broken()) {
        agree(&bytes);
        match peek(&bytes, NAMES) {
            Ok(_) => prop_assert!(is_object(&bytes)),
            Err(PeekError::Duplicate { .. }) => {}
            // A wanted string with a lone surrogate is the one thing that is refused though the grammar allows it.
            Err(PeekError::Unexpected { offset }) if bytes[offset] == b'"' && is_object(&bytes) => {
                prop_assert!(serde_json::from_slice::<Json>(&bytes).is_err());
            }
            Err(error) => prop_assert!(!is_object(&bytes), "{error}: {}", String::from_utf8_lossy(&bytes)),
        }
    }

    #[test]
    fn peek_survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        agree(&bytes);
    }

    #[test]
    fn patch_does_what_a_tree_would(body in body(), edits in edits()) {
        let edits: Vec<Edit<'_>> = edits.iter().map(as_edit).collect();
        let peeked = peek(body.as_bytes(), NAMES);
        let patched = patch(body.as_bytes(), &edits);
        if let (Ok(peeked), Ok(patched)) = (&peeked, &patched) {
            prop_assert_eq!(&patch_peeked(body.as_bytes(), peeked, &edits).unwrap(), patched);
        }
        match patched {
            Ok(patched) => {
                let mut expected: Map<String, Json> = serde_json::from_str(&body).unwrap();
                for edit in edits {
                    apply(&mut expected, edit);
                }
                let found: Map<String, Json> = serde_json::from_slice(&patched).unwrap();
                prop_assert_eq!(found, expected);
            }
            Err(error) => prop_assert!(matches!(error, PeekError::Duplicate { .. }), "{error}"),
        }
    }
}

#[test]
fn finds_values_of_every_kind() {
    let body = br#" {"model" : "gpt-\u0034o", "stream":true, "n":-1.5e3, "user":null, "messages":[{"model":"x"}], "stream_options":{"include_usage":false}} "#;
    let names = [
        "model",
        "stream",
        "n",
        "user",
        "messages",
        "stream_options",
        "seed",
    ];
    let peeked = peek(body, names).unwrap();
    assert_eq!(peeked.string(body, "model").as_deref(), Some("gpt-4o"));
    assert!(peeked.is_true(body, "stream"));
    assert_eq!(peeked.value(body, "n"), Some(Value::Number("-1.5e3")));
    assert_eq!(peeked.value(body, "user"), Some(Value::Null));
    assert_eq!(
        peeked.value(body, "messages"),
        Some(Value::Array(r#"[{"model":"x"}]"#))
    );
    assert_eq!(peeked.value(body, "seed"), None);
    assert_eq!(peeked.string(body, "n"), None);
    let options = peeked.member("stream_options").unwrap();
    let nested = options.peek(body, ["include_usage"]).unwrap().unwrap();
    assert_eq!(nested.value(body, "include_usage"), Some(Value::Bool(false)));
    assert_eq!(peeked.member("model").unwrap().peek(body, ["x"]), Ok(None));
}

#[test]
fn refuses_what_is_no_object() {
    let error = |bytes: &[u8]| peek(bytes, NAMES).unwrap_err();
    assert_eq!(error(b""), PeekError::Unterminated { offset: 0 });
    assert_eq!(error(b"  "), PeekError::Unterminated { offset: 2 });
    assert_eq!(error(b"[1]"), PeekError::NotObject);
    assert_eq!(error(b"\"model\""), PeekError::NotObject);
    assert_eq!(error(b"{"), PeekError::Unterminated { offset: 1 });
    assert_eq!(error(b"{}x"), PeekError::Unexpected { offset: 2 });
    assert_eq!(error(b"{}\0"), PeekError::Unexpected { offset: 2 });
    assert_eq!(error(b"{\"a\":1,}"), PeekError::Unexpected { offset: 7 });
    assert_eq!(error(b"{\"a\":01}"), PeekError::Unexpected { offset: 6 });
    assert_eq!(error(b"{\"a\":\"\n\"}"), PeekError::Unexpected { offset: 6 });
    assert_eq!(error(b"{\"a\":\"\xff\"}"), PeekError::Utf8 { offset: 6 });
    assert_eq!(
        error(b"{\"model\":\"\\ud800\"}"),
        PeekError::Unexpected { offset: 9 }
    );
    assert!(peek(b"{\"text\":\"\\ud800\",\"\\ud800\":1e999}", NAMES).is_ok());
}

#[test]
fn refuses_a_wanted_member_that_occurs_twice() {
    let duplicate = |name: &str, offset| PeekError::Duplicate {
        name: name.to_owned(),
        offset,
    };
    let body = br#"{"model":"a","mod\u0065l":"b"}"#;
    assert_eq!(peek(body, ["model"]).unwrap_err(), duplicate("model", 13));
    assert!(peek(body, ["stream"]).is_ok(), "nobody asked for it");
    let body = br#"{"stream_options":{"include_usage":true,"include_usage":false}}"#;
    let options = peek(body, ["stream_options"])
        .unwrap()
        .member("stream_options")
        .unwrap();
    assert_eq!(
        options.peek(body, ["include_usage"]),
        Err(duplicate("include_usage", 40))
    );
}

#[test]
fn nesting_ends_where_serde_json_ends() {
    for depth in [126, 127] {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(
            peek(text.as_bytes(), NAMES).is_ok(),
            serde_json::from_str::<Json>(&text).is_ok(),
            "{depth}"
        );
    }
    let deep = "{\"a\":".repeat(100_000);
    assert!(matches!(
        peek(deep.as_bytes(), NAMES),
        Err(PeekError::TooDeep { .. })
    ));
}

#[test]
fn edits_leave_all_other_bytes() {
    let body = "{ \"model\" : \"a\" ,\r\n\t\"x\":[1, 2 ],\"stream\":true\n}";
    let edit = |edits: &[Edit<'_>]| String::from_utf8(patch(body.as_bytes(), edits).unwrap()).unwrap();
    let set = |name, value| Edit::Set { name, value };
    let remove = |name| Edit::Remove { name };
    assert_eq!(edit(&[]), body);
    assert_eq!(edit(&[set("model", "\"b\"")]), body.replace("\"a\"", "\"b\""));
    assert_eq!(
        edit(&[set("n", "1"), set("m", "2")]),
        "{ \"model\" : \"a\" ,\r\n\t\"x\":[1, 2 ],\"stream\":true,\"n\":1,\"m\":2\n}"
    );
    assert_eq!(
        edit(&[remove("model")]),
        "{ \r\n\t\"x\":[1, 2 ],\"stream\":true\n}"
    );
    assert_eq!(
        edit(&[remove("stream")]),
        "{ \"model\" : \"a\" ,\r\n\t\"x\":[1, 2 ]\n}"
    );
    assert_eq!(edit(&[remove("x"), remove("stream")]), "{ \"model\" : \"a\" \n}");
    assert_eq!(
        edit(&[remove("x"), remove("stream"), remove("model"), set("n", "1")]),
        "{ \r\n\t\"n\":1\n}"
    );
    assert_eq!(
        edit(&[remove("model"), set("model", "1")]),
        "{ \r\n\t\"x\":[1, 2 ],\"stream\":true,\"model\":1\n}"
    );
}

#[test]
fn asks_for_usage() {
    let usage = [Edit::SetNested {
        name: "stream_options",
        member: "include_usage",
        value: "true",
    }];
    let edit = |body: &str| String::from_utf8(patch(body.as_bytes(), &usage).unwrap()).unwrap();
    assert_eq!(edit("{}"), r#"{"stream_options":{"include_usage":true}}"#);
    assert_eq!(
        edit(r#"{"stream_options":null}"#),
        r#"{"stream_options":{"include_usage":true}}"#
    );
    assert_eq!(
        edit(r#"{"stream_options": { } }"#),
        r#"{"stream_options": {"include_usage":true } }"#
    );
    assert_eq!(
        edit(r#"{"stream_options":{"include_usage": false, "x":1}}"#),
        r#"{"stream_options":{"include_usage": true, "x":1}}"#
    );
    assert_eq!(
        edit(r#"{"stream_options":{"x":1}}"#),
        r#"{"stream_options":{"x":1,"include_usage":true}}"#
    );
}

#[test]
fn configured_text_is_json_or_a_string() {
    assert_eq!(literal(" 1.5 "), "1.5");
    assert_eq!(literal("{\"a\":[true]}"), "{\"a\":[true]}");
    assert_eq!(literal("\"x\""), "\"x\"");
    assert_eq!(literal("flex"), "\"flex\"");
    assert_eq!(literal("True"), "\"True\"");
    assert_eq!(literal("01"), "\"01\"");
    assert_eq!(literal(""), "\"\"");
    assert_eq!(quote("a\"\n\u{1f600}"), "\"a\\\"\\n\u{1f600}\"");
}
