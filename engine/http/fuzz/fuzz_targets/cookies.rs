//! Any bytes at all as `Set-Cookie` fields, and what the jar makes of them sent back.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::cookies::cookies(data));
