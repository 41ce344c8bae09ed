//! The `gzip` coding (RFC 1952): members one after the other, checked against their trailers.

use flate2::{Crc, Decompress};

use super::deflate::inflate;
use super::stage::{Step, ignore};

const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const HEADER_CRC: u8 = 1 << 1;
const RESERVED: u8 = 0b1110_0000;

/// Where a body stands. Headers are read byte by byte and not kept.
#[derive(Clone, Copy)]
enum Place {
    /// So many of a header's ten fixed bytes were read.
    Fixed(u8),
    /// The low byte of the extra field's length comes next.
    ExtraLow,
    ExtraHigh(u8),
    Extra(u16),
    Name,
    Comment,
    /// So many bytes of the header's checksum are left.
    HeaderCrc(u8),
    Body,
    /// So many of a trailer's eight bytes were read, with the value they give so far.
    Trailer(u8, u64),
    /// What follows is no member.
    Rest,
}

/// A `gzip` body.
pub(super) struct Gzip {
    place: Place,
    /// Flags of the header whose fields were not read yet.
    flags: u8,
    inflate: Decompress,
    crc: Crc,
    members: bool,
}

impl Default for Gzip {
    fn default() -> Self {
        Self {
            place: Place::Fixed(0),
            flags: 0,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            members: false,
        }
    }
}

impl Gzip {
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Option<Step> {
        let mut at = 0;
        loop {
            match self.place {
                Place::Body => {
                    let rest = input.get(at..).unwrap_or_default();
                    let step = inflate(&mut self.inflate, rest, output)?;
                    self.crc.update(output.get(..step.written).unwrap_or_default());
                    if step.ended {
                        self.place = Place::Trailer(0, 0);
                    }
                    return Some(Step {
                        read: at + step.read,
                        ..step
                    });
                }
                Place::Rest => return Some(ignore(input)),
                _ => {}
            }
            let Some(&byte) = input.get(at) else {
                return Some(Step {
                    read: at,
                    ..Step::default()
                });
            };
            self.byte(byte)?;
            at += 1;
        }
    }

    /// At the end of a member.
    pub(super) const fn is_finished(&self) -> bool {
        match self.place {
            Place::Fixed(read) => self.members && read < 2,
            Place::Rest => true,
            _ => false,
        }
    }

    /// Takes a byte of a header or trailer.
    fn byte(&mut self, byte: u8) -> Option<()> {
        self.place = match self.place {
            Place::Fixed(read) => return self.fixed(read, byte),
            Place::ExtraLow => Place::ExtraHigh(byte),
            Place::ExtraHigh(low) => match u16::from_le_bytes([low, byte]) {
                0 => self.field(),
                length => Place::Extra(length),
            },
            Place::Extra(1) => self.field(),
            Place::Extra(left) => Place::Extra(left - 1),
            Place::Name | Place::Comment if byte == 0 => self.field(),
            Place::HeaderCrc(1) => self.field(),
            Place::HeaderCrc(left) => Place::HeaderCrc(left - 1),
            Place::Trailer(read, value) => {
                let value = value | u64::from(byte) << (8 * u32::from(read));
                if read < 7 {
                    Place::Trailer(read + 1, value)
                } else {
                    self.check(value)?;
                    Place::Fixed(0)
                }
            }
            same @ (Place::Name | Place::Comment | Place::Body | Place::Rest) => same,
        };
        Some(())
    }

    fn fixed(&mut self, read: u8, byte: u8) -> Option<()> {
        let valid = match read {
            0 => byte == 0x1f,
            1 => byte == 0x8b,
            2 => byte == 8,
            3 => {
                self.flags = byte;
                byte & RESERVED == 0
            }
            _ => true,
        };
        self.place = match (valid, read) {
            (true, 9) => self.field(),
            (true, _) => Place::Fixed(read + 1),
            // Behind a member: padding, not the beginning of another.
            (false, 0 | 1) if self.members => Place::Rest,
            (false, _) => return None,
        };
        Some(())
    }

    /// The next field that the header says is there, else the body.
    fn field(&mut self) -> Place {
        for (flag, place) in [
            (EXTRA, Place::ExtraLow),
            (NAME, Place::Name),
            (COMMENT, Place::Comment),
            (HEADER_CRC, Place::HeaderCrc(2)),
        ] {
            if self.flags & flag != 0 {
                self.flags &= !flag;
                return place;
            }
        }
        self.inflate.reset(false);
        self.crc.reset();
        Place::Body
    }

    /// Compares a trailer: the checksum and the length modulo 2^32.
    fn check(&mut self, trailer: u64) -> Option<()> {
        let expected = u64::from(self.crc.amount()) << 32 | u64::from(self.crc.sum());
        self.members = true;
        (trailer == expected).then_some(())
    }
}
