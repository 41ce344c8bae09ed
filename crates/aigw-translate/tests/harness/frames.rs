//! Cuts the bytes of a stream into frames, however the bytes arrive.

/// One SSE event.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its name, when it has one.
    pub event: Option<String>,
    /// Its data lines, joined by LF.
    pub data: Vec<u8>,
}

/// The frames of a body that arrives in `pieces`.
pub fn split(pieces: &[&[u8]]) -> Vec<Frame> {
    let text = String::from_utf8(pieces.concat()).expect("golden streams are UTF-8");
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut frames = Vec::new();
    for part in text.split("\n\n") {
        let (mut event, mut data) = (None, Vec::new());
        for line in part.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "event" => event = Some(value.to_owned()),
                "data" => data.push(value),
                _ => {}
            }
        }
        if !data.is_empty() {
            let data = data.join("\n").into_bytes();
            frames.push(Frame { event, data });
        }
    }
    frames
}
