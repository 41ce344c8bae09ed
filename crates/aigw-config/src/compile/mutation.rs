//! Header and body edits: what may be edited, and the rule's edits over the backend's.

use std::collections::HashSet;

use http::{HeaderName, HeaderValue};

use super::report::Report;
use crate::document::{BodyMutation, BodySet, HeaderMutation, HeaderSet};

/// Headers that frame the message or belong to one connection: the host alone writes them.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a header may not be edited; `None` when it may.
pub fn forbidden_header(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    if name.starts_with(':') {
        Some("is a pseudo-header, which cannot be edited")
    } else if name.starts_with("x-ai-eg-") || name.starts_with("x-aigw-") {
        Some("belongs to the gateway and cannot be edited")
    } else if FRAMING.contains(&name.as_str()) {
        Some("frames the message or belongs to the connection and cannot be edited")
    } else {
        None
    }
}

/// Why a body member may not be edited; `None` when it may. Members are top-level names, taken as they are.
pub fn forbidden_body_member(path: &str) -> Option<&'static str> {
    path.is_empty().then_some("names no member of the body")
}

pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"))
}

fn editable(name: &str) -> Result<HeaderName, String> {
    match forbidden_header(name) {
        Some(why) => Err(format!("`{name}` {why}; remove it")),
        None => header_name(name),
    }
}

fn header_value(set: &HeaderSet) -> Result<HeaderValue, String> {
    HeaderValue::from_str(&set.value).map_err(|_| {
        format!(
            "the value of `{}` has characters that a header cannot carry, such as line breaks",
            set.name
        )
    })
}

/// Notes edits that cannot be made. `prefix` is the path of the object that holds the two mutations, with its dot.
pub(super) fn check(headers: &HeaderMutation, body: &BodyMutation, prefix: &str, report: &mut Report<'_>) {
    let mut seen = HashSet::new();
    for (index, set) in headers.set.iter().enumerate() {
        let field = format!("{prefix}headerMutation.set[{index}]");
        if let Some(name) = report.check(&format!("{field}.name"), editable(&set.name))
            && !seen.insert(name)
        {
            report.error(
                format!("{field}.name"),
                format!("`{}` is set twice; keep one", set.name),
            );
        }
        report.check(&format!("{field}.value"), header_value(set));
    }
    for (index, name) in headers.remove.iter().enumerate() {
        report.check(&format!("{prefix}headerMutation.remove[{index}]"), editable(name));
    }
    let mut seen = HashSet::new();
    for (index, set) in body.set.iter().enumerate() {
        let field = format!("{prefix}bodyMutation.set[{index}].path");
        if let Some(why) = forbidden_body_member(&set.path) {
            report.error(field, why);
        } else if !seen.insert(&set.path) {
            report.error(field, format!("`{}` is set twice; keep one", set.path));
        }
    }
    for (index, path) in body.remove.iter().enumerate() {
        if let Some(why) = forbidden_body_member(path) {
            report.error(format!("{prefix}bodyMutation.remove[{index}]"), why);
        }
    }
}

/// Header edits of one candidate.
pub(super) struct HeaderEdits {
    pub(super) remove: Vec<HeaderName>,
    pub(super) set: Vec<(HeaderName, HeaderValue)>,
}

/// The rule's edits over the backend's: what the rule sets or removes, the backend's setting of it no longer counts.
pub(super) fn merge_headers(rule: &HeaderMutation, backend: &HeaderMutation) -> HeaderEdits {
    let names = |mutation: &HeaderMutation| -> Vec<HeaderName> {
        mutation
            .remove
            .iter()
            .filter_map(|name| editable(name).ok())
            .collect()
    };
    let sets = |mutation: &HeaderMutation| -> Vec<(HeaderName, HeaderValue)> {
        let pairs = mutation.set.iter();
        pairs
            .filter_map(|set| Some((editable(&set.name).ok()?, header_value(set).ok()?)))
            .collect()
    };
    let mut remove = names(rule);
    let mut set = sets(rule);
    for (name, value) in sets(backend) {
        if !remove.contains(&name) && !set.iter().any(|(taken, _)| *taken == name) {
            set.push((name, value));
        }
    }
    for name in names(backend) {
        if !remove.contains(&name) {
            remove.push(name);
        }
    }
    HeaderEdits { remove, set }
}

/// Body edits of one candidate: members to remove and members to set.
pub(super) fn merge_body(rule: &BodyMutation, backend: &BodyMutation) -> (Vec<String>, Vec<BodySet>) {
    let mut remove = rule.remove.clone();
    let mut set = rule.set.clone();
    for one in &backend.set {
        if !remove.contains(&one.path) && !set.iter().any(|taken| taken.path == one.path) {
            set.push(one.clone());
        }
    }
    for path in &backend.remove {
        if !remove.contains(path) {
            remove.push(path.clone());
        }
    }
    (remove, set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(set: &[(&str, &str)], remove: &[&str]) -> HeaderMutation {
        let one = |(name, value): &(&str, &str)| HeaderSet {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        HeaderMutation {
            set: set.iter().map(one).collect(),
            remove: remove.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn the_rules_header_edits_win() {
        let rule = headers(&[("X-A", "rule")], &["x-gone"]);
        let backend = headers(
            &[("x-a", "backend"), ("x-gone", "1"), ("x-b", "2")],
            &["x-old", "x-gone"],
        );
        let merged = merge_headers(&rule, &backend);
        let set: Vec<_> = merged
            .set
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(set, [("x-a", "rule"), ("x-b", "2")]);
        assert_eq!(merged.remove, ["x-gone", "x-old"]);
    }

    #[test]
    fn the_rules_body_edits_win() {
        let one = |path: &str, value: &str| BodySet {
            path: path.to_owned(),
            value: value.to_owned(),
        };
        let rule = BodyMutation {
            set: vec![one("a", "1")],
            remove: vec!["c".into()],
        };
        let backend = BodyMutation {
            set: vec![one("a", "2"), one("b", "3"), one("c", "4")],
            remove: vec!["d".into()],
        };
        let (remove, set) = merge_body(&rule, &backend);
        assert_eq!(set, [one("a", "1"), one("b", "3")]);
        assert_eq!(remove, ["c", "d"]);
    }

    #[test]
    fn framing_and_own_headers_cannot_be_edited() {
        for name in [
            ":path",
            "Host",
            "X-AI-EG-Model",
            "x-aigw-strict",
            "TE",
            "content-length",
        ] {
            assert!(forbidden_header(name).is_some(), "{name}");
        }
        for name in ["authorization", "x-team", "content-type"] {
            assert!(forbidden_header(name).is_none(), "{name}");
        }
    }
}
