//! A whole answer as the events that would have streamed it.

use super::event::{BlockKind, Delta, Event};
use super::extra::Extra;
use super::request::{Block, Part};
use super::response::{Finish, FinishReason, Response};

impl FinishReason {
    /// The word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence => "stop_sequence",
            Self::Length => "length",
            Self::ContextWindow => "context_window",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Pause => "pause",
            Self::Malformed => "malformed",
            Self::Other => "other",
        }
    }
}

impl Response {
    /// The events of a stream with this answer's content, one delta a block.
    pub fn into_events(self) -> Vec<Event> {
        let Self {
            id,
            model,
            created,
            candidates,
            usage,
            extra,
            ..
        } = self;
        let mut events = Vec::new();
        if !usage.is_empty() {
            // Before the start, so that encoders which tell usage there can.
            events.push(Event::Usage(usage));
        }
        events.push(Event::Start {
            id,
            model,
            created,
            extra,
        });
        for entry in candidates {
            let candidate = entry.index;
            for (index, piece) in entry.content.into_iter().enumerate() {
                let block = u32::try_from(index).unwrap_or(u32::MAX);
                unfold(piece, candidate, block, &mut events);
            }
            let finish = entry.finish.unwrap_or_else(|| Finish::new(FinishReason::Stop));
            events.push(Event::Finish { candidate, finish });
        }
        events.push(Event::End);
        events
    }
}

fn unfold(piece: Block, candidate: u32, block: u32, events: &mut Vec<Event>) {
    let Block { part, extra, .. } = piece;
    let (kind, deltas) = split(part);
    let Some(kind) = kind else { return };
    let extra = if extra.is_empty() { Extra::none() } else { extra };
    events.push(Event::BlockStart {
        candidate,
        block,
        kind,
        extra,
    });
    events.extend(deltas.into_iter().map(|delta| Event::Delta {
        candidate,
        block,
        delta,
    }));
    events.push(Event::BlockStop { candidate, block });
}

fn split(part: Part) -> (Option<BlockKind>, Vec<Delta>) {
    match part {
        Part::Text { text, citations } => {
            let mut deltas = vec![Delta::Text(text)];
            deltas.extend(citations.0.into_iter().map(Delta::Citation));
            (Some(BlockKind::Text), deltas)
        }
        Part::Refusal(text) => (Some(BlockKind::Refusal), vec![Delta::Text(text)]),
        Part::Reasoning(reasoning) => match reasoning.redacted {
            Some(redacted) if reasoning.text.is_none() => (Some(BlockKind::Redacted(redacted)), Vec::new()),
            _ => {
                let mut deltas: Vec<Delta> = reasoning.text.map(Delta::Text).into_iter().collect();
                deltas.extend(reasoning.signature.map(Delta::Signature));
                (Some(BlockKind::Reasoning), deltas)
            }
        },
        Part::ToolCall(call) => {
            let kind = BlockKind::ToolCall {
                id: call.id,
                name: call.name,
                custom: call.custom,
                signature: call.signature,
            };
            (Some(kind), vec![Delta::Arguments(call.arguments)])
        }
        Part::Media(media) => (Some(BlockKind::Media(media)), Vec::new()),
        Part::Opaque(opaque) => (Some(BlockKind::Opaque(opaque)), Vec::new()),
        // A model does not answer with documents or tool results.
        Part::Document(_) | Part::ToolResult(_) => (None, Vec::new()),
    }
}
