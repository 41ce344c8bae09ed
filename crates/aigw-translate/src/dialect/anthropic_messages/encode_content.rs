//! Writes content blocks, of requests and of answers.
//!
//! <https://platform.claude.com/docs/en/api/messages>

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;

use super::write::{Object, WriteExtra, list, nested, value};
use crate::ir::{
    Block, CacheMarker, Citations, DialectId, Document, Losses, Media, MediaKind, MediaSource, Names, Opaque,
    Part, Place, ReasoningBlock, ToolCall, ToolResult,
};

const THIS: DialectId = DialectId::AnthropicMessages;

/// For whom blocks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The vendor, who refuses what is not its own.
    Upstream,
    /// A client, who gets as much as can be said.
    Client,
}

/// What writing a block needs besides the block.
pub(super) struct Writing<'a> {
    /// For whom.
    pub reader: Reader,
    /// How the source spells things.
    pub names: &'a Names,
    /// What could not be said.
    pub losses: &'a mut Losses,
}

impl Writing<'_> {
    /// Writes a block and reports what of it is lost; writes nothing when none of it can be said.
    pub(super) fn block(&mut self, out: &mut Vec<u8>, block: &Block) -> bool {
        let written = match &block.part {
            Part::Text { text, citations } => self.text(out, block, text, Some(citations)),
            Part::Refusal(text) => self.text(out, block, text, None),
            Part::Media(media) => self.media(out, block, media),
            Part::Document(document) => self.document(out, block, document),
            Part::ToolCall(call) => self.tool_call(out, block, call),
            Part::ToolResult(result) => self.tool_result(out, block, result),
            Part::Reasoning(reasoning) => self.reasoning(out, block, reasoning),
            Part::Opaque(opaque) => self.opaque(out, block.place, opaque),
        };
        if written {
            self.losses.report_extra(block.place, &block.extra, THIS);
        }
        written
    }

    /// A list of blocks; those that cannot be said are left out.
    pub(super) fn blocks<'b>(&mut self, out: &mut Vec<u8>, blocks: impl IntoIterator<Item = &'b Block>) {
        out.push(b'[');
        let mut first = true;
        for block in blocks {
            let before = out.len();
            if !first {
                out.push(b',');
            }
            if self.block(out, block) {
                first = false;
            } else {
                out.truncate(before);
            }
        }
        out.push(b']');
    }

    /// The vendor refuses blocks of blank text, and an empty one says nothing to a client.
    fn text(&mut self, out: &mut Vec<u8>, block: &Block, text: &str, citations: Option<&Citations>) -> bool {
        let blank = match self.reader {
            Reader::Upstream => text.trim().is_empty(),
            Reader::Client => text.is_empty(),
        };
        if blank {
            return false;
        }
        let mut object = Object::open(out);
        object.member("type", "text");
        object.member("text", text);
        if let Some(Citations(citations)) = citations
            && !citations.is_empty()
        {
            let own = citations.iter().filter(|citation| citation.dialect == THIS);
            if own.clone().count() < citations.len() {
                self.losses.report_suffix(block.place, self.names.citations);
            }
            if own.clone().next().is_some() {
                list(object.key("citations"), own, |out, citation| {
                    value(out, &citation.value);
                });
            }
        }
        self.finish(object, block, &[]);
        true
    }

    fn media(&mut self, out: &mut Vec<u8>, block: &Block, media: &Media) -> bool {
        if media.kind != MediaKind::Image {
            self.losses.report(block.place, "");
            return false;
        }
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            self.losses.report_suffix(block.place, self.names.media_detail);
        }
        let kind = match &media.source {
            MediaSource::Base64 { media_type, .. } if media_type == PDF => "document",
            MediaSource::Url {
                media_type: Some(media_type),
                ..
            } if media_type == PDF => "document",
            _ => "image",
        };
        self.sourced(out, block, kind, &media.source, |_| {})
    }

    fn document(&mut self, out: &mut Vec<u8>, block: &Block, document: &Document) -> bool {
        self.sourced(out, block, "document", &document.source, |object| {
            object.optional("title", document.title.as_ref());
            object.optional("context", document.context.as_ref());
            let rest = nested(&block.extra, "citations");
            if document.citations.is_some() || rest.is_some() {
                let mut citations = Object::open(object.key("citations"));
                citations.optional("enabled", document.citations.as_ref());
                citations.merge(&block.extra, "citations");
                citations.close();
            }
        })
    }

    fn sourced(
        &mut self,
        out: &mut Vec<u8>,
        block: &Block,
        kind: &str,
        source: &MediaSource,
        more: impl FnOnce(&mut Object<'_>),
    ) -> bool {
        // A file lies in the store of the vendor whose dialect named it.
        if matches!(source, MediaSource::File { .. }) && self.names.dialect != THIS {
            self.losses.report(block.place, "");
            return false;
        }
        let mut object = Object::open(out);
        object.member("type", kind);
        let mut inner = Object::open(object.key("source"));
        self.source(&mut inner, kind, source);
        inner.merge(&block.extra, "source");
        inner.close();
        more(&mut object);
        self.finish(object, block, &["source", "citations"]);
        true
    }

    fn source(&mut self, object: &mut Object<'_>, kind: &str, source: &MediaSource) {
        match source {
            // The vendor takes plain text as text only.
            MediaSource::Base64 { media_type, data }
                if kind == "document" && media_type.starts_with(TEXT) =>
            {
                let decoded = STANDARD.decode(data).unwrap_or_default();
                object.member("type", "text");
                object.member("media_type", TEXT);
                object.member("data", &String::from_utf8_lossy(&decoded));
            }
            MediaSource::Base64 { media_type, data } => {
                object.member("type", "base64");
                object.member("media_type", media_type);
                object.member("data", data);
            }
            MediaSource::Url { url, .. } => {
                object.member("type", "url");
                object.member("url", url);
            }
            MediaSource::File { id } => {
                object.member("type", "file");
                object.member("file_id", id);
            }
            MediaSource::Text { media_type, text } => {
                object.member("type", "text");
                object.member("media_type", media_type);
                object.member("data", text);
            }
            MediaSource::Blocks(blocks) => {
                object.member("type", "content");
                self.blocks(object.key("content"), blocks);
            }
        }
    }

    fn tool_call(&mut self, out: &mut Vec<u8>, block: &Block, call: &ToolCall) -> bool {
        if call.signature.is_some() {
            self.losses.report(block.place, "signature");
        }
        let mut object = Object::open(out);
        object.member("type", "tool_use");
        object.member("id", &tool_id(&call.id));
        object.member("name", &call.name);
        if !input(object.key("input"), call) {
            self.losses.report(block.place, "");
        }
        self.finish(object, block, &[]);
        true
    }

    fn tool_result(&mut self, out: &mut Vec<u8>, block: &Block, result: &ToolResult) -> bool {
        let mut object = Object::open(out);
        object.member("type", "tool_result");
        object.member("tool_use_id", &tool_id(&result.call_id));
        match plain(&result.content) {
            Some("") => {}
            Some(text) => object.member("content", text),
            None => self.blocks(object.key("content"), &result.content),
        }
        object.optional("is_error", result.is_error.as_ref());
        self.finish(object, block, &[]);
        true
    }

    /// The vendor takes back only reasoning that it has signed itself.
    fn reasoning(&mut self, out: &mut Vec<u8>, block: &Block, reasoning: &ReasoningBlock) -> bool {
        if block.cache.is_some() {
            self.losses.report_suffix(block.place, self.names.cache);
        }
        let text = reasoning.text.as_deref().unwrap_or_default();
        let proof = reasoning.redacted.as_ref().or(reasoning.signature.as_ref());
        match self.reader {
            Reader::Upstream if proof.is_none_or(|proof| proof.dialect != THIS) => {
                self.losses.report(block.place, "");
                return false;
            }
            Reader::Client if proof.is_none() && text.is_empty() => return false,
            _ => {}
        }
        let proof = proof.map_or(Cow::Borrowed(""), |proof| proof.write(THIS));
        let mut object = Object::open(out);
        // Other vendors show a summary beside what they encrypt.
        if reasoning.redacted.is_some() && text.is_empty() {
            object.member("type", "redacted_thinking");
            object.member("data", &proof);
        } else {
            object.member("type", "thinking");
            object.member("thinking", text);
            object.member("signature", &proof);
        }
        object.extra(&block.extra, &[]);
        object.close();
        true
    }

    fn opaque(&mut self, out: &mut Vec<u8>, place: Place, opaque: &Opaque) -> bool {
        if opaque.dialect != THIS {
            self.losses.report(place, "");
            return false;
        }
        value(out, &opaque.value);
        true
    }

    /// Writes what any block can have, and closes it.
    fn finish(&mut self, mut object: Object<'_>, block: &Block, merged: &[&str]) {
        if let Some(marker) = &block.cache {
            self.cache(&mut object, block.place, marker);
        }
        object.extra(&block.extra, merged);
        object.close();
    }

    /// Writes a cache marker.
    pub(super) fn cache(&mut self, object: &mut Object<'_>, place: Place, marker: &CacheMarker) {
        let mut inner = Object::open(object.key("cache_control"));
        if nested_type(marker).is_none() {
            inner.member("type", "ephemeral");
        }
        inner.optional("ttl", marker.ttl.as_ref());
        inner.extra(&marker.extra, &[]);
        inner.close();
        if marker.extra.foreign(THIS).next().is_some() {
            self.losses.report_suffix(place, self.names.cache);
        }
    }
}

const PDF: &str = "application/pdf";
const TEXT: &str = "text/plain";

fn nested_type(marker: &CacheMarker) -> Option<&serde_json::Value> {
    marker.extra.find(THIS, "type")
}

/// The text of content that is one plain text, or nothing.
pub(super) fn plain(content: &[Block]) -> Option<&str> {
    match content {
        [] => Some(""),
        [block] if block.cache.is_none() && block.extra.is_empty() => match &block.part {
            Part::Text { text, citations } if citations.0.is_empty() => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Writes a call's arguments as an object. False: they are none, and stand as text in the only member of one.
pub(super) fn input(out: &mut Vec<u8>, call: &ToolCall) -> bool {
    let text = call.arguments.trim();
    if !call.custom {
        if text.is_empty() {
            out.extend_from_slice(b"{}");
            return true;
        }
        if text.starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok() {
            out.extend_from_slice(text.as_bytes());
            return true;
        }
    }
    let mut object = Object::open(out);
    object.member(if call.custom { "input" } else { "arguments" }, &call.arguments);
    object.close();
    false
}

/// The vendor takes letters, digits, `_` and `-` in ids. Any other byte becomes `_x` and its two hexadecimal digits, the same
/// in a call and in its result, and different for different ids.
pub(super) fn tool_id(id: &str) -> Cow<'_, str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !id.is_empty() && id.bytes().all(fits) {
        return Cow::Borrowed(id);
    }
    let mut out = String::with_capacity(id.len() + 9);
    if id.is_empty() {
        out.push_str("call_");
    }
    for byte in id.bytes() {
        if fits(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("_x{byte:02x}"));
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_the_vendors_pattern() {
        assert_eq!(tool_id("toolu_01-A"), "toolu_01-A");
        assert_eq!(tool_id("functions.f:0"), "functions_x2ef_x3a0");
        assert_eq!(tool_id("é"), "_xc3_xa9");
        assert_eq!(tool_id(""), "call_");
    }

    fn call(arguments: &str, custom: bool) -> (String, bool) {
        let mut out = Vec::new();
        let call = ToolCall {
            id: String::new(),
            name: String::new(),
            arguments: arguments.to_owned(),
            custom,
            signature: None,
        };
        let exact = input(&mut out, &call);
        (String::from_utf8(out).unwrap(), exact)
    }

    #[test]
    fn arguments_become_an_object() {
        assert_eq!(call("", false), ("{}".to_owned(), true));
        let precise = r#"{"n": 12345678901234567890123, "x": 1.10}"#;
        assert_eq!(call(precise, false), (precise.to_owned(), true));
        assert_eq!(call("[1]", false), (r#"{"arguments":"[1]"}"#.to_owned(), false));
        assert_eq!(
            call("{\"a\":", false),
            (r#"{"arguments":"{\"a\":"}"#.to_owned(), false)
        );
        assert_eq!(call("ls", true), (r#"{"input":"ls"}"#.to_owned(), false));
    }
}
