//! `pummel report`.

use pummel_stats::{
    display::{kept_report, ReportOptions},
    kept::{KeptRun, KeptSecond},
    store::{Recovered, Store, Trouble},
    Distribution,
};

use crate::{
    console::Stream,
    execute::{open_json, write_json},
    exit,
    failure::{colour_wanted, warn, Failure},
    flags::ReportFlags,
    kept_runs::{failure, write_seconds, StorePlace, Unwritten},
    plan::JsonTarget,
    report_files::{planned_files, ReportFiles},
};

/// Reports on a run that is kept.
///
/// # Errors
/// There is no store, no such run, something cannot be read, or a file cannot be written.
pub(crate) fn report(flags: &ReportFlags) -> Result<u8, Failure> {
    let target = flags.json.as_deref().map(JsonTarget::of);
    let planned = planned_files(&flags.files, target.as_ref())?;
    let json = target.as_ref().map(open_json).transpose()?;
    let mut files = ReportFiles::open(&planned)?;
    let (store, recovered) = recovered(flags)?;
    let name = flags.run.as_deref().or(recovered.as_deref()).unwrap_or("last");
    let id = store.find(name).map_err(|error| failure(&error))?;
    let run = store.run(&id).map_err(|error| failure(&error))?;
    if json.is_none() && planned.is_empty() {
        let mut run = run.clone();
        if flags.chart {
            run.summary.latency_distribution = latencies(&store, &run)?;
        }
        print(&run, flags.chart);
    }
    let written = json.map_or(Ok(()), |json| write_json(json, &run.summary));
    let written = written.and(files.write_summary(&run.summary));
    let of_seconds =
        if files.want_seconds() { write_seconds(&store, &id, files).map_err(Unwritten::named) } else { Ok(()) };
    written.and(of_seconds)?;
    Ok(exit::DONE)
}

/// The store, with what journals held; the last of their runs.
fn recovered(flags: &ReportFlags) -> Result<(Store, Option<String>), Failure> {
    let place = StorePlace::of(&flags.store);
    let mut store = match &place {
        // The store that a journal is to go into may be lost with its disk.
        StorePlace::Usual(path) | StorePlace::Named(path) if !flags.recover.is_empty() => {
            Store::open(path).map_err(|error| failure(&error))?
        }
        _ => place.open()?,
    };
    let mut last = None;
    for journal in &flags.recover {
        let runs = store.recover(journal).map_err(|error| Failure::without_help(exit::USAGE, error.to_string()))?;
        for Recovered { run, missing } in runs {
            if missing > 0 {
                warn(
                    format!(
                        "{missing} entries of run {run}, about one a second, are neither in the store nor in {}",
                        journal.display()
                    ),
                    None,
                );
            }
            last = Some(run);
        }
    }
    Ok((store, last))
}

/// The model's latency of all requests that were measured.
fn latencies(store: &Store, run: &KeptRun) -> Result<Distribution, Failure> {
    let trouble = Trouble::default();
    let all = merged(run, store.iter_seconds(&run.summary.run.id, &trouble));
    trouble.take().map_or(Ok(all), |error| Err(failure(&error)))
}

/// The latencies of requests, the warm-up's and those of unknown rows left out.
fn merged(run: &KeptRun, seconds: impl Iterator<Item = KeptSecond>) -> Distribution {
    let mut all = Distribution::default();
    for second in seconds.filter(|second| !second.point.warmup) {
        all.merge(&second.latency(|row| run.is_request(row)));
    }
    all
}

fn print(run: &KeptRun, chart: bool) {
    let stream = Stream::Stdout;
    stream.print(&kept_report(run, ReportOptions { colour: stream.is_terminal() && colour_wanted(), chart }));
}

#[cfg(test)]
mod tests {
    use pummel_stats::{
        kept::{KeptPart, RunState},
        RowKey, RowKind, Summary,
    };

    use super::*;

    #[test]
    fn latencies_are_those_of_requests_that_are_known() {
        let key = |kind| RowKey { case: "c".into(), kind, label: "l".into(), name: "n".into() };
        let part =
            |row, service_us: u64| KeptPart { row, service_us: Distribution::of([service_us]), ..KeptPart::default() };
        let second = KeptSecond { parts: vec![part(0, 10), part(1, 20), part(2, 30)], ..KeptSecond::default() };
        let mut warmup = KeptSecond { parts: vec![part(0, 40)], ..KeptSecond::default() };
        warmup.point.warmup = true;
        let rows = vec![key(RowKind::Request), key(RowKind::Transaction)];
        let run = KeptRun { label: None, state: RunState::Ended, summary: Summary::default(), rows };
        let all = merged(&run, [warmup, second].into_iter());
        assert_eq!((all.count(), all.value_at(1.0)), (1, Some(10)));
    }
}
