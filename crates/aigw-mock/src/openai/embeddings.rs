//! `POST /embeddings` (<https://platform.openai.com/docs/api-reference/embeddings>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::check;
use crate::call::Call;
use crate::error::{Checked, Refusal};
use crate::reply::Reply;
use crate::{sign, words};

const DEFAULT_DIMENSIONS: u64 = 1536;
const MOST_INPUTS: usize = 2048;

/// One unit vector an input, following from model and text alone.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    let model = check::model(call, body)?;
    let known = &["input", "model", "encoding_format", "dimensions", "user"];
    check::members(call, body, known, &["messages", "contents", "inputs", "texts"])?;
    let base64 = check::one_of(body, "encoding_format", &["float", "base64"])? == Some("base64");
    let dimensions = check::integer(body, "dimensions", 1, 4096)?.unwrap_or(DEFAULT_DIMENSIONS);
    let inputs = inputs(check::required(body, "input", "input")?)?;
    let data: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(model, input, dimensions);
            let embedding = if base64 {
                encode(&vector).into()
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let mut object = json!({"object": "list", "data": data, "model": model});
    if !call.fault.no_usage {
        let tokens: u64 = inputs.iter().map(|input| words::count(input)).sum();
        object["usage"] = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    }
    Ok(Reply::json(&object))
}

fn inputs(input: &Value) -> Checked<Vec<String>> {
    let bad = || {
        let message = "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.";
        Refusal::bad(message)
    };
    let text = |one: &Value| match one {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::Array(tokens) if !tokens.is_empty() && tokens.iter().all(Value::is_u64) => {
            Ok(tokens.iter().map(Value::to_string).collect::<Vec<_>>().join(" "))
        }
        _ => Err(bad()),
    };
    match input {
        Value::Array(list) if list.len() > MOST_INPUTS => {
            let message = format!(
                "Invalid 'input': array too long. Expected an array with maximum length {MOST_INPUTS}, but got an array with length {} instead.",
                list.len()
            );
            Err(Refusal::bad(message)
                .param("input")
                .code("array_above_max_length"))
        }
        Value::Array(list) if !list.first().is_some_and(Value::is_u64) && !list.is_empty() => {
            list.iter().map(text).collect()
        }
        one => Ok(vec![text(one)?]),
    }
}

fn vector(model: &str, input: &str, dimensions: u64) -> Vec<f32> {
    let mut state = sign::seed(&[model.as_bytes(), input.as_bytes()]);
    let raw: Vec<f64> = (0..dimensions)
        .map(|_| (sign::next(&mut state) >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        .collect();
    let length = raw
        .iter()
        .map(|x| x * x)
        .sum::<f64>()
        .sqrt()
        .max(f64::MIN_POSITIVE);
    raw.iter().map(|x| (x / length) as f32).collect()
}

fn encode(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_unit_and_follow_from_the_text() {
        let one = vector("m", "text", 8);
        assert_eq!(one, vector("m", "text", 8));
        assert_ne!(one, vector("m", "other", 8));
        let length: f32 = one.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }

    #[test]
    fn inputs_in_every_form() {
        assert_eq!(inputs(&json!("a")).unwrap(), ["a"]);
        assert_eq!(inputs(&json!(["a", "b"])).unwrap(), ["a", "b"]);
        assert_eq!(inputs(&json!([1, 2])).unwrap(), ["1 2"]);
        assert_eq!(inputs(&json!([[1, 2], [3]])).unwrap(), ["1 2", "3"]);
        for bad in [json!(""), json!([]), json!([""]), json!(5), json!([{}])] {
            assert!(inputs(&bad).is_err(), "{bad}");
        }
    }
}
