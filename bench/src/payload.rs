//! Fixed requests and answers, of exact sizes, as the vendors document them.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>,
//! <https://platform.openai.com/docs/api-reference/chat-streaming>,
//! <https://docs.anthropic.com/en/api/messages>,
//! <https://docs.anthropic.com/en/docs/build-with-claude/streaming>

use bytes::Bytes;
use serde_json::{Value, json};

/// 1 KiB: the small request and the small answer.
pub const SMALL: usize = 1024;
/// 16 KiB: the large request and the large answer.
pub const LARGE: usize = 16 * 1024;
/// Events of a stream, without OpenAI's `[DONE]`.
pub const EVENTS: usize = 64;
/// Text deltas of an OpenAI stream: all events but the one with the role and the one with the finish reason.
pub const OPENAI_DELTAS: usize = EVENTS - 2;
/// Text deltas of an Anthropic stream: all events but the six that frame the message and its one block.
pub const ANTHROPIC_DELTAS: usize = EVENTS - 6;
/// A word that the first text delta of each stream holds, and nothing before it.
pub const FIRST_WORD: &[u8] = b"gateway ";
/// Input tokens that every answer reports.
pub const INPUT_TOKENS: u64 = 211;
/// Output tokens that every answer reports.
pub const OUTPUT_TOKENS: u64 = 187;
/// The end of an OpenAI stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// Words with what makes JSON text cost something: escapes and letters beyond ASCII.
const WORDS: [&str; 24] = [
    "gateway ",
    "answers ",
    "in ",
    "order, ",
    "the ",
    "\"quoted\" ",
    "stream ",
    "carries ",
    "one ",
    "token ",
    "after ",
    "another.\n",
    "naïve ",
    "clients ",
    "read ",
    "it ",
    "as ",
    "it ",
    "comes; ",
    "C:\\path ",
    "costs ",
    "more ",
    "than ",
    "words.\n\n",
];

/// JSON of an exact size and the text it carries.
#[derive(Debug, Clone)]
pub struct Sized {
    /// The document.
    pub body: Bytes,
    /// The text that was fitted in.
    pub text: String,
}

fn words(count: usize) -> impl Iterator<Item = &'static str> {
    WORDS.iter().copied().cycle().take(count)
}

/// Fits a text into the document so that it has exactly `size` bytes.
fn fitted(size: usize, document: impl Fn(&str) -> Value) -> Sized {
    let mut room = size.saturating_sub(document("").to_string().len());
    let mut text = String::new();
    for word in WORDS.iter().cycle() {
        let quotes = 2;
        let encoded = Value::from(*word).to_string().len() - quotes;
        if encoded > room {
            break;
        }
        text.push_str(word);
        room -= encoded;
    }
    text.extend(std::iter::repeat_n('.', room));
    Sized {
        body: Bytes::from(document(&text).to_string()),
        text,
    }
}

/// How the upstream is to deliver a stream. The prompt says so, since prompts survive translation and paths do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One write an event.
    Events,
    /// All events in one write.
    Burst,
    /// One text delta: all up to it in one write, the end in another one right after.
    Word,
    /// The same, the end a moment later.
    WordAndPause,
}

impl Pace {
    /// The phrase of the prompt.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Events => "deliver event by event",
            Self::Burst => "deliver in one burst",
            Self::Word => "deliver one word",
            Self::WordAndPause => "deliver a word, then pause",
        }
    }
}

/// How an OpenAI chat request is to look.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// The model, which decides the backend.
    pub model: &'static str,
    /// Exact size of the request's body, and of the answer's unless it streams.
    pub size: usize,
    /// Ask for a stream, delivered like this.
    pub stream: Option<Pace>,
}

/// An OpenAI chat request of an exact size. A large one is a long conversation, not one long message.
pub fn openai_request(ask: Ask) -> Bytes {
    let earlier_turns = if ask.size > 4 * SMALL { 12 } else { 0 };
    let pace = ask.stream.map_or("answer at once", Pace::phrase);
    let document = |last: &str| {
        let mut messages = vec![json!({"role": "system", "content": format!("You are concise; {pace}.")})];
        for turn in 0..earlier_turns {
            let role = if turn % 2 == 0 { "user" } else { "assistant" };
            messages.push(json!({"role": role, "content": words(150).collect::<String>()}));
        }
        messages.push(json!({"role": "user", "content": last}));
        let mut request = json!({
            "model": ask.model, "messages": messages, "temperature": 0.7, "max_tokens": 512,
        });
        if let (true, Some(members)) = (ask.stream.is_some(), request.as_object_mut()) {
            members.insert("stream".to_owned(), Value::Bool(true));
        }
        request
    };
    fitted(ask.size, document).body
}

/// An OpenAI chat completion of an exact size.
pub fn openai_answer(size: usize) -> Sized {
    fitted(size, |text| {
        json!({
            "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
            "object": "chat.completion",
            "created": 1_741_570_283,
            "model": "gpt-bench",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": null, "annotations": []},
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": openai_usage(),
            "service_tier": "default",
            "system_fingerprint": "fp_fc9f1d7035",
        })
    })
}

fn openai_usage() -> Value {
    json!({
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

/// An Anthropic message of an exact size.
pub fn anthropic_answer(size: usize) -> Sized {
    fitted(size, |text| {
        json!({
            "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
            "type": "message",
            "role": "assistant",
            "model": "claude-bench",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": null,
            "usage": anthropic_usage(OUTPUT_TOKENS),
        })
    })
}

fn anthropic_usage(output_tokens: u64) -> Value {
    json!({
        "input_tokens": INPUT_TOKENS,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    })
}

/// The events of an OpenAI stream, one a frame. `[DONE]` shares the frame of the last event, so that a stream has as
/// many frames as events; a client that asks for usage is given one event more.
pub fn openai_events(deltas: usize, with_usage: bool) -> Vec<Bytes> {
    let chunk = |choices: Value| {
        json!({
            "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
            "object": "chat.completion.chunk",
            "created": 1_741_570_283,
            "model": "gpt-bench",
            "service_tier": "default",
            "system_fingerprint": "fp_fc9f1d7035",
            "choices": choices,
        })
    };
    let delta = |delta: Value, finish_reason: Value| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]))
    };
    let mut events = vec![delta(
        json!({"role": "assistant", "content": "", "refusal": null}),
        Value::Null,
    )];
    events.extend(words(deltas).map(|word| delta(json!({"content": word}), Value::Null)));
    events.push(delta(json!({}), json!("stop")));
    if with_usage {
        let mut last = chunk(json!([]));
        if let Some(members) = last.as_object_mut() {
            members.insert("usage".to_owned(), openai_usage());
        }
        events.push(last);
    }
    let last = events.len() - 1;
    let frame = |(n, event): (usize, Value)| {
        let end = if n == last { "data: [DONE]\n\n" } else { "" };
        Bytes::from(format!("data: {event}\n\n{end}"))
    };
    events.into_iter().enumerate().map(frame).collect()
}

/// The events of an Anthropic stream, one a frame.
pub fn anthropic_events(deltas: usize) -> Vec<Bytes> {
    let mut events = vec![
        json!({"type": "message_start", "message": {
            "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "role": "assistant", "model": "claude-bench",
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": anthropic_usage(1),
        }}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    events.extend(words(deltas).map(
        |word| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}),
    ));
    events.push(json!({"type": "content_block_stop", "index": 0}));
    events.push(json!({
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": null},
        "usage": {
            "input_tokens": INPUT_TOKENS, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": OUTPUT_TOKENS,
        },
    }));
    events.push(json!({"type": "message_stop"}));
    let frame = |event: Value| {
        let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
        Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
    };
    events.into_iter().map(frame).collect()
}

/// The whole text of a stream with that many deltas.
pub fn stream_text(deltas: usize) -> String {
    words(deltas).collect()
}

/// A stream's frames as two: all up to the first text, and the rest.
pub fn first_then_rest(frames: &[Bytes]) -> [Bytes; 2] {
    let holds_text = |frame: &Bytes| memchr::memmem::find(frame, FIRST_WORD).is_some();
    let first = frames
        .iter()
        .position(holds_text)
        .map_or(0, |position| position + 1);
    let (first, rest) = frames.split_at(first);
    [joined(first), joined(rest)]
}

/// One text as it is sent: all frames end to end.
pub fn joined(frames: &[Bytes]) -> Bytes {
    Bytes::from(frames.concat())
}

#[cfg(test)]
mod tests {
    use super::{
        ANTHROPIC_DELTAS, Ask, DONE, EVENTS, LARGE, OPENAI_DELTAS, Pace, SMALL, anthropic_answer,
        anthropic_events, first_then_rest, joined, openai_answer, openai_events, openai_request,
    };
    use serde_json::Value;

    fn ask(size: usize) -> Ask {
        Ask {
            model: "gpt-bench",
            size,
            stream: Some(Pace::Events),
        }
    }

    #[test]
    fn bodies_have_their_exact_size_and_survive_a_parse_unchanged() {
        for (size, body) in [
            (SMALL, openai_request(ask(SMALL))),
            (LARGE, openai_request(ask(LARGE))),
            (SMALL, openai_answer(SMALL).body),
            (LARGE, openai_answer(LARGE).body),
            (SMALL, anthropic_answer(SMALL).body),
        ] {
            assert_eq!(body.len(), size);
            let value: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(value.to_string().as_bytes(), body);
        }
    }

    #[test]
    fn streams_have_64_events_and_their_end() {
        let openai = openai_events(OPENAI_DELTAS, false);
        assert_eq!(
            (openai.len(), openai_events(OPENAI_DELTAS, true).len()),
            (EVENTS, EVENTS + 1)
        );
        assert!(joined(&openai).ends_with(DONE));
        assert!(joined(&openai_events(OPENAI_DELTAS, true)).ends_with(DONE));
        let anthropic = anthropic_events(ANTHROPIC_DELTAS);
        assert_eq!(anthropic.len(), EVENTS);
        assert!(joined(&anthropic).ends_with(b"data: {\"type\":\"message_stop\"}\n\n"));
    }

    #[test]
    fn each_pace_is_asked_for_by_its_own_phrase_alone() {
        let paces = [Pace::Events, Pace::Burst, Pace::Word, Pace::WordAndPause];
        for asked in paces {
            let body = openai_request(Ask {
                stream: Some(asked),
                ..ask(SMALL)
            });
            let found = paces.map(|pace| memchr::memmem::find(&body, pace.phrase().as_bytes()).is_some());
            assert_eq!(found, paces.map(|pace| pace == asked), "{asked:?}");
        }
    }

    #[test]
    fn the_first_part_of_a_stream_ends_with_its_first_text() {
        for (events, before) in [(openai_events(1, false), 2), (anthropic_events(1), 4)] {
            let parts = first_then_rest(&events);
            assert_eq!(parts, [joined(&events[..before]), joined(&events[before..])]);
        }
    }
}
