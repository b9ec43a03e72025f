//! What is in a store is what happened, whatever the database does meanwhile.

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{fail, key, spec, start_spec, succeed, Keep, S};
use pummel_stats::display::{kept_report, runs_table, ReportOptions};
use pummel_stats::kept::RunState;
use pummel_stats::snapshot::{ClientState, Overall};
use pummel_stats::store::{
    Patience, PruneSpec, Recovered, RunFilter, Store, StoreError, StoreOutcome, StoreOutput, StoreWatch, Trouble,
};
use pummel_stats::summary::SeriesPoint;
use pummel_stats::{
    Begun, CollectorSpec, Correction, Delivery, Distribution, FinalFacts, Model, OutputSpec, RowKind, RowSecond,
    RunFacts, Snapshot, Summary,
};
use rusqlite::Connection;

/// A folder of the test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pummel-store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn db(&self) -> PathBuf {
        self.0.join("runs.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sentences said while a run went on.
type Said = Arc<Mutex<Vec<String>>>;

/// Waits until something is so.
fn wait_for(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn output(path: &Path, patience: Patience, said: &Said) -> (OutputSpec, StoreWatch) {
    let hear = Arc::clone(said);
    let tell = Box::new(move |what: &str| hear.lock().unwrap().push(what.to_owned()));
    StoreOutput::with_patience(Store::open(path).unwrap(), tell, patience).unwrap()
}

fn facts(id: &str) -> RunFacts {
    RunFacts {
        id: id.into(),
        name: "shop".into(),
        command: "boom".into(),
        plan: serde_json::json!({"users": 1, "warmup_s": 0.0, "stages": [{"over_s": 2.0, "target": 5.0}]}),
        ..RunFacts::default()
    }
}

/// A run of so many seconds: in second k, k + 1 requests of 100 us, 200 us and so on, and one that fails; gives what it said and what
/// became of its keeping.
fn play(path: &Path, id: &str, seconds: u64, patience: Patience) -> (Arc<Summary>, StoreOutcome, Vec<String>) {
    let said = Said::default();
    let (summary, outcome) = play_and_say(path, id, seconds, patience, &said);
    let said = said.lock().unwrap().clone();
    (summary, outcome, said)
}

/// The same; what it says is heard at once.
fn play_and_say(path: &Path, id: &str, seconds: u64, patience: Patience, said: &Said) -> (Arc<Summary>, StoreOutcome) {
    let (spec_out, watch) = output(path, patience, said);
    let kept = Keep::default();
    let outputs = vec![spec_out, kept.spec(Delivery::Lossless)];
    let (collector, mut recorders) = start_spec(CollectorSpec { run: facts(id), outputs, ..spec(1) });
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    recorder.user_started(0);
    for second in 1..=seconds {
        (1..=second).for_each(|n| succeed(&mut recorder, row, n * 100));
        fail(&mut recorder, row, "refused");
        recorder.hand_over(second);
        // Each second is published by itself.
        kept.wait_for(second as usize);
    }
    recorder.user_finished(seconds * S);
    recorder.load_stopped(seconds * S);
    recorder.finish(seconds * S);
    let finished = collector.finish(FinalFacts::default()).unwrap();
    assert!(finished.summary.conservation.ok);
    (finished.summary, watch.outcome())
}

/// That two summaries are equal; says where they are not.
fn assert_same(left: &Summary, right: &Summary) {
    let lines = |summary: &Summary| -> Vec<String> {
        serde_json::to_string_pretty(summary).unwrap().lines().map(str::to_owned).collect()
    };
    let (left, right) = (lines(left), lines(right));
    for (at, (a, b)) in left.iter().zip(&right).enumerate() {
        assert_eq!(a, b, "line {at}, after {:?}", &left[at.saturating_sub(6)..at]);
    }
    assert_eq!(left.len(), right.len());
}

#[test]
fn a_run_is_read_as_it_was() {
    let folder = Folder::new();
    let (summary, outcome, said) = play(&folder.db(), "0123456789abcdef", 4, Patience::default());
    assert_eq!((outcome.complete, outcome.journal, outcome.lost), (true, None, 0));
    assert_eq!(outcome.run.as_deref(), Some("0123456789abcdef"));
    assert!(said.is_empty());

    let store = Store::open_existing(&folder.db()).unwrap();
    let run = store.run(&store.find("0123").unwrap()).unwrap();
    assert_eq!(run.state, RunState::Ended);
    assert_same(&run.summary, &summary);
    assert_eq!(run.rows, [key(RowKind::Request, "a")]);
    let mut seen = Vec::new();
    for second in store.spans("0123456789abcdef", usize::MAX).unwrap() {
        let part = &second.parts[0];
        seen.push((
            second.point.t_s,
            second.point.span_s,
            part.succeeded,
            part.failed,
            part.service_us.moments().sum(),
        ));
        assert_eq!(part.failed_us.buckets(), [(50, 1)]);
    }
    assert_eq!(seen, [(0, 1, 1, 1, 100), (1, 1, 2, 1, 300), (2, 1, 3, 1, 600), (3, 1, 4, 1, 1_000)]);

    // Two windows of two seconds: 100 100 200, and 100 200 300 100 200 300 400.
    let spans = store.spans("0123456789abcdef", 2).unwrap();
    let p50: Vec<_> = spans.iter().map(|span| (span.point.requests, span.point.p50_us, span.point.p99_us)).collect();
    assert_eq!(p50, [(5, Some(100), Some(200)), (9, Some(200), Some(400))]);
    assert_eq!(
        kept_report(&run, ReportOptions::default()),
        pummel_stats::display::report(&summary, ReportOptions::default())
    );
}

#[test]
fn a_run_without_an_end_is_what_was_written_of_it() {
    let folder = Folder::new();
    play(&folder.db(), "aa", 3, Patience::default());
    let connection = Connection::open(folder.db()).unwrap();
    connection.execute("UPDATE run SET ended = 0, summary = NULL", []).unwrap();
    let store = Store::open_existing(&folder.db()).unwrap();
    let run = store.run("aa").unwrap();
    assert_eq!(run.state, RunState::CutOff);
    let totals = &run.summary.totals;
    // 1 + 2 + 3 succeeded and 3 failed in 3 s.
    assert_eq!((totals.requests, totals.failures, totals.rps), (9, 3, 3.0));
    assert_eq!((totals.service_us.count, totals.service_us.max, totals.service_us.p50), (6, Some(300), Some(100)));
    assert_eq!(run.summary.steps[0].name, "a");
    assert_eq!((run.summary.errors[0].count, &*run.summary.errors[0].message), (3, "refused"));
    assert_eq!(run.summary.series.len(), 3);
    assert_eq!(run.summary.plan["users"], 1);
    assert!(kept_report(&run, ReportOptions::default()).starts_with("This run was cut off, or goes on"));
}

#[test]
fn a_database_that_is_locked_for_a_while_gets_everything_in_the_end() {
    let folder = Folder::new();
    drop(Store::open(&folder.db()).unwrap());
    let other = Connection::open(folder.db()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (path, said) = (folder.db(), Said::default());
    let hear = Arc::clone(&said);
    let patience = Patience { at_the_end: Duration::from_mins(10), ..Patience::default() };
    let run = std::thread::spawn(move || play_and_say(&path, "bb", 5, patience, &hear));
    // Until it is said.
    wait_for(|| !said.lock().unwrap().is_empty());
    other.execute_batch("COMMIT").unwrap();
    let (summary, outcome) = run.join().unwrap();
    let said = said.lock().unwrap();
    assert!(outcome.complete);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("cannot be written: database is locked"), "{said:?}");
    let run = Store::open_existing(&folder.db()).unwrap().run("bb").unwrap();
    assert_same(&run.summary, &summary);
}

#[test]
fn a_database_that_stays_locked_leaves_a_journal_that_is_taken_in_once() {
    let folder = Folder::new();
    drop(Store::open(&folder.db()).unwrap());
    let other = Connection::open(folder.db()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Room for the first few seconds in memory; the others go to the journal at once.
    let patience = Patience { memory_bytes: 4_000, at_the_end: Duration::from_millis(100) };
    let (summary, outcome, _) = play(&folder.db(), "cc", 30, patience);
    let journal = outcome.journal.unwrap();
    assert_eq!((outcome.complete, outcome.lost), (false, 0));
    other.execute_batch("COMMIT").unwrap();

    let mut store = Store::open_existing(&folder.db()).unwrap();
    for _ in 0..2 {
        assert_eq!(store.recover(&journal).unwrap(), [Recovered { run: "cc".into(), missing: 0 }]);
    }
    let run = store.run("cc").unwrap();
    assert_same(&run.summary, &summary);
    let seconds = store.spans("cc", usize::MAX).unwrap();
    assert_eq!(seconds.iter().map(|second| second.parts[0].service_us.count()).sum::<u64>(), 30 * 31 / 2);
}

#[test]
fn what_went_to_a_journal_goes_to_the_database_when_it_is_back() {
    let folder = Folder::new();
    drop(Store::open(&folder.db()).unwrap());
    let other = Connection::open(folder.db()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let path = folder.db();
    let patience = Patience { memory_bytes: 4_000, at_the_end: Duration::from_mins(10) };
    let run = std::thread::spawn(move || play(&path, "dd", 100, patience));
    let journal = folder.0.join("runs.db.dd.journal");
    wait_for(|| journal.exists());
    other.execute_batch("COMMIT").unwrap();
    let (summary, outcome, _) = run.join().unwrap();
    assert_eq!((outcome.complete, outcome.journal), (true, None));
    let left = std::fs::read_dir(&folder.0)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".journal"));
    assert_eq!(left.count(), 0, "the journal is gone");
    let store = Store::open_existing(&folder.db()).unwrap();
    assert_same(&store.run("dd").unwrap().summary, &summary);
}

#[test]
fn a_journal_with_a_last_line_cut_off_is_read_up_to_it() {
    let folder = Folder::new();
    drop(Store::open(&folder.db()).unwrap());
    let other = Connection::open(folder.db()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let patience = Patience { memory_bytes: 0, at_the_end: Duration::ZERO };
    let (_, outcome, _) = play(&folder.db(), "ee", 3, patience);
    other.execute_batch("COMMIT").unwrap();
    let journal = outcome.journal.unwrap();
    let text = std::fs::read_to_string(&journal).unwrap();
    // The beginning, three seconds, the end.
    assert_eq!(text.lines().count(), 5);
    let end = text.trim_end().rfind('\n').unwrap();
    std::fs::write(&journal, &text[..end + 40]).unwrap();
    let mut store = Store::open_existing(&folder.db()).unwrap();
    assert_eq!(store.recover(&journal).unwrap(), [Recovered { run: "ee".into(), missing: 0 }]);
    let run = store.run("ee").unwrap();
    assert_eq!((run.state, run.summary.totals.requests), (RunState::CutOff, 9));
    std::fs::write(&journal, "something else\n").unwrap();
    assert!(store.recover(&journal).unwrap_err().to_string().contains(":1: not a journal of a store"));
}

#[test]
fn what_there_was_room_for_nowhere_is_said_though_the_rest_is_in_the_store() {
    let folder = Folder::new();
    drop(Store::open(&folder.db()).unwrap());
    let other = Connection::open(folder.db()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // No journal can be made where files are that have its name.
    let id = format!("nowhere{}", std::process::id());
    let name = format!("runs.db.{id}.journal");
    let names = [folder.0.join(&name), std::env::temp_dir().join(&name)];
    for name in &names {
        std::fs::write(name, "").unwrap();
    }
    let patience = Patience { memory_bytes: 0, at_the_end: Duration::from_secs(50) };
    let (mut spec_out, watch) = output(&folder.db(), patience, &Said::default());
    let out = &mut spec_out.output;
    out.begin(&Arc::new(Begun {
        facts: facts(&id),
        model: Model::Closed,
        started_at: "2026-01-01T00:00:00.000Z".into(),
    }));
    (0..10).for_each(|t_s| out.snapshot(&Arc::new(empty_snapshot(t_s, Model::Closed))));
    other.execute_batch("COMMIT").unwrap();
    out.finish(&Arc::new(Summary::default()));
    let outcome = watch.outcome();
    // The beginning is always kept; ten seconds and the end are nowhere.
    assert_eq!((outcome.complete, outcome.journal, outcome.lost), (false, None, 11));
    assert_eq!(Store::open_existing(&folder.db()).unwrap().run(&id).unwrap().state, RunState::CutOff);
    for name in &names {
        std::fs::remove_file(name).unwrap();
    }
}

#[test]
fn two_runs_at_once_do_not_mix() {
    let folder = Folder::new();
    let runs: Vec<_> = ["one1", "two2"]
        .into_iter()
        .map(|id| {
            let path = folder.db();
            std::thread::spawn(move || play(&path, id, 20, Patience::default()))
        })
        .collect();
    for run in runs {
        assert!(run.join().unwrap().1.complete);
    }
    let store = Store::open_existing(&folder.db()).unwrap();
    for id in ["one1", "two2"] {
        let run = store.run(id).unwrap();
        assert_eq!((run.summary.totals.requests, run.summary.series.len()), (230, 20));
    }
}

/// An hour and a half, second by second, without a collector.
#[test]
fn what_is_older_than_an_hour_is_kept_by_the_minute_and_loses_nothing() {
    const SECONDS: u64 = 5_400;
    let folder = Folder::new();
    let (mut spec_out, watch) = output(&folder.db(), Patience::default(), &Said::default());
    let out = &mut spec_out.output;
    out.begin(&Arc::new(Begun {
        facts: facts("long"),
        model: Model::Open,
        started_at: "2026-01-01T00:00:00.000Z".into(),
    }));
    let mut whole = Distribution::default();
    let parts = distributions();
    for t_s in 0..SECONDS {
        let latency = parts[(t_s % 7) as usize].clone();
        whole.merge(&latency);
        let mut row = RowSecond::new(Arc::new(key(RowKind::Request, "a")));
        row.succeeded = latency.count();
        row.service_us = latency.clone();
        row.latency = latency;
        let mut snapshot = empty_snapshot(t_s, Model::Open);
        snapshot.point.requests = row.succeeded;
        snapshot.point.warmup = t_s < 90;
        snapshot.rows.push(Arc::new(row));
        if t_s + 1 == SECONDS {
            // Late for a second that was merged by now: one that succeeded after 77 us, and one that failed.
            let mut late = RowSecond::new(Arc::new(key(RowKind::Request, "a")));
            (late.succeeded, late.failed, late.bytes_received) = (1, 1, 10);
            late.latency = Distribution::of([77]);
            whole.merge(&late.latency);
            let point = SeriesPoint { t_s: 130, requests: 999, ..SeriesPoint::default() };
            snapshot.corrections.push(Arc::new(Correction { number: 1, point, rows: vec![Arc::new(late)] }));
        }
        out.snapshot(&Arc::new(snapshot));
    }
    out.finish(&Arc::new(Summary::default()));
    assert!(watch.outcome().complete);

    let store = Store::open_existing(&folder.db()).unwrap();
    let (mut spans, mut merged) = (Vec::new(), Distribution::default());
    let trouble = Trouble::default();
    for span in store.iter_seconds("long", &trouble) {
        spans.push((span.point.t_s, span.point.span_s, span.point.warmup));
        assert_eq!(span.point.requests, span.parts[0].succeeded + span.parts[0].failed);
        assert_eq!(
            (span.point.failures, span.point.bytes_received),
            if span.point.t_s == 120 { (1, 10) } else { (0, 0) }
        );
        merged.merge(&span.parts[0].response_us);
    }
    assert!(trouble.take().is_none());
    assert_eq!(merged, whole);
    // The warm-up ends within the second minute.
    assert_eq!(spans[..4], [(0, 60, true), (60, 30, true), (90, 30, false), (120, 60, false)]);
    assert_eq!(spans.iter().map(|span| span.1).sum::<u64>(), SECONDS);
    assert_eq!(spans.iter().filter(|span| span.1 == 1).count(), 3_600);
    // The series says so, too: in JSON, minutes would else be taken for seconds with sixty times the requests.
    let series = store.run("long").unwrap().summary.series;
    let in_series: Vec<_> = series.iter().map(|point| (point.t_s, point.span_s, point.warmup)).collect();
    assert_eq!(in_series, spans);

    // What it is said to take is what is there: 60 bytes a row, the payloads, the summary.
    let counted: i64 = Connection::open(folder.db())
        .unwrap()
        .query_row(
            "SELECT bytes - length(summary) - (SELECT 60 * count(*) FROM activity) \
             - (SELECT sum(60 + length(hdr)) FROM series) FROM run",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(counted, 0);
    // All pages of it are given back.
    store.delete("long").unwrap();
    let free: i64 =
        Connection::open(folder.db()).unwrap().pragma_query_value(None, "freelist_count", |row| row.get(0)).unwrap();
    assert_eq!(free, 0);
}

/// Seven distributions of different shape.
fn distributions() -> Vec<Distribution> {
    (1..=7u64).map(|n| Distribution::of((0..n * 3).map(|i| 17 * n + i * i * 1_000))).collect()
}

/// The share of the way through sorted samples, nearest rank.
fn of_samples(sorted: &[u64], share: f64) -> u64 {
    sorted[(share * sorted.len() as f64).ceil() as usize - 1]
}

#[test]
fn percentiles_of_any_window_are_those_of_its_samples() {
    const SECONDS: u64 = 120;
    let folder = Folder::new();
    let (mut spec_out, _) = output(&folder.db(), Patience::default(), &Said::default());
    let out = &mut spec_out.output;
    out.begin(&Arc::new(Begun {
        facts: facts("w"),
        model: Model::Closed,
        started_at: "2026-01-01T00:00:00.000Z".into(),
    }));
    // From microseconds to minutes, a different number each second.
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let samples: Vec<Vec<u64>> =
        (0..SECONDS).map(|t_s| (0..50 + t_s % 70).map(|_| next() >> (38 + next() % 24)).collect()).collect();
    for (t_s, values) in samples.iter().enumerate() {
        let mut row = RowSecond::new(Arc::new(key(RowKind::Request, "a")));
        row.succeeded = values.len() as u64;
        row.latency = Distribution::of(values.iter().copied());
        let mut snapshot = empty_snapshot(t_s as u64, Model::Closed);
        snapshot.point.requests = row.succeeded;
        snapshot.rows.push(Arc::new(row));
        out.snapshot(&Arc::new(snapshot));
    }
    out.finish(&Arc::new(Summary::default()));

    let store = Store::open_existing(&folder.db()).unwrap();
    for windows in [1, 2, 7, 40, 120] {
        let spans = store.spans("w", windows).unwrap();
        for span in spans {
            let (from, to) = (span.point.t_s as usize, (span.point.t_s + span.point.span_s) as usize);
            let mut sorted: Vec<u64> = samples[from..to].iter().flatten().copied().collect();
            sorted.sort_unstable();
            let latency = span.parts[0].latency();
            assert_eq!(latency.moments().sum(), sorted.iter().sum::<u64>());
            assert_eq!(
                (latency.moments().min(), latency.moments().max()),
                (sorted.first().copied(), sorted.last().copied())
            );
            for share in [0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
                let (raw, kept) = (of_samples(&sorted, share), latency.value_at(share).unwrap());
                assert!(kept.abs_diff(raw) as f64 <= raw as f64 * 0.001, "p{share} of {from}..{to}: {kept} and {raw}");
            }
        }
    }
}

fn empty_snapshot(t_s: u64, model: Model) -> Snapshot {
    Snapshot {
        point: SeriesPoint { t_s, ..SeriesPoint::default() },
        rows: Vec::new(),
        totals: Arc::from([]),
        overall: Overall::default(),
        errors: Arc::from([]),
        corrections: Vec::new(),
        model,
        client: ClientState::default(),
    }
}

#[test]
fn runs_are_found_labelled_and_pruned() {
    let folder = Folder::new();
    for id in ["a1", "a2", "b3"] {
        play(&folder.db(), id, 1, Patience::default());
    }
    let store = Store::open_existing(&folder.db()).unwrap();
    assert_eq!(store.find("last").unwrap(), "b3");
    assert_eq!(store.find("b").unwrap(), "b3");
    assert_eq!(store.find("a").unwrap_err().to_string(), "\"a\" could be any of a2, a1: give more of the id");
    assert!(store.find("").is_err() && store.find("%").is_err());
    assert!(store.find("zz").unwrap_err().to_string().starts_with("no run is called \"zz\""));
    store.label("a1", Some("base")).unwrap();
    assert_eq!(store.find("base").unwrap(), "a1");
    let listed = store.list(&RunFilter::default()).unwrap();
    assert_eq!(listed.iter().map(|run| &*run.id).collect::<Vec<_>>(), ["b3", "a2", "a1"]);
    assert_eq!((listed[2].requests, listed[2].failures, listed[2].label.as_deref()), (2, 1, Some("base")));
    assert!(runs_table(&listed).contains("base"));
    let with_text =
        |text: &str| store.list(&RunFilter { text: Some(text.into()), ..RunFilter::default() }).unwrap().len();
    assert_eq!((with_text("bas"), with_text("boom"), with_text("nothing")), (1, 3, 0));

    let keep_one = PruneSpec { keep: Some(1), dry_run: true, ..PruneSpec::default() };
    let ids = |spec: &PruneSpec| store.prune(spec).unwrap().runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    // The one with a label stays, so another goes for it.
    assert_eq!(ids(&keep_one), ["a2", "b3"]);
    assert_eq!(store.list(&RunFilter::default()).unwrap().len(), 3);
    assert_eq!(ids(&PruneSpec { labelled: true, dry_run: false, ..keep_one }), ["a1", "a2"]);
    let orphans: i64 = Connection::open(folder.db())
        .unwrap()
        .query_row("SELECT (SELECT count(*) FROM series) + (SELECT count(*) FROM interval)", [], |row| row.get(0))
        .unwrap();
    // One second of one row: an interval, and two latencies.
    assert_eq!(orphans, 3);
    store.delete("b3").unwrap();
    assert!(store.find("last").is_err());
}

#[test]
fn files_that_are_no_store_are_refused_and_left_alone() {
    let folder = Folder::new();
    let (text, foreign, newer, empty) =
        (folder.0.join("a.txt"), folder.0.join("f.db"), folder.0.join("n.db"), folder.0.join("e.db"));
    std::fs::write(&text, "not a database, and long enough to be looked at: ".repeat(20)).unwrap();
    let error = Store::open(&text).err().unwrap();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("a file that is no SQLite database; name another file"));

    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
    let before = std::fs::read(&foreign).unwrap();
    assert!(matches!(Store::open(&foreign).err().unwrap(), StoreError::Foreign { .. }));
    assert_eq!(std::fs::read(&foreign).unwrap(), before);

    drop(Store::open(&newer).unwrap());
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&newer).err().unwrap().to_string();
    assert!(error.contains("made by a later version of pummel (schema 99, this one knows 1)"), "{error}");

    let unfilled = folder.0.join("u.db");
    Connection::open(&unfilled).unwrap().pragma_update(None, "user_version", 1).unwrap();
    assert!(matches!(Store::open(&unfilled).err().unwrap(), StoreError::Foreign { .. }));

    std::fs::write(&empty, "").unwrap();
    assert!(Store::open(&empty).is_ok());
    assert!(Store::open(&folder.0.join("new/deep/runs.db")).is_ok());
    assert!(matches!(Store::open_existing(&folder.0.join("nowhere.db")).err().unwrap(), StoreError::NotThere { .. }));
    assert!(Store::open(&text.join("below/a/file.db")).is_err());
}

#[test]
fn a_store_that_is_damaged_for_good_is_not_waited_for() {
    let folder = Folder::new();
    drop(Store::open(&folder.db()).unwrap());
    Connection::open(folder.db()).unwrap().execute_batch("DROP TABLE interval").unwrap();
    // Nobody would wait for this test so long.
    let patience = Patience { at_the_end: Duration::from_hours(10), ..Patience::default() };
    let (_, outcome, said) = play(&folder.db(), "gg", 2, patience);
    assert_eq!((outcome.complete, outcome.lost), (false, 0));
    assert!(said[0].contains("no such table: interval"), "{said:?}");
    assert!(outcome.journal.unwrap().exists());
}

#[test]
fn a_damaged_latency_is_said_and_does_not_panic() {
    let folder = Folder::new();
    play(&folder.db(), "ff", 2, Patience::default());
    Connection::open(folder.db()).unwrap().execute("UPDATE series SET hdr = x'00112233' WHERE t_s = 1", []).unwrap();
    let store = Store::open_existing(&folder.db()).unwrap();
    let error = store.spans("ff", usize::MAX).unwrap_err().to_string();
    assert!(error.contains("runs.db"), "{error}");
    // One after the other, what could be read is given.
    let trouble = Trouble::default();
    assert_eq!(store.iter_seconds("ff", &trouble).map(|second| second.point.t_s).collect::<Vec<_>>(), [0]);
    assert!(trouble.take().unwrap().to_string().contains("runs.db"));
    assert!(store.run("ff").is_ok(), "the summary is another part");
}
