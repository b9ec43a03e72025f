//! Any bytes at all, given to the response parser whole and in pieces.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::response(data));
