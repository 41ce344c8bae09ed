//! A small set of capabilities, and documents as JSON with places.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at the first surprise"
)]

use aigw_config::{
    AuthKind, Capabilities, Document, Origin, PresetFacts, Quirks, Schema, SchemaName, Snapshot, compile,
};

pub struct Built;

impl Capabilities for Built {
    fn preset(&self, id: &str) -> Option<PresetFacts> {
        let facts = |id, name, prefix: Option<&str>, url, auth| PresetFacts {
            id,
            schema: Schema {
                version: prefix.map(str::to_owned),
                ..Schema::new(name)
            },
            url,
            auth,
            quirks: Quirks::NONE,
        };
        match id {
            "openai" => Some(facts(
                "openai",
                SchemaName::OpenAI,
                Some("v1"),
                "https://api.openai.com",
                AuthKind::Bearer,
            )),
            "groq" => Some(PresetFacts {
                quirks: Quirks {
                    json_schema: false,
                    ..Quirks::NONE
                },
                ..facts(
                    "groq",
                    SchemaName::OpenAI,
                    Some("openai/v1"),
                    "https://api.groq.com",
                    AuthKind::Bearer,
                )
            }),
            "anthropic" => Some(facts(
                "anthropic",
                SchemaName::Anthropic,
                None,
                "https://api.anthropic.com",
                AuthKind::Header("x-api-key"),
            )),
            "ollama" => Some(facts(
                "ollama",
                SchemaName::OpenAI,
                Some("v1"),
                "http://127.0.0.1:11434",
                AuthKind::None,
            )),
            _ => None,
        }
    }

    fn preset_ids(&self) -> Vec<&'static str> {
        vec!["anthropic", "groq", "ollama", "openai"]
    }

    fn supports(&self, schema: SchemaName) -> bool {
        matches!(schema, SchemaName::OpenAI | SchemaName::Anthropic)
    }

    fn auth(&self, schema: SchemaName) -> AuthKind {
        match schema {
            SchemaName::Anthropic => AuthKind::Header("x-api-key"),
            _ => AuthKind::Bearer,
        }
    }

    fn url(&self, schema: SchemaName) -> Option<&'static str> {
        (schema == SchemaName::Anthropic).then_some("https://api.anthropic.com")
    }
}

/// The document, every object of it with a place: listeners on lines 1 and up, credentials 11, backends 21, routes 31,
/// models 41, client keys 51, limits 61, costs 71.
pub fn document(json: serde_json::Value) -> Document {
    let mut document: Document = serde_json::from_value(json).expect("the test's document");
    let at = |base: u32, index: usize| Origin::new("aigw.yaml", base + u32::try_from(index).unwrap());
    for (index, one) in document.listeners.iter_mut().enumerate() {
        one.origin = at(1, index);
    }
    for (index, one) in document.credentials.iter_mut().enumerate() {
        one.origin = at(11, index);
    }
    for (index, one) in document.backends.iter_mut().enumerate() {
        one.origin = at(21, index);
    }
    for (index, one) in document.routes.iter_mut().enumerate() {
        one.origin = at(31, index);
    }
    for (index, one) in document.models.iter_mut().enumerate() {
        one.origin = at(41, index);
    }
    for (index, one) in document.client_keys.iter_mut().flatten().enumerate() {
        one.origin = at(51, index);
    }
    for (index, one) in document.costs.iter_mut().enumerate() {
        one.origin = at(71, index);
    }
    document.limits.origin = at(61, 0);
    document
}

/// The findings, a line each, of a document that is refused.
pub fn refused(json: serde_json::Value) -> String {
    match compile(document(json), &Built) {
        Ok(_) => "not refused".to_owned(),
        Err(findings) => findings.to_string(),
    }
}

/// The snapshot and its warnings, a line each.
pub fn compiled(json: serde_json::Value) -> (Snapshot, String) {
    match compile(document(json), &Built) {
        Ok((snapshot, findings)) => (snapshot, findings.to_string()),
        Err(findings) => panic!("refused: {findings}"),
    }
}
