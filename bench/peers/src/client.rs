//! One run of one client: started on its CPU, watched, waited for, and ended if it does not end itself.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{getrusage, UsageWho},
    time::TimeValLike,
};

use crate::{
    error::{BenchError, Doing},
    work_dir::WorkDir,
};

/// How often a client is looked at. Its memory's high mark is read at each look, so what it takes in its last moments may be
/// missed; its CPU time is read after its end and is exact.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a client may take beyond the time it was given: connecting, printing, and hrp's report every 3 s.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// The lines of a failed client's stderr that are shown.
const STDERR_LINES: usize = 5;

/// A client to run.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    /// The tool's name, for messages.
    pub(crate) name: &'a str,
    /// Its program.
    pub(crate) program: &'a Path,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// The only CPU it may use.
    pub(crate) cpu: usize,
    /// After this it is ended, and its run has failed.
    pub(crate) limit: Duration,
}

/// The unit of CPU times in `/proc/PID/stat`: a hundred a second, on every processor Pummel runs on (`USER_HZ`, proc(5)).
const TICKS_PER_S: f64 = 100.0;

/// A client at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// The client.
    pub(crate) pid: u32,
    /// Since the client was started.
    pub(crate) elapsed: Duration,
    /// CPU time of its threads so far.
    pub(crate) cpu_s: f64,
    /// Resident now (`VmRSS`).
    pub(crate) resident_kib: u64,
    /// The most that ever was resident (`VmHWM`).
    pub(crate) peak_kib: u64,
}

/// What the system says about a client that ended well.
#[derive(Debug)]
pub(crate) struct Ran {
    /// User and system time of its threads, and of processes it started and waited for.
    pub(crate) cpu_s: f64,
    /// From its start until its end was seen.
    pub(crate) wall_s: f64,
    /// Its memory at the last look.
    pub(crate) peak_kib: u64,
    /// What it wrote to stdout.
    pub(crate) stdout: String,
}

/// A child that is killed and reaped when dropped, unless it has been reaped before.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only for a child that is already gone, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Client<'_> {
    /// Runs the client to its end. `watch` sees each look at it.
    ///
    /// # Errors
    /// When it cannot be started, ends with a failure, outlasts its limit, or `interrupted` is raised; it has ended in each case.
    pub(crate) fn run(
        &self,
        work: &WorkDir,
        interrupted: &AtomicBool,
        mut watch: impl FnMut(Look),
    ) -> Result<Ran, BenchError> {
        let output = |name: &str| File::create(work.file(name)).doing(format!("create {name}"));
        let start = Instant::now();
        // taskset becomes the client by exec, so the process id and the CPU time are the client's.
        let child = Command::new("taskset")
            .arg("-c")
            .arg(self.cpu.to_string())
            .arg(self.program)
            .args(&self.args)
            .current_dir(work.path())
            // What is measured does not fill the store of who measures, unless it is about a store.
            .env("PUMMEL_STORE", "none")
            .stdin(Stdio::null())
            .stdout(output("stdout")?)
            .stderr(output("stderr")?)
            .spawn()
            .doing(format!("start {}", self.name))?;
        let mut guard = Guard(child);
        let pid = guard.0.id();

        let mut peak_kib = 0;
        // This program reaps one client at a time and nothing else meanwhile, so what its ended children have used grows by
        // what the client has used.
        let used_before = used_by_ended_children().doing("read CPU times")?;
        let status = loop {
            if let Some(status) = guard.0.try_wait().doing(format!("wait for {}", self.name))? {
                break status;
            }
            if interrupted.load(Ordering::Relaxed) {
                return Err(BenchError::Interrupted);
            }
            if start.elapsed() > self.limit {
                let how = format!("had not ended after {} s and was ended", self.limit.as_secs());
                return Err(self.failure(how, work));
            }
            if let Some(look) = look_at(pid, start.elapsed()) {
                peak_kib = peak_kib.max(look.peak_kib);
                watch(look);
            }
            thread::sleep(LOOK_EVERY);
        };
        let wall_s = start.elapsed().as_secs_f64();
        let cpu_s = used_by_ended_children().doing("read CPU times")? - used_before;
        if interrupted.load(Ordering::Relaxed) {
            return Err(BenchError::Interrupted);
        }
        if !status.success() {
            return Err(self.failure(format!("ended with {}", described(status)), work));
        }
        Ok(Ran { cpu_s, wall_s, peak_kib, stdout: text_of(&work.file("stdout")) })
    }

    fn failure(&self, how: String, work: &WorkDir) -> BenchError {
        let stderr = text_of(&work.file("stderr"));
        let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(STDERR_LINES)..];
        let said = if last.is_empty() { String::new() } else { format!("\n    {}", last.join("\n    ")) };
        BenchError::Client { name: self.name.into(), how, said }
    }
}

fn described(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

/// A tool's output may hold anything; what is not UTF-8 is no figure.
fn text_of(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// User and system seconds of all children that were waited for, and of theirs.
fn used_by_ended_children() -> nix::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64;
    Ok((micros(usage.user_time()) + micros(usage.system_time())) / 1e6)
}

/// A process's CPU time and memory; none once it has ended.
fn look_at(pid: u32, elapsed: Duration) -> Option<Look> {
    let cpu_s = cpu_s_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Look { pid, elapsed, cpu_s, resident_kib: kib_of(&status, "VmRSS:")?, peak_kib: kib_of(&status, "VmHWM:")? })
}

/// Fields 14 and 15 of `/proc/PID/stat`: the second, a name in parentheses, may hold anything.
pub(crate) fn cpu_s_in(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    Some((times.next()?.ok()? + times.next()?.ok()?) as f64 / TICKS_PER_S)
}

/// The KiB behind a key of `/proc/PID/status`.
pub(crate) fn kib_of(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::atomic::AtomicBool, time::Duration};

    use super::{cpu_s_in, kib_of, Client};
    use crate::{error::BenchError, work_dir::WorkDir};

    fn shell(script: &str, limit: Duration) -> Client<'_> {
        Client { name: "sh", program: Path::new("/bin/sh"), args: vec!["-c".into(), script.into()], cpu: 0, limit }
    }

    #[test]
    fn times_stand_behind_a_name_that_may_hold_anything() {
        let stat = "71 (a ) b) S 1 71 71 0 -1 4194560 500 0 0 0 120 30 7 7 20 0 9 0 100 1 1";
        assert_eq!(cpu_s_in(stat), Some(1.5));
        assert_eq!(cpu_s_in("71 (cut) S 1"), None);
    }

    #[test]
    fn memory_is_read_from_its_line() {
        let status = "Name:\twrk\nVmHWM:\t    5432 kB\nVmRSS:\t    4321 kB\n";
        assert_eq!(kib_of(status, "VmHWM:"), Some(5432));
        assert_eq!(kib_of(status, "VmRSS:"), Some(4321));
        assert_eq!(kib_of("Name:\tgone\nState:\tZ (zombie)\n", "VmHWM:"), None);
    }

    // One test and not several: the folder's name carries the process id.
    #[test]
    fn a_client_is_measured_and_its_failures_are_told_apart() {
        let work = WorkDir::new().unwrap();
        let calm = AtomicBool::new(false);
        let minute = Duration::from_mins(1);

        let ran = shell("echo 42; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done", minute)
            .run(&work, &calm, |_| {})
            .unwrap();
        assert_eq!(ran.stdout, "42\n");
        assert!(ran.cpu_s > 0.0, "counting takes CPU time, and it is known after the end");

        let failed = shell("echo no such host >&2; exit 3", minute).run(&work, &calm, |_| {}).unwrap_err();
        assert_eq!(failed.to_string(), "sh ended with exit code 3\n    no such host");

        let late = shell("sleep 60", Duration::ZERO).run(&work, &calm, |_| {}).unwrap_err();
        assert_eq!(late.to_string(), "sh had not ended after 0 s and was ended");

        let interrupted = AtomicBool::new(true);
        let stopped = shell("sleep 60", minute).run(&work, &interrupted, |_| {});
        assert!(matches!(stopped, Err(BenchError::Interrupted)));
    }
}
