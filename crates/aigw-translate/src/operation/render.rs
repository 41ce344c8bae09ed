//! Errors in the shape of each family of operations.

use serde_json::json;

use super::table::ErrorShape;
use crate::dialect::{Dialect, anthropic_messages::AnthropicMessages, openai_chat::OpenAiChat};
use crate::ir::Error;

/// An error answer's body.
pub fn encode_error(shape: ErrorShape, error: &Error) -> Vec<u8> {
    match shape {
        ErrorShape::OpenAi => OpenAiChat.encode_error(error),
        ErrorShape::Anthropic => AnthropicMessages.encode_error(error),
        // https://docs.cohere.com/reference/errors
        ErrorShape::Cohere => json!({"message": error.message}).to_string().into_bytes(),
    }
}

/// An error inside an event stream.
pub fn encode_stream_error(shape: ErrorShape, error: &Error, out: &mut Vec<u8>) {
    match shape {
        ErrorShape::OpenAi => OpenAiChat.encode_stream_error(error, out),
        ErrorShape::Anthropic => AnthropicMessages.encode_stream_error(error, out),
        ErrorShape::Cohere => {
            let data = json!({"message": error.message}).to_string();
            out.extend_from_slice(format!("event: error\ndata: {data}\n\n").as_bytes());
        }
    }
}
