//! Any bytes at all as what a plugin's runner sends.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::replies(data));
