//! OpenAI Chat Completions.

use super::contract::{Dialect, FrameRole, Observation, ReplyContext, StreamDecoder, StreamEncoder, Target};
use crate::ir::{DialectId, Error, Losses, Request, Response};

/// OpenAI Chat Completions.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiChat;

impl Dialect for OpenAiChat {
    fn id(&self) -> DialectId {
        DialectId::OpenAiChat
    }
    fn decode_request(&self, _body: &[u8]) -> Result<Request, Error> {
        unimplemented!()
    }
    fn encode_request(
        &self,
        _request: &Request,
        _target: Target<'_>,
        _losses: &mut Losses,
    ) -> Result<Vec<u8>, Error> {
        unimplemented!()
    }
    fn decode_response(&self, _body: &[u8]) -> Result<Response, String> {
        unimplemented!()
    }
    fn encode_response(
        &self,
        _response: &Response,
        _context: &ReplyContext,
        _losses: &mut Losses,
    ) -> Vec<u8> {
        unimplemented!()
    }
    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        unimplemented!()
    }
    fn stream_encoder(&self, _context: &ReplyContext) -> Box<dyn StreamEncoder> {
        unimplemented!()
    }
    fn decode_error(&self, _status: u16, _body: &[u8]) -> Error {
        unimplemented!()
    }
    fn encode_error(&self, _error: &Error) -> Vec<u8> {
        unimplemented!()
    }
    fn encode_stream_error(&self, _error: &Error, _out: &mut Vec<u8>) {
        unimplemented!()
    }
    fn observe_body(&self, _body: &[u8], _observation: &mut Observation) {
        unimplemented!()
    }
    fn observe_frame(&self, _event: Option<&str>, _data: &[u8], _observation: &mut Observation) -> FrameRole {
        unimplemented!()
    }
}
