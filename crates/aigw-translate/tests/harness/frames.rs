//! Cuts the bytes of a stream into frames, however the bytes arrive.

use aigw_translate::codec::sse;

/// One SSE event.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its name, when it has one.
    pub event: Option<String>,
    /// Its data lines, joined by LF.
    pub data: Vec<u8>,
}

/// The frames of a body that arrives in `pieces`. What stands after the last blank line is no event.
pub fn split(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut decoder = sse::Decoder::default();
    let mut found = Vec::new();
    for piece in pieces {
        let mut frames = decoder.push(piece);
        while let Some(frame) = frames.next().expect("golden streams are small") {
            found.extend(kept(&frame));
        }
    }
    if let Some(tail) = decoder.finish().filter(|tail| tail.whole) {
        found.extend(kept(&tail.frame));
    }
    found
}

fn kept(frame: &sse::Frame<'_>) -> Option<Frame> {
    Some(Frame {
        event: frame.event.as_deref().map(str::to_owned),
        data: frame.data?.to_owned(),
    })
}
