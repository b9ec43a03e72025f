//! Any bytes at all as what a tool has left of a run.

#![no_main]

#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::baseline(data));
