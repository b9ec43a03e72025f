//! Certificates for the tests' servers and clients, made by OpenSSL: an authority and what it has signed.

#![allow(dead_code)] // Each test file uses a part of it.

use std::{path::PathBuf, process::Command};

use crate::load::Folder;

/// A certificate authority of the test's own. Nothing outside the test trusts it.
pub(crate) struct Authority {
    folder: Folder,
}

/// A certificate and its key, PEM files both.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// Makes one that holds for a day.
    pub(crate) fn new() -> Self {
        let authority = Self { folder: Folder::new() };
        let made = Certificate { certificate: authority.file("ca.pem"), key: authority.file("ca.key") };
        authority.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=Pummel-test-authority \
             -keyout {} -out {}",
            made.key.display(),
            made.certificate.display()
        ));
        authority
    }

    /// The authority's own certificate, what `--cacert` takes.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// Signs a certificate for names (`DNS:localhost,IP:127.0.0.1`) that holds for so many days; -1 for one that has expired.
    pub(crate) fn sign(&self, file: &str, names: &str, days: i32) -> Certificate {
        let made =
            Certificate { certificate: self.file(&format!("{file}.pem")), key: self.file(&format!("{file}.key")) };
        let request = self.file(&format!("{file}.csr"));
        let extensions = self.folder.write(&format!("{file}.ext"), &format!("subjectAltName={names}\n"));
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={file} -keyout {} -out {}",
            made.key.display(),
            request.display()
        ));
        self.openssl(&format!(
            "x509 -req -in {} -CA {} -CAkey {} -CAcreateserial -days {days} -extfile {} -out {}",
            request.display(),
            self.certificate().display(),
            self.file("ca.key").display(),
            extensions,
            made.certificate.display()
        ));
        made
    }

    /// A certificate that signs itself and is an authority's too, as `openssl req -x509` makes them.
    pub(crate) fn self_signed(&self, file: &str, names: &str) -> Certificate {
        let made =
            Certificate { certificate: self.file(&format!("{file}.pem")), key: self.file(&format!("{file}.key")) };
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN={file} -addext \
             subjectAltName={names} -keyout {} -out {}",
            made.key.display(),
            made.certificate.display()
        ));
        made
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output =
            Command::new("openssl").args(arguments.split_whitespace()).current_dir(self.folder.path()).output();
        let output = output.expect("openssl is installed (scripts/test.sh installs it)");
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
