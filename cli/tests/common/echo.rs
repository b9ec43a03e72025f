//! The echo server the cases are run against: it answers with what it received.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// `cases/echo_server.py` on a port of its own; ended when dropped.
pub(crate) struct Echo {
    child: Child,
    port: u16,
}

impl Echo {
    /// Starts one, which says its port once it listens.
    pub(crate) fn start() -> Self {
        let mut child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/echo_server.py"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("python3 is installed");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its stdout is piped");
        let read = BufReader::new(stdout).read_line(&mut line);
        let port = read.ok().and_then(|_| line.trim().parse().ok());
        let mut echo = Self { child, port: port.unwrap_or_default() };
        assert!(echo.port != 0, "the echo server ended: {:?}", echo.child.wait());
        echo
    }

    /// Its URL, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
