//! A run from its plan to its exit code: outputs opened, signals watched, the engine run, results written.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use pummel_engine::{PortBudget, StopSignal};
use pummel_stats::{OutputSpec, Summary, Verdict};

use crate::{
    banner::banner,
    console::Stream,
    exit,
    failure::{warn, Failure},
    plan::{JsonTarget, OutputPlan, PlannedRun},
    signals::raise_on_signal,
};

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What happened.
    pub(crate) summary: Summary,
    /// What the process ends with.
    pub(crate) exit_code: u8,
}

/// Runs the plan and reports.
///
/// # Errors
/// Before the run: a JSON file that cannot be written, and what the engine refuses. After it: a JSON file that could not
/// be written to its end; the summary has been shown by then.
pub(crate) fn execute(run: PlannedRun) -> Result<Ended, Failure> {
    let PlannedRun { plan, output } = run;
    let json = output.json.as_ref().map(JsonFile::open).transpose()?;
    let stop = StopSignal::default();
    raise_on_signal(&stop)?;
    if output.summary {
        output.stream().print(&banner(&plan, PortBudget::of(&plan)));
    }
    let summary = pummel_engine::run(plan, &stop, live_outputs(&output)).map_err(|error| {
        Failure::with_code(exit::FAILED, error.to_string(), "`pummel doctor` says what this machine lacks")
    })?;
    let exit_code = exit_code(&summary, output.fail_on_client_saturation);
    if output.summary {
        output.stream().print(&final_text(&summary));
    }
    if !summary.conservation.ok {
        let what = summary.conservation.broken.join("; ");
        warn(format!("the counts do not add up: {what}"), Some("this is a defect of pummel: please report it".into()));
    }
    if let Some(json) = json {
        json.write(&summary)?;
    }
    Ok(Ended { summary, exit_code })
}

impl OutputPlan {
    /// Where text for people goes.
    pub(crate) fn stream(&self) -> Stream {
        match self.json {
            Some(JsonTarget::Stdout) => Stream::Stderr,
            _ => Stream::Stdout,
        }
    }
}

/// The code of a run that reported. An invalid client comes before thresholds, which then say nothing.
fn exit_code(summary: &Summary, fail_on_client_saturation: bool) -> u8 {
    if !summary.conservation.ok {
        exit::FAILED
    } else if fail_on_client_saturation && summary.client.verdict == Verdict::Invalid {
        exit::CLIENT_INVALID
    } else if summary.thresholds.iter().any(|threshold| !threshold.ok) {
        exit::THRESHOLD
    } else {
        exit::DONE
    }
}

/// Where the JSON summary goes, opened before the run so that a wrong path costs no run.
enum JsonFile {
    Stdout,
    File { file: File, path: PathBuf },
}

impl JsonFile {
    /// Opens without emptying: should the run not start, the summary of the last one stays.
    fn open(target: &JsonTarget) -> Result<Self, Failure> {
        let JsonTarget::File(path) = target else { return Ok(Self::Stdout) };
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = opened.map_err(|error| {
            Failure::usage(
                format!("--json {}: cannot be written: {error}", path.display()),
                "name a file in a folder that exists and is writable, or - for stdout",
            )
        })?;
        Ok(Self::File { file, path: path.clone() })
    }

    fn write(self, summary: &Summary) -> Result<(), Failure> {
        match self {
            // A reader that has gone is no reason to fail.
            Self::Stdout => match write_json(io::stdout().lock(), summary) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(not_written(Path::new("-"), &error)),
                _ => Ok(()),
            },
            Self::File { file, path } => {
                // Fails on pipes and devices, which have nothing to cut off.
                let _ = file.set_len(0);
                write_json(file, summary).map_err(|error| not_written(&path, &error))
            }
        }
    }
}

fn write_json(target: impl Write, summary: &Summary) -> io::Result<()> {
    let mut target = BufWriter::new(target);
    serde_json::to_writer_pretty(&mut target, summary)?;
    target.write_all(b"\n")?;
    target.flush()
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::with_code(
        exit::FAILED,
        format!("--json {}: not written to its end: {error}", path.display()),
        "is the disk full?",
    )
}

#[cfg(test)]
mod tests {
    use pummel_stats::summary::Threshold;

    use super::*;

    fn good() -> Summary {
        let mut summary = Summary::default();
        summary.conservation.ok = true;
        summary.client.verdict = Verdict::Valid;
        summary
    }

    #[test]
    fn exit_codes_follow_the_contract() {
        assert_eq!(exit_code(&good(), true), 0);
        let mut invalid = good();
        invalid.client.verdict = Verdict::Invalid;
        assert_eq!(exit_code(&invalid, false), 0);
        assert_eq!(exit_code(&invalid, true), 98);
        let mut missed = good();
        missed.thresholds.push(Threshold { ok: false, ..Threshold::default() });
        assert_eq!(exit_code(&missed, false), 99);
        missed.client.verdict = Verdict::Invalid;
        assert_eq!(exit_code(&missed, true), 98);
        let mut lost = good();
        lost.conservation.ok = false;
        assert_eq!(exit_code(&lost, true), 1);
    }

    #[test]
    fn a_json_path_that_cannot_be_written_is_wrong_usage() {
        let target = JsonTarget::File("/nonexistent/folder/a.json".into());
        let failure = JsonFile::open(&target).err().unwrap();
        assert_eq!(failure.exit_code(), 2);
        assert!(failure.message().starts_with("--json /nonexistent/folder/a.json: cannot be written"));
    }

    #[test]
    fn a_longer_summary_of_the_last_run_leaves_nothing_behind() {
        let path = std::env::temp_dir().join(format!("pummel-json-{}.json", std::process::id()));
        std::fs::write(&path, "x".repeat(100_000)).unwrap();
        JsonFile::open(&JsonTarget::File(path.clone())).unwrap().write(&good()).unwrap();
        let written: Summary = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(written, good());
    }
}
