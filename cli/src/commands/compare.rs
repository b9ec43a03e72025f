//! `pummel compare`.

use std::path::{Path, PathBuf};

use pummel_case::did_you_mean;
use pummel_stats::{
    compare::{
        baseline, compare as hold_against, from_kept, Comparison, Contender, Measured, Source, Standing, SPANS_MAX,
    },
    display::{comparison_json, comparison_markdown, comparison_report, ReportOptions, WholeFile, WholeFileError},
    kept::{KeptRun, KeptSecond},
    store::StoreError,
};

use crate::{
    console::Stream,
    execute::{json_failure, open_json},
    exit,
    failure::{colour_wanted, warn, Failure},
    files::{read_bytes, FileKind},
    flags::{Against, CompareFlags},
    kept_runs::{self, StorePlace},
    plan::JsonTarget,
    side_by_side::side_by_side,
};

/// Compares what was named, shows it, and gives the exit code.
///
/// # Errors
/// Wrong usage, files that cannot be read or are none of what is known, and results that cannot be written.
pub(crate) fn compare(flags: &CompareFlags) -> Result<u8, Failure> {
    let json = flags.json.as_deref().map(JsonTarget::of);
    let stream = if json == Some(JsonTarget::Stdout) { Stream::Stderr } else { Stream::Stdout };
    // A place that cannot be written to costs no run.
    let json = json.as_ref().map(open_json).transpose()?;
    let markdown = flags.markdown.as_deref().map(open_markdown).transpose()?;
    let mut contenders = match flags.against {
        Some(Against::Hrp) => side_by_side(&flags.boom, flags.rounds)?,
        None => named_contenders(&flags.contenders, &StorePlace::of(&flags.store))?,
    };
    give_names(&mut contenders, &flags.names)?;

    let mut comparison = hold_against(&contenders);
    judge_limits(&mut comparison, flags)?;
    let options = ReportOptions { colour: stream.is_terminal() && colour_wanted(), ..ReportOptions::default() };
    stream.print(&comparison_report(&comparison, options));
    if let Some(json) = json {
        let document =
            comparison_json(&comparison).map_err(|error| Failure::without_help(exit::FAILED, error.to_string()))?;
        json.write(&document).map_err(|error| json_failure(exit::FAILED, &error))?;
    }
    if let Some(markdown) = markdown {
        let page = comparison_markdown(&comparison);
        markdown.write(page.as_bytes()).map_err(|error| markdown_failure(exit::FAILED, &error))?;
    }
    Ok(exit_code(&comparison, flags.strict))
}

/// A comparison of nothing comes before limits, which then say little.
fn exit_code(comparison: &Comparison, strict: bool) -> u8 {
    if comparison.comparisons.iter().any(|pair| pair.nothing_in_common) {
        return exit::FAILED;
    }
    let fails = |standing| match standing {
        Standing::Holds => false,
        Standing::Broken => true,
        Standing::NotJudged => strict,
    };
    if comparison.limits.iter().any(|limit| fails(limit.outcome)) {
        exit::THRESHOLD
    } else {
        exit::DONE
    }
}

fn named_contenders(named: &[String], store: &StorePlace) -> Result<Vec<Contender>, Failure> {
    if named.len() < 2 {
        return Err(Failure::usage(
            "one contender alone cannot be compared",
            "name two or more: pummel compare BEFORE AFTER",
        ));
    }
    named.iter().map(|named| contender(named, store)).collect()
}

/// A contender from a run, or from several joined by commas.
fn contender(named: &str, store: &StorePlace) -> Result<Contender, Failure> {
    // A file whose name holds a comma is one file, and a label that does is one run.
    let is_one = !named.contains(',') || Path::new(named).exists() || is_kept(named, store);
    let runs: Vec<&str> = if is_one { vec![named] } else { named.split(',').collect() };
    if runs.iter().any(|run| run.trim().is_empty()) {
        return Err(Failure::usage(
            format!("\"{named}\" names a run that has no name"),
            "join runs by single commas, without spaces: a.json,b.json",
        ));
    }
    let mut measured = Vec::with_capacity(runs.len());
    let mut source = None;
    for run in &runs {
        let (of, one) = read_run(run, store)?;
        measured.push(one);
        source.get_or_insert(of);
    }
    let name = match runs[..] {
        [first, _, ..] => format!("{first} and {} more", runs.len() - 1),
        _ => named.to_owned(),
    };
    Ok(Contender { name, source: source.unwrap_or(Source::Summary), runs: measured })
}

/// Whether a run of the store is called so.
fn is_kept(named: &str, store: &StorePlace) -> bool {
    store.open().is_ok_and(|store| store.find(named).is_ok())
}

/// A run by its file, or by its id or label in the store.
fn read_run(named: &str, store: &StorePlace) -> Result<(Source, Measured), Failure> {
    let path = PathBuf::from(named);
    if !path.exists() {
        match stored_run(named, store) {
            Ok((run, seconds)) => return Ok((Source::Kept, from_kept(&run, &seconds))),
            // A label may hold a dot or a slash, too; where it is none, a file was meant.
            Err(NoRun::Unknown(_)) if named.contains(['/', '.']) => {}
            Err(NoRun::Unknown(failure) | NoRun::Broken(failure)) => return Err(failure),
        }
    }
    let bytes = read_bytes(&path, FileKind::Compare)?;
    baseline::read(&bytes).map_err(|error| {
        let help = "pummel compare --help says what can be compared";
        Failure::with_code(exit::USAGE, format!("{named}: {error}"), help)
    })
}

/// Why a run is not to be had from the store.
enum NoRun {
    /// There is no store, or none is called so.
    Unknown(Failure),
    /// It cannot be read, or several are called so.
    Broken(Failure),
}

/// A run of the store, by its id, the beginning of it, or its label, with its time in at most so many parts: twice as many as
/// the judgement makes of them.
fn stored_run(named: &str, store: &StorePlace) -> Result<(KeptRun, Vec<KeptSecond>), NoRun> {
    const PARTS: usize = 2 * SPANS_MAX;
    let no_such_run = |failure: &Failure| no_such_file(named, failure);
    let broken = |error: StoreError| NoRun::Broken(kept_runs::failure(&error));
    let store = store.open().map_err(|failure| NoRun::Unknown(no_such_run(&failure)))?;
    let id = store.find(named).map_err(|error| {
        let is_unknown = matches!(&error, StoreError::NotOne { candidates, .. } if candidates.is_empty());
        let failure = no_such_run(&kept_runs::failure(&error));
        if is_unknown {
            NoRun::Unknown(failure)
        } else {
            NoRun::Broken(failure)
        }
    })?;
    let run = store.run(&id).map_err(broken)?;
    let parts = store.spans(&id, PARTS).map_err(broken)?;
    Ok((run, parts))
}

fn no_such_file(named: &str, failure: &Failure) -> Failure {
    Failure::usage(
        format!("{named}: there is no such file, nor such a run: {}", failure.message()),
        "name a file, or a run that `pummel runs` lists",
    )
}

fn give_names(contenders: &mut [Contender], names: &[String]) -> Result<(), Failure> {
    if names.len() > contenders.len() {
        return Err(Failure::usage(
            format!("there are {} names (--name) for {} contenders", names.len(), contenders.len()),
            "give at most one to each",
        ));
    }
    for (contender, name) in contenders.iter_mut().zip(names) {
        contender.name.clone_from(name);
    }
    Ok(())
}

/// Notes whether each limit holds for each contender, and warns of what cannot be judged.
fn judge_limits(comparison: &mut Comparison, flags: &CompareFlags) -> Result<(), Failure> {
    let mut outcomes = Vec::new();
    for limit in &flags.fail_if {
        if !comparison.comparisons.iter().any(|pair| limit.knows(pair)) {
            let steps = comparison.comparisons.iter().flat_map(|pair| &pair.steps).map(|row| row.name.name.as_str());
            let step = limit.step.as_deref().unwrap_or_default();
            let help = did_you_mean(step, steps).unwrap_or_else(|| "the steps are those the comparison shows".into());
            return Err(Failure::usage(format!("--fail-if '{limit}': no contender has a step \"{step}\""), help));
        }
        for pair in &comparison.comparisons {
            let outcome = limit.judge(pair);
            if outcome.outcome == Standing::NotJudged {
                let whom = comparison.contenders.get(pair.contender).map_or("", |facts| &facts.name);
                let help = "compare three runs or more of each, or stored runs of 20 seconds or more";
                warn(format!("--fail-if '{limit}' cannot be judged for {whom}: {}", outcome.reason), Some(help.into()));
            }
            outcomes.push(outcome);
        }
    }
    comparison.limits = outcomes;
    Ok(())
}

fn open_markdown(path: &Path) -> Result<WholeFile, Failure> {
    WholeFile::open(path).map_err(|error| markdown_failure(exit::USAGE, &error))
}

fn markdown_failure(exit_code: u8, error: &WholeFileError) -> Failure {
    Failure::without_help(exit_code, format!("--markdown {error}"))
}
