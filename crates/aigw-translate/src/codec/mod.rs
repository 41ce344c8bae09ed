//! Turns bytes into frames and back; knows no provider, and any cut of the input gives the same frames.

pub mod encoding;
pub mod multipart;
pub mod sse;
