//! Any bytes at all as `WWW-Authenticate` fields, and the answer to what is read there.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::digest::digest(data));
