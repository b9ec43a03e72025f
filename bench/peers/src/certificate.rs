//! The server's certificate: signed by itself, for the loopback, good for a day.

use std::process::Command;

use crate::{
    error::{BenchError, Doing},
    work_dir::WorkDir,
};

/// The certificate's file in the work folder.
pub(crate) const CERTIFICATE: &str = "server.pem";
/// Its key's.
pub(crate) const KEY: &str = "server.key";

/// Makes both with the OpenSSL command: ECDSA on P-256, what most public servers have.
pub(crate) fn make(work: &WorkDir) -> Result<(), BenchError> {
    let fixed = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
                 -addext subjectAltName=DNS:localhost,IP:127.0.0.1";
    let output = Command::new("openssl")
        .args(fixed.split_whitespace())
        .args(["-keyout", KEY, "-out", CERTIFICATE])
        .current_dir(work.path())
        .output()
        .doing("run openssl (Debian: apt-get install openssl)")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(std::io::Error::other(said)).doing("make a certificate with openssl")
}
