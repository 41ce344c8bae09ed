//! The demo: mock providers in the same process, one model for each upstream dialect.

use std::net::SocketAddr;

use aigw_config::{
    BackendRef, BackendSpec, Diagnostics, Document, ModelMatch, RouteSpec, RuleSpec, Schema, SchemaName,
    SecretSource,
};
use aigw_runtime::Loaded;
use aigw_translate::dialect;
use aigw_translate::ir::DialectId;

/// The key of the mock providers.
pub(crate) const KEY: &str = "demo-key";

/// Schema whose servers speak the dialect; `None` for dialects that no built schema speaks.
const fn schema(dialect: DialectId) -> Option<SchemaName> {
    match dialect {
        DialectId::OpenAiChat => Some(SchemaName::OpenAI),
        DialectId::AnthropicMessages => Some(SchemaName::Anthropic),
        _ => None,
    }
}

/// One backend and one model for each dialect that is built.
pub(crate) fn input(mock: SocketAddr) -> Loaded {
    let mut document = Document::default();
    let mut rules = Vec::new();
    let mut credentials = aigw_config::Credentials::default();
    for dialect in dialect::ALL {
        let id = dialect.id();
        let Some(schema) = schema(id) else { continue };
        let name = format!("demo-{}", id.as_str());
        credentials.insert(format!("backend/{name}"), aigw_config::Secret::new(KEY));
        document.backends.push(BackendSpec {
            name: name.clone(),
            schema: Some(Schema::new(schema)),
            url: Some(format!("http://{mock}")),
            api_key: Some(SecretSource::Value {
                value: "[demo]".to_owned(),
            }),
            ..BackendSpec::default()
        });
        rules.push(RuleSpec {
            models: vec![ModelMatch::Text(name.clone())],
            backends: vec![BackendRef {
                name,
                weight: 1,
                priority: 0,
                model_name_override: None,
                header_mutation: aigw_config::HeaderMutation::default(),
                body_mutation: aigw_config::BodyMutation::default(),
            }],
            ..RuleSpec::default()
        });
    }
    document.routes.push(RouteSpec {
        name: "demo".to_owned(),
        rules,
        ..RouteSpec::default()
    });
    Loaded {
        document,
        credentials,
        diagnostics: Diagnostics::default(),
        files_watched: Vec::new(),
        tolerated: Vec::new(),
    }
}

/// Lines that can be pasted into a shell.
pub(crate) fn invitation(gateway: &str) -> String {
    let mut out =
        format!("aigw serves a demo with mock providers at http://{gateway}. Paste one of these:\n");
    for dialect in dialect::ALL {
        let model = format!("demo-{}", dialect.id().as_str());
        out.push_str(&format!(
            "\n# OpenAI client → {model}\n{}\n",
            openai(gateway, &model)
        ));
        out.push_str(&format!(
            "\n# Anthropic client → {model}\n{}\n",
            anthropic(gateway, &model)
        ));
    }
    out.push_str(&format!("\n# The models\ncurl -s http://{gateway}/v1/models\n"));
    out
}

fn openai(gateway: &str, model: &str) -> String {
    format!(
        "curl -s http://{gateway}/v1/chat/completions -H 'content-type: application/json' \\\n  \
         -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello!\"}}]}}'"
    )
}

fn anthropic(gateway: &str, model: &str) -> String {
    format!(
        "curl -sN http://{gateway}/v1/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' \\\n  \
         -d '{{\"model\": \"{model}\", \"max_tokens\": 100, \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello!\"}}]}}'"
    )
}
