//! What a dialect must be able to do.

use aigw_config::Quirks;

use crate::ir::{DialectId, Error, Event, Losses, Request, Response, Usage};

/// The target of an encoded request.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Model to ask for.
    pub model: &'a str,
    /// Departures of this backend from the dialect.
    pub quirks: Quirks,
    /// Ask for usage in streams even when the client did not (where the dialect makes it optional).
    pub want_stream_usage: bool,
}

/// What an encoder of an answer knows besides the answer.
#[derive(Clone, Debug, Default)]
pub struct ReplyContext {
    /// The model that the client asked for, where the upstream does not name one.
    pub model: String,
    /// A unique text to make ids from, where the upstream gives none.
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The client asked for usage in its stream (dialects that always send it ignore this).
    pub stream_usage: bool,
}

/// What a passed-through answer told the observer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// Token counts so far, in normal form.
    pub usage: Usage,
    /// The model that answered.
    pub model: Option<String>,
    /// The vendor's id of the answer.
    pub id: Option<String>,
    /// The dialect's word for why it ended.
    pub finish: Option<String>,
    /// The stream said that it is complete.
    pub complete: bool,
    /// The stream carried an error.
    pub error: Option<Error>,
}

/// What a frame of a passed-through stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameRole {
    /// Carries generated content: the first such frame is the first token.
    Content,
    /// Carries usage and nothing else that a client who did not ask for usage would expect.
    UsageOnly,
    /// Anything else.
    Other,
}

/// A dialect: a wire format. Stateless; streams have an object each.
pub trait Dialect: Send + Sync {
    /// Which one.
    fn id(&self) -> DialectId;

    /// Reads a client's request. Unknown members are kept, never refused; what the vendor's documentation makes impossible
    /// to understand (no messages, a wrong type where the type decides the meaning) is a 400 with `param` set.
    fn decode_request(&self, body: &[u8]) -> Result<Request, Error>;

    /// Writes a request for an upstream. What cannot be said is reported in `losses`; an error (status 400) only when nothing
    /// sensible could be sent.
    fn encode_request(
        &self,
        request: &Request,
        target: Target<'_>,
        losses: &mut Losses,
    ) -> Result<Vec<u8>, Error>;

    /// Reads an upstream's whole answer. `Err`: the answer is not of this dialect.
    fn decode_response(&self, body: &[u8]) -> Result<Response, String>;

    /// Writes a whole answer for a client.
    fn encode_response(&self, response: &Response, context: &ReplyContext, losses: &mut Losses) -> Vec<u8>;

    /// A decoder for one streamed answer.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// An encoder for one streamed answer.
    fn stream_encoder(&self, context: &ReplyContext) -> Box<dyn StreamEncoder>;

    /// Reads an upstream's error answer; never fails: a body of another form becomes [`Error::from_text`].
    fn decode_error(&self, status: u16, body: &[u8]) -> Error;

    /// Writes an error answer for a client.
    fn encode_error(&self, error: &Error) -> Vec<u8>;

    /// Writes an error inside a stream that has begun, and what ends such a stream.
    fn encode_stream_error(&self, error: &Error, out: &mut Vec<u8>);

    /// Looks at a whole passed-through answer.
    fn observe_body(&self, body: &[u8], observation: &mut Observation);

    /// Looks at one frame of a passed-through stream; cheap for frames that tell nothing.
    fn observe_frame(&self, event: Option<&str>, data: &[u8], observation: &mut Observation) -> FrameRole;
}

/// Turns the frames of one upstream stream into events.
pub trait StreamDecoder: Send {
    /// Takes one frame (an SSE event's name and data, or an event-stream message's type and payload) and appends events.
    /// `Err`: the frame is not of this dialect.
    fn frame(&mut self, event: Option<&str>, data: &[u8], out: &mut Vec<Event>) -> Result<(), String>;

    /// The upstream's body ended. Appends what closes an answer that is complete; returns false when the answer was cut.
    fn finish(&mut self, out: &mut Vec<Event>) -> bool;
}

/// Turns events into the bytes of one client stream.
pub trait StreamEncoder: Send {
    /// Appends the bytes of one event.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>, losses: &mut Losses);
}
