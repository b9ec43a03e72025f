//! One process that this program has started: its outputs are read for as long as it lives, and its process group ends with it.

use std::{
    fmt, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{poll, PollFd, PollFlags, Timespec},
    io::Errno,
    process::{kill_process_group, pidfd_open, Pid, PidfdFlags, Signal},
};

use crate::{log::Log, output::Output};

/// How long a process may take to end after SIGTERM (hrp spec 19.8).
pub(crate) const GRACE: Duration = Duration::from_millis(500);

/// How long one is waited for after SIGKILL. Only one that hangs within the kernel takes longer, and nothing can be done about it.
const KILL_TIME: Duration = Duration::from_secs(5);

/// How much is still read of what a process left in its pipes: they hold 64 KiB, more only where it asked for that.
const LEFTOVER_READS_MAX: usize = 4;

/// A process that is the first of its own process group. Whatever becomes of it, dropping it kills the group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Pid,
    /// Can be read from when the process has ended.
    ended: OwnedFd,
    stdout: Output,
    stderr: Output,
    log: Log,
    status: Option<ExitStatus>,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The process has ended.
    pub(crate) ended: bool,
    /// There is something to read from one of the other descriptors.
    pub(crate) ready: bool,
}

impl Process {
    /// Starts it. Its outputs are pipes to here; its input is as the command has it.
    ///
    /// # Errors
    /// The program is not there, or the system has no room for another process.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()?;
        let group = Pid::from_child(&child);
        let parts = || -> io::Result<_> {
            let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
            let stdout = Output::new(child.stdout.take().ok_or_else(missing)?.into())?;
            let stderr = Output::new(child.stderr.take().ok_or_else(missing)?.into())?;
            Ok((pidfd_open(group, PidfdFlags::empty())?, stdout, stderr))
        }();
        match parts {
            Ok((ended, stdout, stderr)) => {
                Ok(Self { child, group, ended, stdout, stderr, log: Log::new(group.as_raw_pid()), status: None })
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Its output is no plugin's and stays out of the log.
    pub(crate) fn silence(&mut self) {
        self.log.silence();
    }

    /// Reads the outputs and waits until the process has ended, there is something to read from one of the `others`, or `until` is reached.
    /// `printed` gets the lines of the standard output besides the log.
    pub(crate) fn wait(
        &mut self,
        others: &[BorrowedFd<'_>],
        until: Option<Instant>,
        mut printed: impl FnMut(&[u8]),
    ) -> Turn {
        self.wait_for(others, until, |line| {
            printed(line);
            false
        })
    }

    /// The same, until `printed` says that the line is the one it waited for.
    pub(crate) fn wait_for(
        &mut self,
        others: &[BorrowedFd<'_>],
        until: Option<Instant>,
        mut printed: impl FnMut(&[u8]) -> bool,
    ) -> Turn {
        let mut found = false;
        loop {
            let more = self.read(&mut |line| found |= printed(line));
            if found {
                return Turn { ended: false, ready: false };
            }
            let now = Instant::now();
            let rest =
                if more { Some(Duration::ZERO) } else { until.map(|until| until.saturating_duration_since(now)) };
            let turn = self.poll(others, rest);
            if turn.ended || turn.ready || until.is_some_and(|until| until <= Instant::now()) {
                return turn;
            }
        }
    }

    /// Reads what the outputs hold; true where they may hold more.
    fn read(&mut self, printed: &mut impl FnMut(&[u8])) -> bool {
        let more = self.stdout.read(|line| {
            self.log.output(line);
            printed(line);
        });
        self.stderr.read(|line| self.log.error(line)) || more
    }

    /// Waits for whatever comes first.
    fn poll(&self, others: &[BorrowedFd<'_>], rest: Option<Duration>) -> Turn {
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut waits: Vec<PollFd<'_>> = [self.ended.as_fd()].iter().chain(others).copied().map(readable).collect();
        waits.extend([self.stdout.pipe(), self.stderr.pipe()].into_iter().flatten().map(readable));
        let rest = rest.and_then(|rest| Timespec::try_from(rest).ok());
        match poll(&mut waits, rest.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            // The kernel has no memory for it. It will have some.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
        let is_ready = |wait: &PollFd<'_>| !wait.revents().is_empty();
        Turn { ended: is_ready(&waits[0]), ready: waits[1..=others.len()].iter().any(is_ready) }
    }

    /// Ends the process, if it has not ended by itself: SIGTERM to its group, SIGKILL after the grace. What is left of its group is
    /// killed either way.
    pub(crate) fn end(self, grace: Duration) -> Ended {
        self.end_with(grace, |_| {})
    }

    /// The same, with what was printed until then and not read.
    pub(crate) fn end_with(mut self, grace: Duration, printed: impl FnMut(&[u8])) -> Ended {
        let started = Instant::now();
        if !grace.is_zero() && !self.wait(&[], Some(started), |_| {}).ended {
            self.signal(Signal::TERM);
            self.wait(&[], Some(started + grace), |_| {});
        }
        self.finish(printed);
        Ended { status: self.status, last_line: self.log.last_line().to_owned() }
    }

    /// Kills what is left of the group and takes the status. The number of an ended process stays its own until its status is taken, so no
    /// other group can be meant.
    fn finish(&mut self, mut printed: impl FnMut(&[u8])) {
        if self.status.is_some() {
            return;
        }
        self.signal(Signal::KILL);
        if !self.wait(&[], Some(Instant::now() + KILL_TIME), &mut printed).ended {
            return;
        }
        for _ in 0..LEFTOVER_READS_MAX {
            if !self.read(&mut printed) {
                break;
            }
        }
        self.status = self.child.wait().ok();
    }

    fn signal(&self, signal: Signal) {
        // It fails only where nobody is left.
        let _ = kill_process_group(self.group, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.finish(|_| {});
    }
}

/// How a process ended: "exited with 3", "was killed by SIGKILL".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// None where it hangs within the kernel.
    pub(crate) status: Option<ExitStatus>,
    /// The last line of its standard error output that says something.
    pub(crate) last_line: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.status else { return f.write_str("does not end") };
        match (status.code(), status.signal()) {
            (Some(code), _) => write!(f, "exited with {code}"),
            (None, Some(signal)) => match signal_name(signal) {
                Some(name) => write!(f, "was killed by {name}"),
                None => write!(f, "was killed by signal {signal}"),
            },
            (None, None) => f.write_str("ended"),
        }
    }
}

/// The name of a signal that ends processes.
fn signal_name(signal: i32) -> Option<&'static str> {
    const NAMES: [(Signal, &str); 13] = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
    ];
    NAMES.iter().find(|(known, _)| known.as_raw() == signal).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::spawn(Command::new("sh").args(["-c", script]).stdin(Stdio::null())).unwrap()
    }

    fn ended(process: &mut Process) -> Vec<String> {
        let mut lines = Vec::new();
        while !process.wait(&[], None, |line| lines.push(String::from_utf8_lossy(line).into_owned())).ended {}
        lines
    }

    #[test]
    fn how_a_process_ended_is_told() {
        let mut process = shell("echo said; echo wrong >&2; exit 3");
        let mut lines = ended(&mut process);
        process.stdout.read(|line| lines.push(String::from_utf8_lossy(line).into_owned()));
        let over = process.end(GRACE);
        assert_eq!(lines, ["said"]);
        assert_eq!((over.to_string(), &*over.last_line), ("exited with 3".to_owned(), "wrong"));
        let mut process = shell("kill -9 $$");
        ended(&mut process);
        assert_eq!(process.end(GRACE).to_string(), "was killed by SIGKILL");
        assert_eq!(shell("exec sleep 60").end(GRACE).to_string(), "was killed by SIGTERM");
        assert_eq!(
            shell("trap '' TERM; while :; do sleep 60; done").end(Duration::ZERO).to_string(),
            "was killed by SIGKILL"
        );
    }

    #[test]
    fn the_group_ends_with_its_first_process() {
        let mut process = shell("sleep 60 & echo $!");
        let mut lines = ended(&mut process);
        process.stdout.read(|line| lines.push(String::from_utf8_lossy(line).into_owned()));
        let child: i32 = lines[0].parse().unwrap();
        let group = process.group;
        assert_eq!(process.end(GRACE).to_string(), "exited with 0");
        // The kernel takes a moment to bury a killed process; a zombie that nobody has waited for does not run.
        let runs = || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.contains(&format!(" {} ", group.as_raw_pid())) && !stat.contains(") Z ")
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while runs() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(!runs());
    }

    #[test]
    fn endless_output_hides_neither_the_end_nor_the_time() {
        let mut process = shell("while :; do echo y; done");
        let turn = process.wait(&[], Some(Instant::now() + Duration::from_millis(20)), |_| {});
        assert_eq!(turn, Turn { ended: false, ready: false });
        assert_eq!(process.end(Duration::ZERO).to_string(), "was killed by SIGKILL");
    }

    #[test]
    fn a_megabyte_is_read_while_nobody_asks() {
        let mut process = shell("head -c 1000000 /dev/zero | tr '\\0' x; exit 4");
        ended(&mut process);
        assert_eq!(process.end(GRACE).to_string(), "exited with 4");
    }
}
