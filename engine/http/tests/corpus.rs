//! The fuzz corpora, replayed: every file goes through what its fuzz target calls.

#[allow(dead_code)]
mod check;

use std::path::Path;

/// Runs all files of one corpus; the name of the file is in the output of a failure.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "{} seeds in {}", files.len(), folder.display());
    for file in files {
        println!("{}", file.display());
        run(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn responses() {
    replay("response", check::response);
}

#[test]
fn requests() {
    replay("request", check::request);
}

#[test]
fn cookies() {
    replay("cookies", check::cookies::cookies);
}

#[test]
fn bodies() {
    replay("decode", check::decode::decode);
}

#[test]
fn texts_to_mask() {
    replay("mask", check::mask::mask);
}

#[test]
fn challenges() {
    replay("digest", check::digest::digest);
}
