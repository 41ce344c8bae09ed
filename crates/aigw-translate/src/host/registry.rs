//! What is built, for `compile()`, for the command line and for the README's table.

use aigw_config::{AuthKind, Capabilities, PresetFacts, SchemaName};

use super::path::service;
use super::presets::PRESETS;
use crate::operation::Operation;

/// The capabilities of this build.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registry;

impl Capabilities for Registry {
    fn preset(&self, id: &str) -> Option<PresetFacts> {
        PRESETS
            .iter()
            .find(|preset| preset.id == id)
            .map(|preset| preset.facts())
    }

    fn preset_ids(&self) -> Vec<&'static str> {
        let mut ids: Vec<_> = PRESETS.iter().map(|preset| preset.id).collect();
        ids.sort_unstable();
        ids
    }

    fn supports(&self, schema: SchemaName) -> bool {
        Operation::ALL
            .iter()
            .any(|operation| service(schema, *operation).is_some())
    }

    fn auth(&self, schema: SchemaName) -> AuthKind {
        match schema {
            SchemaName::Anthropic => AuthKind::Header("x-api-key"),
            SchemaName::AzureOpenAI => AuthKind::Header("api-key"),
            _ => AuthKind::Bearer,
        }
    }

    fn url(&self, schema: SchemaName) -> Option<&'static str> {
        match schema {
            SchemaName::OpenAI => Some("https://api.openai.com"),
            SchemaName::Anthropic => Some("https://api.anthropic.com"),
            _ => None,
        }
    }
}

/// The support matrix as a Markdown table: a row a provider.
pub fn support_matrix() -> String {
    let mut out = String::from(
        "| provider | `provider:` | `schema:` | key | chat and messages | other operations |\n|---|---|---|---|---|---|\n",
    );
    for preset in PRESETS {
        let schema = match preset.version {
            "" => format!("`{{name: {}}}`", preset.schema.as_str()),
            version => format!("`{{name: {}, version: {version}}}`", preset.schema.as_str()),
        };
        let key = match preset.auth {
            AuthKind::None => "none, or Bearer when one is given".to_owned(),
            AuthKind::Bearer => format!("Bearer (`{}`)", preset.key_var),
            AuthKind::Header(name) => format!("`{name}` (`{}`)", preset.key_var),
        };
        let conversations = [Operation::ChatCompletions, Operation::Messages]
            .iter()
            .all(|operation| service(preset.schema, *operation).is_some());
        let others = match preset.schema {
            SchemaName::Anthropic => "count_tokens",
            _ => "every OpenAI-compatible path that the provider serves",
        };
        out.push_str(&format!(
            "| [{}]({}) | `{}` | {schema} | {key} | {} | {others} |\n",
            preset.name,
            preset.documentation,
            preset.id,
            if conversations { "yes" } else { "no" },
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_served() {
        for preset in PRESETS {
            assert!(Registry.supports(preset.schema), "{}", preset.id);
            assert!(preset.url.starts_with("http"), "{}", preset.id);
            assert!(preset.documentation.starts_with("https://"), "{}", preset.id);
        }
        let ids = Registry.preset_ids();
        let mut unique = ids.clone();
        unique.dedup();
        assert_eq!(ids, unique);
        assert!(support_matrix().contains("| `groq` |"));
    }
}
