//! A run that its store has not taken whole is put together from the store and the journal.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use common::key;
use pummel_stats::kept::RunState;
use pummel_stats::snapshot::{ClientState, Overall};
use pummel_stats::store::{Patience, Store, StoreOutcome, StoreOutput};
use pummel_stats::summary::SeriesPoint;
use pummel_stats::{Begun, Distribution, Model, Output, RowKind, RowSecond, RunFacts, Snapshot, Summary};
use rusqlite::Connection;

/// A folder of the test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pummel-together-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn begin(output: &mut dyn Output, id: &str) {
    let facts = RunFacts { id: id.into(), plan: serde_json::json!({"warmup_s": 3.0}), ..RunFacts::default() };
    let begun = Begun { facts, model: Model::Closed, started_at: "2026-01-01T00:00:00.000Z".into() };
    output.begin(&Arc::new(begun));
}

/// A second with t_s + 1 requests of 100 us each.
fn second(t_s: u64) -> Arc<Snapshot> {
    let mut row = RowSecond::new(Arc::new(key(RowKind::Request, "a")));
    row.succeeded = t_s + 1;
    row.latency = Distribution::of((0..=t_s).map(|_| 100));
    Arc::new(Snapshot {
        point: SeriesPoint { t_s, requests: t_s + 1, ..SeriesPoint::default() },
        rows: vec![Arc::new(row)],
        totals: Arc::from([]),
        overall: Overall::default(),
        errors: Arc::from([]),
        corrections: Vec::new(),
        model: Model::Closed,
        client: ClientState::default(),
    })
}

/// Keeps a run of 10 seconds in a database that another process has for itself from its second `from_s` on, or from before its
/// beginning; gives that other one and what became of the run.
fn kept_until(path: &Path, from_s: Option<u64>) -> (Connection, StoreOutcome) {
    let store = Store::open(path).unwrap();
    let other = Connection::open(path).unwrap();
    let lock = || other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let patience = Patience { at_the_end: Duration::from_millis(100), ..Patience::default() };
    let (mut spec, watch) = StoreOutput::with_patience(store, Box::new(|_| ()), patience).unwrap();
    let output = &mut *spec.output;
    if from_s.is_none() {
        lock();
    }
    begin(output, "id");
    for t_s in 0..10 {
        if from_s == Some(t_s) {
            let written = || other.query_row("SELECT count(*) FROM interval", [], |row| row.get::<_, u64>(0)).unwrap();
            while written() < t_s {
                sleep(Duration::from_millis(5));
            }
            lock();
        }
        output.snapshot(&second(t_s));
    }
    let mut summary = Summary::default();
    summary.run.id = "id".into();
    output.finish(&Arc::new(summary));
    (other, watch.outcome())
}

/// That a store has the ten seconds of the run and its end.
fn assert_whole(store: &Store) {
    let run = store.run("id").unwrap();
    assert_eq!((run.state, run.rows.len()), (RunState::Ended, 1));
    let mut seen = Vec::new();
    for span in store.spans("id", usize::MAX).unwrap() {
        seen.push((span.point.t_s, span.point.requests, span.parts[0].service_us.count()));
    }
    assert_eq!(seen, (0..10).map(|t_s| (t_s, t_s + 1, t_s + 1)).collect::<Vec<_>>());
}

#[test]
fn a_run_of_which_the_store_has_a_part_is_whole_with_its_journal() {
    let folder = Folder::new("part");
    let (_other, outcome) = kept_until(&folder.file("runs.db"), Some(4));
    assert_eq!((outcome.complete, outcome.lost), (false, 0));
    // While the database still belongs to the other one.
    let whole = Store::put_together(&folder.file("whole.db"), &folder.file("runs.db"), &outcome).unwrap();
    assert_whole(&whole);
    let stages = Connection::open(folder.file("whole.db")).unwrap();
    let until_s: u64 = stages.query_row("SELECT CAST(until_s AS INTEGER) FROM stage", [], |row| row.get(0)).unwrap();
    assert_eq!(until_s, 3);
    let kept = Store::open_existing(&folder.file("runs.db")).unwrap();
    assert_eq!(kept.run("id").unwrap().state, RunState::CutOff);
}

#[test]
fn a_run_of_which_the_store_has_nothing_is_whole_from_its_journal() {
    let folder = Folder::new("nothing");
    let (_other, outcome) = kept_until(&folder.file("runs.db"), None);
    assert!(!outcome.complete);
    assert_whole(&Store::put_together(&folder.file("whole.db"), &folder.file("runs.db"), &outcome).unwrap());
    // A store that cannot be read at all costs nothing.
    std::fs::write(folder.file("broken.db"), "no database, however long it is read").unwrap();
    assert_whole(&Store::put_together(&folder.file("again.db"), &folder.file("broken.db"), &outcome).unwrap());
    // Without the journal there is nothing, and why is said.
    std::fs::remove_file(outcome.journal.as_ref().unwrap()).unwrap();
    let error = Store::put_together(&folder.file("none.db"), &folder.file("runs.db"), &outcome).err().unwrap();
    assert!(error.to_string().ends_with(".journal: cannot be read: No such file or directory (os error 2)"), "{error}");
}
