//! The fuzz corpora, replayed: every file goes through what its fuzz target calls.

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
fn yaml_cases() {
    replay("case_yaml", check::case_yaml);
}

#[test]
fn json_cases() {
    replay("case_json", check::case_json);
}

#[test]
fn expressions_on_bodies() {
    replay("jmespath_body", check::jmespath_body);
}

#[test]
fn expressions_in_every_place() {
    replay("expression", check::expression);
}

#[test]
fn csv_files() {
    replay("csv", check::csv);
}

#[test]
fn cases_that_refer_to_others() {
    replay("references", check::references);
}

#[test]
fn curl_commands() {
    replay("curl", check::convert_curl);
}

#[test]
fn recordings() {
    replay("har", check::convert_har);
}

#[test]
fn collections() {
    replay("postman", check::convert_postman);
}
