//! The echo server the cases are run against: it answers with what it received.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The server listens within this time or its test fails.
const START_LIMIT: Duration = Duration::from_secs(30);

/// `cases/echo_server.py` on a free port; ended when dropped.
pub(crate) struct Echo {
    child: Child,
    port: u16,
}

impl Echo {
    /// Starts one and waits until it listens.
    pub(crate) fn start() -> Self {
        let port = super::load::closed_port();
        let child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/echo_server.py"))
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let mut echo = Self { child, port };
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if echo.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                let said =
                    echo.child.stderr.take().map(|stderr| BufReader::new(stderr).lines().map_while(Result::ok).last());
                panic!("the echo server ended: {said:?}");
            }
            assert!(since.elapsed() < START_LIMIT, "the echo server listens");
            thread::sleep(Duration::from_millis(20));
        }
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
