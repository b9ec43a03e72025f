//! Any YAML case in a project whose files it may refer to; what follows a line `%%` is one of those files.

#![no_main]

#[path = "../../tests/check/mod.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::references(data));
