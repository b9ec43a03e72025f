//! The echo server the cases are run against: it answers with what it received.

#[path = "python_server.rs"]
mod python_server;

use std::process::Command;

use python_server::PythonServer;

/// `cases/echo_server.py` on a port of its own; ended when dropped.
pub(crate) struct Echo(PythonServer);

impl Echo {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/echo_server.py");
        Self(PythonServer::start(Command::new("python3").arg(script), "the echo server"))
    }

    /// Its URL, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address())
    }
}
