//! The cases that are measured, and what each subject is sent and must answer.

use bytes::Bytes;

use crate::expect::Expect;
use crate::payload::{
    ANTHROPIC_DELTAS, Ask, LARGE, OPENAI_DELTAS, Pace, SMALL, anthropic_answer, anthropic_events, joined,
    openai_answer, openai_events, openai_request, stream_text,
};

/// The OpenAI path; the gateway is always called there.
const CHAT: &str = "/v1/chat/completions";
/// The Anthropic path. Where the gateway translates, the other subjects send the same request here and so
/// carry the very bytes that the gateway is given by its upstream.
const MESSAGES: &str = "/v1/messages";

/// What is sent to one kind of subject, and what must come back.
#[derive(Debug, Clone)]
pub struct Call {
    /// Path of the request.
    pub path: &'static str,
    /// Body of the request.
    pub body: Bytes,
    /// The answer.
    pub expect: Expect,
}

/// One thing that is measured.
#[derive(Debug, Clone)]
pub struct Case {
    /// Short name, in tables and JSON.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// How a subject that does not translate is called.
    pub plain: Call,
    /// How the gateway is called.
    pub gateway: Call,
}

impl Case {
    /// Whether subjects behind an Envoy are measured in it.
    pub fn with_envoy(&self) -> bool {
        WITH_ENVOY.contains(&self.name)
    }
}

/// Pass-through, 1 KiB.
pub const CHAT_1K: &str = "chat-1k";
/// Pass-through, 16 KiB.
pub const CHAT_16K: &str = "chat-16k";
/// Translated, 1 KiB.
pub const CHAT_TRANSLATED: &str = "chat-translated";
/// Pass-through stream.
pub const SSE: &str = "sse-64";
/// Translated stream.
pub const SSE_TRANSLATED: &str = "sse-64-translated";
/// Pass-through stream that comes in one write.
pub const SSE_BURST: &str = "sse-64-burst";
/// Translated stream that comes in one write.
pub const SSE_TRANSLATED_BURST: &str = "sse-64-burst-translated";
/// Time to first token, passed through.
pub const FIRST_TOKEN: &str = "first-token";
/// Time to first token, translated.
pub const FIRST_TOKEN_TRANSLATED: &str = "first-token-translated";
/// Time to first token, passed through, on a machine that rests between tokens.
pub const FIRST_TOKEN_RESTED: &str = "first-token-rested";
/// Time to first token, translated, on a machine that rests between tokens.
pub const FIRST_TOKEN_RESTED_TRANSLATED: &str = "first-token-rested-translated";

/// The cases that subjects behind an Envoy are measured in: a pass-through, a translation and a stream.
const WITH_ENVOY: [&str; 4] = [CHAT_1K, CHAT_16K, CHAT_TRANSLATED, SSE];

/// The cases of which throughput, latency and CPU time are measured, in the order they are run.
pub fn all() -> Vec<Case> {
    vec![
        pass_through(
            CHAT_1K,
            "pass-through chat, 1 KiB each way",
            chat(SMALL),
            openai_answer(SMALL).body,
        ),
        pass_through(
            CHAT_16K,
            "pass-through chat, 16 KiB each way",
            chat(LARGE),
            openai_answer(LARGE).body,
        ),
        translated(
            CHAT_TRANSLATED,
            "translated chat (OpenAI client, Anthropic upstream), 1 KiB each way",
        ),
        stream(
            SSE,
            "pass-through stream of 64 events, one write each",
            Pace::Events,
        ),
        translated_stream(
            SSE_TRANSLATED,
            "translated stream of 64 events, one write each",
            Pace::Events,
        ),
        stream(
            SSE_BURST,
            "pass-through stream of 64 events in one write",
            Pace::Burst,
        ),
        translated_stream(
            SSE_TRANSLATED_BURST,
            "translated stream of 64 events in one write",
            Pace::Burst,
        ),
    ]
}

/// The cases of which the time to first token is measured with one request in flight. Their streams carry one word:
/// what a model sends later must not compete with its first token for the machine's cores.
pub fn first_token() -> Vec<Case> {
    vec![
        stream(FIRST_TOKEN, "pass-through stream of one word", Pace::Word),
        translated_stream(
            FIRST_TOKEN_TRANSLATED,
            "translated stream of one word",
            Pace::Word,
        ),
        stream(
            FIRST_TOKEN_RESTED,
            "pass-through stream that ends 1 ms after its word",
            Pace::WordAndPause,
        ),
        translated_stream(
            FIRST_TOKEN_RESTED_TRANSLATED,
            "translated stream that ends 1 ms after its word",
            Pace::WordAndPause,
        ),
    ]
}

/// How many text deltas a stream has: all, or the one of the streams that measure the first token.
fn deltas(pace: Pace, all: usize) -> usize {
    match pace {
        Pace::Events | Pace::Burst => all,
        Pace::Word | Pace::WordAndPause => 1,
    }
}

fn chat(size: usize) -> Ask {
    Ask {
        model: "gpt-bench",
        size,
        stream: None,
    }
}

fn pass_through(name: &'static str, title: &'static str, ask: Ask, answer: Bytes) -> Case {
    let call = Call {
        path: CHAT,
        body: openai_request(ask),
        expect: Expect::Exact(answer),
    };
    Case {
        name,
        title,
        plain: call.clone(),
        gateway: call,
    }
}

fn stream(name: &'static str, title: &'static str, pace: Pace) -> Case {
    let ask = Ask {
        stream: Some(pace),
        ..chat(SMALL)
    };
    // The client asks for no usage. A gateway that asks the upstream for it must take that event out again.
    pass_through(
        name,
        title,
        ask,
        joined(&openai_events(deltas(pace, OPENAI_DELTAS), false)),
    )
}

fn translated(name: &'static str, title: &'static str) -> Case {
    let answer = anthropic_answer(SMALL);
    let ask = Ask {
        model: "claude-bench",
        ..chat(SMALL)
    };
    let body = openai_request(ask);
    Case {
        name,
        title,
        plain: Call {
            path: MESSAGES,
            body: body.clone(),
            expect: Expect::Exact(answer.body),
        },
        gateway: Call {
            path: CHAT,
            body,
            expect: Expect::Completion(answer.text),
        },
    }
}

fn translated_stream(name: &'static str, title: &'static str, pace: Pace) -> Case {
    let deltas = deltas(pace, ANTHROPIC_DELTAS);
    let body = openai_request(Ask {
        model: "claude-bench",
        size: SMALL,
        stream: Some(pace),
    });
    let upstream = Expect::Exact(joined(&anthropic_events(deltas)));
    Case {
        name,
        title,
        plain: Call {
            path: MESSAGES,
            body: body.clone(),
            expect: upstream,
        },
        gateway: Call {
            path: CHAT,
            body,
            expect: Expect::Stream {
                text: stream_text(deltas),
                deltas,
            },
        },
    }
}
