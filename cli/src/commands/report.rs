//! `pummel report`.

use pummel_stats::{
    display::{kept_report, summary_json, ReportOptions},
    kept::KeptRun,
    store::Store,
};

use crate::{
    console::Stream,
    execute::{json_failure, open_json},
    exit,
    failure::{colour_wanted, Failure},
    flags::ReportFlags,
    kept_runs::{failure, StorePlace},
    plan::JsonTarget,
};

/// Reports on a run that is kept.
///
/// # Errors
/// There is no store, no such run, something cannot be read, or a file cannot be written.
pub(crate) fn report(flags: &ReportFlags) -> Result<u8, Failure> {
    let target = flags.json.as_deref().map(JsonTarget::of);
    let json = target.as_ref().map(open_json).transpose()?;
    let (store, recovered) = recovered(flags)?;
    let name = flags.run.as_deref().or(recovered.as_deref()).unwrap_or("last");
    let id = store.find(name).map_err(|error| failure(&error))?;
    let run = store.run(&id).map_err(|error| failure(&error))?;
    match json {
        Some(json) => {
            let document =
                summary_json(&run.summary).map_err(|error| Failure::without_help(exit::FAILED, error.to_string()))?;
            json.write(&document).map_err(|error| json_failure(exit::FAILED, &error))?;
        }
        None => print(&run),
    }
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
        last = runs.last().cloned().or(last);
    }
    Ok((store, last))
}

fn print(run: &KeptRun) {
    let stream = Stream::Stdout;
    stream.print(&kept_report(run, ReportOptions { colour: stream.is_terminal() && colour_wanted() }));
}
