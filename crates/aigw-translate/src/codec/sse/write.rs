//! Writes server-sent events.

use memchr::memchr2;

/// Appends one event. Line ends inside `data` (LF, CRLF, CR) start a new `data` line; inside `event` they are left out.
pub fn write_event(out: &mut Vec<u8>, event: Option<&str>, data: &[u8]) {
    out.reserve(data.len() + 32);
    if let Some(event) = event {
        out.extend_from_slice(b"event: ");
        out.extend(event.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
        out.push(b'\n');
    }
    write_lines(out, b"data: ", data);
    out.push(b'\n');
}

/// Appends a comment and a blank line: keeps a connection busy without saying anything.
pub fn write_comment(out: &mut Vec<u8>, text: &str) {
    write_lines(out, b": ", text.as_bytes());
    out.push(b'\n');
}

fn write_lines(out: &mut Vec<u8>, prefix: &[u8], mut text: &[u8]) {
    loop {
        out.extend_from_slice(prefix);
        let Some(at) = memchr2(b'\n', b'\r', text) else {
            out.extend_from_slice(text);
            out.push(b'\n');
            return;
        };
        let (line, rest) = text.split_at(at);
        out.extend_from_slice(line);
        out.push(b'\n');
        text = rest
            .strip_prefix(b"\r\n")
            .or_else(|| rest.get(1..))
            .unwrap_or_default();
    }
}
