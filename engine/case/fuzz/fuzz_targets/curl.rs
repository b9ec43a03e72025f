//! Any text as curl commands: converted, written in both forms and loaded.

#![no_main]

#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::convert_curl(data));
