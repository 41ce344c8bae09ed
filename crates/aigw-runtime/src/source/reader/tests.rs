//! What types get from trees.

use serde::Deserialize;

use super::*;
use crate::source::node::parse;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Thing {
    name: String,
    #[serde(default)]
    count: Option<u32>,
    #[serde(default)]
    on: bool,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Part {
    kind: Kind,
    #[serde(default)]
    ratio: Option<f64>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Big,
    VerySmall,
}

fn environment(name: &str) -> Option<String> {
    match name {
        "N" => Some("12".to_owned()),
        "YES" => Some("true".to_owned()),
        _ => None,
    }
}

fn thing(text: &str) -> Result<(Thing, Vec<Unknown>), ReadError> {
    let tree = parse(text).unwrap();
    read(&tree[0], &environment)
}

#[test]
fn scalars_become_what_the_type_wants() {
    let text = "name: 1.10\ncount: ${N}\non: ${YES}\nparts: [{kind: verySmall, ratio: 1}, {kind: big, ratio: null}]\n";
    let (value, unknown) = thing(text).unwrap();
    assert_eq!(unknown, []);
    assert_eq!(
        (value.name.as_str(), value.count, value.on),
        ("1.10", Some(12), true)
    );
    assert_eq!(
        value.parts[0],
        Part {
            kind: Kind::VerySmall,
            ratio: Some(1.0)
        }
    );
    assert_eq!(value.parts[1].ratio, None);
}

#[test]
fn unknown_members_are_noted_with_place_and_nothing_in_them_is_replaced() {
    let (_, unknown) = thing("name: a\nparst: ${UNSET}\nparts:\n  - kind: big\n    deep: {x: 1}\n").unwrap();
    let at = |line, field: &str, suggestion| Unknown {
        line,
        field: field.to_owned(),
        suggestion,
    };
    assert_eq!(
        unknown,
        [at(2, "parst", Some("parts")), at(5, "parts[0].deep", None)]
    );
}

#[test]
fn errors_name_line_and_field() {
    let rows = [
        ("count: 1\n", 1, "", "`name` is missing"),
        (
            "name: a\ncount: x\n",
            2,
            "count",
            "invalid type: string \"x\", expected u32",
        ),
        (
            "name: a\ncount: -1\n",
            2,
            "count",
            "invalid value: integer `-1`, expected u32",
        ),
        (
            "name: a\non: ${N}\n",
            2,
            "on",
            "invalid type: string \"12\", expected a boolean",
        ),
        (
            "name: a\nparts:\n- kind: bug\n",
            3,
            "parts[0].kind",
            "unknown variant `bug`, expected `big` or `verySmall`",
        ),
        (
            "name: a\nparts:\n- kind: [big]\n",
            3,
            "parts[0].kind",
            "a text is expected",
        ),
        (
            "name: [a]\n",
            1,
            "name",
            "invalid type: sequence, expected a string",
        ),
        ("- a\n", 1, "", "members are expected here, such as `name: …`"),
    ];
    for (text, line, field, message) in rows {
        let error = thing(text).unwrap_err();
        assert_eq!(
            (error.line, error.field.as_str(), error.message.as_str()),
            (line, field, message),
            "{text}"
        );
    }
    let error = thing("name: ${UNSET}\n").unwrap_err();
    assert_eq!((error.line, error.field.as_str()), (1, "name"));
    assert!(
        error
            .message
            .starts_with("the environment variable UNSET is not set"),
        "{error}"
    );
}
