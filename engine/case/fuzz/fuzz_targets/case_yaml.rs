//! Any bytes at all as a YAML test case: loaded, rendered and checked.

#![no_main]

#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::case_yaml(data));
