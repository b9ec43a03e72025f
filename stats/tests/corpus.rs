//! The fuzz corpus, replayed: every file goes through what its fuzz target calls.

mod check;

use std::path::Path;

#[test]
fn baseline() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/baseline");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 12, "{} seeds in {}", files.len(), folder.display());
    for file in files {
        println!("{}", file.display());
        check::baseline(&std::fs::read(&file).unwrap());
    }
}
