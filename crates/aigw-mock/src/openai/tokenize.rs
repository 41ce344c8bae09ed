//! `POST /tokenize` as vLLM serves it
//! (<https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#tokenizer-api>).

use serde_json::{Value, json};

use super::{chat_input, check};
use crate::call::Call;
use crate::error::{Checked, Refusal};
use crate::reply::Reply;
use crate::words;

/// Numbers the words of a prompt or of messages.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    check::exists(call, call.model)?;
    let words: Vec<String> = match (&body["prompt"], &body["messages"]) {
        (Value::String(prompt), Value::Null) => {
            words::pieces(prompt).into_iter().map(str::to_owned).collect()
        }
        (Value::Null, Value::Array(_)) => {
            let tokens = chat_input::read(body)?.tokens;
            (0..tokens).map(|token| format!("token{token}")).collect()
        }
        _ => return Err(Refusal::bad("Expected either `prompt` or `messages`.")),
    };
    let strings = check::boolean(body, "return_token_strs")?.then_some(&words);
    Ok(Reply::json(&json!({
        "count": words.len(),
        "max_model_len": 8192,
        "tokens": (1..=words.len()).collect::<Vec<_>>(),
        "token_strs": strings,
    })))
}
