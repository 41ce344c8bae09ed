//! Cuts a stream of bytes into server-sent events; an event that lies in one chunk is not copied.

use std::borrow::Cow;

use memchr::memchr2;

use super::block::Block;

/// Bytes of one event at most, unless said otherwise.
pub const DEFAULT_LIMIT: usize = 16 << 20;

/// One event, or a piece of the stream that is none (a comment, a blank line, an event without data).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The name; `None` when there is none or an empty one, which means `message`.
    pub event: Option<Cow<'a, str>>,
    /// The data, its lines joined by LF. `None`: a client is told nothing.
    pub data: Option<&'a [u8]>,
    /// The `id` field.
    pub id: Option<&'a [u8]>,
    /// The `retry` field, milliseconds.
    pub retry: Option<u64>,
    /// The bytes as they came, with the blank line. The `raw` of all frames and of the tail are the stream.
    pub raw: &'a [u8],
}

/// What stands after the last whole event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail<'a> {
    /// What it would be if the missing line ends stood there.
    pub frame: Frame<'a>,
    /// Nothing is missing: only the stream's end told that the event is whole. Otherwise a client discards it.
    pub whole: bool,
}

/// An event has more bytes than allowed. The stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream has more than {limit} bytes")]
pub struct TooLarge {
    /// Bytes allowed.
    pub limit: usize,
}

/// Cuts a stream into events.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    block: Block,
    /// The bytes of a block that lies in several chunks.
    carry: Vec<u8>,
    /// The block was handed out and goes away.
    spent: bool,
    failed: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl Decoder {
    /// A decoder at the start of a stream, for events of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            block: Block::first(),
            carry: Vec::new(),
            spent: false,
            failed: false,
        }
    }

    /// Takes a chunk. All its frames must be taken before the next one; what is left is dropped with the returned value.
    pub fn push<'a>(&'a mut self, chunk: &'a [u8]) -> Frames<'a> {
        Frames {
            decoder: self,
            chunk,
            at: 0,
        }
    }

    /// The stream ended. What stands after the last whole event; `None` when nothing does.
    pub fn finish(&mut self) -> Option<Tail<'_>> {
        self.clear_spent();
        if self.carry.is_empty() {
            return None;
        }
        let whole = self.block.finish(&self.carry);
        self.spent = true;
        Some(Tail {
            frame: frame(&self.block, &self.carry),
            whole,
        })
    }

    /// Bytes of an event that is not whole yet.
    pub fn pending(&self) -> &[u8] {
        if self.spent { &[] } else { &self.carry }
    }

    fn clear_spent(&mut self) {
        if self.spent {
            self.spent = false;
            // One large event must not keep its memory for as long as the stream lasts.
            if self.carry.capacity() > 64 << 10 {
                self.carry = Vec::new();
            }
            self.carry.clear();
            self.block = Block::default();
        }
    }

    fn check(&mut self, size: usize) -> Result<(), TooLarge> {
        self.failed |= size > self.limit;
        if self.failed {
            return Err(TooLarge { limit: self.limit });
        }
        Ok(())
    }
}

/// The frames of one chunk.
#[derive(Debug)]
pub struct Frames<'a> {
    decoder: &'a mut Decoder,
    chunk: &'a [u8],
    at: usize,
}

impl Frames<'_> {
    /// The next frame; `None` when the chunk has no more whole ones.
    #[expect(
        clippy::should_implement_trait,
        reason = "frames borrow from the decoder: no Iterator can"
    )]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, TooLarge> {
        self.decoder.clear_spent();
        self.decoder.check(0)?;
        if self.at == self.chunk.len() {
            return Ok(None);
        }
        if !self.decoder.carry.is_empty() {
            return self.carried();
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let decoder = &mut *self.decoder;
        let Some(end) = decoder.block.advance(rest) else {
            decoder.check(rest.len())?;
            decoder.carry.extend_from_slice(rest);
            self.at = self.chunk.len();
            return Ok(None);
        };
        decoder.check(end)?;
        decoder.spent = true;
        self.at += end;
        Ok(Some(frame(&decoder.block, rest.get(..end).unwrap_or_default())))
    }

    /// How much of the chunk the frames so far have taken.
    pub const fn taken(&self) -> usize {
        self.at
    }

    /// Goes on with a block whose first bytes came in earlier chunks: a line at a time, so that what follows the block
    /// stays where it is.
    fn carried(&mut self) -> Result<Option<Frame<'_>>, TooLarge> {
        let decoder = &mut *self.decoder;
        loop {
            let rest = self.chunk.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(None);
            }
            let piece = memchr2(b'\n', b'\r', rest).map_or(rest.len(), |at| at + 1);
            decoder.check(decoder.carry.len() + piece)?;
            decoder
                .carry
                .extend_from_slice(rest.get(..piece).unwrap_or_default());
            self.at += piece;
            if let Some(end) = decoder.block.advance(&decoder.carry) {
                // A CR in an earlier piece ended the block after all: the piece is not of it.
                self.at -= decoder.carry.len() - end;
                decoder.carry.truncate(end);
                decoder.spent = true;
                return Ok(Some(frame(&decoder.block, &decoder.carry)));
            }
        }
    }
}

fn frame<'a>(block: &'a Block, raw: &'a [u8]) -> Frame<'a> {
    let slice = |range: &Option<std::ops::Range<usize>>| range.clone().and_then(|range| raw.get(range));
    Frame {
        event: slice(&block.event)
            .filter(|name| !name.is_empty())
            .map(String::from_utf8_lossy),
        data: block.data(raw),
        id: slice(&block.id),
        retry: block.retry,
        raw,
    }
}
