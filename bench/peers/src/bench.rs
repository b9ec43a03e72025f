//! What every scenario stands on: the server, the folder, the programs and the CPUs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::{
    client::{Client, Look, Ran, GRACE},
    error::{BenchError, Doing},
    flags::Flags,
    nginx::Nginx,
    work_dir::WorkDir,
};

/// The base URL written in the cases of `scripts/cases`; a copy with nginx's own takes its place.
const CASE_BASE_URL: &str = "http://127.0.0.1:8080";

/// A bench under way. Dropping it stops nginx, then removes the folder (fields are dropped in this order).
pub(crate) struct Bench {
    /// The server.
    pub(crate) nginx: Nginx,
    /// The folder clients run in.
    pub(crate) work: WorkDir,
    /// Raised by Ctrl-C and SIGTERM.
    pub(crate) interrupted: Arc<AtomicBool>,
    /// The clients' CPU.
    pub(crate) client_cpu: usize,
    /// nginx's CPU and ours.
    pub(crate) server_cpu: usize,
    /// The binary that is measured.
    pub(crate) pummel: PathBuf,
    /// The practical limit it is compared with.
    pub(crate) bare_loop: PathBuf,
    /// The folder of the project.
    pub(crate) root: PathBuf,
}

impl Bench {
    /// Finds the programs, chooses the CPUs and starts nginx.
    pub(crate) fn start(flags: &Flags) -> Result<Self, BenchError> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted)).doing("watch for Ctrl-C")?;
        }
        let root = fs::canonicalize(&flags.root).doing(format!("find {}", flags.root.display()))?;
        if !root.join("Cargo.lock").exists() {
            return Err(BenchError::Usage(format!(
                "{}: no Cargo.lock there; run from the project's folder or give it with --root",
                root.display()
            )));
        }
        let ours = std::env::current_exe().doing("find this program")?;
        let pummel = program(flags.pummel.clone().unwrap_or_else(|| ours.with_file_name("pummel")))?;
        let bare_loop = program(flags.bare_loop.clone().unwrap_or_else(|| ours.with_file_name("examples/bare_loop")))?;
        let (client_cpu, server_cpu) = choose_cpus(flags)?;
        // What we do between looks belongs to nginx's CPU, not to the client's.
        let mut own = CpuSet::new();
        own.set(server_cpu);
        sched_setaffinity(None, &own).doing(format!("run on CPU {server_cpu}"))?;
        let work = WorkDir::new()?;
        let nginx = Nginx::start(server_cpu, &work)?;
        Ok(Self { nginx, work, interrupted, client_cpu, server_cpu, pummel, bare_loop, root })
    }

    /// Runs the pummel that is measured and returns what the system and its own summary say.
    ///
    /// `args` are its command and flags without `--cpus` and `--json`, `seconds` what it will take by them.
    pub(crate) fn run_pummel(
        &self,
        args: Vec<String>,
        seconds: u64,
        watch: impl FnMut(Look),
    ) -> Result<(Ran, Summary), BenchError> {
        let client = Client {
            name: "pummel",
            program: &self.pummel,
            args: with_summary(args, self.client_cpu),
            cpu: self.client_cpu,
            limit: Duration::from_secs(seconds) + GRACE,
        };
        let ran = client.run(&self.work, &self.interrupted, watch)?;
        let text = fs::read_to_string(self.work.file(SUMMARY_FILE)).doing("read pummel's summary")?;
        let value = serde_json::from_str(&text).map_err(std::io::Error::from).doing("read pummel's summary")?;
        Ok((ran, Summary(value)))
    }

    /// Writes a copy of a case of the project that goes to our nginx, and returns its path.
    pub(crate) fn case_for_nginx(&self, case: &str) -> Result<PathBuf, BenchError> {
        let text = fs::read_to_string(self.root.join(case)).doing(format!("read {case}"))?;
        let name = Path::new(case).file_name().map_or_else(|| "case.yml".into(), |name| name.to_string_lossy());
        self.work.write(&name, &at(&text, &self.nginx.base_url()))
    }

    /// Fails once Ctrl-C was pressed.
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(BenchError::Interrupted);
        }
        Ok(())
    }
}

/// The text of a case of the project as it goes to another server.
pub(crate) fn at(case: &str, base_url: &str) -> String {
    case.replace(CASE_BASE_URL, base_url)
}

/// The file in the work folder that pummel writes its summary to.
pub(crate) const SUMMARY_FILE: &str = "pummel.json";

/// Pummel's arguments with the CPU it may use and the file its summary goes to.
pub(crate) fn with_summary(mut args: Vec<String>, cpu: usize) -> Vec<String> {
    args.extend(["--cpus".into(), cpu.to_string(), "--json".into(), SUMMARY_FILE.into()]);
    args
}

/// Words as arguments.
pub(crate) fn arguments<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).to_vec()
}

/// Pummel's JSON summary (schema `pummel.summary/1`).
#[derive(Debug)]
pub(crate) struct Summary(Value);

impl Summary {
    /// The count at a pointer (RFC 6901).
    pub(crate) fn count(&self, pointer: &str) -> Result<u64, BenchError> {
        self.0.pointer(pointer).and_then(Value::as_u64).ok_or_else(|| missing(pointer))
    }

    /// The figure at a pointer.
    pub(crate) fn figure(&self, pointer: &str) -> Result<f64, BenchError> {
        self.0.pointer(pointer).and_then(Value::as_f64).ok_or_else(|| missing(pointer))
    }

    /// How many errors there were of a kind.
    pub(crate) fn errors(&self, kind: &str) -> Result<u64, BenchError> {
        let errors = self.0.pointer("/errors").and_then(Value::as_array).ok_or_else(|| missing("/errors"))?;
        Ok(errors.iter().filter(|error| error["kind"] == kind).filter_map(|error| error["count"].as_u64()).sum())
    }

    /// The requests of each full second of the load window, in order.
    pub(crate) fn requests_per_second(&self) -> Result<Vec<f64>, BenchError> {
        let rows = self.0.pointer("/series").and_then(Value::as_array).ok_or_else(|| missing("/series"))?;
        Ok(rows
            .iter()
            .filter(|row| row["drain"].as_bool() != Some(true))
            .filter_map(|row| row["requests"].as_f64())
            .collect())
    }
}

#[cfg(test)]
impl From<Value> for Summary {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

fn missing(pointer: &str) -> BenchError {
    BenchError::Output { name: "pummel".into(), what: pointer.into() }
}

/// The first executable of that name on PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn program(path: PathBuf) -> Result<PathBuf, BenchError> {
    fs::canonicalize(&path).map_err(|_| BenchError::Missing(path))
}

/// Client and server on two CPUs, as flags say or the first two this process may use; on a single CPU they share it.
fn choose_cpus(flags: &Flags) -> Result<(usize, usize), BenchError> {
    let set = sched_getaffinity(None).doing("ask which CPUs this process may use")?;
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect();
    let first = allowed[0];
    let client = flags.client_cpu.unwrap_or(first);
    let server = flags.server_cpu.or_else(|| allowed.iter().copied().find(|cpu| *cpu != client)).unwrap_or(client);
    if let Some(absent) = [client, server].into_iter().find(|cpu| !allowed.contains(cpu)) {
        return Err(BenchError::Usage(format!("CPU {absent} is not one this process may use; those are {allowed:?}")));
    }
    if client == server {
        eprintln!("client and server share CPU {client}: every figure suffers, ratios less than others");
    }
    Ok((client, server))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Summary;

    #[test]
    fn the_drain_is_no_second_of_the_load() {
        let summary = Summary::from(json!({
            "totals": {"requests": 25, "exchanges": {"sent": 26}},
            "series": [{"t_s": 0, "requests": 10}, {"t_s": 1, "requests": 12, "drain": false}, {"t_s": 2, "requests": 3, "drain": true}],
        }));
        assert_eq!(summary.requests_per_second().unwrap(), [10.0, 12.0]);
        assert_eq!(summary.count("/totals/exchanges/sent").unwrap(), 26);
        assert_eq!(summary.count("/totals/rps").unwrap_err().to_string(), "pummel: its output has no /totals/rps");
    }
}
