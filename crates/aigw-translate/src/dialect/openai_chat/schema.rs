//! The words of the dialect and what they mean.
//!
//! <https://platform.openai.com/docs/api-reference/chat/create>

use crate::ir::{DialectId, Error, ErrorKind, Finish, FinishReason, Names, Opaque, ReasoningEffort, Role};

/// This dialect.
pub(super) const ID: DialectId = DialectId::OpenAiChat;

/// Spellings by what the request uses: `max_tokens`, `safety_identifier`, `thinking`.
static NAMES: [Names; 8] = [
    names(false, false, false),
    names(false, false, true),
    names(false, true, false),
    names(false, true, true),
    names(true, false, false),
    names(true, false, true),
    names(true, true, false),
    names(true, true, true),
];

const fn names(max_tokens: bool, safety_identifier: bool, thinking: bool) -> Names {
    Names {
        max_output_tokens: if max_tokens {
            "/max_tokens"
        } else {
            "/max_completion_tokens"
        },
        user: if safety_identifier {
            "/safety_identifier"
        } else {
            "/user"
        },
        reasoning: if thinking {
            "/thinking"
        } else {
            "/reasoning_effort"
        },
        citations: "/annotations",
        ..Names::OPENAI_CHAT
    }
}

/// The spellings of a request that uses these members in place of the others.
pub(super) fn names_of(max_tokens: bool, safety_identifier: bool, thinking: bool) -> &'static Names {
    let index = usize::from(max_tokens) << 2 | usize::from(safety_identifier) << 1 | usize::from(thinking);
    NAMES.get(index).unwrap_or(const { &Names::OPENAI_CHAT })
}

/// The role that a word means; `function` is the forerunner of `tool`.
pub(super) fn role(word: &str) -> Option<Role> {
    Some(match word {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        _ => return None,
    })
}

/// The effort that a word means.
pub(super) fn effort(word: String) -> ReasoningEffort {
    match word.as_str() {
        "none" => ReasoningEffort::None,
        "minimal" => ReasoningEffort::Minimal,
        "low" => ReasoningEffort::Low,
        "medium" => ReasoningEffort::Medium,
        "high" => ReasoningEffort::High,
        "xhigh" => ReasoningEffort::XHigh,
        "max" => ReasoningEffort::Max,
        _ => ReasoningEffort::Other(word),
    }
}

/// The word for an effort.
pub(super) fn effort_word(effort: &ReasoningEffort) -> &str {
    match effort {
        ReasoningEffort::None => "none",
        ReasoningEffort::Minimal => "minimal",
        ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High => "high",
        ReasoningEffort::XHigh => "xhigh",
        ReasoningEffort::Max => "max",
        ReasoningEffort::Other(word) => word,
    }
}

/// The effort that stands for a budget of reasoning tokens: up to 4,096 low, below 16,384 medium, from there high. More than `high`
/// is not asked for, since many models refuse it.
pub(super) fn effort_of_budget(budget: u64) -> &'static str {
    match budget {
        0..=4_096 => "low",
        4_097..16_384 => "medium",
        16_384.. => "high",
    }
}

/// What `finish_reason` means. A model that calls a tool because `tool_choice` names it ends with `stop`: `called` says that there
/// are calls to serve. `stop` is the stop text that was met, which vLLM tells beside it as `stop_reason`.
pub(super) fn finish(word: &str, called: bool, stop: Option<String>) -> Finish {
    let (reason, usual) = match word {
        "stop" if stop.is_some() => (FinishReason::StopSequence, true),
        "stop" if called => (FinishReason::ToolCalls, false),
        "stop" => (FinishReason::Stop, true),
        "length" => (FinishReason::Length, true),
        // The older word, whose call is read and written as any other.
        "tool_calls" | "function_call" => (FinishReason::ToolCalls, true),
        "content_filter" => (FinishReason::ContentFilter, true),
        "model_length" => (FinishReason::ContextWindow, false),
        _ => (FinishReason::Other, false),
    };
    let raw = (!usual).then(|| {
        Box::new(Opaque {
            dialect: ID,
            value: word.into(),
        })
    });
    Finish {
        raw,
        stop_sequence: stop,
        ..Finish::new(reason)
    }
}

/// The word for why an answer ended.
pub(super) fn finish_word(finish: &Finish) -> &str {
    let raw = finish.raw.as_deref().filter(|raw| raw.dialect == ID);
    if let Some(word) = raw.and_then(|raw| raw.value.as_str()) {
        return word;
    }
    match finish.reason {
        FinishReason::Length | FinishReason::ContextWindow => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::Pause
        | FinishReason::Malformed
        | FinishReason::Other => "stop",
    }
}

/// The MIME type of `input_audio.format`.
pub(super) fn audio_type(format: &str) -> String {
    match format {
        "mp3" => "audio/mpeg".to_owned(),
        format => format!("audio/{format}"),
    }
}

/// The `input_audio.format` of a MIME type.
pub(super) fn audio_format(media_type: &str) -> &str {
    match media_type {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        other => other.strip_prefix("audio/").unwrap_or(other),
    }
}

/// The tier in this dialect's word: other vendors' names of the standard tier become `default`.
pub(super) fn service_tier(word: &str) -> &str {
    match word {
        "standard" | "standard_only" => "default",
        other => other,
    }
}

/// `error.type` of a kind.
pub(super) fn error_type(error: &Error) -> &'static str {
    match error.kind {
        ErrorKind::InvalidRequest
        | ErrorKind::NotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::TooLarge
        | ErrorKind::Conflict => "invalid_request_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::Billing => "insufficient_quota",
        ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::Server => "server_error",
    }
}
