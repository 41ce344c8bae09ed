//! Bytes in, bytes out: dialects, the intermediate representation between them, codecs, operations and hosts. Pure.

pub mod answer;
pub mod codec;
pub mod dialect;
pub mod host;
pub mod ir;
pub mod json;
pub mod operation;
pub mod request;
