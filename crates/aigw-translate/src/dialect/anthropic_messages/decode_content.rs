//! Reads content blocks, of requests and of answers.
//!
//! <https://platform.claude.com/docs/en/api/messages>

use serde_json::Value;

use super::read::{BlockIn, ContentIn, Members};
use crate::ir::{
    Block, CacheMarker, Citations, DialectId, Document, Media, MediaKind, MediaSource, Opaque, Part, Place,
    ReasoningBlock, Signature, ToolCall, ToolResult,
};

const THIS: DialectId = DialectId::AnthropicMessages;

/// Content of a message, each block with the place that `place` gives for its number; `None` when it is neither text nor blocks.
pub(super) fn content(content: ContentIn, place: impl Fn(usize) -> Place) -> Option<Vec<Block>> {
    match content {
        ContentIn::Text(text) => Some(vec![Block {
            place: place(0),
            ..Block::text(text)
        }]),
        ContentIn::Blocks(blocks) => {
            let blocks = blocks.into_iter().enumerate();
            Some(
                blocks
                    .map(|(index, block)| self::block(block, place(index)))
                    .collect(),
            )
        }
        ContentIn::Wrong => None,
    }
}

/// One block. A block of an unknown type, or one that lacks what its type demands, is opaque.
pub(super) fn block(mut block: BlockIn, place: Place) -> Block {
    let whole = |part| Block {
        place,
        ..Block::new(part)
    };
    let kind = match block.members.0.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        _ => return whole(opaque(block)),
    };
    if !complete(&kind, &block) {
        return whole(opaque(block));
    }
    block.members.take("type");
    let cache = block.members.object("cache_control").map(cache_marker);
    let members = &mut block.members;
    let part = match kind.as_str() {
        "text" => text(members),
        "image" => image(members),
        "document" => document(members),
        "tool_use" => Part::ToolCall(tool_use(
            members,
            block.input.take().map(|raw| compact(raw.get())),
        )),
        "tool_result" => Part::ToolResult(tool_result(members, place)),
        "thinking" => thinking(members),
        _ => Part::Reasoning(ReasoningBlock {
            redacted: members.text("data").map(|data| Signature::read(THIS, data)),
            ..ReasoningBlock::default()
        }),
    };
    Block {
        part,
        cache,
        extra: block.members.rest(),
        place,
    }
}

/// True when the block is of a known type and has what that type cannot be without.
fn complete(kind: &str, block: &BlockIn) -> bool {
    let text = |name: &str| block.members.0.get(name).is_some_and(Value::is_string);
    match kind {
        "text" => text("text"),
        "image" | "document" => block.members.0.get("source").is_some_and(known_source),
        "tool_use" => text("id") && text("name"),
        "tool_result" => {
            let content = block.members.0.get("content");
            text("tool_use_id")
                && content.is_none_or(|content| {
                    content.is_null()
                        || content.is_string()
                        || content
                            .as_array()
                            .is_some_and(|blocks| blocks.iter().all(Value::is_object))
                })
        }
        "thinking" => text("thinking"),
        "redacted_thinking" => text("data"),
        _ => false,
    }
}

fn known_source(source: &Value) -> bool {
    let text = |name: &str| source.get(name).is_some_and(Value::is_string);
    match source.get("type").and_then(Value::as_str) {
        Some("base64" | "text") => text("media_type") && text("data"),
        Some("url") => text("url"),
        Some("file") => text("file_id"),
        Some("content") => match source.get("content") {
            Some(Value::String(_)) => true,
            Some(Value::Array(blocks)) => blocks.iter().all(Value::is_object),
            _ => false,
        },
        _ => false,
    }
}

fn opaque(block: BlockIn) -> Part {
    Part::Opaque(Opaque {
        dialect: THIS,
        value: block.into_value(),
    })
}

fn text(members: &mut Members) -> Part {
    Part::Text {
        text: members.text("text").unwrap_or_default(),
        citations: citations(members),
    }
}

fn citations(members: &mut Members) -> Citations {
    let list = members.list("citations").unwrap_or_default();
    let opaque = list.into_iter().map(|value| Opaque { dialect: THIS, value });
    Citations(opaque.collect())
}

fn image(members: &mut Members) -> Part {
    Part::Media(Media {
        kind: MediaKind::Image,
        source: source(members),
        detail: None,
    })
}

fn document(members: &mut Members) -> Part {
    let citations = members.object("citations").and_then(|mut citations| {
        let enabled = citations.flag("enabled");
        members.put_back("citations", citations);
        enabled
    });
    Part::Document(Document {
        source: source(members),
        title: members.text("title"),
        context: members.text("context"),
        citations,
    })
}

/// The source, which [`known_source`] has approved.
fn source(members: &mut Members) -> MediaSource {
    let mut source = members.object("source").unwrap_or_default();
    let kind = source.text("type").unwrap_or_default();
    let mut text = |name| source.text(name).unwrap_or_default();
    let read = match kind.as_str() {
        "base64" => MediaSource::Base64 {
            media_type: text("media_type"),
            data: text("data"),
        },
        "text" => MediaSource::Text {
            media_type: text("media_type"),
            text: text("data"),
        },
        "file" => MediaSource::File { id: text("file_id") },
        "url" => MediaSource::Url {
            url: text("url"),
            media_type: None,
        },
        _ => {
            let blocks = source.take("content").map(ContentIn::from);
            MediaSource::Blocks(
                blocks
                    .and_then(|blocks| content(blocks, |_| Place::ROOT))
                    .unwrap_or_default(),
            )
        }
    };
    members.put_back("source", source);
    read
}

fn tool_use(members: &mut Members, input: Option<String>) -> ToolCall {
    ToolCall {
        id: members.text("id").unwrap_or_default(),
        name: members.text("name").unwrap_or_default(),
        arguments: input.unwrap_or_default(),
        custom: false,
        signature: None,
    }
}

/// JSON text without the blanks between its tokens: other vendors' models write arguments so.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find([' ', '\n', '\r', '\t', '"']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let end = if from.starts_with('"') {
            string_end(from)
        } else {
            1
        };
        let (token, after) = from.split_at(end);
        if token.starts_with('"') {
            out.push_str(token);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Where the string that `text` starts with ends.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn tool_result(members: &mut Members, place: Place) -> ToolResult {
    let blocks = members.take("content").map(ContentIn::from);
    ToolResult {
        call_id: members.text("tool_use_id").unwrap_or_default(),
        name: None,
        content: blocks
            .and_then(|blocks| content(blocks, |_| place))
            .unwrap_or_default(),
        is_error: members.flag("is_error"),
    }
}

fn thinking(members: &mut Members) -> Part {
    let signature = members
        .text("signature")
        .filter(|signature| !signature.is_empty());
    Part::Reasoning(ReasoningBlock {
        text: members.text("thinking"),
        signature: signature.map(|signature| Signature::read(THIS, signature)),
        redacted: None,
    })
}

/// A cache marker; `type` is always `ephemeral`.
pub(super) fn cache_marker(mut members: Members) -> CacheMarker {
    let ttl = members.text("ttl");
    if members.0.get("type").and_then(Value::as_str) == Some("ephemeral") {
        members.take("type");
    }
    CacheMarker {
        ttl,
        extra: members.rest(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_lose_blanks_outside_of_strings_only() {
        let pretty = "{\n  \"a b\": [1, 2.50],\t\"q\": \" \\\" \\\\\", \"é\": {} }";
        assert_eq!(
            compact(pretty),
            "{\"a b\":[1,2.50],\"q\":\" \\\" \\\\\",\"é\":{}}"
        );
        assert_eq!(compact("{}"), "{}");
    }
}
