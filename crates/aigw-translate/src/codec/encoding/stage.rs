//! One coding behind one interface: a step takes some input and gives some output.

use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, HeapAlloc, HuffmanCode};
use zstd::stream::raw::{DParameter, Operation as _};

use super::deflate::Deflate;
use super::gzip::Gzip;

/// 8 MiB: what RFC 9659 lets a sender of the `zstd` coding ask for.
const ZSTD_WINDOW_LOG: u32 = 23;

/// A coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding by its registered name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        const NAMES: [(&str, Coding); 5] = [
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Brotli),
            ("zstd", Coding::Zstd),
        ];
        let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(known.1)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) read: usize,
    pub(super) written: usize,
    /// The compressed data came to an end.
    pub(super) ended: bool,
}

type Brotli = BrotliState<HeapAlloc<u8>, HeapAlloc<u32>, HeapAlloc<HuffmanCode>>;

/// A coding being undone.
pub(super) enum Stage {
    Gzip(Box<Gzip>),
    Deflate(Box<Deflate>),
    Brotli {
        state: Box<Brotli>,
        end: bool,
    },
    Zstd {
        decoder: zstd::stream::raw::Decoder<'static>,
        between: bool,
    },
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.coding().name())
    }
}

impl Stage {
    /// `None` when the library refuses.
    pub(super) fn new(coding: Coding) -> Option<Self> {
        Some(match coding {
            Coding::Gzip => Self::Gzip(Box::default()),
            Coding::Deflate => Self::Deflate(Box::default()),
            Coding::Brotli => Self::Brotli {
                // Strict: windows of at most 16 MiB, as RFC 7932 has them.
                state: Box::new(BrotliState::new_strict(
                    HeapAlloc::new(0),
                    HeapAlloc::new(0),
                    HeapAlloc::new(HuffmanCode::default()),
                )),
                end: false,
            },
            Coding::Zstd => {
                let mut decoder = zstd::stream::raw::Decoder::new().ok()?;
                decoder
                    .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))
                    .ok()?;
                Self::Zstd {
                    decoder,
                    between: true,
                }
            }
        })
    }

    pub(super) const fn coding(&self) -> Coding {
        match self {
            Self::Gzip(_) => Coding::Gzip,
            Self::Deflate(_) => Coding::Deflate,
            Self::Brotli { .. } => Coding::Brotli,
            Self::Zstd { .. } => Coding::Zstd,
        }
    }

    /// Takes from the front of `input`, writes to the front of `output`; `None` when the input is not of the coding.
    /// Output that is full may have more behind it.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Option<Step> {
        match self {
            Self::Gzip(gzip) => gzip.step(input, output),
            Self::Deflate(deflate) => deflate.step(input, output),
            Self::Brotli { state, end } => {
                if *end {
                    return Some(ignore(input));
                }
                let (mut in_left, mut read) = (input.len(), 0);
                let (mut out_left, mut written, mut total) = (output.len(), 0, 0);
                let result = BrotliDecompressStream(
                    &mut in_left,
                    &mut read,
                    input,
                    &mut out_left,
                    &mut written,
                    output,
                    &mut total,
                    state,
                );
                match result {
                    BrotliResult::ResultFailure => return None,
                    BrotliResult::ResultSuccess => *end = true,
                    BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
                }
                Some(Step {
                    read,
                    written,
                    ended: *end,
                })
            }
            Self::Zstd { decoder, between } => {
                if input.is_empty() && *between {
                    return Some(Step::default());
                }
                let status = decoder.run_on_buffers(input, output).ok()?;
                *between = status.remaining == 0;
                Some(Step {
                    read: status.bytes_read,
                    written: status.bytes_written,
                    ended: *between,
                })
            }
        }
    }

    /// The coding is at an end.
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Self::Gzip(gzip) => gzip.is_finished(),
            Self::Deflate(deflate) => deflate.is_finished(),
            Self::Brotli { end, .. } => *end,
            Self::Zstd { between, .. } => *between,
        }
    }
}

/// What stands behind the end is not looked at, as browsers do.
pub(super) const fn ignore(input: &[u8]) -> Step {
    Step {
        read: input.len(),
        written: 0,
        ended: true,
    }
}
