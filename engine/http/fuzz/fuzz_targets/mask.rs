//! Any text at all as head, body and message of an exchange, with secrets planted behind it.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::mask::mask(data));
