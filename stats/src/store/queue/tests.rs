use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::entry::{Begin, Kind, Part, Second};
use super::super::journal::JournalFile;
use super::super::writer::{WriteError, Writer};
use super::super::{JournalError, RecoverError, Recovered, Store};
use super::*;
use crate::collector::Model;
use crate::summary::{Host, SeriesPoint};

/// A folder of the test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pummel-queue-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("elsewhere")).unwrap();
        Self(path)
    }

    fn db(&self) -> PathBuf {
        self.0.join("runs.db")
    }

    /// A folder that is none, so that nothing can be made in it.
    fn nowhere(&self) -> PathBuf {
        fs::write(self.0.join("file"), "").unwrap();
        self.0.join("file/below")
    }

    fn elsewhere(&self) -> PathBuf {
        self.0.join("elsewhere")
    }

    /// A queue with a journal beside the store, or nowhere; there is room for so many entries in memory.
    fn queue(&self, entries: usize) -> Queue {
        Queue::new(&self.db(), self.nowhere(), entries * entry(9).entry.held_bytes())
    }

    fn journals(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "journal")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn begin() -> Numbered {
    let begin = Begin {
        name: "shop".into(),
        command: "boom".into(),
        version: "1".into(),
        model: Model::Closed,
        started_at: "2026-01-01T00:00:00.000Z".into(),
        started_unix_s: 0,
        host: Host::default(),
        plan: serde_json::Value::Null,
    };
    Numbered { run: "aa".into(), number: 1, after: 0, entry: Entry::Begin(Box::new(begin)) }
}

fn row(place: usize, name: &str) -> Row {
    Row { place, case: "c".into(), kind: Kind::Request, label: "GET".into(), name: name.into() }
}

/// Entry n, which is second n - 2 with as many requests as its number.
fn entry(number: u64) -> Numbered {
    with_rows(number, Vec::new())
}

fn with_rows(number: u64, new_rows: Vec<Row>) -> Numbered {
    let point = SeriesPoint { t_s: number - 2, requests: number, ..SeriesPoint::default() };
    let parts = vec![Part { row: new_rows.last().map_or(0, |row| row.place), succeeded: number, ..Part::default() }];
    let second = Second { point, new_rows, parts, ..Second::default() };
    Numbered { run: "aa".into(), number, after: 0, entry: Entry::Second(Box::new(second)) }
}

/// Writes all there is into a store; gives the numbers in the order written.
fn drain(queue: &Queue, store: &mut Store) -> Vec<u64> {
    queue.close();
    let (mut writer, mut numbers) = (Writer::default(), Vec::new());
    loop {
        let (entries, journalled) = match queue.next() {
            Next::Write(entries) => (entries, false),
            Next::Journalled(entries) => (entries, true),
            Next::Done => return numbers,
        };
        writer.write(&mut store.connection, &entries).unwrap();
        numbers.extend(entries.iter().map(|entry| entry.number));
        queue.written(entries.len(), journalled);
    }
}

/// Requests of a run in a store, second by second.
fn requests(store: &Store) -> Vec<u64> {
    store.run("aa").unwrap().summary.series.iter().map(|point| point.requests).collect()
}

/// From now on nothing can be added to the journal.
fn fill_the_disk(queue: &Queue) {
    queue.lock().journal.as_mut().unwrap().refuse();
}

#[test]
fn what_comes_after_a_journal_that_cannot_grow_is_written_after_it() {
    let folder = Folder::new();
    let queue = folder.queue(2);
    queue.push(begin());
    // Two in memory, three in the journal, and two behind it.
    (2..=5).for_each(|number| queue.push(entry(number)));
    fill_the_disk(&queue);
    (6..=7).for_each(|number| queue.push(entry(number)));
    let state = queue.lock();
    let behind: Vec<_> = state.behind.iter().map(|entry| entry.number).collect();
    assert_eq!((state.waiting.len() as u64 + 1, behind), (3, vec![6, 7]));
    drop(state);

    let mut store = Store::open(&folder.db()).unwrap();
    assert_eq!(drain(&queue, &mut store), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(requests(&store), [2, 3, 4, 5, 6, 7]);
    assert!(queue.wait_until_written(|| Duration::ZERO));
    assert_eq!((queue.lost(), folder.journals().len()), (0, 0));
}

#[test]
fn where_memory_is_full_too_the_journal_is_tried_again_and_the_order_stays() {
    let folder = Folder::new();
    let queue = folder.queue(1);
    queue.push(begin());
    (2..=3).for_each(|number| queue.push(entry(number)));
    fill_the_disk(&queue);
    // In memory there is room for four times one; one is there.
    (4..=6).for_each(|number| queue.push(entry(number)));
    assert_eq!(queue.lock().behind.len(), 3);
    queue.lock().journal.as_mut().unwrap().take_again();
    queue.push(entry(7));
    assert_eq!(queue.lock().behind.len(), 0);
    assert_eq!(queue.lost(), 0);
    let mut store = Store::open(&folder.db()).unwrap();
    assert_eq!(drain(&queue, &mut store), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn an_entry_that_was_lost_is_counted_and_its_rows_keep_their_places() {
    let folder = Folder::new();
    let queue = Queue::new(&folder.nowhere(), folder.nowhere(), entry(9).entry.held_bytes());
    queue.push(begin());
    let long = "a".repeat(100_000);
    // Too long for all there is.
    queue.push(with_rows(2, vec![row(0, &long)]));
    assert_eq!(queue.lost(), 1);
    queue.lock().owed_rows[0].name = "a".into();
    queue.push(with_rows(3, vec![row(1, "b")]));
    assert_eq!(queue.lost(), 1);

    let mut store = Store::open(&folder.db()).unwrap();
    assert_eq!(drain(&queue, &mut store), [1, 3]);
    let names: Vec<_> = store.run("aa").unwrap().rows.iter().map(|row| row.name.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    for second in store.spans("aa", usize::MAX).unwrap() {
        assert_eq!((second.parts[0].row, second.parts[0].succeeded), (1, 3));
    }
}

#[test]
fn rows_stand_where_they_say_though_one_before_them_is_lacking() {
    let folder = Folder::new();
    let mut store = Store::open(&folder.db()).unwrap();
    let entries = [begin(), with_rows(3, vec![row(1, "b")])];
    assert_eq!(Writer::default().write_what_there_is(&mut store.connection, &entries).unwrap(), 1);
    let names: Vec<_> = store.run("aa").unwrap().rows.iter().map(|row| row.name.to_string()).collect();
    assert_eq!(names, ["unknown", "b"]);
}

#[test]
fn a_gap_that_nobody_knows_of_stops_the_writer() {
    let folder = Folder::new();
    let mut store = Store::open(&folder.db()).unwrap();
    let mut writer = Writer::default();
    let numbered = |number, after| Arc::new(Numbered { after, ..entry(number) });
    writer.write(&mut store.connection, &[Arc::new(begin()), numbered(2, 1)]).unwrap();
    let refused = writer.write(&mut store.connection, &[numbered(5, 4)]).unwrap_err();
    assert!(matches!(refused, WriteError::Gap { lacking: 2 }), "{refused}");
    assert_eq!(requests(&store), [2]);
    // Those between were lost, and that is known.
    writer.write(&mut store.connection, &[numbered(5, 2)]).unwrap();
    assert_eq!(requests(&store), [2, 5]);
}

#[test]
fn a_journal_stands_alone_and_is_taken_in_once_the_run_is_over() {
    let folder = Folder::new();
    let queue = folder.queue(2);
    queue.push(begin());
    queue.push(with_rows(2, vec![row(0, "a")]));
    (3..=6).for_each(|number| queue.push(entry(number)));
    let journal = folder.journals().pop().unwrap();
    assert_eq!(fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o600);
    let in_memory = queue.lock().waiting.len() as u64;
    let mut store = Store::open(&folder.db()).unwrap();
    let refused = store.recover(&journal).unwrap_err();
    assert!(matches!(refused, RecoverError::Journal(JournalError::InUse { .. })), "{refused}");
    assert!(store.run("aa").is_err());

    // The process is killed; what it had in memory is gone, but for the beginning.
    drop(queue);
    let missing = in_memory - 1;
    assert!(missing > 0);
    assert_eq!(store.recover(&journal).unwrap(), [Recovered { run: "aa".into(), missing }]);
    assert_eq!(requests(&store), (2 + missing..=6).collect::<Vec<_>>());
    assert_eq!(&*store.run("aa").unwrap().rows[0].name, "a");

    // Without its head it belongs to nothing, and says so.
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.split_inclusive('\n').skip(2).collect::<String>()).unwrap();
    store.delete("aa").unwrap();
    let refused = store.recover(&journal).unwrap_err().to_string();
    assert!(refused.contains("the beginning of run aa is neither in it nor in the store"), "{refused}");
}

#[test]
fn what_the_store_has_of_a_run_and_its_journal_go_together() {
    let folder = Folder::new();
    let queue = folder.queue(2);
    queue.push(begin());
    (2..=6).for_each(|number| queue.push(entry(number)));
    let mut store = Store::open(&folder.db()).unwrap();
    let Next::Write(entries) = queue.next() else { panic!("there is something in memory") };
    Writer::default().write(&mut store.connection, &entries).unwrap();
    let (journal, lost) = queue.abandon();
    assert_eq!(lost, 0);
    // Written after what came later, which is no matter.
    assert_eq!(store.recover(&journal.unwrap()).unwrap(), [Recovered { run: "aa".into(), missing: 0 }]);
    assert_eq!(requests(&store), [2, 3, 4, 5, 6]);
}

#[test]
fn each_run_has_a_journal_of_its_own_and_no_file_that_is_there_is_touched() {
    let folder = Folder::new();
    let there = folder.0.join("runs.db.aa.journal");
    fs::write(&there, "of somebody else").unwrap();
    let queue = Queue::new(&folder.db(), folder.elsewhere(), 0);
    queue.push(begin());
    queue.push(entry(2));
    let elsewhere = folder.elsewhere().join("runs.db.aa.journal");
    assert_eq!(queue.lock().journal.as_ref().unwrap().path(), elsewhere);
    assert_eq!(fs::metadata(&elsewhere).unwrap().permissions().mode() & 0o777, 0o600);
    let other = Queue::new(&folder.db(), folder.elsewhere(), 0);
    other.push(Numbered { run: "bb".into(), ..begin() });
    let mut store = Store::open(&folder.db()).unwrap();
    assert_eq!(drain(&queue, &mut store), [1, 2]);
    assert!(!elsewhere.exists());
    assert_eq!(fs::read_to_string(&there).unwrap(), "of somebody else");
    let (journal, lost) = other.abandon();
    assert_eq!(lost, 0);
    assert_eq!(JournalFile::open(&journal.unwrap()).unwrap().runs().collect::<Vec<_>>(), [("bb", true)]);
}

#[test]
fn a_journal_without_room_goes_elsewhere_whole_and_leaves_nothing_where_that_fails() {
    let folder = Folder::new();
    let queue = Queue::new(&folder.db(), folder.elsewhere(), 0);
    queue.push(begin());
    queue.push(entry(2));
    fill_the_disk(&queue);
    queue.push(entry(3));
    assert_eq!(folder.journals().len(), 0);
    let elsewhere = folder.elsewhere().join("runs.db.aa.journal");
    assert_eq!(queue.lock().journal.as_ref().unwrap().path(), elsewhere);

    let gone = folder.0.join("gone");
    let other = Journal::make(&gone, &[]).unwrap();
    fs::remove_file(&gone).unwrap();
    let copy = folder.0.join("copy");
    assert!(other.copied(&copy).is_err());
    assert!(!copy.exists());

    let mut store = Store::open(&folder.db()).unwrap();
    assert_eq!(drain(&queue, &mut store), [1, 2, 3]);
    assert!(!elsewhere.exists());
}

#[test]
fn a_journal_that_cannot_be_read_back_stays_with_all_that_follows() {
    let folder = Folder::new();
    let queue = folder.queue(0);
    queue.push(begin());
    queue.push(entry(2));
    let path = folder.journals().pop().unwrap();
    let hidden = folder.0.join("hidden");
    fs::rename(&path, &hidden).unwrap();
    queue.close();
    assert!(matches!(queue.next(), Next::Done));
    queue.push(entry(3));
    assert!(!queue.wait_until_written(|| Duration::from_mins(10)));
    fs::rename(&hidden, &path).unwrap();
    assert_eq!(queue.abandon(), (Some(path.clone()), 0));
    let mut store = Store::open(&folder.db()).unwrap();
    assert_eq!(store.recover(&path).unwrap(), [Recovered { run: "aa".into(), missing: 0 }]);
    assert_eq!(requests(&store), [2, 3]);
}

#[test]
fn a_run_that_lacks_years_is_rolled_up_without_a_look_at_each_minute() {
    let folder = Folder::new();
    let mut store = Store::open(&folder.db()).unwrap();
    let year_s = 365 * 24 * 3_600;
    let late = Numbered { entry: entry(year_s * 9 + 2).entry, ..entry(3) };
    Writer::default().write_what_there_is(&mut store.connection, &[begin(), entry(2), late]).unwrap();
    assert_eq!(requests(&store), [2, year_s * 9 + 2]);
    let steps = store.connection.query_row("SELECT rolled_until_s FROM run", [], |row| row.get::<_, u64>(0)).unwrap();
    // The first minute alone was merged.
    assert_eq!(steps, 60);
}

#[test]
fn what_comes_late_for_a_second_that_is_lacking_is_one_of_its_own() {
    let folder = Folder::new();
    let mut store = Store::open(&folder.db()).unwrap();
    let Entry::Second(second) = entry(7).entry else { panic!("a second") };
    let late = Numbered { entry: Entry::Late(second), ..entry(3) };
    Writer::default().write_what_there_is(&mut store.connection, &[begin(), entry(2), late]).unwrap();
    assert_eq!(requests(&store), [2, 7]);
    let listed = store.list(&crate::store::RunFilter::default()).unwrap();
    assert_eq!(listed[0].requests, 9);
}

#[test]
fn a_store_that_this_user_may_only_read_keeps_no_run() {
    let folder = Folder::new();
    drop(Store::open(&folder.db()).unwrap());
    let connection =
        rusqlite::Connection::open_with_flags(folder.db(), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let store = Store { path: folder.db(), connection };
    let refused = crate::store::StoreOutput::spec(store, Box::new(|_: &str| {})).err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    assert!(refused.to_string().contains("this user may read it but not write it"), "{refused}");
}

#[test]
fn a_journal_of_what_no_run_says_is_refused() {
    let Numbered { entry: Entry::Second(mut minute), .. } = entry(2) else { panic!("a second") };
    minute.point.span_s = 60;
    let minute = Numbered { entry: Entry::Second(minute), ..entry(2) };
    for (wrong, why) in [
        (entry(1_000_000_000_000_000), "a second 999999999999998, where no run is longer than"),
        (minute, "a second of 60 s"),
    ] {
        let folder = Folder::new();
        let queue = folder.queue(0);
        queue.push(begin());
        queue.push(wrong);
        let (journal, _) = queue.abandon();
        let mut store = Store::open(&folder.db()).unwrap();
        let refused = store.recover(&journal.unwrap()).unwrap_err().to_string();
        assert!(refused.contains(&format!(":2: not a journal of a store: {why}")), "{refused}");
    }
}
