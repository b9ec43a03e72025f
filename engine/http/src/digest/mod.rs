//! Digest authentication (RFC 7616, and RFC 2069 where a server names no quality of protection).
//!
//! Reading order: `challenge` (what a server asks for), `answer` (what it is told).

mod answer;
mod challenge;

pub use answer::DigestUse;
pub use challenge::{Algorithm, DigestChallenge, CHALLENGE_BYTES_MAX};
