//! Walks over JSON text (RFC 8259) and says where values end, without building any.

use super::PeekError;
use super::special::{LONG, SHORT, Specials, special};

/// Arrays and objects inside each other at most; what serde_json accepts.
pub(super) const MAX_DEPTH: u32 = 127;

/// A position in JSON text.
#[derive(Clone, Debug)]
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
        let mut text = Text {
            at: self.at,
            escaped: false,
            open: false,
        };
        if let Some(block) = self.block::<SHORT>(text.at) {
            // Names and short texts end with what is first special in them.
            let found = special(block);
            let first = text.at + found.trailing_zeros() as usize;
            if found == 0 {
                text.at += SHORT;
            } else if self.bytes.get(first) == Some(&b'"') {
                self.at = first + 1;
                return Ok(false);
            }
        }
        while let Some(block) = self.block::<LONG>(text.at) {
            match self.pass(block, &mut text) {
                Pass::On => {}
                Pass::Ended => return Ok(text.escaped),
                Pass::Wrong => return self.string_end(text),
            }
        }
        while let Some(block) = self.block::<SHORT>(text.at) {
            match self.pass(block, &mut text) {
                Pass::On => {}
                Pass::Ended => return Ok(text.escaped),
                Pass::Wrong => break,
            }
        }
        self.string_end(text)
    }

    #[inline(always)]
    fn block<const N: usize>(&self, at: usize) -> Option<&'a [u8; N]> {
        self.bytes.get(at..).and_then(<[u8]>::first_chunk)
    }

    /// Passes the block, which begins at `text.at`, as far as it is of the string.
    #[inline(always)]
    fn pass<const N: usize>(&mut self, block: &[u8; N], text: &mut Text) -> Pass {
        let found = Specials::of(block);
        if found == Specials::default() && !text.open {
            text.at += N;
            return Pass::On;
        }
        let (escapes, open_after) = found.escaped::<N>(text.open);
        let ends = found.quotes & !escapes;
        let inside = ends.wrapping_sub(1) & !ends;
        // Quotes and backslashes may always follow a backslash.
        let others = escapes & inside & !(found.quotes | found.backslashes);
        let is_valid = others == 0 || self.escapes_are_valid(text.at, others);
        if found.controls & inside != 0 || !is_valid {
            return Pass::Wrong;
        }
        text.escaped |= escapes & inside != 0;
        if ends != 0 {
            self.at = text.at + ends.trailing_zeros() as usize + 1;
            return Pass::Ended;
        }
        text.open = open_after;
        text.at += N;
        Pass::On
    }

    /// Whether what follows each backslash may follow it; bit n stands for the byte at `start + n`.
    #[inline]
    fn escapes_are_valid(&self, start: usize, mut escapes: u64) -> bool {
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

    /// The same byte by byte: the last bytes of the text, or a fault that is to be found exactly.
    fn string_end(&mut self, text: Text) -> Result<bool, PeekError> {
        // Where the block before ended within an escape, that is read once more.
        self.at = text.at - usize::from(text.open);
        let mut escaped = text.escaped;
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

/// How far a string is read.
struct Text {
    at: usize,
    /// It has escapes.
    escaped: bool,
    /// What was read ended within an escape.
    open: bool,
}

/// What came of a block.
enum Pass {
    /// The string goes on behind it.
    On,
    /// The string ended in it.
    Ended,
    /// Something cannot stand where it does.
    Wrong,
}

/// No quote, backslash or control character.
const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_where_they_end_whatever_stands_where() {
        for piece in ["\\\"", "\\\\", "\\n", "\\u00e4", "ä", "\\uD83D\\uDE00"] {
            for before in 0..140 {
                for after in 0..80 {
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
            for before in 0..140 {
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
