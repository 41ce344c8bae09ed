//! The table of operations: paths, methods, bodies and labels.

use http::Method;

use crate::ir::DialectId;

/// An operation of one of the public APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// OpenAI `POST /v1/chat/completions`.
    ChatCompletions,
    /// OpenAI `POST /v1/completions` (legacy).
    Completions,
    /// OpenAI `POST /v1/embeddings`.
    Embeddings,
    /// OpenAI `POST /v1/responses`.
    Responses,
    /// OpenAI `POST /v1/responses/input_tokens`.
    ResponsesInputTokens,
    /// OpenAI `GET` or `DELETE /v1/responses/{id}`.
    ResponsesItem,
    /// OpenAI `POST /v1/images/generations`.
    ImagesGenerations,
    /// OpenAI `POST /v1/images/edits`.
    ImagesEdits,
    /// OpenAI `POST /v1/audio/speech`.
    AudioSpeech,
    /// OpenAI `POST /v1/audio/transcriptions`.
    AudioTranscriptions,
    /// OpenAI `POST /v1/audio/translations`.
    AudioTranslations,
    /// OpenAI `POST /v1/moderations`.
    Moderations,
    /// Cohere `POST /v2/rerank`.
    Rerank,
    /// vLLM `POST /tokenize`.
    Tokenize,
    /// Anthropic `POST /v1/messages`.
    Messages,
    /// Anthropic `POST /v1/messages/count_tokens`.
    CountTokens,
    /// `GET /v1/models`, answered by the gateway.
    Models,
    /// `GET /v1/models/{id}`, answered by the gateway.
    Model,
}

/// What a request of an operation carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Nothing.
    None,
    /// A JSON object with a `model` member.
    Json,
    /// `multipart/form-data` with a `model` field.
    Multipart,
    /// Either.
    JsonOrMultipart,
}

/// How errors of an operation look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorShape {
    /// OpenAI's `{"error":{…}}`.
    OpenAi,
    /// Anthropic's `{"type":"error",…}`.
    Anthropic,
    /// Cohere's `{"message":…}`.
    Cohere,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 18] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::ResponsesInputTokens,
        Self::ResponsesItem,
        Self::ImagesGenerations,
        Self::ImagesEdits,
        Self::AudioSpeech,
        Self::AudioTranscriptions,
        Self::AudioTranslations,
        Self::Moderations,
        Self::Rerank,
        Self::Tokenize,
        Self::Messages,
        Self::CountTokens,
        Self::Models,
        Self::Model,
    ];

    /// Metric and log label (`gen_ai.operation.name`).
    pub const fn label(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat",
            Self::Completions => "completion",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::ResponsesInputTokens => "responses_input_tokens",
            Self::ResponsesItem => "responses_item",
            Self::ImagesGenerations => "image_generation",
            Self::ImagesEdits => "image_edit",
            Self::AudioSpeech => "speech",
            Self::AudioTranscriptions => "transcription",
            Self::AudioTranslations => "translation",
            Self::Moderations => "moderation",
            Self::Rerank => "rerank",
            Self::Tokenize => "tokenize",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Models | Self::Model => "models",
        }
    }

    /// The path below an OpenAI-compatible prefix, or from the root when it starts with a slash. `{id}` stands for an id.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat/completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::ResponsesInputTokens => "responses/input_tokens",
            Self::ResponsesItem => "responses/{id}",
            Self::ImagesGenerations => "images/generations",
            Self::ImagesEdits => "images/edits",
            Self::AudioSpeech => "audio/speech",
            Self::AudioTranscriptions => "audio/transcriptions",
            Self::AudioTranslations => "audio/translations",
            Self::Moderations => "moderations",
            Self::Rerank => "/v2/rerank",
            Self::Tokenize => "/tokenize",
            Self::Messages => "messages",
            Self::CountTokens => "messages/count_tokens",
            Self::Models => "models",
            Self::Model => "models/{id}",
        }
    }

    /// What its requests carry.
    pub const fn body(self) -> BodyKind {
        match self {
            Self::ResponsesItem | Self::Models | Self::Model => BodyKind::None,
            Self::AudioTranscriptions | Self::AudioTranslations => BodyKind::Multipart,
            Self::ImagesEdits => BodyKind::JsonOrMultipart,
            _ => BodyKind::Json,
        }
    }

    /// The dialect of its conversation, for operations that are one and can be translated.
    pub const fn conversation(self) -> Option<DialectId> {
        match self {
            Self::ChatCompletions => Some(DialectId::OpenAiChat),
            Self::Messages => Some(DialectId::AnthropicMessages),
            _ => None,
        }
    }

    /// True when its streams say that they are complete, so that one that does not was cut.
    pub const fn says_its_end(self) -> bool {
        self.conversation().is_some() || matches!(self, Self::Completions | Self::Responses)
    }

    /// How its errors look.
    pub const fn errors(self) -> ErrorShape {
        match self {
            Self::Messages | Self::CountTokens => ErrorShape::Anthropic,
            Self::Rerank => ErrorShape::Cohere,
            _ => ErrorShape::OpenAi,
        }
    }

    /// Methods that are served.
    pub fn methods(self) -> &'static [Method] {
        match self {
            Self::ResponsesItem => &[Method::GET, Method::DELETE],
            Self::Models | Self::Model => &[Method::GET],
            _ => &[Method::POST],
        }
    }

    /// True when the gateway answers by itself.
    pub const fn is_local(self) -> bool {
        matches!(self, Self::Models | Self::Model)
    }
}

/// What a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// An operation, with the id in the path where it has one.
    Found(Operation, Option<&'a str>),
    /// A known path, asked with a method that is not served.
    WrongMethod(Operation),
    /// No such path.
    Unknown,
}

/// Finds the operation of a request. `path` has no query; one trailing slash is forgiven. Anthropic's operations are served
/// below `/anthropic` too, Cohere's below `/cohere`.
pub fn lookup<'a>(method: &Method, path: &'a str) -> Lookup<'a> {
    let trimmed = match path.strip_suffix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => path,
    };
    let found = match trimmed.strip_prefix("/anthropic/v1/") {
        Some(rest) => anthropic(rest),
        None => match trimmed {
            "/cohere/v2/rerank" | "/v2/rerank" => Some((Operation::Rerank, None)),
            "/tokenize" => Some((Operation::Tokenize, None)),
            other => other
                .strip_prefix("/v1/")
                .and_then(|rest| anthropic(rest).or_else(|| openai(rest))),
        },
    };
    match found {
        None => Lookup::Unknown,
        Some((operation, _)) if !operation.methods().contains(method) => Lookup::WrongMethod(operation),
        Some((operation, id)) => Lookup::Found(operation, id),
    }
}

fn anthropic(rest: &str) -> Option<(Operation, Option<&str>)> {
    match rest {
        "messages" => Some((Operation::Messages, None)),
        "messages/count_tokens" => Some((Operation::CountTokens, None)),
        other => models(other),
    }
}

/// Model names may hold slashes (`meta-llama/Llama-3`), so everything behind `models/` is the id.
fn models(rest: &str) -> Option<(Operation, Option<&str>)> {
    match rest {
        "models" => Some((Operation::Models, None)),
        other => other
            .strip_prefix("models/")
            .filter(|id| !id.is_empty())
            .map(|id| (Operation::Model, Some(id))),
    }
}

fn openai(rest: &str) -> Option<(Operation, Option<&str>)> {
    let operation = match rest {
        "chat/completions" => Operation::ChatCompletions,
        "completions" => Operation::Completions,
        "embeddings" => Operation::Embeddings,
        "responses" => Operation::Responses,
        "responses/input_tokens" => Operation::ResponsesInputTokens,
        "images/generations" => Operation::ImagesGenerations,
        "images/edits" => Operation::ImagesEdits,
        "audio/speech" => Operation::AudioSpeech,
        "audio/transcriptions" => Operation::AudioTranscriptions,
        "audio/translations" => Operation::AudioTranslations,
        "moderations" => Operation::Moderations,
        other => {
            let id = other.strip_prefix("responses/")?;
            return (!id.is_empty() && !id.contains('/')).then_some((Operation::ResponsesItem, Some(id)));
        }
    };
    Some((operation, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_operations() {
        let post = |path| lookup(&Method::POST, path);
        let get = |path| lookup(&Method::GET, path);
        assert_eq!(
            post("/v1/chat/completions"),
            Lookup::Found(Operation::ChatCompletions, None)
        );
        assert_eq!(post("/v1/messages/"), Lookup::Found(Operation::Messages, None));
        assert_eq!(
            post("/anthropic/v1/messages"),
            Lookup::Found(Operation::Messages, None)
        );
        assert_eq!(
            post("/anthropic/v1/messages/count_tokens"),
            Lookup::Found(Operation::CountTokens, None)
        );
        assert_eq!(post("/cohere/v2/rerank"), Lookup::Found(Operation::Rerank, None));
        assert_eq!(
            get("/v1/models/org/model"),
            Lookup::Found(Operation::Model, Some("org/model"))
        );
        assert_eq!(
            get("/anthropic/v1/models"),
            Lookup::Found(Operation::Models, None)
        );
        assert_eq!(
            get("/v1/responses/resp_1"),
            Lookup::Found(Operation::ResponsesItem, Some("resp_1"))
        );
        assert_eq!(
            get("/v1/chat/completions"),
            Lookup::WrongMethod(Operation::ChatCompletions)
        );
        assert_eq!(post("/v1/responses/a/b"), Lookup::Unknown);
        assert_eq!(get("/"), Lookup::Unknown);
        assert_eq!(post("/v1/chat/completions/x"), Lookup::Unknown);
    }

    #[test]
    fn labels_are_unique_but_for_the_model_list() {
        let mut labels: Vec<_> = Operation::ALL.iter().map(|operation| operation.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Operation::ALL.len() - 1);
    }
}
