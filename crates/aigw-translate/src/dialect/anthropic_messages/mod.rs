//! Anthropic Messages.
//!
//! <https://platform.claude.com/docs/en/api/messages>

mod decode;
mod decode_content;
mod encode;
mod encode_content;
#[cfg(test)]
mod encode_tests;
mod encode_turns;
mod error;
mod models;
mod observe;
mod read;
mod response;
mod stream_decoder;
mod stream_encoder;
#[cfg(test)]
mod tests;
mod thinking;
mod usage;
mod write;

use super::contract::{Dialect, FrameRole, Observation, ReplyContext, StreamDecoder, StreamEncoder, Target};
use crate::ir::{DialectId, Error, Losses, Request, Response};

/// Anthropic Messages.
#[derive(Clone, Copy, Debug)]
pub struct AnthropicMessages;

impl Dialect for AnthropicMessages {
    fn id(&self) -> DialectId {
        DialectId::AnthropicMessages
    }

    fn decode_request(&self, body: &[u8]) -> Result<Request, Error> {
        decode::request(body)
    }

    fn encode_request(
        &self,
        request: &Request,
        target: Target<'_>,
        losses: &mut Losses,
    ) -> Result<Vec<u8>, Error> {
        encode::request(request, target, losses)
    }

    fn decode_response(&self, body: &[u8]) -> Result<Response, String> {
        response::decode(body)
    }

    fn encode_response(&self, response: &Response, context: &ReplyContext, losses: &mut Losses) -> Vec<u8> {
        response::encode(response, context, losses)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream_decoder::Decoder::default())
    }

    fn stream_encoder(&self, context: &ReplyContext) -> Box<dyn StreamEncoder> {
        Box::new(stream_encoder::Encoder::new(context))
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> Error {
        error::decode(status, body)
    }

    fn encode_error(&self, error: &Error) -> Vec<u8> {
        error::encode(error)
    }

    fn encode_stream_error(&self, error: &Error, out: &mut Vec<u8>) {
        error::encode_stream(error, out);
    }

    fn observe_body(&self, body: &[u8], observation: &mut Observation) {
        observe::body(body, observation);
    }

    fn observe_frame(&self, event: Option<&str>, data: &[u8], observation: &mut Observation) -> FrameRole {
        observe::frame(event, data, observation)
    }
}
