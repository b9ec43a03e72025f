//! Which Python runs a `debugtalk.py` (hrp spec 19.2). Nothing is ever deleted, and nothing installed unless it was asked for.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use pummel_case::PluginFailure;

use crate::{
    launch,
    process::{Ended, Process},
    PluginOptions, Runner,
};

/// hrp's exit code for a Python that cannot be prepared (hrp spec 13.6).
const VENV_FAILED: u8 = 9;

/// The oldest version of Python 3 that our runner is made for.
const MINOR_VERSION_MIN: u32 = 7;

/// How long a Python may take to say which one it is; on a cold disk it reads some megabytes, with funppy some twenty.
const PROBE_TIME: Duration = Duration::from_secs(30);

/// How long an environment or funppy may take to be installed, over a slow network.
const INSTALL_TIME: Duration = Duration::from_mins(10);

/// What a Python is asked.
const PROBE: &str = "import sys; print('pummel|%d|%d|%s' % (sys.version_info[0], sys.version_info[1], sys.executable))";
const PROBE_FUNPPY: &str =
    "import funppy, sys; print('pummel|%d|%d|%s' % (sys.version_info[0], sys.version_info[1], sys.executable))";

/// The Python for these options, by its own path.
///
/// # Errors
/// There is none; with what was tried and what to do.
pub(crate) fn find(options: &PluginOptions) -> Result<PathBuf, PluginFailure> {
    find_in(options, &Surroundings::of_this_program())
}

/// What of this program's environment says where to look.
#[derive(Debug, Default)]
struct Surroundings {
    path: OsString,
    home: Option<PathBuf>,
    /// `PYPI_INDEX_URL`, where packages come from.
    index: Option<String>,
}

impl Surroundings {
    fn of_this_program() -> Self {
        Self {
            path: env::var_os("PATH").unwrap_or_default(),
            home: env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
            index: env::var("PYPI_INDEX_URL").ok().filter(|index| !index.is_empty()),
        }
    }

    /// Each `python3` on PATH that can be executed, in order.
    fn on_path(&self) -> impl Iterator<Item = PathBuf> {
        let folders: Vec<PathBuf> = env::split_paths(&self.path).collect();
        let is_program = |path: &PathBuf| {
            fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
        };
        folders.into_iter().filter_map(|folder| std::path::absolute(folder.join("python3")).ok()).filter(is_program)
    }
}

fn find_in(options: &PluginOptions, surroundings: &Surroundings) -> Result<PathBuf, PluginFailure> {
    let search = Search { options, surroundings, needs_funppy: options.runner == Runner::Funppy };
    let home_venv = surroundings.home.as_ref().map(|home| home.join(".hrp/venv"));
    if let Some(venv) = &options.venv {
        return search.in_venv(venv);
    }
    let mut tried = Vec::new();
    let of_home = home_venv.iter().map(|venv| python_of(venv)).filter(|python| python.exists());
    for python in of_home.chain(surroundings.on_path()) {
        match search.probe(&python) {
            Ok(python) => return Ok(python),
            Err(reason) => tried.push(format!("{} {reason}", python.display())),
        }
    }
    if let (true, true, Some(venv)) = (options.install_deps, search.needs_funppy, home_venv) {
        return search.in_venv(&venv);
    }
    let tried = if tried.is_empty() { "there is no python3 on PATH".to_owned() } else { tried.join("; ") };
    Err(search.failure(&tried))
}

/// A search for a Python.
struct Search<'a> {
    options: &'a PluginOptions,
    surroundings: &'a Surroundings,
    needs_funppy: bool,
}

impl Search<'_> {
    /// The Python of an environment, made or completed where that was asked for.
    fn in_venv(&self, venv: &Path) -> Result<PathBuf, PluginFailure> {
        let python = python_of(venv);
        if self.options.install_deps && is_absent(venv) {
            self.create(venv)?;
        }
        let told = match self.probe(&python) {
            Ok(python) => return Ok(python),
            Err(told) => told,
        };
        let failure = |reason: &str| self.failure(&format!("{} {reason}", python.display()));
        if !self.options.install_deps || !self.needs_funppy || self.probe_for(&python, PROBE).is_err() {
            return Err(failure(&told));
        }
        self.install_funppy(&python).map_err(|reason| failure(&reason))?;
        self.probe(&python).map_err(|reason| failure(&reason))
    }

    fn create(&self, venv: &Path) -> Result<(), PluginFailure> {
        let failure = |reason: String| self.failure(&format!("{} cannot be created: {reason}", venv.display()));
        let plain = Self { needs_funppy: false, ..*self };
        let base = self.surroundings.on_path().find_map(|python| plain.probe(&python).ok());
        let base = base.ok_or_else(|| failure("there is no Python 3.7 or later on PATH".to_owned()))?;
        tracing::info!("making a Python environment in {}", venv.display());
        let arguments = [OsStr::new("-m"), OsStr::new("venv"), venv.as_os_str()];
        let (ended, _) = self.run(&base, &arguments, INSTALL_TIME).map_err(|error| failure(error.to_string()))?;
        succeeded(&ended).map_err(|reason| failure(format!("{} -m venv {reason}", base.display())))
    }

    fn install_funppy(&self, python: &Path) -> Result<(), String> {
        tracing::info!("installing funppy for {}", python.display());
        let mut arguments = vec!["-m", "pip", "install", "funppy", "--quiet", "--disable-pip-version-check"];
        if let Some(index) = &self.surroundings.index {
            arguments.extend(["--index-url", index]);
        }
        let arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
        let (ended, _) = self.run(python, &arguments, INSTALL_TIME).map_err(|error| error.to_string())?;
        succeeded(&ended).map_err(|reason| format!("-m pip install funppy {reason}"))
    }

    /// Its own path where this Python can be used, else what is wrong with it. A shim such as pyenv's has another path than the Python it
    /// finds, and takes its time each time.
    fn probe(&self, python: &Path) -> Result<PathBuf, String> {
        self.probe_for(python, if self.needs_funppy { PROBE_FUNPPY } else { PROBE })
    }

    fn probe_for(&self, python: &Path, probe: &str) -> Result<PathBuf, String> {
        if !python.exists() {
            return Err("is not there".to_owned());
        }
        // Without the packages of the site it starts in half the time; only funppy is one of those.
        let options: &[&str] = if probe == PROBE_FUNPPY { &["-c"] } else { &["-I", "-S", "-c"] };
        let arguments: Vec<&OsStr> = options.iter().copied().chain([probe]).map(OsStr::new).collect();
        let (ended, lines) =
            self.run(python, &arguments, PROBE_TIME).map_err(|error| format!("cannot be started: {error}"))?;
        succeeded(&ended)?;
        let told = lines.iter().find_map(|line| version(line)).ok_or("does not say its version")?;
        let (major, minor, path) = told;
        if (major, minor) < (3, MINOR_VERSION_MIN) {
            return Err(format!("is Python {major}.{minor}"));
        }
        Ok(if path.is_empty() { python.to_owned() } else { PathBuf::from(path) })
    }

    /// Runs a program to its end, at most this long, and gives what it printed.
    fn run(&self, program: &Path, arguments: &[&OsStr], limit: Duration) -> io::Result<(Ended, Vec<String>)> {
        let mut command = launch::command(&self.options.launcher, None, program);
        let mut process = Process::spawn(command.args(arguments).stdin(Stdio::null()))?;
        process.silence();
        let until = Instant::now() + limit;
        let mut lines = Vec::new();
        let mut take = |line: &[u8]| lines.extend((lines.len() < PRINTED_LINES_MAX).then(|| text(line)));
        let turn = process.wait(&[], Some(until), &mut take);
        if !turn.ended {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("it did not end within {} s", limit.as_secs()),
            ));
        }
        let ended = process.end_with(Duration::ZERO, take);
        Ok((ended, lines))
    }

    fn failure(&self, tried: &str) -> PluginFailure {
        let what = if self.needs_funppy { "Python with funppy" } else { "Python" };
        let help = match (self.needs_funppy, self.options.install_deps) {
            (true, false) => {
                "--install-deps installs it into --venv or ~/.hrp/venv; without `--plugin-runner funppy` none is needed"
            }
            (true, true) => "install funppy into an environment of your own and name that with --venv",
            (false, _) => "install Python 3.7 or later, or name an environment that has it with --venv",
        };
        PluginFailure {
            message: format!("no {what} can run debugtalk.py: {tried}"),
            help: Some(help.to_owned()),
            exit_code: VENV_FAILED,
        }
    }
}

/// Lines kept of what a program printed that was run to its end.
const PRINTED_LINES_MAX: usize = 100;

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

/// What is wrong with a program that was run to its end.
fn succeeded(ended: &Ended) -> Result<(), String> {
    if ended.status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let reason = if ended.last_line.is_empty() { String::new() } else { format!(": {}", ended.last_line) };
    Err(format!("{ended}{reason}"))
}

fn version(line: &str) -> Option<(u32, u32, &str)> {
    let mut fields = line.strip_prefix("pummel|")?.splitn(3, '|');
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?, fields.next()?))
}

fn python_of(venv: &Path) -> PathBuf {
    venv.join("bin/python3")
}

/// Whether nothing lies there that could be someone's: `-m venv` fills a folder that exists.
fn is_absent(path: &Path) -> bool {
    matches!(fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_a_python_says_of_itself() {
        assert_eq!(version("pummel|3|11|/usr/bin/python3"), Some((3, 11, "/usr/bin/python3")));
        assert_eq!(version("pummel|2|7|/a|b"), Some((2, 7, "/a|b")));
        assert_eq!(version("Python 3.11"), None);
        assert_eq!(version("pummel|3|x|"), None);
    }

    /// A folder of a test's own: gone when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = env::temp_dir().join(format!("pummel-python-{}-{:x}", std::process::id(), fastrand::u64(..)));
            fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        /// Writes a shell script, by another process: while this one has a file open for writing, a process that another test starts
        /// meanwhile has it open too, and the script could not be executed.
        fn script(&self, name: &str, script: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod +x \"$1\"";
            let status = Command::new("sh").args(["-c", write, "sh"]).arg(&path).arg(script).status();
            assert!(status.unwrap().success());
            path
        }

        /// A Python of this version that has funppy once the file `funppy` lies beside it, which its pip installs.
        fn python(&self, folder: &str, version: &str) -> PathBuf {
            let script = format!(
                r#"here=$(dirname "$0")
case "$*" in
*pip*) echo "$*" > "$here/funppy" ;;
*venv*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python3" ;;
*funppy*) [ -f "$here/funppy" ] || {{ echo "No module named 'funppy'" >&2; exit 1; }} ;;
esac
echo 'pummel|{version}|'"#
            );
            self.script(&format!("{folder}/python3"), &script)
        }

        /// What starts programs as this program does, without their ending with it.
        fn launcher(&self) -> PathBuf {
            self.script("launcher", "shift 3; exec \"$@\"")
        }

        fn surroundings(&self, folders: &[&str]) -> Surroundings {
            let path = env::join_paths(folders.iter().map(|folder| self.0.join(folder))).unwrap();
            Surroundings { path, home: Some(self.0.join("home")), index: Some("http://index".into()) }
        }

        fn options(&self, runner: Runner, install_deps: bool) -> PluginOptions {
            PluginOptions { launcher: self.launcher(), runner, install_deps, ..PluginOptions::default() }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn without_any_python_it_says_so() {
        let folder = Folder::new();
        let failure = find_in(&folder.options(Runner::Own, false), &Surroundings::default()).unwrap_err();
        assert_eq!(failure.message, "no Python can run debugtalk.py: there is no python3 on PATH");
        assert_eq!(failure.exit_code, 9);
    }

    #[test]
    fn the_first_python_that_is_new_enough_is_taken_and_that_of_the_home_folder_before_all() {
        let folder = Folder::new();
        let (options, path) = (folder.options(Runner::Own, false), ["none", "old", "new", "newer"]);
        let old = folder.python("old", "3|6");
        let surroundings = folder.surroundings(&path);
        let failure = find_in(&options, &surroundings).unwrap_err();
        assert_eq!(failure.message, format!("no Python can run debugtalk.py: {} is Python 3.6", old.display()));
        let new = folder.python("new", "3|7");
        folder.python("newer", "3|13");
        assert_eq!(find_in(&options, &surroundings), Ok(new));
        let of_home = folder.python("home/.hrp/venv/bin", "3|12");
        assert_eq!(find_in(&options, &surroundings), Ok(of_home));
    }

    #[test]
    fn stock_funppy_is_run_by_the_first_python_that_has_it() {
        let folder = Folder::new();
        let options = folder.options(Runner::Funppy, false);
        let surroundings = folder.surroundings(&["without", "with"]);
        folder.python("home/.hrp/venv/bin", "3|12");
        folder.python("without", "3|12");
        let with = folder.python("with", "3|12");
        let failure = find_in(&options, &surroundings).unwrap_err();
        assert_eq!(failure.message.matches("exited with 1: No module named 'funppy'").count(), 3);
        fs::write(folder.0.join("with/funppy"), "").unwrap();
        assert_eq!(find_in(&options, &surroundings), Ok(with));
    }

    #[test]
    fn what_is_missing_is_installed_where_that_is_asked_for_and_nothing_else() {
        let folder = Folder::new();
        let surroundings = folder.surroundings(&["base"]);
        folder.python("base", "3|12");
        let options = folder.options(Runner::Funppy, true);
        let made = folder.0.join("home/.hrp/venv/bin");
        assert_eq!(find_in(&options, &surroundings), Ok(made.join("python3")));
        let pip = fs::read_to_string(made.join("funppy")).unwrap();
        let command = "-m pip install funppy --quiet --disable-pip-version-check --index-url http://index\n";
        assert_eq!(pip, command);
        assert!(!folder.0.join("base/funppy").exists());
        // It is there now: nothing is asked of pip again.
        fs::write(made.join("funppy"), "as it was").unwrap();
        assert_eq!(find_in(&options, &surroundings), Ok(made.join("python3")));
        assert_eq!(fs::read_to_string(made.join("funppy")).unwrap(), "as it was");
    }

    #[test]
    fn an_environment_that_was_named_is_the_only_one_that_is_tried() {
        let folder = Folder::new();
        folder.python("base", "3|12");
        let surroundings = folder.surroundings(&["base"]);
        let venv = folder.0.join("venv");
        let options = PluginOptions { venv: Some(venv.clone()), ..folder.options(Runner::Own, false) };
        let failure = find_in(&options, &surroundings).unwrap_err();
        let python = venv.join("bin/python3");
        assert_eq!(failure.message, format!("no Python can run debugtalk.py: {} is not there", python.display()));
        let options = PluginOptions { install_deps: true, ..options };
        assert_eq!(find_in(&options, &surroundings), Ok(python));
    }
}
