//! Undoes content codings (RFC 9110 section 8.4.1, RFC 8878, RFC 7932) as bytes arrive.

mod decoder;
mod deflate;
mod gzip;
mod stage;

pub use decoder::{Decoder, EncodingError, decode};
