//! Reads one block of an event stream, the lines up to a blank one, going on where it stopped when more bytes are there.

use std::ops::Range;

use memchr::memchr2;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What is known of the block that begins at the start of the bytes given to [`Block::advance`].
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Where the current line begins.
    line: usize,
    /// No line end stands between `line` and here.
    scanned: usize,
    /// A field was seen, so that a blank line ends the block.
    open: bool,
    /// The last line ended with CR alone.
    bare: bool,
    /// The block begins the stream: a byte order mark may stand in front.
    first: bool,
    pub(super) event: Option<Range<usize>>,
    pub(super) id: Option<Range<usize>>,
    pub(super) retry: Option<u64>,
    /// The value of the only `data` line.
    data: Option<Range<usize>>,
    /// The values of several `data` lines, joined.
    joined: Option<Vec<u8>>,
}

impl Block {
    /// The block at the start of a stream.
    pub(super) fn first() -> Self {
        Self {
            first: true,
            ..Self::default()
        }
    }

    /// Reads on in the block; `bytes` are all of it so far. Past its end, once it is complete.
    ///
    /// Comments and blank lines in front of the first field are blocks of their own, each line one, so that a keep-alive is
    /// never held back and an event begins with its first field.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.first {
            if bytes.len() < BOM.len() && BOM.starts_with(bytes) {
                return None;
            }
            self.first = false;
            if bytes.starts_with(BOM) {
                (self.line, self.scanned) = (BOM.len(), BOM.len());
            }
        }
        loop {
            let rest = bytes.get(self.scanned..).unwrap_or_default();
            let Some(found) = memchr2(b'\n', b'\r', rest) else {
                self.scanned = bytes.len();
                return None;
            };
            let end = self.scanned + found;
            let blank = end == self.line;
            let (next, bare) = match (bytes.get(end), bytes.get(end + 1)) {
                (Some(b'\n'), _) => (end + 1, false),
                (_, Some(b'\n')) => (end + 2, false),
                (_, Some(_)) => (end + 1, true),
                // Where lines end with CR alone the blank line is complete; elsewhere an LF may still belong to it.
                (_, None) if blank && self.bare => (end + 1, true),
                (_, None) => {
                    self.scanned = end;
                    return None;
                }
            };
            // After CR CR an LF is left to the next block, whether it is here already or not.
            let next = if blank && self.bare { end + 1 } else { next };
            let comment = bytes.get(self.line) == Some(&b':');
            if blank || (comment && !self.open) {
                return Some(next);
            }
            if !comment {
                self.field(bytes, end);
            }
            (self.line, self.scanned, self.bare) = (next, next, bare);
        }
    }

    /// The input is over: reads what stands there as if its line and the block were complete.
    /// True when the block was complete (only an LF that might have followed was missing).
    pub(super) fn finish(&mut self, bytes: &[u8]) -> bool {
        let end = match bytes.last() {
            Some(b'\r') => bytes.len() - 1,
            _ => bytes.len(),
        };
        let blank = end == self.line && end < bytes.len();
        let comment = bytes.get(self.line) == Some(&b':');
        if end > self.line && !comment {
            self.field(bytes, end);
        }
        blank || (comment && end < bytes.len() && !self.open)
    }

    /// The data, when there is any; `bytes` are the block.
    pub(super) fn data<'a>(&'a self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        match &self.joined {
            Some(joined) => Some(joined),
            None => bytes.get(self.data.clone()?),
        }
    }

    fn field(&mut self, bytes: &[u8], end: usize) {
        self.open = true;
        let line = bytes.get(self.line..end).unwrap_or_default();
        // The names in use are short: a colon far away ends no name that is known.
        let colon = line.iter().take(6).position(|byte| *byte == b':');
        let name = line.get(..colon.unwrap_or(line.len())).unwrap_or_default();
        let value = match colon {
            Some(colon) if line.get(colon + 1) == Some(&b' ') => self.line + colon + 2..end,
            Some(colon) => self.line + colon + 1..end,
            None => end..end,
        };
        match name {
            b"data" => self.add_data(bytes, value),
            b"event" => self.event = Some(value),
            b"id" if !bytes.get(value.clone()).is_some_and(|id| id.contains(&0)) => self.id = Some(value),
            b"retry" => {
                let digits = bytes.get(value).unwrap_or_default();
                if digits.iter().all(u8::is_ascii_digit)
                    && let Ok(text) = std::str::from_utf8(digits)
                    && let Ok(number) = text.parse()
                {
                    self.retry = Some(number);
                }
            }
            _ => {}
        }
    }

    fn add_data(&mut self, bytes: &[u8], value: Range<usize>) {
        let Some(first) = self.data.clone() else {
            self.data = Some(value);
            return;
        };
        let joined = self
            .joined
            .get_or_insert_with(|| bytes.get(first).unwrap_or_default().to_vec());
        joined.push(b'\n');
        joined.extend_from_slice(bytes.get(value).unwrap_or_default());
    }
}
