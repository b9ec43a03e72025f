//! The fuzz corpus, replayed: every file goes through what its fuzz target calls.

#[allow(dead_code)]
mod check;

use std::path::Path;

#[test]
fn replies() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/replies");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "{} seeds in {}", files.len(), folder.display());
    for file in files {
        println!("{}", file.display());
        check::replies(&std::fs::read(&file).unwrap());
    }
}
