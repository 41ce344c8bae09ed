//! Content blocks, each by itself (<https://docs.anthropic.com/en/api/messages>,
//! <https://docs.anthropic.com/en/docs/build-with-claude/vision>,
//! <https://docs.anthropic.com/en/docs/build-with-claude/pdf-support>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::check::{self, bad};
use super::parameters::Rules;
use super::turns::{Block, Placed};
use crate::content::Media;
use crate::error::Checked;
use crate::sign;

const USER: &[&str] = &["document", "image", "search_result", "text", "tool_result"];
const ASSISTANT: &[&str] = &["redacted_thinking", "text", "thinking", "tool_use"];
/// Media types of images, and how their files begin.
const IMAGES: &[(&str, &[u8])] = &[
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/png", b"\x89PNG"),
    ("image/gif", b"GIF8"),
    ("image/webp", b"RIFF"),
];

/// Checks a block of a message.
pub(crate) fn check(placed: &Placed<'_>, user: bool, rules: Rules) -> Checked {
    let path = &placed.path;
    let block = match placed.block {
        Block::Text(text) => return text_is_there(text),
        Block::Object(block) => block,
    };
    let kind = check::required_str(block, "type", &format!("{path}.type"))?;
    // Blocks of tools that the vendor runs come back in assistant turns as they were given.
    let served = kind.ends_with("_tool_result")
        || matches!(kind, "server_tool_use" | "container_upload" | "mcp_tool_use");
    let allowed = if user { USER } else { ASSISTANT };
    // Until API version 2026-10-21, documents of the assistant were taken.
    let old_document = !user && kind == "document" && !rules.api_2026;
    if !served && !old_document && !allowed.contains(&kind) {
        return Err(check::wrong_tag(path, kind, allowed));
    }
    match kind {
        "text" => {
            let cited = block["citations"]
                .as_array()
                .is_some_and(|citations| !citations.is_empty());
            if user && cited && rules.api_2026 {
                return Err(bad(
                    &format!("{path}.text.citations"),
                    "Extra inputs are not permitted",
                ));
            }
            text_is_there(check::required_str(block, "text", &format!("{path}.text.text"))?)
        }
        "image" => image(block, path).map(|_| ()),
        "document" => document(block, path).map(|_| ()),
        "tool_use" => tool_use(block, path),
        "tool_result" => tool_result(block, path),
        "thinking" => thinking(block, path),
        "redacted_thinking" => {
            let data = check::required_str(block, "data", &format!("{path}.redacted_thinking.data"))?;
            if sign::redacted_is_ours(data) {
                Ok(())
            } else {
                Err(bad(path, "Invalid `data` in `redacted_thinking` block"))
            }
        }
        _ => Ok(()),
    }
}

fn text_is_there(text: &str) -> Checked {
    if text.is_empty() {
        return Err(bad("messages", "text content blocks must be non-empty"));
    }
    if text.trim().is_empty() {
        return Err(bad(
            "messages",
            "text content blocks must contain non-whitespace text",
        ));
    }
    Ok(())
}

fn thinking(block: &Value, path: &str) -> Checked {
    let text = check::required_str(block, "thinking", &format!("{path}.thinking.thinking"))?;
    let signature = check::required_str(block, "signature", &format!("{path}.thinking.signature"))?;
    if check::present(block, "cache_control").is_some() {
        return Err(bad(
            &format!("{path}.thinking.cache_control"),
            "Extra inputs are not permitted",
        ));
    }
    if signature == sign::thinking(text) {
        Ok(())
    } else {
        Err(bad(path, "Invalid `signature` in `thinking` block"))
    }
}

fn tool_use(block: &Value, path: &str) -> Checked {
    let id = check::required_str(block, "id", &format!("{path}.tool_use.id"))?;
    id_matches(id, &format!("{path}.tool_use.id"))?;
    check::required_str(block, "name", &format!("{path}.tool_use.name"))?;
    let input = check::required(block, "input", &format!("{path}.tool_use.input"))?;
    if input.is_object() {
        Ok(())
    } else {
        Err(bad(
            &format!("{path}.tool_use.input"),
            "Input should be a valid dictionary",
        ))
    }
}

fn id_matches(id: &str, path: &str) -> Checked {
    if !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    {
        return Ok(());
    }
    Err(bad(path, "String should match pattern '^[a-zA-Z0-9_-]+$'"))
}

fn tool_result(block: &Value, path: &str) -> Checked {
    let path = format!("{path}.tool_result");
    let id = check::required_str(block, "tool_use_id", &format!("{path}.tool_use_id"))?;
    id_matches(id, &format!("{path}.tool_use_id"))?;
    check::boolean(block, "is_error", &format!("{path}.is_error"))?;
    match check::present(block, "content") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => parts.iter().enumerate().try_for_each(|(at, part)| {
            let path = format!("{path}.content.{at}");
            match check::required_str(part, "type", &format!("{path}.type"))? {
                "text" => text_is_there(check::required_str(part, "text", &format!("{path}.text.text"))?),
                "image" => image(part, &path).map(|_| ()),
                "document" => document(part, &path).map(|_| ()),
                "search_result" | "tool_reference" | "browser_state" => Ok(()),
                other => Err(check::wrong_tag(
                    &path,
                    other,
                    &["document", "image", "search_result", "text"],
                )),
            }
        }),
        Some(_) => Err(bad(
            &format!("{path}.content"),
            "Input should be a valid string or a valid array",
        )),
    }
}

/// Checks an image and says what it is.
pub(crate) fn image(block: &Value, path: &str) -> Checked<Media> {
    let path = format!("{path}.image.source");
    let source = check::required(block, "source", &path)?;
    match check::required_str(source, "type", &format!("{path}.type"))? {
        "base64" => {
            let media = check::required_str(source, "media_type", &format!("{path}.base64.media_type"))?;
            let names: Vec<_> = IMAGES.iter().map(|(name, _)| *name).collect();
            if !names.contains(&media) {
                return Err(check::not_among(&format!("{path}.base64.media_type"), &names));
            }
            let data = decoded(source, &format!("{path}.base64.data"))?;
            let looks = IMAGES.iter().find(|(_, magic)| data.starts_with(magic));
            if looks.is_some_and(|(name, _)| *name != media) {
                let message = format!(
                    "The image was specified using the {media} media type, but does not appear to be one"
                );
                return Err(bad(&path, &message));
            }
            Ok(Media::Image {
                bytes: data.len(),
                media: media.to_owned(),
            })
        }
        "url" => Ok(Media::ImageUrl(url(source, &path)?)),
        "file" => Ok(Media::ImageUrl(
            check::required_str(source, "file_id", &format!("{path}.file.file_id"))?.to_owned(),
        )),
        other => Err(check::wrong_tag(&path, other, &["base64", "file", "url"])),
    }
}

/// Checks a document and says what it is.
pub(crate) fn document(block: &Value, path: &str) -> Checked<Media> {
    let path = format!("{path}.document.source");
    let source = check::required(block, "source", &path)?;
    match check::required_str(source, "type", &format!("{path}.type"))? {
        "base64" => {
            let media = check::required_str(source, "media_type", &format!("{path}.base64.media_type"))?;
            if media != "application/pdf" {
                return Err(check::not_among(
                    &format!("{path}.base64.media_type"),
                    &["application/pdf"],
                ));
            }
            Ok(Media::Document {
                bytes: decoded(source, &format!("{path}.base64.data"))?.len(),
            })
        }
        "text" => {
            let media = check::required_str(source, "media_type", &format!("{path}.text.media_type"))?;
            if media != "text/plain" {
                return Err(check::not_among(
                    &format!("{path}.text.media_type"),
                    &["text/plain"],
                ));
            }
            Ok(Media::Document {
                bytes: check::required_str(source, "data", &format!("{path}.text.data"))?.len(),
            })
        }
        "content" => Ok(Media::Document {
            bytes: source["content"].to_string().len(),
        }),
        "url" => Ok(Media::DocumentUrl(url(source, &path)?)),
        "file" => Ok(Media::DocumentUrl(
            check::required_str(source, "file_id", &format!("{path}.file.file_id"))?.to_owned(),
        )),
        other => Err(check::wrong_tag(
            &path,
            other,
            &["base64", "content", "file", "text", "url"],
        )),
    }
}

fn url(source: &Value, path: &str) -> Checked<String> {
    let url = check::required_str(source, "url", &format!("{path}.url.url"))?;
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(url.to_owned());
    }
    Err(bad(&format!("{path}.url.url"), "Only HTTPS URLs are supported."))
}

fn decoded(source: &Value, path: &str) -> Checked<Vec<u8>> {
    let data = check::required_str(source, "data", path)?;
    STANDARD
        .decode(data)
        .ok()
        .filter(|bytes| !bytes.is_empty())
        .ok_or_else(|| bad(path, "invalid base64 data"))
}
