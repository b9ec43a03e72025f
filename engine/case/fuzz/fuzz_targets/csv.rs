//! Any bytes at all as a CSV file of variables and parameters.

#![no_main]

#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::csv(data));
