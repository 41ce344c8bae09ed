//! An error answer that is no JSON, such as the page of a proxy before the provider: said again in the client's dialect.

use bytes::Bytes;

use super::AnswerInputs;
use crate::codec::encoding::Decoder as Decompressor;
use crate::dialect::Observation;
use crate::ir::Error;
use crate::operation::{ErrorShape, encode_error};

/// More of a page than this is not read.
const LIMIT: usize = 64 << 10;

/// The page, kept until its end.
#[derive(Debug)]
pub(super) struct Page {
    shape: ErrorShape,
    status: u16,
    decompress: Option<Decompressor>,
    text: Vec<u8>,
    observation: Observation,
}

impl Page {
    pub(super) fn new(inputs: &AnswerInputs<'_>) -> Self {
        let encoding = inputs.content_encoding.unwrap_or("identity");
        Self {
            shape: inputs.operation.errors(),
            status: inputs.status,
            decompress: Decompressor::new(encoding, LIMIT as u64).ok(),
            text: Vec::new(),
            observation: Observation::default(),
        }
    }

    /// What cannot be read is left out: the status says enough.
    pub(super) fn push(&mut self, data: &Bytes) {
        let Some(decoder) = &mut self.decompress else {
            return;
        };
        if self.text.len() < LIMIT && decoder.push(data, &mut self.text).is_err() {
            self.decompress = None;
        }
    }

    /// JSON under another content type stays as it is.
    pub(super) fn finish(&mut self, out: &mut Vec<Bytes>) {
        let text = std::mem::take(&mut self.text);
        let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text).is_ok();
        let error = Error::from_text(self.status, &String::from_utf8_lossy(&text));
        out.push(Bytes::from(if is_object {
            text
        } else {
            encode_error(self.shape, &error)
        }));
        self.observation.error = Some(error);
    }

    pub(super) fn held(&self) -> u64 {
        self.text.len() as u64
    }

    pub(super) fn observation(&self) -> &Observation {
        &self.observation
    }
}
