//! A folder of cases, copied so that it goes to a server of the test's own.

#![allow(dead_code)] // Each test file uses its part.

use std::{fs, path::Path};

/// Where the cases in the tree expect their server.
pub(crate) const ORIGIN: &str = "127.0.0.1:18999";

/// Copies a folder with all below it; in the copy the server's address is `origin`, as `host:port`.
pub(crate) fn copy_to_server(from: &Path, to: &Path, origin: &str) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the cases") {
        let entry = entry.expect("an entry");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_to_server(&path, &target, origin);
        } else {
            let text = fs::read_to_string(&path).expect("text");
            fs::write(&target, text.replace(ORIGIN, origin)).expect("a file");
        }
    }
}
