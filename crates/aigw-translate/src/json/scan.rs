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
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at += plain(self.bytes.get(self.at..).unwrap_or_default());
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), PeekError> {
        self.at += 1;
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    match self.bytes.get(self.at) {
                        Some(byte) if byte.is_ascii_hexdigit() => self.at += 1,
                        _ => return Err(self.unexpected()),
                    }
                }
            }
            _ => return Err(self.unexpected()),
        }
        Ok(())
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

/// How many bytes at the front stand for themselves in a string: no quote, backslash or control character.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks::<16>();
    let mut at = 0;
    for block in blocks {
        let found = specials(block);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += 16;
    }
    at + tail.iter().take_while(|byte| is_plain(**byte)).count()
}

/// Bit n is set when byte n is not plain.
#[inline]
fn specials(block: &[u8; 16]) -> u32 {
    let text = u8x16::new(*block);
    let last_control = u8x16::splat(0x1f);
    let control = text.min(last_control).simd_eq(text);
    let quote = text.simd_eq(u8x16::splat(b'"'));
    let backslash = text.simd_eq(u8x16::splat(b'\\'));
    (control | quote | backslash).to_bitmask()
}

const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_ends_a_plain_run_or_does_not_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for at in 0..40 {
                let mut text = [b'a'; 40];
                text[at] = byte;
                let expected = if is_plain(byte) { 40 } else { at };
                assert_eq!(plain(&text), expected, "byte {byte:#04x} at {at}");
            }
        }
    }
}
