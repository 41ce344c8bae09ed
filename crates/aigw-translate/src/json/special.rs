//! What is special in a piece of a JSON string, found for many bytes at once.

use wide::u8x16;

/// Bytes that are looked at together: as many as names and short texts have, and as many as a mask has bits.
pub(super) const SHORT: usize = 32;
pub(super) const LONG: usize = 64;

/// The bytes that a test holds for; bit n stands for byte n.
#[inline(always)]
fn bits<const N: usize>(block: &[u8; N], test: impl Fn(u8x16) -> u8x16) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let bits = |part: &[u8; 16]| u64::from(test(u8x16::new(*part)).to_bitmask());
    parts.iter().rev().fold(0, |all, part| all << 16 | bits(part))
}

/// Quotes, backslashes and control characters; bit n stands for byte n.
#[inline(always)]
pub(super) fn special<const N: usize>(block: &[u8; N]) -> u64 {
    bits(block, is_special)
}

#[inline(always)]
fn is_special(bytes: u8x16) -> u8x16 {
    // Flipping this bit puts the quote right above the control characters and leaves these among themselves.
    let flipped = bytes ^ u8x16::splat(b'"' ^ 0x20);
    flipped.min(u8x16::splat(0x20)).simd_eq(flipped) | bytes.simd_eq(u8x16::splat(b'\\'))
}

/// What is special in a block of a string; bit n stands for byte n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Specials {
    pub quotes: u64,
    pub backslashes: u64,
    /// Below 0x20.
    pub controls: u64,
}

impl Specials {
    #[inline(always)]
    pub fn of<const N: usize>(block: &[u8; N]) -> Self {
        let equal = |byte: u8| bits(block, |bytes| bytes.simd_eq(u8x16::splat(byte)));
        let (parts, _) = block.as_chunks::<16>();
        let last = u8x16::splat(0x1f);
        let least = |least: u8x16, part: &[u8; 16]| least.min(u8x16::new(*part));
        let least = parts.iter().fold(u8x16::splat(0xff), least);
        Self {
            quotes: equal(b'"'),
            backslashes: equal(b'\\'),
            controls: match least.min(last).simd_eq(least).to_bitmask() {
                0 => 0,
                _ => bits(block, |bytes| bytes.min(last).simd_eq(bytes)),
            },
        }
    }

    /// Which bytes follow a backslash that is not itself escaped, and whether the first byte after the block does. `open`: the
    /// block's own first byte does.
    #[inline(always)]
    pub fn escaped<const N: usize>(self, open: bool) -> (u64, bool) {
        // Runs of backslashes all at once: subtracting where runs begin carries through each run, and tells runs of odd
        // length by the parity of the place where the carry ends.
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        let first = u64::from(open);
        let starts = self.backslashes & !first;
        let codes = (starts << 1 | ODD).wrapping_sub(starts) ^ ODD;
        let escapes = codes ^ (self.backslashes | first);
        (escapes, codes & self.backslashes & 1 << (N - 1) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn is_plain(byte: u8) -> bool {
        byte >= 0x20 && byte != b'"' && byte != b'\\'
    }

    fn specials_of_blocks_of<const N: usize>() {
        for byte in 0..=u8::MAX {
            for at in 0..N {
                let mut block = [b'a'; N];
                block[at] = byte;
                let if_is = |kind: bool| u64::from(kind) << at;
                let expected = Specials {
                    quotes: if_is(byte == b'"'),
                    backslashes: if_is(byte == b'\\'),
                    controls: if_is(byte < 0x20),
                };
                let shown = format!("byte {byte:#04x} at {at} of {N}");
                assert_eq!(Specials::of(&block), expected, "{shown}");
                assert_eq!(special(&block), if_is(!is_plain(byte)), "{shown}");
            }
        }
    }

    #[test]
    fn every_special_byte_is_seen_wherever_it_stands() {
        specials_of_blocks_of::<SHORT>();
        specials_of_blocks_of::<LONG>();
    }

    fn escapes_in_blocks_of<const N: usize>(backslashes: u64) {
        for open in [false, true] {
            let (mut expected, mut escaping) = (0_u64, open);
            for at in 0..N {
                expected |= u64::from(escaping) << at;
                escaping = !escaping && backslashes >> at & 1 == 1;
            }
            let found = Specials {
                backslashes,
                ..Specials::default()
            };
            let (escapes, open_after) = found.escaped::<N>(open);
            // Of a short block's bytes there are no others.
            let escapes = escapes & (u64::MAX >> (64 - N));
            assert_eq!(
                (escapes, open_after),
                (expected, escaping),
                "{backslashes:064b} {open}"
            );
        }
    }

    #[test]
    fn runs_of_backslashes_escape_every_other_byte() {
        for bits in 0..1_u64 << 16 {
            // Both halves and the borders between blocks are met.
            let reversed = u64::from((bits as u16).reverse_bits());
            escapes_in_blocks_of::<SHORT>(bits << 16 | reversed);
            escapes_in_blocks_of::<LONG>(bits << 48 | reversed);
            escapes_in_blocks_of::<LONG>(bits << 24);
        }
    }
}
