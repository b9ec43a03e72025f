//! `pummel runs`.

use pummel_stats::{
    display::{prune_text, runs_json, runs_table},
    store::{PruneSpec, RunFilter},
};

use crate::{
    console::Stream,
    exit,
    failure::Failure,
    flags::{ListFlags, PruneFlags, RunsAction, RunsFlags, StoreFlags},
    kept_runs::{failure, StorePlace},
};

/// Lists runs, or does with them what was asked.
///
/// # Errors
/// There is no store, no such run, or the store cannot be read.
pub(crate) fn runs(flags: RunsFlags) -> Result<u8, Failure> {
    match flags.action {
        None => list(flags.list),
        Some(RunsAction::Label { run, label, store }) => {
            let store = open(&store)?;
            let id = store.find(&run).map_err(|error| failure(&error))?;
            store.label(&id, label.as_deref()).map_err(|error| failure(&error))?;
            Ok(exit::DONE)
        }
        Some(RunsAction::Delete { runs, store }) => {
            let store = open(&store)?;
            // All of them are found before the first is gone.
            let ids = runs.iter().map(|run| store.find(run)).collect::<Result<Vec<_>, _>>();
            let mut ids = ids.map_err(|error| failure(&error))?;
            ids.sort();
            ids.dedup();
            for id in ids {
                store.delete(&id).map_err(|error| failure(&error))?;
            }
            Ok(exit::DONE)
        }
        Some(RunsAction::Prune(flags)) => prune(&flags),
    }
}

fn open(flags: &StoreFlags) -> Result<pummel_stats::store::Store, Failure> {
    StorePlace::of(flags).open()
}

fn list(flags: ListFlags) -> Result<u8, Failure> {
    let store = open(&flags.store)?;
    let limit = usize::try_from(flags.limit).ok();
    let filter = RunFilter { text: flags.text, within: flags.since, limit };
    let runs = store.list(&filter).map_err(|error| failure(&error))?;
    let text = if flags.json { runs_json(&runs) } else { runs_table(&runs) };
    Stream::Stdout.print(&text);
    Ok(exit::DONE)
}

fn prune(flags: &PruneFlags) -> Result<u8, Failure> {
    let store = open(&flags.store)?;
    let spec = PruneSpec {
        older_than: flags.older_than,
        size_max_bytes: flags.max_size,
        keep: flags.keep.and_then(|keep| usize::try_from(keep).ok()),
        labelled: flags.labelled,
        dry_run: flags.dry_run,
    };
    let pruned = store.prune(&spec).map_err(|error| failure(&error))?;
    Stream::Stdout.print(&prune_text(&pruned, flags.dry_run));
    Ok(exit::DONE)
}
