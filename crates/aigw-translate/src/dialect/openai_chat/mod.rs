//! OpenAI Chat Completions, and what compatible servers and gateways add to it.

mod chunk;
mod citation;
mod decode;
mod decode_content;
mod decode_message;
mod encode;
mod encode_content;
mod encode_message;
mod error;
mod fields;
mod observe;
mod response;
mod schema;
mod stream_calls;
mod stream_choice;
mod stream_decode;
mod stream_encode;
mod stream_write;
mod usage;
mod write;

use super::contract::{Dialect, FrameRole, Observation, ReplyContext, StreamDecoder, StreamEncoder, Target};
use crate::ir::{DialectId, Error, Losses, Request, Response};

/// OpenAI Chat Completions.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiChat;

impl Dialect for OpenAiChat {
    fn id(&self) -> DialectId {
        schema::ID
    }

    fn decode_request(&self, body: &[u8]) -> Result<Request, Error> {
        decode::decode_request(body)
    }

    fn encode_request(
        &self,
        request: &Request,
        target: Target<'_>,
        losses: &mut Losses,
    ) -> Result<Vec<u8>, Error> {
        encode::encode_request(request, target, losses)
    }

    fn decode_response(&self, body: &[u8]) -> Result<Response, String> {
        response::decode_response(body)
    }

    fn encode_response(&self, response: &Response, context: &ReplyContext, losses: &mut Losses) -> Vec<u8> {
        response::encode_response(response, context, losses)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream_decode::Decoder::default())
    }

    fn stream_encoder(&self, context: &ReplyContext) -> Box<dyn StreamEncoder> {
        Box::new(stream_encode::Encoder::new(context))
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> Error {
        error::decode_error(status, body)
    }

    fn encode_error(&self, error: &Error) -> Vec<u8> {
        error::encode_error(error)
    }

    fn encode_stream_error(&self, error: &Error, out: &mut Vec<u8>) {
        error::encode_stream_error(error, out);
    }

    fn observe_body(&self, body: &[u8], observation: &mut Observation) {
        observe::observe_body(body, observation);
    }

    fn observe_frame(&self, event: Option<&str>, data: &[u8], observation: &mut Observation) -> FrameRole {
        observe::observe_frame(event, data, observation)
    }
}
