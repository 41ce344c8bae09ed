//! Writes content: a text where texts are all there is, else a list of parts.
//!
//! <https://platform.openai.com/docs/api-reference/chat/create#chat_create-messages>

use aigw_config::Quirks;
use base64::Engine as _;

use super::schema::{ID, audio_format};
use super::write::{List, Object, WriteExtra, value};
use crate::ir::{
    Block, CacheMarker, DialectId, Document, Losses, Media, MediaKind, MediaSource, Names, Part, Place,
    ReasoningBlock,
};

/// The one type of file that the vendor reads: <https://platform.openai.com/docs/guides/pdf-files?api-mode=chat>.
const PDF: &str = "application/pdf";

/// What the encoder of content needs to know of the request.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The request came in this dialect: its extensions are written back.
    pub own: bool,
    /// What the target departs in.
    pub quirks: Quirks,
    /// Its spellings.
    pub names: &'static Names,
    /// What could not be said.
    pub losses: &'a mut Losses,
}

impl Source<'_> {
    /// Reports the block itself.
    pub(super) fn lost(&mut self, place: Place) {
        self.losses.report(place, "");
    }

    /// Reports a member of the block, by its suffix in [`Names`].
    pub(super) fn lost_member(&mut self, place: Place, suffix: &'static str) {
        self.losses.report_suffix(place, suffix);
    }

    /// Reports what the source said besides, when this dialect has no word for it.
    pub(super) fn lost_extra(&mut self, block: &Block) {
        self.losses.report_extra(block.place, &block.extra, ID);
    }

    /// Reports a cache marker that is not written.
    pub(super) fn lost_cache(&mut self, place: Place, cache: Option<&CacheMarker>) {
        if cache.is_some() && !self.own {
            self.lost_member(place, self.names.cache);
        }
    }
}

/// Writes a cache marker, when the request came in this dialect.
pub(super) fn cache_marker(object: &mut Object<'_>, cache: Option<&CacheMarker>, own: bool) {
    if let Some(cache) = cache.filter(|_| own) {
        object.object("cache_control", |object| {
            if cache.extra.find(ID, "type").is_none() {
                object.member("type", "ephemeral");
            }
            object.optional("ttl", cache.ttl.as_ref());
            object.extra(&cache.extra, &[]);
        });
    }
}

/// How pieces of text become one where the source kept them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joint {
    /// Separate paragraphs.
    Paragraph,
    /// One after the other: what a model wrote in pieces was one text.
    Nothing,
}

/// Writes content. Texts of another dialect become one string, which every server accepts; lists of this dialect stay lists.
/// Returns false, having written nothing, when nothing could be said.
pub(super) fn content(
    out: &mut Vec<u8>,
    blocks: &[&Block],
    prepared: &[Vec<u8>],
    joint: Joint,
    source: &mut Source<'_>,
) -> bool {
    let plain = |block: &&Block| {
        matches!(block.part, Part::Text { .. })
            && !(source.own && (block.cache.is_some() || block.extra.of(ID).is_some()))
    };
    let joined = prepared.is_empty() && blocks.iter().all(plain) && (blocks.len() == 1 || !source.own);
    if joined {
        return string(out, blocks, joint, source);
    }
    let before = out.len();
    let mut list = List::open(out);
    let mut any = !prepared.is_empty();
    for part in prepared {
        list.next().extend_from_slice(part);
    }
    for block in blocks {
        for part in parts(block, source) {
            list.next().extend_from_slice(&part);
            any = true;
        }
    }
    list.close();
    if !any {
        out.truncate(before);
    }
    any
}

fn string(out: &mut Vec<u8>, blocks: &[&Block], joint: Joint, source: &mut Source<'_>) -> bool {
    for block in blocks {
        source.lost_extra(block);
        source.lost_cache(block.place, block.cache.as_ref());
    }
    let texts: Vec<&str> = blocks.iter().filter_map(|block| text_of(block)).collect();
    match texts.as_slice() {
        [] => return false,
        [text] => value(out, text),
        texts => value(
            out,
            &texts.join(match joint {
                Joint::Paragraph => "\n\n",
                Joint::Nothing => "",
            }),
        ),
    }
    true
}

fn text_of(block: &Block) -> Option<&str> {
    match &block.part {
        Part::Text { text, .. } => Some(text),
        _ => None,
    }
}

/// The parts that say a block: mostly one, none where it is lost, several for a document made of pieces.
pub(super) fn parts(block: &Block, source: &mut Source<'_>) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let written = match &block.part {
        Part::Text { text, .. } => {
            one(&mut out, block, source, "text", |object| {
                object.member("text", text)
            });
            true
        }
        Part::Media(media) => media_part(&mut out, block, media, source),
        Part::Document(document) => document_part(&mut out, block, document, source),
        Part::Refusal(text) => {
            one(&mut out, block, source, "refusal", |object| {
                object.member("refusal", text)
            });
            true
        }
        Part::Reasoning(reasoning) if source.own => {
            out.push(thinking(reasoning, block));
            return out;
        }
        Part::Opaque(opaque) if opaque.dialect == ID => {
            let mut part = Vec::new();
            value(&mut part, &opaque.value);
            out.push(part);
            return out;
        }
        Part::Reasoning(_) | Part::Opaque(_) | Part::ToolCall(_) | Part::ToolResult(_) => false,
    };
    if written {
        source.lost_extra(block);
        source.lost_cache(block.place, block.cache.as_ref());
    } else {
        source.lost(block.place);
    }
    out
}

/// A `thinking` or `redacted_thinking` element, of content or of `thinking_blocks`.
pub(super) fn thinking(reasoning: &ReasoningBlock, block: &Block) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::open(&mut out);
    if let Some(redacted) = &reasoning.redacted {
        object.member("type", "redacted_thinking");
        object.member("data", &redacted.write(DialectId::AnthropicMessages));
    } else {
        object.member("type", "thinking");
        object.member("thinking", reasoning.text.as_deref().unwrap_or_default());
        if let Some(signature) = &reasoning.signature {
            object.member("signature", &signature.write(DialectId::AnthropicMessages));
        }
    }
    object.extra(&block.extra, &[]);
    cache_marker(&mut object, block.cache.as_ref(), true);
    object.close();
    out
}

fn one(
    out: &mut Vec<Vec<u8>>,
    block: &Block,
    source: &Source<'_>,
    kind: &'static str,
    write: impl FnOnce(&mut Object<'_>),
) {
    let mut part = Vec::new();
    let mut object = Object::open(&mut part);
    object.member("type", kind);
    write(&mut object);
    object.extra(&block.extra, &[kind]);
    cache_marker(&mut object, block.cache.as_ref(), source.own);
    object.close();
    out.push(part);
}

fn media_part(out: &mut Vec<Vec<u8>>, block: &Block, media: &Media, source: &mut Source<'_>) -> bool {
    let name = match media.kind {
        MediaKind::Image => "image_url",
        MediaKind::Audio => "audio_url",
        MediaKind::Video => "video_url",
    };
    // Only images have a URL in the vendor's own API; the others are an extension that a client must have asked for.
    let addressable = media.kind == MediaKind::Image || source.own;
    let url = match &media.source {
        MediaSource::Base64 { media_type, data } if media.kind == MediaKind::Audio => {
            one(out, block, source, "input_audio", |object| {
                object.object("input_audio", |object| {
                    object.member("data", data);
                    object.member("format", audio_format(media_type));
                    object.merge(&block.extra, "input_audio");
                });
            });
            return true;
        }
        MediaSource::Base64 { media_type, data } if addressable => data_url(media_type, data),
        MediaSource::Url { url, .. } if addressable => url.clone(),
        _ => return false,
    };
    one(out, block, source, name, |object| {
        object.object(name, |object| {
            object.member("url", &url);
            object.optional("detail", media.detail.as_ref());
            object.merge(&block.extra, name);
        });
    });
    true
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

fn document_part(
    out: &mut Vec<Vec<u8>>,
    block: &Block,
    document: &Document,
    source: &mut Source<'_>,
) -> bool {
    let title = document.title.as_deref();
    let written = match &document.source {
        MediaSource::Base64 { media_type, data } if source.own || media_type == PDF => {
            file(out, block, source, |object| {
                object.member("filename", title.unwrap_or("document.pdf"));
                object.member("file_data", &data_url(media_type, data));
            });
            if document.context.is_some() {
                source.lost_member(block.place, source.names.document_context);
            }
            true
        }
        // The vendor reads no files but PDFs here; a text can be said as one.
        MediaSource::Base64 { media_type, data } if media_type.starts_with("text/") => {
            match text_of_base64(data) {
                Some(text) => {
                    text_document(out, block, document, &text, source);
                    true
                }
                None => false,
            }
        }
        // A file id is known to the vendor that gave it alone.
        MediaSource::File { id } if source.own => {
            file(out, block, source, |object| {
                object.member("file_id", id);
                object.optional("filename", title.as_ref());
            });
            true
        }
        MediaSource::Text { text, .. } => {
            let said = [title, document.context.as_deref(), Some(text)];
            let said: Vec<&str> = said.into_iter().flatten().collect();
            one(out, block, source, "text", |object| {
                object.member("text", &said.join("\n\n"))
            });
            true
        }
        MediaSource::Blocks(blocks) => {
            let said = [title, document.context.as_deref()];
            for text in said.into_iter().flatten() {
                one(out, block, source, "text", |object| object.member("text", text));
            }
            for inner in blocks {
                out.extend(parts(inner, source));
            }
            !out.is_empty()
        }
        MediaSource::Base64 { .. } | MediaSource::Url { .. } | MediaSource::File { .. } => false,
    };
    if written && document.citations == Some(true) {
        source.lost_member(block.place, source.names.citations);
    }
    written
}

/// A document as a text: its title, its context and its words, as paragraphs.
fn text_document(
    out: &mut Vec<Vec<u8>>,
    block: &Block,
    document: &Document,
    text: &str,
    source: &Source<'_>,
) {
    let said = [document.title.as_deref(), document.context.as_deref(), Some(text)];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    one(out, block, source, "text", |object| {
        object.member("text", &said.join("\n\n"));
    });
}

fn text_of_base64(data: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).ok()?;
    String::from_utf8(bytes).ok()
}

fn file(out: &mut Vec<Vec<u8>>, block: &Block, source: &Source<'_>, write: impl FnOnce(&mut Object<'_>)) {
    one(out, block, source, "file", |object| {
        object.object("file", |object| {
            write(object);
            object.merge(&block.extra, "file");
        });
    });
}
