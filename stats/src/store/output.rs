//! The output of a run that keeps it in a store.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::ErrorCode;

use super::entry::{Begin, Entry, Numbered, Part, Row, Second};
use super::packed::Packer;
use super::queue::{Next, Queue, MEMORY_BYTES};
use super::writer::{WriteError, Writer};
use super::Store;
use crate::background::step_back;
use crate::clock::unix_s;
use crate::collector::Model;
use crate::kept::KeptClient;
use crate::output::{Begun, Delivery, Output, OutputSpec};
use crate::row::RowKey;
use crate::snapshot::{RowSecond, Snapshot};
use crate::summary::{ErrorCount, SeriesPoint, Summary};

/// How long the database is tried at the end of a run before what it has not taken goes to a journal: longer than the longest hang that is
/// to be ridden out, 30 s, and shorter than what an output gets.
const AT_THE_END: Duration = Duration::from_secs(45);

/// The same where there is no room on the disk, which seldom comes by itself.
const A_FULL_DISK: Duration = Duration::from_secs(3);

/// A database that has taken nothing for so long is worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(5);

/// Between two attempts to write.
const RETRY: Duration = Duration::from_millis(200);

/// Says something to the user while the run goes on.
pub type Tell = Box<dyn Fn(&str) + Send + Sync>;

/// Keeps a run in a store. Made before the run, so that a file that cannot be one costs no run.
pub struct StoreOutput {
    shared: Arc<Shared>,
    packer: Packer,
    run: String,
    open: bool,
    number: u64,
    rows: HashMap<Arc<RowKey>, usize>,
    errors: Arc<[ErrorCount]>,
}

/// How much is borne before the database is given up.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// What may wait in memory before the rest goes to a journal, bytes.
    pub memory_bytes: usize,
    /// How long the end of the run waits for the database.
    pub at_the_end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { memory_bytes: MEMORY_BYTES, at_the_end: AT_THE_END }
    }
}

/// What became of a run's keeping, for who made the output.
pub struct StoreWatch {
    shared: Arc<Shared>,
}

/// What became of a run's keeping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreOutcome {
    /// The run's id, once it began.
    pub run: Option<String>,
    /// All of the run is in the store.
    pub complete: bool,
    /// What is not, as a file that `pummel report --recover` reads.
    pub journal: Option<PathBuf>,
    /// Seconds that are nowhere: there was no room left on any disk.
    pub lost: u64,
}

struct Shared {
    queue: Queue,
    store: PathBuf,
    outcome: Mutex<StoreOutcome>,
    told: Mutex<bool>,
    hindrance: Mutex<Hindrance>,
    tell: Tell,
    at_the_end: Duration,
}

/// What keeps the database from taking anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hindrance {
    #[default]
    None,
    /// It is locked, or its disk does not answer: that passes.
    Passing,
    /// There is no room.
    Full,
    /// It is damaged, read-only or not the one it was: waiting mends nothing.
    Lasting,
}

impl Hindrance {
    fn of(error: &WriteError) -> Self {
        match error {
            WriteError::Gap { .. } => Self::Lasting,
            WriteError::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::SystemIoFailure) => Self::Passing,
                Some(ErrorCode::DiskFull) => Self::Full,
                _ => Self::Lasting,
            },
        }
    }
}

impl StoreOutput {
    /// An output into `store`; `tell` hears, once, that the store takes nothing.
    ///
    /// # Errors
    /// The store cannot be written by this user; the system refused a thread.
    pub fn spec(store: Store, tell: Tell) -> std::io::Result<(OutputSpec, StoreWatch)> {
        Self::with_patience(store, tell, Patience::default())
    }

    /// The same with bounds of its own.
    ///
    /// # Errors
    /// The store cannot be written by this user; the system refused a thread.
    pub fn with_patience(store: Store, tell: Tell, patience: Patience) -> std::io::Result<(OutputSpec, StoreWatch)> {
        if store.connection.is_readonly("main").unwrap_or(false) {
            let why = format!(
                "{}: this user may read it but not write it; name another file (--store FILE), or none (--store none)",
                store.path.display()
            );
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, why));
        }
        let shared = Arc::new(Shared {
            queue: Queue::new(&store.path, env::temp_dir(), patience.memory_bytes),
            store: store.path.clone(),
            outcome: Mutex::default(),
            told: Mutex::new(false),
            hindrance: Mutex::default(),
            tell,
            at_the_end: patience.at_the_end,
        });
        let writer = Arc::clone(&shared);
        thread::Builder::new().name("store".to_owned()).spawn(move || writer.write(store))?;
        let output = Self {
            shared: Arc::clone(&shared),
            packer: Packer::default(),
            run: String::new(),
            open: false,
            number: 0,
            rows: HashMap::new(),
            errors: Arc::default(),
        };
        let spec = OutputSpec { name: "store".to_owned(), delivery: Delivery::Lossless, output: Box::new(output) };
        Ok((spec, StoreWatch { shared }))
    }

    fn push(&mut self, entry: Entry) {
        self.number += 1;
        self.shared.queue.push(Numbered { run: self.run.clone(), number: self.number, after: 0, entry });
        if self.shared.queue.stuck_for() > WORTH_A_WORD {
            self.shared.tell_once("it has taken nothing for 5 s");
        }
    }

    fn second(&mut self, point: &SeriesPoint, rows: &[Arc<RowSecond>], client: KeptClient) -> Second {
        let mut second = Second { point: point.clone(), client, ..Second::default() };
        for row in rows {
            let next = self.rows.len();
            let place = *self.rows.entry(Arc::clone(&row.key)).or_insert_with(|| {
                second.new_rows.push(Row::of(next, &row.key));
                next
            });
            second.parts.push(Part::of(&mut self.packer, place, row, self.open));
        }
        second
    }
}

impl Output for StoreOutput {
    fn begin(&mut self, run: &Arc<Begun>) {
        self.run.clone_from(&run.facts.id);
        self.open = run.model == Model::Open;
        self.shared.outcome.lock().unwrap_or_else(PoisonError::into_inner).run = Some(self.run.clone());
        self.push(Entry::Begin(Box::new(Begin {
            name: run.facts.name.clone(),
            command: run.facts.command.clone(),
            version: run.facts.version.clone(),
            model: run.model,
            started_at: run.started_at.clone(),
            started_unix_s: unix_s(),
            host: run.facts.host.clone(),
            plan: run.facts.plan.clone(),
        })));
    }

    fn snapshot(&mut self, snapshot: &Arc<Snapshot>) {
        let client = KeptClient {
            cpu_share_max: snapshot.client.cpu_share_max,
            connections_open: snapshot.client.connections_open,
            connections_opened: snapshot.client.connections_opened,
            time_wait: snapshot.client.time_wait,
        };
        for correction in &snapshot.corrections {
            let late = self.second(&correction.point, &correction.rows, client);
            self.push(Entry::Late(Box::new(late)));
        }
        let carries_nothing = snapshot.point.drain && snapshot.rows.is_empty() && snapshot.point.requests == 0;
        if carries_nothing {
            return;
        }
        let mut second = self.second(&snapshot.point, &snapshot.rows, client);
        if *self.errors != *snapshot.errors {
            self.errors = Arc::clone(&snapshot.errors);
            second.errors = Some(self.errors.to_vec());
        }
        self.push(Entry::Second(Box::new(second)));
    }

    fn finish(&mut self, summary: &Arc<Summary>) {
        let mut summary = Summary::clone(summary);
        summary.series = Vec::new();
        self.push(Entry::End(Box::new(summary)));
        self.shared.queue.close();
        let complete = self.shared.queue.wait_until_written(|| self.shared.patience());
        let (journal, lost) = if complete { (None, self.shared.queue.lost()) } else { self.shared.queue.abandon() };
        let mut outcome = self.shared.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        (outcome.complete, outcome.journal, outcome.lost) = (complete && lost == 0, journal, lost);
    }
}

impl StoreWatch {
    /// What became of it; of use once the run has ended.
    pub fn outcome(&self) -> StoreOutcome {
        self.shared.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    /// The writer's thread.
    fn write(&self, mut store: Store) {
        step_back();
        let mut writer = Writer::default();
        loop {
            let (entries, journalled) = match self.queue.next() {
                Next::Write(entries) => (entries, false),
                Next::Journalled(entries) => (entries, true),
                Next::Done => return,
            };
            while let Err(error) = writer.write(&mut store.connection, &entries) {
                self.set(Hindrance::of(&error));
                if let WriteError::Gap { lacking } = error {
                    self.queue.lacks(lacking);
                }
                self.tell_once(&error.to_string());
                if self.queue.is_abandoned() {
                    return;
                }
                thread::sleep(RETRY);
            }
            self.set(Hindrance::None);
            self.queue.written(entries.len(), journalled);
        }
    }

    fn set(&self, hindrance: Hindrance) {
        *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) = hindrance;
    }

    /// How long the end of the run waits, as things stand.
    fn patience(&self) -> Duration {
        match *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) {
            Hindrance::None | Hindrance::Passing => self.at_the_end,
            Hindrance::Full => A_FULL_DISK.min(self.at_the_end),
            Hindrance::Lasting => Duration::ZERO,
        }
    }

    fn tell_once(&self, why: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *told, true) {
            let store = self.store.display();
            (self.tell)(&format!(
                "the store {store} cannot be written: {why}; the load goes on, and what happens is kept until it can be"
            ));
        }
    }
}
