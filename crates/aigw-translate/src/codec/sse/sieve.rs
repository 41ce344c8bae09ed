//! Passes an event stream on byte for byte, save the events that are told to be left out.

use bytes::Bytes;

use super::{Decoder, Frame};

/// Passes on whole events, each when it is complete. What it cannot read (an event over the limit) it passes on unread.
#[derive(Debug, Default)]
pub struct Sieve {
    decoder: Decoder,
    blind: bool,
}

impl Sieve {
    /// A sieve at the start of a stream, for events of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            decoder: Decoder::new(limit),
            blind: false,
        }
    }

    /// Takes a chunk and appends what goes on; `keep` is asked about every frame. Nothing is copied, save an event that lies
    /// in several chunks.
    pub fn push(&mut self, chunk: &Bytes, mut keep: impl FnMut(&Frame<'_>) -> bool, out: &mut Vec<Bytes>) {
        if self.blind {
            out.push(chunk.clone());
            return;
        }
        // Kept and not yet appended: a run of whole frames in the chunk.
        let (mut from, mut to) = (0, 0);
        let mut carried = !self.decoder.pending().is_empty();
        let mut frames = self.decoder.push(chunk);
        let failed = loop {
            let frame = match frames.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break false,
                Err(_) => break true,
            };
            let kept = keep(&frame);
            if std::mem::take(&mut carried) {
                if kept {
                    out.push(Bytes::copy_from_slice(frame.raw));
                }
                (from, to) = (frames.taken(), frames.taken());
            } else if kept {
                to = frames.taken();
            } else {
                push_run(out, chunk, from, to);
                (from, to) = (frames.taken(), frames.taken());
            }
        };
        let taken = frames.taken();
        push_run(out, chunk, from, to);
        if failed {
            self.blind = true;
            if !self.decoder.pending().is_empty() {
                out.push(Bytes::copy_from_slice(self.decoder.pending()));
            }
            push_run(out, chunk, taken, chunk.len());
        }
    }

    /// The stream ended: what is held back and goes on as it is. `keep` is asked when it is a whole event.
    pub fn finish(&mut self, keep: impl FnOnce(&Frame<'_>) -> bool) -> Option<Bytes> {
        if std::mem::replace(&mut self.blind, true) {
            return None;
        }
        let tail = self.decoder.finish()?;
        let kept = !tail.whole || keep(&tail.frame);
        kept.then(|| Bytes::copy_from_slice(tail.frame.raw))
    }

    /// True when an event was over the limit: everything from it on passes unread.
    pub const fn is_blind(&self) -> bool {
        self.blind
    }
}

fn push_run(out: &mut Vec<Bytes>, chunk: &Bytes, from: usize, to: usize) {
    if from < to {
        out.push(chunk.slice(from..to));
    }
}
