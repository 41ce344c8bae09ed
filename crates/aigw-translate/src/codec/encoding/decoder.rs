//! A chain of codings undone chunk by chunk, within a limit.

use super::stage::{Coding, Stage};

/// Codings one after the other at most.
const MAX_STAGES: usize = 4;
/// Bytes decoded at a time.
const STEP: usize = 16 << 10;

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// A coding that is not known here (or more than four); the body may be passed on unread, or refused with 415.
    #[error("unsupported content-encoding {name:?}")]
    Unsupported {
        /// The coding, or the whole list.
        name: String,
    },
    /// The bytes are not of the coding that was announced; the sender must be corrected.
    #[error("the body is not valid {coding}")]
    Corrupt {
        /// The coding.
        coding: &'static str,
    },
    /// The body ended inside the coding; the sender must send all of it.
    #[error("the {coding} body ends too early")]
    Truncated {
        /// The coding.
        coding: &'static str,
    },
    /// More decoded bytes than allowed; the sender must send less.
    #[error("the decoded body has more than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
}

/// Decodes one body.
#[derive(Debug)]
pub struct Decoder {
    /// In the order in which they are undone; none for an identity.
    stages: Vec<Stage>,
    /// Decoded bytes of each stage (of the body for an identity).
    totals: Vec<u64>,
    limit: u64,
    /// The limit counts from each push anew.
    each: bool,
    scratch: Vec<u8>,
    begun: bool,
    failed: Option<EncodingError>,
}

impl Decoder {
    /// A decoder for the value of a `content-encoding` header (several values joined by commas; empty for none), which
    /// yields at most `limit` bytes.
    pub fn new(content_encoding: &str, limit: u64) -> Result<Self, EncodingError> {
        let mut stages = Vec::new();
        // The coding that was applied last stands last and is undone first.
        for name in content_encoding.rsplit(',') {
            let name = name.trim_matches([' ', '\t']);
            if name.is_empty() || name.eq_ignore_ascii_case("identity") {
                continue;
            }
            let unsupported = |name: &str| EncodingError::Unsupported {
                name: name.to_owned(),
            };
            if stages.len() == MAX_STAGES {
                return Err(unsupported(content_encoding));
            }
            let coding = Coding::from_name(name).ok_or_else(|| unsupported(name))?;
            stages.push(Stage::new(coding).ok_or_else(|| unsupported(name))?);
        }
        Ok(Self {
            totals: vec![0; stages.len().max(1)],
            scratch: if stages.is_empty() {
                Vec::new()
            } else {
                vec![0; STEP]
            },
            stages,
            limit,
            each: false,
            begun: false,
            failed: None,
        })
    }

    /// The same for a stream without an end: no push may yield more than `limit` bytes, and all together may be any number.
    pub fn for_stream(content_encoding: &str, limit: u64) -> Result<Self, EncodingError> {
        let mut decoder = Self::new(content_encoding, limit)?;
        decoder.each = true;
        Ok(decoder)
    }

    /// True when the body stands for itself, and need not go through here.
    pub fn is_identity(&self) -> bool {
        self.stages.is_empty()
    }

    /// Takes bytes and appends all that can be decoded by now. After an error every call gives it again.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), EncodingError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.begun |= !input.is_empty();
        if self.each {
            self.totals.fill(0);
        }
        let result = self.run(input, out);
        self.failed = result.clone().err();
        result
    }

    /// The body ended: fails when the coding did not. A body without any byte is fine.
    pub fn finish(&mut self) -> Result<(), EncodingError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.stages.iter().find(|stage| !stage.is_finished()) {
            Some(stage) if self.begun => Err(EncodingError::Truncated {
                coding: stage.coding().name(),
            }),
            _ => Ok(()),
        }
    }

    fn run(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), EncodingError> {
        let Some(last) = self.stages.len().checked_sub(1) else {
            if let Some(total) = self.totals.first_mut() {
                add(total, input.len(), self.limit)?;
            }
            out.extend_from_slice(input);
            return Ok(());
        };
        let mut between: Option<Vec<u8>> = None;
        for (index, (stage, total)) in self.stages.iter_mut().zip(&mut self.totals).enumerate() {
            let input = between.as_deref().unwrap_or(input);
            if index == last {
                return drive(stage, total, self.limit, input, &mut self.scratch, out);
            }
            let mut decoded = Vec::new();
            drive(stage, total, self.limit, input, &mut self.scratch, &mut decoded)?;
            between = Some(decoded);
        }
        Ok(())
    }
}

/// Decodes a whole body.
pub fn decode(content_encoding: &str, body: &[u8], limit: u64) -> Result<Vec<u8>, EncodingError> {
    let mut decoder = Decoder::new(content_encoding, limit)?;
    let mut out = Vec::with_capacity(body.len());
    decoder.push(body, &mut out)?;
    decoder.finish()?;
    Ok(out)
}

/// Runs one stage until it has taken all input and given all output.
fn drive(
    stage: &mut Stage,
    total: &mut u64,
    limit: u64,
    mut input: &[u8],
    scratch: &mut [u8],
    out: &mut Vec<u8>,
) -> Result<(), EncodingError> {
    let mut idle = false;
    loop {
        let corrupt = EncodingError::Corrupt {
            coding: stage.coding().name(),
        };
        let Some(step) = stage.step(input, scratch) else {
            return Err(corrupt);
        };
        add(total, step.written, limit)?;
        out.extend_from_slice(scratch.get(..step.written).unwrap_or_default());
        input = input.get(step.read..).unwrap_or_default();
        let full = step.written == scratch.len();
        if input.is_empty() && !full {
            return Ok(());
        }
        // One step may move nothing but the stage itself, to its end; a second one would be followed by more.
        let moved = step.read > 0 || step.written > 0;
        if idle && !moved {
            return Err(corrupt);
        }
        idle = !moved;
    }
}

fn add(total: &mut u64, more: usize, limit: u64) -> Result<(), EncodingError> {
    *total = total.saturating_add(more as u64);
    if *total > limit {
        return Err(EncodingError::TooLarge { limit });
    }
    Ok(())
}
