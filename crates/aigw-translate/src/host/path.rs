//! Which operation a schema can serve, and at which path.

use aigw_config::{Schema, SchemaName};

use crate::ir::DialectId;
use crate::operation::Operation;

/// How a backend serves an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The body goes through, edited only at spans.
    PassThrough,
    /// Request and answer are translated to this dialect.
    Translate(DialectId),
}

/// The conversation dialect that servers of a schema speak; `None` for schemas that are not built.
const fn dialect(schema: SchemaName) -> Option<DialectId> {
    match schema {
        SchemaName::OpenAI => Some(DialectId::OpenAiChat),
        SchemaName::Anthropic => Some(DialectId::AnthropicMessages),
        _ => None,
    }
}

/// How a backend of `schema` serves `operation`; `None` when it cannot.
pub fn service(schema: SchemaName, operation: Operation) -> Option<Service> {
    let upstream = dialect(schema)?;
    if let Some(client) = operation.conversation() {
        return Some(if client == upstream {
            Service::PassThrough
        } else {
            Service::Translate(upstream)
        });
    }
    let served = match upstream {
        DialectId::OpenAiChat => !operation.is_local() && operation != Operation::CountTokens,
        DialectId::AnthropicMessages => operation == Operation::CountTokens,
        _ => false,
    };
    served.then_some(Service::PassThrough)
}

/// The path at which a backend of `schema` serves `operation`; `id` fills the place of an id. `None` when it cannot.
pub fn upstream_path(schema: &Schema, operation: Operation, id: Option<&str>) -> Option<String> {
    let operation = match service(schema.name, operation)? {
        Service::PassThrough => operation,
        Service::Translate(DialectId::OpenAiChat) => Operation::ChatCompletions,
        Service::Translate(DialectId::AnthropicMessages) => Operation::Messages,
        Service::Translate(_) => return None,
    };
    let suffix = operation.suffix();
    let path = if suffix.starts_with('/') {
        suffix.to_owned()
    } else {
        // What stands here is made for every request; formatting machinery takes several times as long.
        ["/", schema.path_prefix(), "/", suffix].concat()
    };
    Some(match id {
        Some(id) => path.replace("{id}", &segment(id)?),
        None => path,
    })
}

/// An id as one segment of a path: it can neither climb out of it nor begin a query. `None` when it cannot stand there.
fn segment(id: &str) -> Option<String> {
    use std::fmt::Write as _;
    if id.bytes().all(|byte| byte == b'.') {
        // Percent-encoded dots are dots to those who resolve paths.
        return None;
    }
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(name: SchemaName, prefix: Option<&str>) -> Schema {
        Schema {
            name,
            version: prefix.map(str::to_owned),
            prefix: None,
        }
    }

    #[test]
    fn paths_follow_the_prefix() {
        let path = |prefix, operation| upstream_path(&schema(SchemaName::OpenAI, prefix), operation, None);
        assert_eq!(
            path(None, Operation::ChatCompletions).as_deref(),
            Some("/v1/chat/completions")
        );
        assert_eq!(
            path(Some("v1beta/openai"), Operation::Embeddings).as_deref(),
            Some("/v1beta/openai/embeddings")
        );
        assert_eq!(
            path(Some("v1"), Operation::Messages).as_deref(),
            Some("/v1/chat/completions")
        );
        assert_eq!(
            path(Some("openai/v1"), Operation::Tokenize).as_deref(),
            Some("/tokenize")
        );
        assert_eq!(path(None, Operation::CountTokens), None);
    }

    #[test]
    fn anthropic_serves_conversations_and_token_counts() {
        let path = |operation| upstream_path(&schema(SchemaName::Anthropic, None), operation, None);
        assert_eq!(path(Operation::ChatCompletions).as_deref(), Some("/v1/messages"));
        assert_eq!(
            path(Operation::CountTokens).as_deref(),
            Some("/v1/messages/count_tokens")
        );
        assert_eq!(path(Operation::Embeddings), None);
    }

    #[test]
    fn an_id_stands_in_the_path() {
        let path = upstream_path(
            &schema(SchemaName::OpenAI, None),
            Operation::ResponsesItem,
            Some("resp_1"),
        );
        assert_eq!(path.as_deref(), Some("/v1/responses/resp_1"));
        for (id, path) in [
            ("../files/f", Some("/v1/responses/..%2Ffiles%2Ff")),
            ("..", None),
            ("a?b#c d", Some("/v1/responses/a%3Fb%23c%20d")),
            ("a\r\nx: y", Some("/v1/responses/a%0D%0Ax%3A%20y")),
        ] {
            let found = upstream_path(
                &schema(SchemaName::OpenAI, None),
                Operation::ResponsesItem,
                Some(id),
            );
            assert_eq!(found.as_deref(), path);
        }
    }
}
