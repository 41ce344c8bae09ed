//! The input items of a response: OpenAI's rules for them, and the facts the answer depends on
//! (<https://platform.openai.com/docs/api-reference/responses/create#responses-create-input>).

use serde_json::{Value, json};

use super::{chat_input, check};
use crate::content::{Media, Prompt, ToolResult};
use crate::error::{Checked, Refusal};
use crate::words;

const ROLES: &[&str] = &["assistant", "system", "developer", "user"];
const PARTS: &[&str] = &[
    "input_text",
    "input_image",
    "input_file",
    "output_text",
    "refusal",
];

/// The input as items.
pub(crate) fn items(input: &Value) -> Vec<Value> {
    match input {
        Value::String(text) => vec![json!({"type": "message", "role": "user", "content": text})],
        Value::Array(items) => items.clone(),
        _ => Vec::new(),
    }
}

/// Checks the input after the items of earlier responses and gathers the prompt from both.
pub(crate) fn read(body: &Value, earlier: Vec<Value>) -> Checked<Prompt> {
    let input = check::required(body, "input", "input")?;
    if !input.is_string() && !input.is_array() {
        return Err(check::wrong_type(
            "input",
            "one of an array of objects or a string",
            input,
        ));
    }
    let mut reader = Reader::default();
    reader.prompt.tokens += words::count(check::string(body, "instructions")?.unwrap_or_default());
    let skip = earlier.len();
    for (at, item) in earlier.iter().chain(&items(input)).enumerate() {
        let at = at.saturating_sub(skip);
        reader.item(item, &format!("input[{at}]"))?;
    }
    if let Some(id) = reader.open.first() {
        return Err(Refusal::bad(format!("No tool output found for function call {id}.")).param("input"));
    }
    Ok(reader.prompt)
}

#[derive(Default)]
struct Reader {
    prompt: Prompt,
    called: Vec<String>,
    open: Vec<String>,
    /// The item before was a call, so that parallel calls are one round.
    in_calls: bool,
}

impl Reader {
    fn item(&mut self, item: &Value, path: &str) -> Checked {
        let kind = match item.get("type") {
            None => "message",
            Some(_) => check::required_str(item, "type", &format!("{path}.type"))?,
        };
        let was_call = std::mem::replace(&mut self.in_calls, kind == "function_call");
        match kind {
            "message" => self.message(item, path),
            "function_call" => {
                let id = check::required_str(item, "call_id", &format!("{path}.call_id"))?;
                check::required_str(item, "name", &format!("{path}.name"))?;
                let arguments = check::required_str(item, "arguments", &format!("{path}.arguments"))?;
                self.prompt.tokens += words::count(arguments);
                self.called.push(id.to_owned());
                self.open.push(id.to_owned());
                self.prompt.results.clear();
                self.prompt.rounds += usize::from(!was_call);
                Ok(())
            }
            "function_call_output" => self.output(item, path),
            // Items of built-in tools, reasoning and references carry nothing the answer depends on.
            _ => Ok(()),
        }
    }

    fn output(&mut self, item: &Value, path: &str) -> Checked {
        let id = check::required_str(item, "call_id", &format!("{path}.call_id"))?;
        if !self.called.iter().any(|called| called == id) {
            let message = format!("No tool call found for function call output with call_id {id}.");
            return Err(Refusal::bad(message).param("input"));
        }
        self.open.retain(|open| open != id);
        let output = check::required(item, "output", &format!("{path}.output"))?;
        let text = match output {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect::<Vec<_>>()
                .join("\n"),
            other => return Err(check::wrong_type(&format!("{path}.output"), "a string", other)),
        };
        self.prompt.tokens += words::count(&text);
        self.prompt.results.push(ToolResult { text, failed: false });
        Ok(())
    }

    fn message(&mut self, item: &Value, path: &str) -> Checked {
        let role = check::required_str(item, "role", &format!("{path}.role"))?;
        if !ROLES.contains(&role) {
            return Err(check::wrong_value(role, &format!("{path}.role"), ROLES));
        }
        let (mut text, mut media) = (String::new(), Vec::new());
        match check::required(item, "content", &format!("{path}.content"))? {
            Value::String(content) => text.clone_from(content),
            Value::Array(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    add(
                        part,
                        role,
                        &format!("{path}.content[{at}]"),
                        &mut text,
                        &mut media,
                    )?;
                }
            }
            other => {
                return Err(check::wrong_type(
                    &format!("{path}.content"),
                    "one of an array of objects or a string",
                    other,
                ));
            }
        }
        self.prompt.tokens += words::count(&text) + 85 * media.len() as u64;
        if role == "user" {
            self.prompt.text = text;
            self.prompt.media = media;
            self.prompt.rounds = 0;
        }
        if role == "user" || role == "assistant" {
            self.prompt.results.clear();
        }
        Ok(())
    }
}

fn add(part: &Value, role: &str, path: &str, text: &mut String, media: &mut Vec<Media>) -> Checked {
    let kind = check::required_str(part, "type", &format!("{path}.type"))?;
    let allowed: &[&str] = if role == "assistant" {
        &["output_text", "refusal"]
    } else {
        &["input_text", "input_image", "input_file"]
    };
    if !PARTS.contains(&kind) || !allowed.contains(&kind) {
        return Err(check::wrong_value(kind, &format!("{path}.type"), allowed));
    }
    match kind {
        "input_image" => match part["image_url"].as_str() {
            Some(url) => media.push(chat_input::image(url, &format!("{path}.image_url"))?),
            None => media.push(Media::ImageUrl(
                check::required_str(part, "file_id", &format!("{path}.image_url"))?.to_owned(),
            )),
        },
        "input_file" => match (part["file_data"].as_str(), part["file_url"].as_str()) {
            (Some(data), _) => media.push(chat_input::document(data, &format!("{path}.file_data"))?),
            (None, Some(url)) => media.push(Media::DocumentUrl(url.to_owned())),
            _ => media.push(Media::DocumentUrl(
                check::required_str(part, "file_id", &format!("{path}.file_id"))?.to_owned(),
            )),
        },
        "refusal" => text.push_str(check::required_str(part, "refusal", &format!("{path}.refusal"))?),
        _ => {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(check::required_str(part, "text", &format!("{path}.text"))?);
        }
    }
    Ok(())
}
