//! Any text at all in one of the places where an expression may stand.

#![no_main]

#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::expression_in_one_place(data));
