//! `pummel run`.

use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::{Instant, SystemTime},
};

use crossbeam_channel::{bounded, select, Receiver};
use pummel_engine::{Control, FunctionalEvent};
use pummel_stats::display::WholeFile;

use crate::{
    console::Stream,
    execute::{json_failure, not_started, open_json},
    exit,
    failure::{colour_wanted, Failure},
    flags::RunFlags,
    functional::{
        html_report, junit_xml, summary_json, CaseFacts, Console, ConsoleOptions, Results, ResultsFolder, RunEnd,
    },
    log::diagnostics,
    plan_run::{plan_run, FunctionalOutput, PlannedFunctional},
    plugins::CommandPlugins,
    signals::raise_on_signal,
};

/// Runs test cases as tests; `venv` is the Python environment of their functions.
///
/// # Errors
/// Wrong usage, load errors, a run that could not start, and results that could not be written.
pub(crate) fn run(flags: RunFlags, venv: Option<OsString>) -> Result<u8, Failure> {
    let plugins = CommandPlugins::new(&flags.plugin, venv);
    let PlannedFunctional { plan, events, facts, output } = plan_run(flags, &plugins)?;
    let name = plan.name.clone();
    let files = Files::open(&output)?;
    let stop = Control::default();
    raise_on_signal(&stop)?;

    let results = Results::new(facts.clone(), output.keep(), SystemTime::now());
    let stream = output.stream();
    let console = Console::new(ConsoleOptions {
        colour: stream.is_terminal() && colour_wanted(),
        phases: output.phases,
        exchanges: output.exchanges,
    });
    let begin = Instant::now();
    let (engine_runs, engine_ended) = bounded::<()>(0);
    let reader = Reader { events, engine_ended, facts, stream, console, results };
    let reader = thread::Builder::new().name("results".into()).spawn(move || reader.read());
    let reader = reader.map_err(|error| {
        Failure::with_code(
            exit::FAILED,
            format!("the thread for the results does not start: {error}"),
            "raise the limit on processes: ulimit -u",
        )
    })?;
    tracing::info!(command = plan.command, name, "the run starts");
    let finished = pummel_engine::run(plan, &stop, Vec::new());
    drop(engine_runs);
    let (console, mut results) = reader.join().map_err(|_| {
        Failure::without_help(exit::FAILED, "the results could not be shown to their end; please report this")
    })?;
    let finished = finished.map_err(|error| not_started(&error))?;

    let is_whole = finished.broken_cores.is_empty() && finished.summary.conservation.ok;
    let end = match (is_whole, stop.raised()) {
        (false, _) => RunEnd::Broken,
        (true, 0) => RunEnd::Whole,
        (true, _) => RunEnd::Interrupted,
    };
    results.finish(begin.elapsed(), end);
    stream.print(&console.totals(&results));
    if finished.summary.tls.as_ref().is_some_and(|tls| tls.unverified) {
        stream.print("Note: certificates were not verified (as hrp); --verify checks them\n");
    }
    let exit_code = results.failure().map_or(exit::DONE, |(sentence, code)| {
        say_error(sentence);
        code
    });
    files.write(&results, &output, &name)?;
    tracing::info!(exit_code, "the run ended");
    Ok(exit_code)
}

/// Reads the engine's events, shows and keeps them.
struct Reader {
    events: Receiver<FunctionalEvent>,
    /// Disconnects when the engine has ended. Events alone cannot tell: a task that the executor leaves behind keeps its
    /// sender.
    engine_ended: Receiver<()>,
    facts: Vec<CaseFacts>,
    stream: Stream,
    console: Console,
    results: Results,
}

impl Reader {
    fn read(mut self) -> (Console, Results) {
        loop {
            select! {
                recv(self.events) -> event => match event {
                    Ok(event) => self.take(event),
                    Err(_) => break,
                },
                recv(self.engine_ended) -> _ => break,
            }
        }
        // What was told before the end is still to be read.
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
        (self.console, self.results)
    }

    fn take(&mut self, event: FunctionalEvent) {
        let is_end = matches!(event, FunctionalEvent::CaseEnded { .. });
        let mut text = self.console.before(&event, &self.facts);
        self.results.take(event);
        if let Some(run) = self.results.cases.last().filter(|_| is_end) {
            text.push_str(&self.console.case_end(run));
        }
        self.stream.print(&text);
    }
}

/// The sentence hrp ends with on stderr, or a line of the log.
fn say_error(sentence: &str) {
    if diagnostics().json {
        tracing::error!("{sentence}");
    } else {
        let sentence = pummel_stats::display::text::one_line(sentence, usize::MAX);
        let _ = writeln!(std::io::stderr().lock(), "Error: {sentence}");
    }
}

/// The files that were named, opened before the run, so that a wrong path costs no run.
struct Files {
    json: Option<WholeFile>,
    junit: Option<WholeFile>,
}

impl Files {
    fn open(output: &FunctionalOutput) -> Result<Self, Failure> {
        let open_junit = |path: &PathBuf| {
            if path.as_os_str() == "-" {
                let help = "name a file; /dev/stdout is one";
                return Err(Failure::usage("--junit does not write to stdout, where the text for people goes", help));
            }
            WholeFile::open(path).map_err(|error| Failure::without_help(exit::USAGE, format!("--junit {error}")))
        };
        Ok(Self {
            json: output.json.as_ref().map(open_json).transpose()?,
            junit: output.junit.as_ref().map(open_junit).transpose()?,
        })
    }

    /// Writes all that was asked for; the first error is given once every other file was tried.
    fn write(self, results: &Results, output: &FunctionalOutput, name: &str) -> Result<(), Failure> {
        let mut outcome = Ok(());
        let mut attempt = |written: Result<(), Failure>| match (&outcome, written) {
            (Ok(()), Err(failure)) => outcome = Err(failure),
            (Err(_), Err(failure)) => failure.print(),
            (_, Ok(())) => {}
        };
        if let Some(file) = self.json {
            attempt(
                document(results, output)
                    .and_then(|document| file.write(&document).map_err(|error| json_failure(exit::FAILED, &error))),
            );
        }
        if let Some(file) = self.junit {
            attempt(junit_xml(results).map_err(|error| unexpected(&error)).and_then(|xml| {
                let written = file.write(xml.as_bytes());
                written.map_err(|error| Failure::without_help(exit::FAILED, format!("--junit {error}")))
            }));
        }
        if output.save_tests || output.html {
            match ResultsFolder::make(Path::new(""), results.started_at) {
                Err(failure) => attempt(Err(failure)),
                Ok(folder) => {
                    let tell = |path: &Path| output.stream().print(&format!("written: {}\n", path.display()));
                    if output.save_tests {
                        let written =
                            document(results, output).and_then(|document| folder.write("summary.json", &document));
                        attempt(written.map(|path| tell(&path)));
                    }
                    if output.html {
                        let page = html_report(results, name).map_err(|error| unexpected(&error));
                        let written = page.and_then(|page| folder.write("report.html", page.as_bytes()));
                        attempt(written.map(|path| tell(&path)));
                    }
                }
            }
        }
        outcome
    }
}

fn document(results: &Results, output: &FunctionalOutput) -> Result<Vec<u8>, Failure> {
    summary_json(results, output.phases).map_err(|error| unexpected(&error))
}

/// An error that nothing a user does is known to cause.
fn unexpected(error: &dyn std::error::Error) -> Failure {
    Failure::without_help(exit::FAILED, format!("the results could not be put into text: {error}; please report this"))
}
