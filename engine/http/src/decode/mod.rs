//! Content codings: what a server did to a body to make it shorter, undone (RFC 9110 section 8.4).
//!
//! Reading order: `coding` (what `Content-Encoding` names), `decoder` (a body with all its codings), then one file each for
//! gzip and deflate (`inflate`), `brotli` and `zstandard` over the common `output`.

mod brotli;
mod coding;
mod decoder;
mod inflate;
mod output;
mod zstandard;

pub use coding::{Coding, Codings, CODINGS_MAX};
pub use decoder::{DecodeError, Decoder, DECODED_BODY_BYTES_MAX};
