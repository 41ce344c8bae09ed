//! The `deflate` coding: zlib (RFC 1950) as the standard says, or bare DEFLATE (RFC 1951) as some senders do.

use flate2::{Decompress, FlushDecompress, Status};

use super::stage::{Step, ignore};

/// A `deflate` body.
#[derive(Default)]
pub(super) struct Deflate {
    /// The first bytes, which tell the form; kept until they are fed.
    head: Vec<u8>,
    inflate: Option<Decompress>,
    end: bool,
}

impl Deflate {
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Option<Step> {
        if self.end {
            return Some(ignore(input));
        }
        if let Some(inflate) = &mut self.inflate {
            let step = self::inflate(inflate, input, output)?;
            self.end = step.ended;
            return Some(step);
        }
        let needed = 2 - self.head.len();
        let taken = input.get(..needed.min(input.len())).unwrap_or_default();
        self.head.extend_from_slice(taken);
        let mut written = 0;
        if let [first, second] = *self.head {
            let mut inflate = Decompress::new(is_zlib(first, second));
            let step = self::inflate(&mut inflate, &self.head, output)?;
            if step.read != self.head.len() {
                return None;
            }
            written = step.written;
            self.end = step.ended;
            self.inflate = Some(inflate);
        }
        Some(Step {
            read: taken.len(),
            written,
            ended: self.end,
        })
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.end
    }
}

const fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7 && (first as u16 * 256 + second as u16).is_multiple_of(31)
}

/// One step of DEFLATE. `None` when the input is not valid.
pub(super) fn inflate(inflate: &mut Decompress, input: &[u8], output: &mut [u8]) -> Option<Step> {
    let (read, written) = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(input, output, FlushDecompress::None).ok()?;
    Some(Step {
        read: usize::try_from(inflate.total_in() - read).ok()?,
        written: usize::try_from(inflate.total_out() - written).ok()?,
        ended: status == Status::StreamEnd,
    })
}
