//! Network namespaces of the tests' own: ports, addresses and names that nobody else uses.

#![allow(dead_code)] // Each test file uses its part.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// A network namespace with the loopback up; deleted when dropped.
pub(crate) struct Namespace(String);

impl Namespace {
    /// Makes one; none where that is not allowed.
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pummel-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let made = Command::new("ip").args(["netns", "add", &name]).status().is_ok_and(|status| status.success());
        let namespace = made.then(|| Self(name))?;
        let up = namespace.command("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.is_ok_and(|status| status.success()), "the loopback comes up");
        Some(namespace)
    }

    /// A command that runs in it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Sets its kernel parameters, each as `name=value`.
    pub(crate) fn set(&self, parameters: &[&str]) {
        for parameter in parameters {
            assert!(self.command("sysctl").args(["-qw", parameter]).status().unwrap().success(), "{parameter}");
        }
    }

    /// Starts a server in it, which says a line on stdout once it listens.
    pub(crate) fn server(&self, program: &str, arguments: &[&str]) -> Server {
        let mut command = self.command(program);
        let mut child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its stdout is piped");
        let read = BufReader::new(stdout).read_line(&mut line);
        let server = Server(child);
        assert!(read.is_ok_and(|bytes| bytes > 0), "the server listens");
        server
    }

    /// The text of its `/etc/hosts`, for commands started after the first call (ip-netns(8)).
    /// Gives the file they see, which may be written to in place.
    pub(crate) fn set_hosts(&self, text: &str) -> PathBuf {
        let folder = self.folder();
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("hosts");
        fs::write(&file, text).expect("a file");
        file
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from("/etc/netns").join(&self.0)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
        let _ = fs::remove_dir_all(self.folder());
    }
}

/// A server in a namespace; ended when dropped.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
