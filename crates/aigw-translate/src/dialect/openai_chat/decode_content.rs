//! Reads content: a text, or a list of parts.
//!
//! <https://platform.openai.com/docs/api-reference/chat/create#chat_create-messages>; `audio_url` and `video_url` are vLLM's
//! (<https://docs.vllm.ai/en/latest/features/multimodal_inputs.html>), `thinking` and `redacted_thinking` those of gateways that
//! carry Anthropic's reasoning, `thinking` as a list Mistral's (<https://docs.mistral.ai/capabilities/reasoning/>).

use serde_json::Value;

use super::fields::{Fields, invalid, path};
use super::schema::{ID, audio_type};
use crate::ir::{
    Block, DialectId, Document, Error, Media, MediaKind, MediaSource, Opaque, Part, Place, ReasoningBlock,
    Signature,
};

/// Reads the content of the element at `place`: null is no content, one part alone may stand without its list.
pub(super) fn content(value: Option<Value>, place: Place) -> Result<Vec<Block>, Error> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text_block(text, place.member("content"))]),
        Some(Value::Array(parts)) => {
            let mut blocks = Vec::with_capacity(parts.len());
            for (index, value) in parts.into_iter().enumerate() {
                blocks.push(part(value, place.child("content", index))?);
            }
            Ok(blocks)
        }
        Some(value @ Value::Object(_)) => Ok(vec![part(value, place.member("content"))?]),
        Some(_) => {
            let path = path(place, "content");
            let message = format!("{path} must be a string or an array of content parts.");
            Err(invalid(path, message))
        }
    }
}

/// A piece of text that stood at `place`.
pub(super) fn text_block(text: String, place: Place) -> Block {
    Block {
        place,
        ..Block::text(text)
    }
}

/// Reads one part; an unknown one stays as it is.
fn part(value: Value, place: Place) -> Result<Block, Error> {
    if let Value::String(text) = value {
        return Ok(text_block(text, place));
    }
    let mut fields = Fields::of(value, place)?;
    let kind = match fields.take("type") {
        Some(Value::String(kind)) => kind,
        _ => return Err(fields.wrong("type", "must be a string")),
    };
    let part = match kind.as_str() {
        "text" => Some(text(&mut fields)?),
        "image_url" => url_media(&mut fields, MediaKind::Image, "image_url")?,
        "audio_url" => url_media(&mut fields, MediaKind::Audio, "audio_url")?,
        "video_url" => url_media(&mut fields, MediaKind::Video, "video_url")?,
        "input_audio" => input_audio(&mut fields)?,
        "file" => file(&mut fields)?,
        "refusal" => Some(Part::Refusal(fields.required("refusal")?)),
        "thinking" => Some(Part::Reasoning(thinking(&mut fields)?)),
        "redacted_thinking" => Some(Part::Reasoning(redacted(&mut fields)?)),
        _ => None,
    };
    let Some(part) = part else {
        return Ok(opaque(kind, fields));
    };
    let cache = fields.cache();
    Ok(Block {
        part,
        cache,
        extra: fields.rest(),
        place,
    })
}

/// A value of a type that the representation does not know.
pub(super) fn opaque(kind: String, fields: Fields) -> Block {
    let place = fields.place();
    let mut value = serde_json::Map::new();
    value.insert("type".to_owned(), kind.into());
    value.extend(fields.into_map());
    Block {
        place,
        ..Block::new(Part::Opaque(Opaque {
            dialect: ID,
            value: Value::Object(value),
        }))
    }
}

fn text(fields: &mut Fields) -> Result<Part, Error> {
    Ok(Part::Text {
        text: fields.required("text")?,
        citations: Default::default(),
    })
}

/// `{"image_url": {"url", "detail"}}`, or the URL alone.
fn url_media(fields: &mut Fields, kind: MediaKind, name: &'static str) -> Result<Option<Part>, Error> {
    if let Some(Value::String(url)) = fields.peek(name) {
        let source = source_of_url(url.clone());
        fields.take(name);
        return Ok(Some(media(kind, source, None)));
    }
    let Some(mut inner) = fields.object(name)? else {
        return Err(fields.wrong(name, "is required"));
    };
    let source = source_of_url(inner.required("url")?);
    let detail = inner.text("detail")?;
    fields.put_rest(name, inner);
    Ok(Some(media(kind, source, detail)))
}

fn media(kind: MediaKind, source: MediaSource, detail: Option<String>) -> Part {
    Part::Media(Media { kind, source, detail })
}

/// A base64 `data:` URL is inline, any other URL is to be fetched.
fn source_of_url(url: String) -> MediaSource {
    match data_url(&url) {
        Some((media_type, data)) => MediaSource::Base64 {
            media_type: media_type.to_owned(),
            data: data.to_owned(),
        },
        None => MediaSource::Url {
            url,
            media_type: None,
        },
    }
}

/// MIME type and base64 text of a `data:` URL (RFC 2397); parameters such as `charset` are left out.
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.split_once(',')?;
    let (scheme, head) = head.split_at_checked(5)?;
    let head = head.strip_suffix(";base64")?;
    let media_type = head.split(';').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("data:").then_some((media_type, data))
}

fn input_audio(fields: &mut Fields) -> Result<Option<Part>, Error> {
    let Some(mut inner) = fields.object("input_audio")? else {
        return Err(fields.wrong("input_audio", "is required"));
    };
    let data = inner.required("data")?;
    let media_type = audio_type(&inner.required("format")?);
    fields.put_rest("input_audio", inner);
    Ok(Some(media(
        MediaKind::Audio,
        MediaSource::Base64 { media_type, data },
        None,
    )))
}

/// `{"file": {"file_id"} | {"file_data", "filename"}}`; `file_data` is a `data:` URL, or base64 alone, then of a PDF.
fn file(fields: &mut Fields) -> Result<Option<Part>, Error> {
    let Some(mut inner) = fields.object("file")? else {
        return Err(fields.wrong("file", "is required"));
    };
    let title = inner.text("filename")?;
    let source = if inner.has("file_id") {
        MediaSource::File {
            id: inner.required("file_id")?,
        }
    } else {
        let data = inner.required("file_data")?;
        match source_of_url(data) {
            MediaSource::Url { url, .. } if !url.contains("://") => MediaSource::Base64 {
                media_type: "application/pdf".to_owned(),
                data: url,
            },
            source => source,
        }
    };
    fields.put_rest("file", inner);
    Ok(Some(Part::Document(Document {
        source,
        title,
        context: None,
        citations: None,
    })))
}

/// The members of a `thinking` part or block.
pub(super) fn thinking(fields: &mut Fields) -> Result<ReasoningBlock, Error> {
    let text = match fields.take("thinking").or_else(|| fields.take("text")) {
        Some(Value::String(text)) => Some(text),
        Some(Value::Array(parts)) => Some(joined(&parts)),
        Some(_) => return Err(fields.wrong("thinking", "must be a string")),
        None => None,
    };
    let signature = fields
        .text("signature")?
        .filter(|signature| !signature.is_empty());
    Ok(ReasoningBlock {
        text,
        signature: signature.map(|text| Signature::read(DialectId::AnthropicMessages, text)),
        redacted: None,
    })
}

/// The members of a `redacted_thinking` part or block.
pub(super) fn redacted(fields: &mut Fields) -> Result<ReasoningBlock, Error> {
    let data = match fields.text("data")? {
        Some(data) => data,
        None => fields
            .text("redactedContent")?
            .ok_or_else(|| fields.wrong("data", "is required"))?,
    };
    Ok(ReasoningBlock {
        redacted: Some(Signature::read(DialectId::AnthropicMessages, data)),
        ..ReasoningBlock::default()
    })
}

fn joined(parts: &[Value]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Value::String(text) => Some(text.as_str()),
        part => part.get("text")?.as_str(),
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_taken_apart() {
        assert_eq!(
            data_url("data:image/png;base64,iVBO"),
            Some(("image/png", "iVBO"))
        );
        assert_eq!(
            data_url("DATA:image/svg+xml;charset=utf-8;base64,PA=="),
            Some(("image/svg+xml", "PA=="))
        );
        assert_eq!(data_url("data:text/plain,hello"), None);
        assert_eq!(data_url("https://example.com/a,b;base64,c"), None);
        assert_eq!(data_url("é"), None);
    }

    #[test]
    fn bare_base64_is_a_pdf() {
        let value =
            serde_json::json!([{"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}}]);
        let blocks = content(Some(value), Place::ROOT).unwrap();
        let Part::Document(document) = &blocks[0].part else {
            panic!("{blocks:?}")
        };
        assert_eq!(
            document.source,
            MediaSource::Base64 {
                media_type: "application/pdf".to_owned(),
                data: "JVBERi0=".to_owned()
            }
        );
    }

    #[test]
    fn a_wrong_part_is_named() {
        let place = Place::item("messages", 2);
        let value = serde_json::json!([{"type": "text", "text": "a"}, {"type": "text", "text": 1}]);
        let error = content(Some(value), place).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[2].content[1].text"));
        assert_eq!(error.status, 400);
    }
}
