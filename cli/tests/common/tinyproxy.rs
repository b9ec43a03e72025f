//! A tinyproxy of a test's own, and what its log says it was asked.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::load::{closed_port, Folder};

/// How long the proxy may take to start, and to write what it has done.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stopped when dropped.
pub(crate) struct Tinyproxy {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: Folder,
}

impl Tinyproxy {
    /// Starts one; `more` are lines of its configuration, such as `BasicAuth user password`.
    pub(crate) fn start(more: &str) -> Self {
        let folder = Folder::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, closed_port()));
        let log = folder.path().join("log");
        let config = folder.write(
            "tinyproxy.conf",
            &format!(
                "Port {}\nListen {}\nTimeout 60\nLogFile \"{}\"\nLogLevel Connect\nMaxClients 200\nAllow 127.0.0.1\n{more}\n",
                address.port(),
                address.ip(),
                log.display()
            ),
        );
        let child = Command::new("tinyproxy")
            .args(["-d", "-c", &config])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tinyproxy is installed (scripts/test.sh installs it)");
        let proxy = Self { child, address, folder };
        let since = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(since.elapsed() < PATIENCE, "tinyproxy listens");
            thread::sleep(Duration::from_millis(10));
        }
        proxy
    }

    /// Its URL, with `user:password@` or nothing before the host.
    pub(crate) fn url(&self, credentials: &str) -> String {
        format!("http://{credentials}{}", self.address)
    }

    /// Waits until it has logged so many requests that begin with these words, and gives their lines.
    pub(crate) fn asked(&self, words: &str, count: usize) -> Vec<String> {
        let since = Instant::now();
        loop {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<String> = log.lines().filter(|line| line.contains(words)).map(str::to_owned).collect();
            if lines.len() >= count || since.elapsed() > PATIENCE {
                assert_eq!(lines.len(), count, "{words}: {log}");
                return lines;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
