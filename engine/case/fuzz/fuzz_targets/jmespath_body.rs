//! Any expression on any body: the first line is the expression, the rest the body.

#![no_main]

#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::jmespath_body(data));
