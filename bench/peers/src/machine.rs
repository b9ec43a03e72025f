//! Where and of what a figure was taken: without that it says nothing later.

use std::{fs, path::Path, process::Command, thread::available_parallelism};

use crate::{
    bench::Bench,
    error::{BenchError, Doing},
};

/// The heading of a record: date and commit, machine, servers and clients' CPUs, size of the dependency tree.
pub(crate) fn description(bench: &Bench) -> Result<String, BenchError> {
    let lock = fs::read_to_string(bench.root.join("Cargo.lock")).doing("read Cargo.lock")?;
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!(
        "## {}, commit {}\n\n- {}, {} CPUs, Linux {}, load average at the start {}\n- client on CPU {}, {} with one worker on CPU {}\n\
         - {} packages in Cargo.lock\n",
        output_of("date", &["-u", "+%Y-%m-%d %H:%M UTC"], &bench.root),
        commit(&bench.root),
        cpu_model(&cpu_info),
        cpus_of_machine(&cpu_info),
        kernel.trim(),
        load.split_whitespace().next().unwrap_or("unknown"),
        bench.client_cpu,
        nginx_version(),
        bench.server_cpu,
        packages(&lock),
    ))
}

/// The commit, with a mark when files differ from it.
fn commit(root: &Path) -> String {
    let commit = output_of("git", &["rev-parse", "--short", "HEAD"], root);
    let changed = output_of("git", &["status", "--porcelain", "--untracked-files=no"], root);
    if commit == UNKNOWN || changed == UNKNOWN || changed.is_empty() {
        commit
    } else {
        commit + " with changes"
    }
}

const UNKNOWN: &str = "unknown";

/// What a program prints, trimmed; [`UNKNOWN`] when it cannot be run or fails.
fn output_of(program: &str, args: &[&str], folder: &Path) -> String {
    match Command::new(program).args(args).current_dir(folder).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().into(),
        _ => UNKNOWN.into(),
    }
}

fn nginx_version() -> String {
    let output = Command::new("nginx").arg("-v").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
    text.trim().strip_prefix("nginx version: ").unwrap_or("nginx").into()
}

fn cpu_model(cpu_info: &str) -> &str {
    let line = cpu_info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map_or("CPU of unknown model", |(_, model)| model.trim())
}

/// CPUs of the machine, not of this process, which keeps to one.
fn cpus_of_machine(cpu_info: &str) -> usize {
    match cpu_info.lines().filter(|line| line.starts_with("processor")).count() {
        0 => available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

fn packages(lock: &str) -> usize {
    lock.lines().filter(|line| line.trim() == "[[package]]").count()
}

#[cfg(test)]
mod tests {
    use super::{cpu_model, cpus_of_machine, packages};

    #[test]
    fn the_machine_is_read_from_its_files() {
        let cpu_info =
            "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU @ 2.00GHz\n";
        assert_eq!(cpu_model(cpu_info), "Some CPU @ 2.00GHz");
        assert_eq!(cpus_of_machine(cpu_info), 2);
        assert_eq!(cpu_model(""), "CPU of unknown model");
    }

    #[test]
    fn packages_are_counted() {
        assert_eq!(packages("version = 4\n\n[[package]]\nname = \"a\"\n\n[[package]]\nname = \"b\"\n"), 2);
    }
}
