//! A server written in Python that says its port once it listens.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// A running server; ended when dropped.
pub(crate) struct PythonServer {
    child: Child,
    port: u16,
}

impl PythonServer {
    /// Starts the script that `command` runs; `what` is said of one that ends before it listens.
    pub(crate) fn start(command: &mut Command, what: &str) -> Self {
        // One that reads its stdin sees the end of a test that was killed.
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("python3 is installed");
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take().expect("its stdout is piped")).read_line(&mut line);
        let port = read.ok().and_then(|_| line.trim().parse().ok()).unwrap_or_default();
        let mut server = Self { child, port };
        assert!(server.port != 0, "{what} ended: {:?}", server.child.wait());
        server
    }

    /// Its address, as `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
