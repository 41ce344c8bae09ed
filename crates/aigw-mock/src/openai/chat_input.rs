//! The messages of a chat completion: OpenAI's rules for them, and the facts the answer depends on
//! (<https://platform.openai.com/docs/api-reference/chat/create>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::check;
use crate::content::{Media, Prompt, ToolResult};
use crate::error::{Checked, Refusal};
use crate::words;

const ROLES: &[&str] = &["system", "assistant", "user", "function", "tool", "developer"];
/// Tokens of an image or a file.
const MEDIA_TOKENS: u64 = 85;

/// Checks the messages and gathers the prompt from them.
pub(crate) fn read(body: &Value) -> Checked<Prompt> {
    let messages = check::array(check::required(body, "messages", "messages")?, "messages")?;
    let mut reader = Reader::default();
    for (at, message) in messages.iter().enumerate() {
        reader.message(message, at)?;
    }
    reader.all_answered()?;
    Ok(reader.prompt)
}

/// Whether any text of the messages has the word, as JSON mode demands.
pub(crate) fn mentions_json(body: &Value) -> bool {
    body["messages"].to_string().to_ascii_lowercase().contains("json")
}

#[derive(Default)]
struct Reader {
    prompt: Prompt,
    /// Calls of the last assistant message that have no answer yet.
    open: Vec<String>,
    /// Calls of the last assistant message.
    called: Vec<String>,
}

impl Reader {
    fn message(&mut self, message: &Value, at: usize) -> Checked {
        let path = format!("messages[{at}]");
        let role = check::required_str(message, "role", &format!("{path}.role"))?;
        if !ROLES.contains(&role) {
            return Err(check::wrong_value(role, &format!("{path}.role"), ROLES));
        }
        if role == "tool" {
            return self.tool(message, at, &path);
        }
        self.all_answered()?;
        self.called.clear();
        match role {
            "user" => self.user(message, &path),
            "assistant" => self.assistant(message, &path),
            _ => {
                let text = content(message, &path, &["text"])?.text;
                self.prompt.tokens += words::count(&text);
                Ok(())
            }
        }
    }

    fn user(&mut self, message: &Value, path: &str) -> Checked {
        let content = content(message, path, &["text", "image_url", "input_audio", "file"])?;
        self.prompt.tokens += words::count(&content.text) + MEDIA_TOKENS * content.media.len() as u64;
        self.prompt.results.clear();
        self.prompt.rounds = 0;
        self.prompt.text = content.text;
        self.prompt.media = content.media;
        Ok(())
    }

    fn assistant(&mut self, message: &Value, path: &str) -> Checked {
        self.prompt.results.clear();
        let calls = &message["tool_calls"];
        if !calls.is_null() {
            let path = format!("{path}.tool_calls");
            for (at, call) in check::array(calls, &path)?.iter().enumerate() {
                self.call(call, &format!("{path}[{at}]"))?;
            }
            self.prompt.rounds += 1;
        }
        let bare = ["tool_calls", "function_call", "refusal", "audio"]
            .iter()
            .all(|name| message[*name].is_null());
        if message["content"].is_null() {
            if bare {
                return Err(no_content(path));
            }
            return Ok(());
        }
        self.prompt.tokens += words::count(&content(message, path, &["text", "refusal"])?.text);
        Ok(())
    }

    fn call(&mut self, call: &Value, path: &str) -> Checked {
        let id = check::required_str(call, "id", &format!("{path}.id"))?;
        if check::required_str(call, "type", &format!("{path}.type"))? == "function" {
            let function = check::required(call, "function", &format!("{path}.function"))?;
            check::required_str(function, "name", &format!("{path}.function.name"))?;
            let arguments =
                check::required_str(function, "arguments", &format!("{path}.function.arguments"))?;
            self.prompt.tokens += words::count(arguments);
        }
        self.open.push(id.to_owned());
        self.called.push(id.to_owned());
        Ok(())
    }

    fn tool(&mut self, message: &Value, at: usize, path: &str) -> Checked {
        let id = check::required_str(message, "tool_call_id", &format!("{path}.tool_call_id"))?;
        if !self.called.iter().any(|called| called == id) {
            let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
            return Err(Refusal::bad(message).param(format!("messages.[{at}].role")));
        }
        self.open.retain(|open| open != id);
        let text = content(message, path, &["text"])?.text;
        self.prompt.tokens += words::count(&text);
        self.prompt.results.push(ToolResult { text, failed: false });
        Ok(())
    }

    fn all_answered(&self) -> Checked {
        if self.open.is_empty() {
            return Ok(());
        }
        let message = format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
            self.open.join(", ")
        );
        Err(Refusal::bad(message).param("messages"))
    }
}

#[derive(Default)]
struct Content {
    text: String,
    media: Vec<Media>,
}

fn content(message: &Value, path: &str, allowed: &[&str]) -> Checked<Content> {
    let path = format!("{path}.content");
    match &message["content"] {
        Value::Null => Err(no_content(path.trim_end_matches(".content"))),
        Value::String(text) => Ok(Content {
            text: text.clone(),
            media: Vec::new(),
        }),
        Value::Array(parts) if !parts.is_empty() => {
            let mut content = Content::default();
            for (at, part) in parts.iter().enumerate() {
                add(&mut content, part, &format!("{path}[{at}]"), allowed)?;
            }
            Ok(content)
        }
        other => Err(check::wrong_type(
            &path,
            "one of a string or array of objects",
            other,
        )),
    }
}

fn add(content: &mut Content, part: &Value, path: &str, allowed: &[&str]) -> Checked {
    let kind = check::required_str(part, "type", &format!("{path}.type"))?;
    if !allowed.contains(&kind) {
        return Err(check::wrong_value(kind, &format!("{path}.type"), allowed));
    }
    let inner = check::required(part, kind, &format!("{path}.{kind}"))?;
    let path = format!("{path}.{kind}");
    match kind {
        "image_url" => content.media.push(image(
            check::required_str(inner, "url", &format!("{path}.url"))?,
            &path,
        )?),
        "input_audio" => {
            let data = check::required_str(inner, "data", &format!("{path}.data"))?;
            let format = check::required_str(inner, "format", &format!("{path}.format"))?;
            let bytes = decoded(data).ok_or_else(|| check::wrong_value("data", &path, &["base64"]))?;
            content.media.push(Media::Audio {
                bytes,
                format: format.to_owned(),
            });
        }
        "file" => content.media.push(file(inner, &path)?),
        _ => {
            let text = inner
                .as_str()
                .ok_or_else(|| check::wrong_type(&path, "a string", inner))?;
            if !content.text.is_empty() {
                content.text.push('\n');
            }
            content.text.push_str(text);
        }
    }
    Ok(())
}

fn no_content(path: &str) -> Refusal {
    let param = format!("{path}.content");
    Refusal::bad("Invalid value for 'content': expected a string, got null.").param(param)
}

/// An image by data URL or address.
pub(crate) fn image(url: &str, path: &str) -> Checked<Media> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(Media::ImageUrl(url.to_owned()));
    }
    let bad = || {
        let message =
            "Invalid image data. Expected a valid URL or a base64-encoded data URL with an image MIME type.";
        Refusal::bad(message).param(path).code("invalid_image_url")
    };
    let (media, data) = data_url(url).ok_or_else(bad)?;
    if !["image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp"].contains(&media) {
        let message = format!(
            "You uploaded an unsupported image ({media}). Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp']."
        );
        return Err(Refusal::bad(message).param(path).code("invalid_image_format"));
    }
    Ok(Media::Image {
        bytes: decoded(data).ok_or_else(bad)?,
        media: media.to_owned(),
    })
}

fn file(file: &Value, path: &str) -> Checked<Media> {
    if let Some(id) = file["file_id"].as_str() {
        return Ok(Media::DocumentUrl(id.to_owned()));
    }
    check::required_str(file, "filename", &format!("{path}.filename"))?;
    let data = check::required_str(file, "file_data", &format!("{path}.file_data"))?;
    document(data, &format!("{path}.file_data"))
}

/// A document by data URL.
pub(crate) fn document(data: &str, path: &str) -> Checked<Media> {
    let bytes = data_url(data).and_then(|(_, data)| decoded(data));
    let bytes = bytes.ok_or_else(|| {
        let message = format!("Invalid '{path}': expected a base64-encoded data URL with a MIME type (e.g. 'data:application/pdf;base64,…').");
        Refusal::bad(message).param(path).code("invalid_value")
    })?;
    Ok(Media::Document { bytes })
}

fn data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}

fn decoded(data: &str) -> Option<usize> {
    STANDARD
        .decode(data)
        .ok()
        .filter(|bytes| !bytes.is_empty())
        .map(|bytes| bytes.len())
}
