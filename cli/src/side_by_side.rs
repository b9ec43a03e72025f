//! `pummel compare --against hrp`: both tools by turns with the same case and flags, and what each of them measured.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File},
    os::unix::{
        fs::{DirBuilderExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use pummel_engine::Control;
use pummel_stats::{
    compare::{baseline, Contender, Measured, Source},
    display::text::one_line,
};

use crate::{
    console::Stream,
    exit,
    failure::Failure,
    files::{read_bytes, FileKind},
    signals::raise_on_signal,
};

/// How often a tool under way is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Lines of a tool's output that a failure quotes, and how long one may be.
const LINES_QUOTED: usize = 5;
const LINE_CHARS_MAX: usize = 200;

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Hrp,
    Pummel,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Hrp => "hrp boom",
            Self::Pummel => "pummel boom",
        }
    }
}

/// Runs both, each so many times, and gives hrp as the baseline and pummel as the other. `boom` is a case and flags both know.
///
/// # Errors
/// hrp is not there, the load has no end, a tool left no result, or somebody interrupted.
pub(crate) fn side_by_side(boom: &[OsString], rounds: u32) -> Result<Vec<Contender>, Failure> {
    refuse_flags(boom)?;
    let hrp = on_path("hrp").ok_or_else(|| {
        Failure::usage(
            "--against hrp: hrp is not installed: no folder of the PATH has such a program",
            "install HttpRunner v4, or compare with a log it has left: pummel compare hrp.log pummel.json",
        )
    })?;
    let pummel = std::env::current_exe()
        .map_err(|error| Failure::without_help(exit::FAILED, format!("pummel cannot find itself: {error}")))?;
    let folder = TemporaryFolder::new()?;
    let control = Control::default();
    raise_on_signal(&control)?;
    let (mut of_hrp, mut of_pummel) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        // Turn about, so that neither always has the machine as the other leaves it.
        let order = if round % 2 == 1 { [Tool::Hrp, Tool::Pummel] } else { [Tool::Pummel, Tool::Hrp] };
        for tool in order {
            Stream::Stderr.print(&format!("round {round} of {rounds}: {}\n", tool.name()));
            let turn = Turn { folder: &folder.0, round, control: &control, boom };
            match tool {
                Tool::Hrp => of_hrp.push(turn.hrp(&hrp)?),
                Tool::Pummel => of_pummel.push(turn.pummel(&pummel)?),
            }
        }
    }
    let contender = |tool: Tool, source, runs| Contender { name: tool.name().to_owned(), source, runs };
    Ok(vec![contender(Tool::Hrp, Source::Hrp, of_hrp), contender(Tool::Pummel, Source::Summary, of_pummel)])
}

/// Flags that would leave nothing to compare.
fn refuse_flags(boom: &[OsString]) -> Result<(), Failure> {
    let given = |flag: &str| boom.iter().any(|given| given.to_string_lossy().starts_with(flag));
    if given("--disable-console-output") {
        return Err(Failure::usage(
            "--disable-console-output: hrp then says nothing of what it measured",
            "leave it out; what the tools print is not shown",
        ));
    }
    if !["--run-time", "--loop-count", "--profile"].into_iter().any(given) {
        return Err(Failure::usage(
            "the load has no end: without --run-time or --loop-count the first tool would run for ever",
            "add one behind the --, such as --run-time 30",
        ));
    }
    Ok(())
}

/// One run of a tool.
struct Turn<'a> {
    folder: &'a Path,
    round: u32,
    control: &'a Control,
    boom: &'a [OsString],
}

impl Turn<'_> {
    fn hrp(&self, program: &Path) -> Result<Measured, Failure> {
        let log = self.folder.join(format!("hrp-{}.log", self.round));
        let mut command = Command::new(program);
        command.arg("boom").args(self.boom);
        let status = self.run(Tool::Hrp, command, &log)?;
        self.result(Tool::Hrp, &log, &log, status)
    }

    fn pummel(&self, program: &Path) -> Result<Measured, Failure> {
        let log = self.folder.join(format!("pummel-{}.log", self.round));
        let summary = self.folder.join(format!("pummel-{}.json", self.round));
        let mut command = Command::new(program);
        command.arg("boom").args(self.boom).args(["--quiet", "--store", "none", "--json"]).arg(&summary);
        let status = self.run(Tool::Pummel, command, &log)?;
        self.result(Tool::Pummel, &summary, &log, status)
    }

    /// Runs a tool to its end, all it prints into a file. An interruption is passed on, then ends everything.
    fn run(&self, tool: Tool, mut command: Command, log: &Path) -> Result<ExitStatus, Failure> {
        let failed = |what: &str, error: &std::io::Error| {
            Failure::without_help(exit::FAILED, format!("{}: {what}: {error}", tool.name()))
        };
        // hrp writes its head lines to stderr and its tables to stdout; appended, they come in the order written.
        let file = File::options().append(true).create_new(true).open(log);
        let file = file.map_err(|error| failed("its output cannot be kept", &error))?;
        let also = file.try_clone().map_err(|error| failed("its output cannot be kept", &error))?;
        // In a group of its own, so that Ctrl-C of a terminal reaches this process alone, which passes it on once.
        command.stdin(Stdio::null()).stdout(file).stderr(also).process_group(0);
        let mut child = command.spawn().map_err(|error| failed("it cannot be started", &error))?;
        let mut passed_on = 0;
        loop {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(_)) if self.control.raised() > 0 => {
                    let message = format!("interrupted in round {}: nothing is compared", self.round);
                    return Err(Failure::without_help(exit::FAILED, message));
                }
                Ok(Some(status)) => return Ok(status),
                Err(error) => {
                    interrupt(&mut child, u8::MAX);
                    return Err(failed("its end cannot be waited for", &error));
                }
            }
            let raised = self.control.raised();
            if raised > passed_on {
                interrupt(&mut child, raised);
                passed_on = raised;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// What a run left. Some codes other than 0 are those of a run that did its work: a threshold of a profile, an invalid client.
    fn result(&self, tool: Tool, from: &Path, log: &Path, status: ExitStatus) -> Result<Measured, Failure> {
        let read = || -> Result<Measured, String> {
            let bytes = read_bytes(from, FileKind::Compare).map_err(|_| "it left no result".to_owned())?;
            let (_, measured) = baseline::read(&bytes).map_err(|error| format!("what it left {error}"))?;
            if measured.all.requests == 0 {
                return Err("no request finished".into());
            }
            Ok(measured)
        };
        read().map_err(|why| {
            let message = format!("{} in round {} ({status}): {why}", tool.name(), self.round);
            Failure::with_code(exit::FAILED, message, format!("it said last:\n{}", last_lines(log)))
        })
    }
}

/// The first time it may finish, after that it may not.
fn interrupt(child: &mut Child, raised: u8) {
    if raised > 1 {
        let _ = child.kill();
    } else {
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::INT);
    }
}

fn last_lines(log: &Path) -> String {
    let bytes = read_bytes(log, FileKind::Compare).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(LINES_QUOTED)
        .map(|line| one_line(line, LINE_CHARS_MAX))
        .collect();
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// A program of the PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| {
        fs::metadata(program).is_ok_and(|known| known.is_file() && known.permissions().mode() & 0o111 != 0)
    })
}

/// A folder only this user reads, removed when dropped.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("pummel-compare-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
            let message = format!("{}: a folder for the results cannot be made: {error}", path.display());
            Failure::with_code(exit::FAILED, message, "set TMPDIR to a folder that is writable")
        })?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
