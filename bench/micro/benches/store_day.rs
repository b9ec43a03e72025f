//! A day of 20 steps in the store: how much of the disk it takes, and how long its report takes to open. Wanted: at most 1 GiB and 3 s.
//!
//! Each second each step has 40 latencies of a service whose times are log-normal, a different one each second; writing a day takes some
//! minutes. `cargo bench -p pummel-bench-micro --bench store_day`

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use pummel_stats::html::html_report;
use pummel_stats::kept::merged_spans;
use pummel_stats::snapshot::{ClientState, Overall};
use pummel_stats::store::{Store, StoreOutput, Trouble};
use pummel_stats::summary::SeriesPoint;
use pummel_stats::{Begun, Distribution, Model, RowKey, RowKind, RowSecond, RunFacts, Snapshot, Summary};

const DAY_S: u64 = 24 * 3_600;
const STEPS: usize = 20;
const LATENCIES: u64 = 40;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("pummel-store-day-{}", std::process::id()));
    let measured = measure(&folder);
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn measure(folder: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let path = folder.join("runs.db");
    let (spec, watch) = StoreOutput::spec(Store::open(&path)?, Box::new(|what| eprintln!("{what}")))?;
    let mut output = spec.output;
    let facts = RunFacts { id: "day".into(), name: "day".into(), ..RunFacts::default() };
    output.begin(&Arc::new(Begun { facts, model: Model::Closed, started_at: "2026-01-01T00:00:00.000Z".into() }));
    let keys: Vec<Arc<RowKey>> = (0..STEPS).map(key).collect();
    let begun = Instant::now();
    for t_s in 0..DAY_S {
        output.snapshot(&Arc::new(second(t_s, &keys)));
        if t_s % 600 == 0 {
            // What waits stays within memory, as in a run, in which a second takes one.
            while begun.elapsed().as_secs_f64() < t_s as f64 / 2_000.0 {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
    output.finish(&Arc::new(Summary::default()));
    let outcome = watch.outcome();
    println!("written in {:.0} s, all of it in the database: {}", begun.elapsed().as_secs_f64(), outcome.complete);

    let store = Store::open_existing(&path)?;
    let bytes: u64 = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum();
    println!("{} MiB on disk (wanted <= 1,024)", bytes >> 20);
    let opened = Instant::now();
    let run = store.run("day")?;
    let trouble = Trouble::default();
    let page = html_report(&run, merged_spans(store.iter_seconds("day", &trouble), DAY_S, 600));
    if let Some(error) = trouble.take() {
        return Err(error.into());
    }
    println!("report of {} kB, opened in {:.2} s (wanted <= 3)", page.len() / 1_000, opened.elapsed().as_secs_f64());
    Ok(())
}

fn key(step: usize) -> Arc<RowKey> {
    let (case, label, name) = ("shop".into(), "request-GET".into(), format!("step {step}").into());
    Arc::new(RowKey { case, kind: RowKind::Request, label, name })
}

fn second(t_s: u64, keys: &[Arc<RowKey>]) -> Snapshot {
    let rows: Vec<_> = keys.iter().enumerate().map(|(step, key)| Arc::new(row(t_s, step as u64, key))).collect();
    let point = SeriesPoint { t_s, users: 100, requests: LATENCIES * STEPS as u64, ..SeriesPoint::default() };
    Snapshot {
        point,
        rows,
        totals: Arc::from([]),
        overall: Overall::default(),
        errors: Arc::from([]),
        corrections: Vec::new(),
        model: Model::Closed,
        client: ClientState::default(),
    }
}

/// Latencies around 2 ms times the step, by a generator that gives the same each time.
fn row(t_s: u64, step: u64, key: &Arc<RowKey>) -> RowSecond {
    let mut state = t_s.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ step.wrapping_mul(0xD1B5_4A32_D192_ED03) | 1;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let latencies = (0..LATENCIES).map(|_| {
        let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        ((2_000.0 * (step + 1) as f64) * (0.5 * normal).exp()) as u64
    });
    let mut row = RowSecond::new(Arc::clone(key));
    row.latency = Distribution::of(latencies);
    row.succeeded = LATENCIES;
    row.bytes_received = LATENCIES * 500;
    row
}
