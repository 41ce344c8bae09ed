//! Walks over JSON text (RFC 8259) and says where values end, without building any.

use wide::u8x16;

use super::PeekError;

/// Arrays and objects inside each other at most; what serde_json accepts.
pub(super) const MAX_DEPTH: u32 = 127;

/// A position in JSON text.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Skips whitespace; the next byte, not consumed, or 0 at the end (0 is never valid outside a string).
    #[inline]
    pub(super) fn token(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    /// Consumes the byte that [`Self::token`] showed.
    #[inline]
    pub(super) fn bump(&mut self) {
        self.at += 1;
    }

    /// The byte at the position cannot stand there.
    pub(super) fn unexpected(&self) -> PeekError {
        if self.at < self.bytes.len() {
            PeekError::Unexpected { offset: self.at }
        } else {
            PeekError::Unterminated {
                offset: self.bytes.len(),
            }
        }
    }

    /// Skips one value. `depth` counts the arrays and objects around it.
    pub(super) fn value(&mut self, depth: u32) -> Result<(), PeekError> {
        match self.token() {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.unexpected()),
        }
    }

    fn object(&mut self, depth: u32) -> Result<(), PeekError> {
        self.open(depth)?;
        if self.token() == b'}' {
            self.bump();
            return Ok(());
        }
        loop {
            self.name()?;
            self.value(depth)?;
            if self.next_or(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(&mut self, depth: u32) -> Result<(), PeekError> {
        self.open(depth)?;
        if self.token() == b']' {
            self.bump();
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.next_or(b']')? {
                return Ok(());
            }
        }
    }

    fn open(&mut self, depth: u32) -> Result<(), PeekError> {
        if depth > MAX_DEPTH {
            return Err(PeekError::TooDeep { offset: self.at });
        }
        self.bump();
        Ok(())
    }

    /// Consumes a member's name and its colon; where the name stands between its quotes, and whether it has escapes.
    pub(super) fn name(&mut self) -> Result<(usize, usize, bool), PeekError> {
        if self.token() != b'"' {
            return Err(self.unexpected());
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let end = self.at - 1;
        if self.token() != b':' {
            return Err(self.unexpected());
        }
        self.bump();
        Ok((start, end, escaped))
    }

    /// Consumes a comma (false) or `close` (true).
    #[inline]
    pub(super) fn next_or(&mut self, close: u8) -> Result<bool, PeekError> {
        let token = self.token();
        if token != b',' && token != close {
            return Err(self.unexpected());
        }
        self.bump();
        Ok(token == close)
    }

    /// Consumes a string whose opening quote is at the position; whether it has escapes.
    pub(super) fn string(&mut self) -> Result<bool, PeekError> {
        self.at += 1;
        let mut start = self.at;
        let mut escaped = false;
        // The block before ended within an escape.
        let mut open = false;
        while let Some(block) = self.bytes.get(start..).and_then(<[u8]>::first_chunk) {
            let found = match Specials::of(block) {
                None if !open => {
                    start += block.len();
                    continue;
                }
                found => found.unwrap_or_default(),
            };
            let (escapes, open_after) = found.escaped(open);
            let ends = found.quotes & !escapes;
            let inside = ends.wrapping_sub(1) & !ends;
            // Quotes and backslashes may always follow a backslash.
            let others = escapes & inside & !(found.quotes | found.backslashes);
            if found.controls & inside != 0 || !self.escapes_are_valid(start, others) {
                break;
            }
            escaped |= escapes & inside != 0;
            if ends != 0 {
                self.at = start + ends.trailing_zeros() as usize + 1;
                return Ok(escaped);
            }
            open = open_after;
            start += block.len();
        }
        if !open {
            self.at = start;
        }
        // Byte by byte: the last bytes of the text, or a fault that is to be found exactly.
        self.string_end(escaped)
    }

    /// Whether what follows each backslash may follow it; bit n stands for the byte at `start + n`.
    #[inline]
    fn escapes_are_valid(&self, start: usize, mut escapes: u32) -> bool {
        let mut valid = true;
        while escapes != 0 {
            let at = start + escapes.trailing_zeros() as usize;
            valid &= match self.bytes.get(at) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => true,
                Some(b'u') => self
                    .bytes
                    .get(at + 1..at + 5)
                    .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
                _ => false,
            };
            escapes &= escapes - 1;
        }
        valid
    }

    /// The same for less than a block before the end of the text.
    fn string_end(&mut self, mut escaped: bool) -> Result<bool, PeekError> {
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(&byte) if is_plain(byte) => self.at += 1,
                _ => {
                    self.at = self.escape(self.at)?;
                    escaped = true;
                }
            }
        }
    }

    /// Past the escape at `at`; an error when there is none.
    #[inline]
    fn escape(&mut self, at: usize) -> Result<usize, PeekError> {
        self.at = at;
        if self.bytes.get(at) != Some(&b'\\') {
            return Err(self.unexpected());
        }
        self.at += 1;
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.bytes.get(self.at).is_some_and(u8::is_ascii_hexdigit) {
                        return Err(self.unexpected());
                    }
                }
                Ok(at + 6)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), PeekError> {
        for &byte in word {
            if self.bytes.get(self.at) != Some(&byte) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), PeekError> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), PeekError> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected());
        }
        Ok(())
    }
}

/// What is special in a block of a string; bit n stands for byte n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Specials {
    quotes: u32,
    backslashes: u32,
    controls: u32,
}

impl Specials {
    /// `None` when nothing is.
    #[inline(always)]
    fn of(block: &[u8; 32]) -> Option<Self> {
        let (halves, _) = block.as_chunks::<16>();
        let [low, high] = halves else { return None };
        let (low, high) = (u8x16::new(*low), u8x16::new(*high));
        let both = |low: u8x16, high: u8x16| high.to_bitmask() << 16 | low.to_bitmask();
        let equal = |byte: u8| (low.simd_eq(u8x16::splat(byte)), high.simd_eq(u8x16::splat(byte)));
        let last = u8x16::splat(0x1f);
        let (quotes, backslashes) = (equal(b'"'), equal(b'\\'));
        let controls = (low.min(last).simd_eq(low), high.min(last).simd_eq(high));
        let any_control = controls.0 | controls.1;
        if (quotes.0 | quotes.1 | backslashes.0 | backslashes.1 | any_control).to_bitmask() == 0 {
            return None;
        }
        Some(Self {
            quotes: both(quotes.0, quotes.1),
            backslashes: both(backslashes.0, backslashes.1),
            controls: match any_control.to_bitmask() {
                0 => 0,
                _ => both(controls.0, controls.1),
            },
        })
    }

    /// Which bytes follow a backslash that is not itself escaped, and whether the first byte after the block does. `open`: the
    /// block's own first byte does.
    #[inline]
    fn escaped(self, open: bool) -> (u32, bool) {
        // Runs of backslashes all at once: subtracting where runs begin carries through each run, and tells runs of odd
        // length by the parity of the place where the carry ends.
        const ODD: u32 = 0xaaaa_aaaa;
        let first = u32::from(open);
        let starts = self.backslashes & !first;
        let codes = (starts << 1 | ODD).wrapping_sub(starts) ^ ODD;
        let escapes = codes ^ (self.backslashes | first);
        (escapes, codes & self.backslashes & 1 << 31 != 0)
    }
}

/// No quote, backslash or control character.
const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_byte_is_seen_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for at in 0..32 {
                let mut block = [b'a'; 32];
                block[at] = byte;
                let if_is = |kind: bool| u32::from(kind) << at;
                let expected = Specials {
                    quotes: if_is(byte == b'"'),
                    backslashes: if_is(byte == b'\\'),
                    controls: if_is(byte < 0x20),
                };
                assert_eq!(
                    Specials::of(&block).unwrap_or_default(),
                    expected,
                    "byte {byte:#04x} at {at}"
                );
            }
        }
    }

    #[test]
    fn runs_of_backslashes_escape_every_other_byte() {
        for bits in 0..1_u32 << 16 {
            // Both halves and the border between blocks are met.
            let backslashes = bits << 16 | bits.reverse_bits() >> 16;
            for open in [false, true] {
                let (mut expected, mut escaping) = (0_u32, open);
                for at in 0..32 {
                    expected |= u32::from(escaping) << at;
                    escaping = !escaping && backslashes >> at & 1 == 1;
                }
                let found = Specials {
                    backslashes,
                    ..Specials::default()
                };
                assert_eq!(
                    found.escaped(open),
                    (expected, escaping),
                    "{backslashes:032b} {open}"
                );
            }
        }
    }

    #[test]
    fn strings_end_where_they_end_whatever_stands_where() {
        for piece in ["\\\"", "\\\\", "\\n", "\\u00e4", "ä", "\\uD83D\\uDE00"] {
            for before in 0..70 {
                for after in 0..40 {
                    let text = format!("\"{}{piece}{}\" tail", "a".repeat(before), "b".repeat(after));
                    let mut scanner = Scanner::new(text.as_bytes());
                    assert_eq!(scanner.string(), Ok(piece.starts_with('\\')), "{text}");
                    assert_eq!(&text[scanner.at()..], " tail");
                }
            }
        }
    }

    #[test]
    fn broken_strings_say_where() {
        for (piece, wrong) in [("\n", 0), ("\\x", 1), ("\\u12g4", 4), ("\\", 1)] {
            for before in 0..70 {
                let text = format!("\"{}{piece}", "a".repeat(before));
                let mut scanner = Scanner::new(text.as_bytes());
                let offset = 1 + before + wrong;
                let expected = if offset < text.len() {
                    PeekError::Unexpected { offset }
                } else {
                    PeekError::Unterminated { offset: text.len() }
                };
                assert_eq!(scanner.string(), Err(expected), "{text}");
            }
        }
    }
}
