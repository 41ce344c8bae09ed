//! From a path to what is served there, by the path's end, so that any provider's prefix works.

use http::HeaderMap;
use percent_encoding::percent_decode_str;

/// Whose error shape and authentication a path has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
    Cohere,
}

/// What a path serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Chat,
    Completions,
    Embeddings,
    Responses,
    ResponseTokens,
    Response(String),
    ImageGenerations,
    ImageEdits,
    Speech,
    Transcriptions,
    Translations,
    Moderations,
    Models,
    Model(String),
    Tokenize,
    Rerank,
    Messages,
    CountTokens,
    Echo,
    Requests,
    Unknown,
}

/// Finds the endpoint and the dialect of a path.
pub(crate) fn find(path: &str, headers: &HeaderMap) -> (Endpoint, Dialect) {
    let endpoint = endpoint(path);
    let dialect = match endpoint {
        Endpoint::Messages | Endpoint::CountTokens => Dialect::Anthropic,
        Endpoint::Rerank => Dialect::Cohere,
        Endpoint::Models | Endpoint::Model(_) | Endpoint::Unknown => {
            let anthropic = headers.contains_key("anthropic-version")
                || path
                    .split('/')
                    .any(|segment| segment == "messages" || segment == "anthropic");
            if anthropic {
                Dialect::Anthropic
            } else {
                Dialect::OpenAi
            }
        }
        _ => Dialect::OpenAi,
    };
    (endpoint, dialect)
}

fn endpoint(path: &str) -> Endpoint {
    if path == "/__mock/requests" {
        return Endpoint::Requests;
    }
    if path.starts_with("/echo/") {
        return Endpoint::Echo;
    }
    if let Some((_, id)) = path.split_once("/models/").filter(|(_, id)| !id.is_empty()) {
        return Endpoint::Model(percent_decode_str(id).decode_utf8_lossy().into_owned());
    }
    let mut ends = path.rsplit('/');
    let last = ends.next().unwrap_or_default();
    match (ends.next().unwrap_or_default(), last) {
        ("chat", "completions") => Endpoint::Chat,
        (_, "completions") => Endpoint::Completions,
        (_, "embeddings") => Endpoint::Embeddings,
        (_, "responses") => Endpoint::Responses,
        ("responses", "input_tokens") => Endpoint::ResponseTokens,
        ("responses", id) if !id.is_empty() => Endpoint::Response(id.to_owned()),
        ("images", "generations") => Endpoint::ImageGenerations,
        ("images", "edits") => Endpoint::ImageEdits,
        ("audio", "speech") => Endpoint::Speech,
        ("audio", "transcriptions") => Endpoint::Transcriptions,
        ("audio", "translations") => Endpoint::Translations,
        (_, "moderations") => Endpoint::Moderations,
        (_, "models") => Endpoint::Models,
        (_, "tokenize") => Endpoint::Tokenize,
        (_, "rerank") => Endpoint::Rerank,
        (_, "messages") => Endpoint::Messages,
        ("messages", "count_tokens") => Endpoint::CountTokens,
        _ => Endpoint::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_prefix_works() {
        for (path, expected) in [
            ("/v1/chat/completions", Endpoint::Chat),
            ("/v1beta/openai/chat/completions", Endpoint::Chat),
            ("/chat/completions", Endpoint::Chat),
            ("/v1/completions", Endpoint::Completions),
            ("/v1/openai/embeddings", Endpoint::Embeddings),
            ("/v1/responses/resp_1", Endpoint::Response("resp_1".into())),
            ("/v1/responses/input_tokens", Endpoint::ResponseTokens),
            ("/v1/models/org%2Fname", Endpoint::Model("org/name".into())),
            ("/v1/models/org/name", Endpoint::Model("org/name".into())),
            ("/anthropic/v1/messages/count_tokens", Endpoint::CountTokens),
            ("/tokenize", Endpoint::Tokenize),
            ("/v2/rerank", Endpoint::Rerank),
            ("/echo/x", Endpoint::Echo),
            ("/v1/nothing", Endpoint::Unknown),
        ] {
            assert_eq!(endpoint(path), expected, "{path}");
        }
    }

    #[test]
    fn unknown_paths_have_the_dialect_of_their_surroundings() {
        let mut headers = HeaderMap::new();
        assert_eq!(find("/v1/nothing", &headers).1, Dialect::OpenAi);
        assert_eq!(find("/v1/messages/batches", &headers).1, Dialect::Anthropic);
        assert_eq!(find("/v1/models", &headers).1, Dialect::OpenAi);
        headers.insert("anthropic-version", http::HeaderValue::from_static("2023-06-01"));
        assert_eq!(find("/v1/models", &headers).1, Dialect::Anthropic);
    }
}
