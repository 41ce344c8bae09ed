//! A body that is passed through while a copy is read for usage.

use bytes::Bytes;

use super::{AnswerInputs, Delivery, is_event_stream, is_json};
use crate::codec::encoding::Decoder as Decompressor;
use crate::codec::sse;
use crate::dialect::{FrameRole, Observation};
use crate::ir::Error;
use crate::operation::{Operation, encode_stream_error, observe_body, observe_frame};

/// A whole answer is kept for reading up to this many bytes; a larger one passes unread.
const WHOLE_LIMIT: usize = 16 << 20;

/// A passed-through answer.
#[derive(Debug)]
pub(super) struct Observed {
    operation: Operation,
    /// The upstream said that all is well; an error is complete when its body is.
    succeeded: bool,
    watch: Watch,
    decompress: Option<Decompressor>,
    observation: Observation,
    saw_content: bool,
}

#[derive(Debug)]
enum Watch {
    /// Nothing can be learnt.
    Blind,
    /// A JSON document, kept until its end.
    Whole(Vec<Bytes>, usize),
    /// Events, read as they pass.
    Events(sse::Decoder),
    /// Events, from which those that only the gateway asked for are taken out.
    Sieve(sse::Sieve),
}

impl Observed {
    pub(super) fn new(inputs: &AnswerInputs<'_>) -> Self {
        let events = is_event_stream(inputs.content_type);
        // A few compressed bytes may stand for any number: neither a document nor one piece of a stream may grow beyond this.
        let decompressor = inputs.content_encoding.map(|encoding| match events {
            true => Decompressor::for_stream(encoding, WHOLE_LIMIT as u64),
            false => Decompressor::new(encoding, WHOLE_LIMIT as u64),
        });
        let (decompress, readable) = match decompressor {
            None => (None, true),
            Some(Ok(decoder)) if decoder.is_identity() => (None, true),
            Some(Ok(decoder)) => (Some(decoder), true),
            Some(Err(_)) => (None, false),
        };
        let watch = if !readable {
            Watch::Blind
        } else if events && inputs.forced_usage && inputs.status < 300 {
            Watch::Sieve(sse::Sieve::default())
        } else if events {
            Watch::Events(sse::Decoder::default())
        } else if is_json(inputs.content_type) {
            Watch::Whole(Vec::new(), 0)
        } else {
            Watch::Blind
        };
        Self {
            operation: inputs.operation,
            succeeded: inputs.status < 300,
            watch,
            decompress,
            observation: Observation::default(),
            saw_content: false,
        }
    }

    pub(super) fn delivery(&self) -> Delivery {
        match self.watch {
            Watch::Sieve(_) => Delivery::Edited,
            _ => Delivery::Untouched,
        }
    }

    pub(super) fn push(&mut self, data: Bytes, out: &mut Vec<Bytes>) -> Result<(), String> {
        let readable = match &mut self.decompress {
            _ if matches!(self.watch, Watch::Blind) => Bytes::new(),
            None => data.clone(),
            Some(decoder) => {
                let mut plain = Vec::new();
                match decoder.push(&data, &mut plain) {
                    Ok(()) => Bytes::from(plain),
                    // What the client can make of it is the client's business; only a sieve needs to read it.
                    Err(error) if matches!(self.watch, Watch::Sieve(_)) => return Err(error.to_string()),
                    Err(_) => {
                        self.watch = Watch::Blind;
                        Bytes::new()
                    }
                }
            }
        };
        let Self {
            operation,
            watch,
            observation,
            saw_content,
            ..
        } = self;
        let mut look = |frame: &sse::Frame<'_>| look(*operation, frame, observation, saw_content);
        match watch {
            Watch::Blind => {}
            Watch::Whole(pieces, length) => {
                *length = length.saturating_add(readable.len());
                if *length > WHOLE_LIMIT {
                    *watch = Watch::Blind;
                } else {
                    pieces.push(readable);
                }
            }
            Watch::Events(decoder) => {
                let mut frames = decoder.push(&readable);
                loop {
                    match frames.next() {
                        Ok(Some(frame)) => {
                            look(&frame);
                        }
                        Ok(None) => break,
                        Err(_) => {
                            *watch = Watch::Blind;
                            break;
                        }
                    }
                }
            }
            Watch::Sieve(sieve) => {
                sieve.push(&readable, |frame| look(frame) != FrameRole::UsageOnly, out);
                return Ok(());
            }
        }
        out.push(data);
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Bytes>) -> bool {
        let Self {
            operation,
            watch,
            observation,
            saw_content,
            ..
        } = self;
        let mut look = |frame: &sse::Frame<'_>| look(*operation, frame, observation, saw_content);
        match watch {
            Watch::Blind => return true,
            Watch::Whole(pieces, _) => {
                let body = match pieces.as_slice() {
                    [one] => one.clone(),
                    many => Bytes::from(many.concat()),
                };
                observe_body(*operation, &body, observation);
                return true;
            }
            Watch::Events(decoder) => {
                if let Some(tail) = decoder.finish().filter(|tail| tail.whole) {
                    look(&tail.frame);
                }
            }
            Watch::Sieve(sieve) => out.extend(sieve.finish(|frame| look(frame) != FrameRole::UsageOnly)),
        }
        // An error event completes a stream too.
        !self.succeeded || !operation.says_its_end() || observation.complete || observation.error.is_some()
    }

    pub(super) fn fail(&mut self, error: &Error, out: &mut Vec<Bytes>) -> bool {
        let plain = self.decompress.is_none() || matches!(self.watch, Watch::Sieve(_));
        if !plain || !matches!(self.watch, Watch::Events(_) | Watch::Sieve(_)) {
            return false;
        }
        let pending = match &self.watch {
            Watch::Events(decoder) => !decoder.pending().is_empty(),
            _ => false,
        };
        let mut bytes = Vec::new();
        if pending {
            // Closes the event that was cut in its middle, so that the error is an event of its own.
            bytes.extend_from_slice(b"\n\n");
        }
        encode_stream_error(self.operation.errors(), error, &mut bytes);
        out.push(Bytes::from(bytes));
        true
    }

    pub(super) fn held(&self) -> u64 {
        match self.watch {
            Watch::Whole(_, length) => length as u64,
            _ => 0,
        }
    }

    pub(super) fn unwatch(&mut self) {
        if matches!(self.watch, Watch::Whole(..)) {
            self.watch = Watch::Blind;
        }
    }

    pub(super) fn observation(&self) -> &Observation {
        &self.observation
    }

    pub(super) fn saw_content(&self) -> bool {
        self.saw_content
    }
}

fn look(
    operation: Operation,
    frame: &sse::Frame<'_>,
    observation: &mut Observation,
    saw_content: &mut bool,
) -> FrameRole {
    let Some(data) = frame.data else {
        return FrameRole::Other;
    };
    let role = observe_frame(operation, frame.event.as_deref(), data, observation);
    *saw_content |= role == FrameRole::Content;
    role
}
