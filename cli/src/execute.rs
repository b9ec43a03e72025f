//! A run from its plan to its exit code: outputs opened, signals watched, the engine run, results written.

use std::sync::Arc;

use pummel_engine::{Control, EngineError, Plan};
use pummel_stats::{
    display::{summary_json, Console, ConsoleOptions, WholeFile, WholeFileError},
    Finished, OutputSpec, Summary, Verdict,
};

use crate::{
    banner::{banner, port_warning},
    console::Stream,
    exit,
    failure::{colour_wanted, warn, Failure},
    metrics_outputs::{metrics_facts, metrics_outputs},
    plan::{JsonTarget, OutputPlan, PlannedRun},
    report_files::ReportFiles,
    secrets::{kept_from_secrets, without_secrets},
    signals::raise_on_signal,
};

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What happened.
    pub(crate) summary: Arc<Summary>,
    /// What the process ends with.
    pub(crate) exit_code: u8,
}

/// Runs the plan and reports.
///
/// # Errors
/// Before the run: a file that cannot be written, a port for metrics that is taken, and what the engine refuses. After a run that would
/// have ended with 0: a file that could not be written to its end; the report has been shown and the other files are written by then.
pub(crate) fn execute(run: PlannedRun) -> Result<Ended, Failure> {
    let PlannedRun { plan, output } = run;
    let json = output.json.as_ref().map(open_json).transpose()?;
    let mut files = ReportFiles::open(&output.files)?;
    let metrics = metrics_outputs(&output.metrics, metrics_facts(&plan))?;
    let stop = Control::default();
    raise_on_signal(&stop)?;
    let resolved = pummel_engine::resolve(plan).map_err(|error| not_started(&error))?;
    let (plan, ports) = (resolved.plan(), resolved.port_budget());
    if output.report {
        output.stream().print(&banner(plan, ports));
    }
    if let Some((warning, help)) = ports.and_then(port_warning) {
        warn(warning, Some(help));
    }
    let (kept, keeping) = output.store.keep(files.want_seconds())?.unzip();
    let show_secrets = plan.failure_samples.show_secrets;
    let kept = kept.map(|kept| if show_secrets { kept_from_secrets(kept) } else { kept });
    let outputs = console(plan, &output).into_iter().chain(kept).chain(metrics).collect();
    tracing::info!(command = plan.command, name = plan.name, users = plan.load.users, cpus = ?plan.cpus, "the run starts");
    let finished = resolved.run(&stop, outputs).map_err(|error| not_started(&error))?;

    let exit_code = exit_code(&finished, output.fail_on_client_saturation);
    let Finished { summary, output_problems, .. } = finished;
    for problem in output_problems {
        warn(problem, None);
    }
    if let Some(keeping) = &keeping {
        keeping.say_how();
    }
    if !summary.conservation.ok {
        let what = summary.conservation.broken.join("; ");
        warn(format!("the counts do not add up: {what}"), Some("this is a defect of pummel: please report it".into()));
    }
    let written = json.map_or(Ok(()), |json| write_json(json, &summary));
    let written = written.and(if show_secrets {
        files.write_summary(&without_secrets(&summary))
    } else {
        files.write_summary(&summary)
    });
    let written = written.and(keeping.map_or(Ok(()), |keeping| keeping.write_seconds(files)));
    if let Err(failure) = written {
        // What the run itself ends with says more than that a file is missing.
        if exit_code == exit::DONE {
            return Err(failure);
        }
        failure.print();
    }
    let (requests, failures) = (summary.totals.requests, summary.totals.failures);
    tracing::info!(requests, failures, exit_code, "the run ended");
    Ok(Ended { summary, exit_code })
}

/// Writes the JSON summary.
///
/// # Errors
/// It cannot be written to its end.
pub(crate) fn write_json(json: WholeFile, summary: &Summary) -> Result<(), Failure> {
    let document = summary_json(summary).map_err(|error| Failure::without_help(exit::FAILED, error.to_string()))?;
    json.write(&document).map_err(|error| json_failure(exit::FAILED, &error))
}

/// Why there was no run. The engine's sentences hold their remedy; where the machine is to blame, doctor knows more.
pub(crate) fn not_started(error: &EngineError) -> Failure {
    match error {
        EngineError::Ring(_) | EngineError::Core { .. } | EngineError::LockedMemory { .. } => {
            Failure::with_code(exit::FAILED, error.to_string(), "`pummel doctor` says what this machine lacks")
        }
        EngineError::Tls(_) => Failure::without_help(exit::USAGE, error.to_string()),
        _ => Failure::without_help(exit::FAILED, error.to_string()),
    }
}

/// Tables and progress while the load runs, and the report at its end.
fn console(plan: &Plan, output: &OutputPlan) -> Option<OutputSpec> {
    let stream = output.stream();
    let options = ConsoleOptions {
        interval_table: output.live,
        progress: output.live,
        colour: stream.is_terminal() && colour_wanted(),
        chart: output.chart,
        out: stream.writer(),
        run_time: plan.load.run_time,
    };
    output.report.then(|| Console::new(options).into_spec())
}

pub(crate) fn open_json(target: &JsonTarget) -> Result<WholeFile, Failure> {
    match target {
        JsonTarget::Stdout => Ok(WholeFile::stdout()),
        JsonTarget::File(path) => WholeFile::open(path).map_err(|error| json_failure(exit::USAGE, &error)),
    }
}

pub(crate) fn json_failure(exit_code: u8, error: &WholeFileError) -> Failure {
    Failure::with_code(exit_code, format!("--json {error}"), "--json - writes to stdout")
}

/// The code of a run that reported. An invalid client comes before thresholds, which then say nothing.
fn exit_code(finished: &Finished, fail_on_client_saturation: bool) -> u8 {
    let summary = &finished.summary;
    if !finished.broken_cores.is_empty() || !summary.conservation.ok {
        exit::FAILED
    } else if fail_on_client_saturation && summary.client.verdict == Verdict::Invalid {
        exit::CLIENT_INVALID
    } else if summary.thresholds.iter().any(|threshold| !threshold.ok) {
        exit::THRESHOLD
    } else {
        exit::DONE
    }
}

impl OutputPlan {
    /// Where text for people goes.
    pub(crate) fn stream(&self) -> Stream {
        let mut targets = self.json.iter().chain(self.files.iter().map(|file| &file.target));
        if targets.any(|target| *target == JsonTarget::Stdout) {
            Stream::Stderr
        } else {
            Stream::Stdout
        }
    }
}

#[cfg(test)]
mod tests {
    use pummel_stats::summary::Threshold;

    use super::*;

    /// A run in which everything was as it should be, changed.
    fn finished(change: impl FnOnce(&mut Summary)) -> Finished {
        let mut summary = Summary::default();
        summary.conservation.ok = true;
        summary.client.verdict = Verdict::Valid;
        change(&mut summary);
        Finished { summary: Arc::new(summary), output_problems: Vec::new(), broken_cores: Vec::new() }
    }

    fn miss_a_threshold(summary: &mut Summary) {
        summary.thresholds.push(Threshold { ok: false, ..Threshold::default() });
    }

    #[test]
    fn exit_codes_follow_the_contract() {
        assert_eq!(exit_code(&finished(|_| ()), true), 0);
        assert_eq!(exit_code(&finished(|summary| summary.run.aborted = true), true), 0);
        let invalid = finished(|summary| summary.client.verdict = Verdict::Invalid);
        assert_eq!(exit_code(&invalid, false), 0);
        assert_eq!(exit_code(&invalid, true), 98);
        assert_eq!(exit_code(&finished(miss_a_threshold), true), 99);
    }

    #[test]
    fn what_matters_more_comes_first() {
        let both = finished(|summary| {
            miss_a_threshold(summary);
            summary.client.verdict = Verdict::Invalid;
        });
        assert_eq!(exit_code(&both, true), 98);
        assert_eq!(exit_code(&both, false), 99);
        let mut broken = both;
        broken.broken_cores.push(1);
        assert_eq!(exit_code(&broken, true), 1);
        let lost = finished(|summary| summary.conservation.ok = false);
        assert_eq!(exit_code(&lost, true), 1);
    }

    #[test]
    fn doctor_is_named_where_the_machine_is_to_blame() {
        let core = EngineError::Core { cpu: 3, reason: "it is gone".into() };
        assert_eq!(not_started(&core).help().unwrap(), "`pummel doctor` says what this machine lacks");
        let unknown = EngineError::Unresolvable { host: "h.invalid".into(), error: std::io::Error::other("unknown") };
        let failure = not_started(&unknown);
        assert_eq!((failure.exit_code(), failure.help()), (1, None));
        assert!(failure.message().starts_with("cannot resolve h.invalid: "), "{}", failure.message());
    }

    #[test]
    fn a_json_path_that_cannot_be_written_is_wrong_usage() {
        let target = JsonTarget::File("/nonexistent/folder/a.json".into());
        let failure = open_json(&target).err().unwrap();
        assert_eq!(failure.exit_code(), 2);
        assert!(failure.message().starts_with("--json /nonexistent/folder/a.json: cannot be written"));
    }
}
