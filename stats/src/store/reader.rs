//! A run out of the tables.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;

use rusqlite::{params, Connection, OptionalExtension};

use super::entry::{Kind, Row, ROWS_MAX};
use super::packed::Packer;
use super::writer::read_packed;
use super::{Store, StoreError};
use crate::collector::Model;
use crate::kept::{merged_spans, KeptClient, KeptPart, KeptRun, KeptSecond, PartSum, RunState};
use crate::latency::Distribution;
use crate::row::{RowKey, RowKind};
use crate::summary::{ErrorCount, SeriesPoint, Step, Summary, Transaction};

/// The run clock from one end to the other, as far as SQLite counts.
const ALL_S: Range<u64> = 0..u64::MAX >> 1;

/// Why spans could not be read to their end.
#[derive(Default)]
pub struct Trouble(Cell<Option<StoreError>>);

impl Trouble {
    /// What it was, if anything.
    pub fn take(&self) -> Option<StoreError> {
        self.0.take()
    }
}

impl Store {
    /// The run that answers to a name: its id, the beginning of that, its label, or `last`.
    ///
    /// # Errors
    /// [`StoreError::NotOne`], and what SQLite says.
    pub fn find(&self, name: &str) -> Result<String, StoreError> {
        let broken = |source| self.broken(source);
        if name == "last" {
            let last: Option<String> = self
                .connection
                .query_row("SELECT id FROM run ORDER BY started_unix_s DESC, no DESC LIMIT 1", [], |row| row.get(0))
                .optional()
                .map_err(broken)?;
            return last.ok_or_else(|| StoreError::NotOne { name: name.to_owned(), candidates: Vec::new() });
        }
        let mut candidates = Vec::new();
        // The whole id first, then labels, then beginnings; the first of these that is known decides.
        for condition in ["id = ?1", "label = ?1", "substr(id, 1, length(?1)) = ?1"] {
            let mut found = self
                .connection
                .prepare(&format!("SELECT id FROM run WHERE {condition} ORDER BY no DESC LIMIT 9"))
                .map_err(broken)?;
            candidates = found
                .query_map([name], |row| row.get::<_, String>(0))
                .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
                .map_err(broken)?;
            if !candidates.is_empty() {
                break;
            }
        }
        match candidates.as_slice() {
            [one] if !name.is_empty() => Ok(one.clone()),
            _ => Err(StoreError::NotOne { name: name.to_owned(), candidates }),
        }
    }

    /// A run by its whole id.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn run(&self, id: &str) -> Result<KeptRun, StoreError> {
        let no = self.number(id)?;
        let broken = |source| self.broken(source);
        let damaged = |what: &str, why: String| StoreError::Damaged {
            path: self.path.clone(),
            what: format!("{what} of run {id}"),
            why,
        };
        let rows = rows_of(&self.connection, no).map_err(broken)?;
        let (label, ended, text): (Option<String>, bool, Option<String>) = self
            .connection
            .query_row("SELECT label, ended, summary FROM run WHERE no = ?1", [no], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(broken)?;
        let series = self.series(no).map_err(broken)?;
        let (state, mut summary) = match text.filter(|_| ended) {
            Some(text) => {
                let summary = serde_json::from_str(&text).map_err(|error| damaged("the summary", error.to_string()))?;
                (RunState::Ended, summary)
            }
            None => (RunState::CutOff, self.summed_up(id, no, &rows)?),
        };
        summary.series = series;
        Ok(KeptRun { label, state, summary, rows })
    }

    /// The spans of a run one after the other, the drain last. What keeps one from being read ends them, and is in `trouble` then.
    pub fn iter_seconds<'s>(&'s self, id: &str, trouble: &'s Trouble) -> impl Iterator<Item = KeptSecond> + 's {
        /// So many are read at once.
        const PAGE_S: u64 = 60;
        let no = self.number(id).map_err(|error| trouble.0.set(Some(error))).ok();
        let (mut packer, mut from_s, mut page, mut over) = (Packer::default(), 0, VecDeque::new(), false);
        std::iter::from_fn(move || {
            let no = no?;
            loop {
                if let Some(second) = page.pop_front() {
                    return Some(second);
                }
                if over {
                    return None;
                }
                let next = self.next_span(no, from_s).and_then(|next_s| {
                    let Some(next_s) = next_s else { return Ok(true) };
                    from_s = next_s + PAGE_S;
                    read_spans(&self.connection, &mut packer, no, next_s..from_s, &mut |span| {
                        page.push_back(span);
                        Ok(())
                    })?;
                    Ok(false)
                });
                over = next.unwrap_or_else(|source| {
                    trouble.0.set(Some(self.broken(source)));
                    true
                });
            }
        })
    }

    /// When the first span from a time on begins.
    fn next_span(&self, run: i64, from_s: u64) -> rusqlite::Result<Option<u64>> {
        self.connection
            .prepare_cached("SELECT min(t_s) FROM interval WHERE run = ?1 AND t_s >= ?2")?
            .query_row(params![run, from_s], |row| row.get(0))
    }

    /// The spans of a run, merged to at most about `most`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn spans(&self, id: &str, most: usize) -> Result<Vec<KeptSecond>, StoreError> {
        let no = self.number(id)?;
        let broken = |source| self.broken(source);
        let kinds = requests_of(&self.connection, no).map_err(broken)?;
        let length_s = self
            .connection
            .query_row(
                "SELECT coalesce(max(t_s + span_s), 0) FROM interval WHERE run = ?1 AND drain = 0",
                [no],
                |row| row.get(0),
            )
            .map_err(broken)?;
        let trouble = Trouble::default();
        let is_request = |row: usize| kinds.get(row).copied().unwrap_or(false);
        let mut spans: Vec<_> = merged_spans(self.iter_seconds(id, &trouble), length_s, most).collect();
        for span in &mut spans {
            span.refigure(is_request);
        }
        trouble.take().map_or(Ok(spans), Err)
    }

    pub(super) fn number(&self, id: &str) -> Result<i64, StoreError> {
        let no = self.connection.query_row("SELECT no FROM run WHERE id = ?1", [id], |row| row.get(0)).optional();
        no.map_err(|source| self.broken(source))?
            .ok_or_else(|| StoreError::NotOne { name: id.to_owned(), candidates: Vec::new() })
    }

    fn series(&self, run: i64) -> rusqlite::Result<Vec<SeriesPoint>> {
        let mut statement =
            self.connection.prepare(&format!("SELECT {POINT} FROM interval WHERE run = ?1 ORDER BY t_s"))?;
        let points = statement.query_map([run], point)?;
        points.collect()
    }

    /// The summary of a run that has none of its own.
    fn summed_up(&self, id: &str, run: i64, rows: &[RowKey]) -> Result<Summary, StoreError> {
        let broken = |source| self.broken(source);
        let mut summary = Summary { schema: crate::summary::SCHEMA.to_owned(), ..Summary::default() };
        id.clone_into(&mut summary.run.id);
        let (model, host, plan) = self
            .connection
            .query_row(
                "SELECT name, command, model, version, host, plan, started_at FROM run WHERE no = ?1",
                [run],
                |row| {
                    summary.run.name = row.get(0)?;
                    summary.run.command = row.get(1)?;
                    summary.run.version = row.get(3)?;
                    summary.run.started_at = row.get(6)?;
                    Ok((row.get::<_, String>(2)?, row.get::<_, String>(4)?, row.get::<_, String>(5)?))
                },
            )
            .map_err(broken)?;
        summary.run.model = serde_json::from_value(model.into()).unwrap_or(Model::Closed);
        summary.run.host = serde_json::from_str(&host).unwrap_or_default();
        summary.plan = serde_json::from_str(&plan).unwrap_or_default();
        summary.run.aborted = true;
        summary.errors = self.errors(run).map_err(broken)?;

        let mut sums: Vec<PartSum> = rows.iter().map(|_| PartSum::default()).collect();
        let (mut load_s, mut warmup_s) = (0, 0);
        read_spans(&self.connection, &mut Packer::default(), run, ALL_S, &mut |second| {
            match (second.point.drain, second.point.warmup) {
                (true, _) => {}
                (false, true) => warmup_s += second.point.span_s,
                (false, false) => load_s += second.point.span_s,
            }
            if !second.point.warmup {
                for part in second.parts {
                    if let Some(sum) = sums.get_mut(part.row) {
                        sum.add(part);
                    }
                }
            }
            Ok(())
        })
        .map_err(broken)?;
        summary.run.duration_s = (load_s + warmup_s) as f64;
        (summary.run.load_s, summary.run.warmup_s) = (load_s as f64, warmup_s as f64);
        let sums: Vec<_> = sums.iter().map(PartSum::finish).collect();
        fill_rows(&mut summary, rows, &sums, load_s as f64);
        Ok(summary)
    }

    fn errors(&self, run: i64) -> rusqlite::Result<Vec<ErrorCount>> {
        let mut statement =
            self.connection.prepare("SELECT kind, step, message, count FROM error WHERE run = ?1 ORDER BY n")?;
        let errors = statement.query_map([run], |row| {
            Ok(ErrorCount { kind: row.get(0)?, step: row.get(1)?, message: row.get(2)?, count: row.get(3)? })
        })?;
        errors.collect()
    }
}

/// Steps, transactions and totals of a summary from the sums of rows over `load_s` seconds.
fn fill_rows(summary: &mut Summary, rows: &[RowKey], sums: &[KeptPart], load_s: f64) {
    let rate = |count: u64| if load_s > 0.0 { count as f64 / load_s } else { 0.0 };
    let open = summary.run.model == Model::Open;
    let responses = |part: &KeptPart| if open { part.response_us.clone() } else { part.service_us.clone() };
    for (key, sum) in rows.iter().zip(sums) {
        let (case, label, name) = (key.case.to_string(), key.label.to_string(), key.name.to_string());
        let count = sum.succeeded + sum.failed;
        match key.kind {
            RowKind::Request => {
                let totals = &mut summary.totals;
                totals.requests += count;
                totals.failures += sum.failed;
                totals.bytes_received += sum.bytes_received;
                totals.bytes_sent += sum.bytes_sent;
                summary.steps.push(Step {
                    case,
                    label,
                    name,
                    requests: count,
                    failures: sum.failed,
                    rps: rate(count),
                    bytes_received: sum.bytes_received,
                    bytes_sent: sum.bytes_sent,
                    service_us: sum.service_us.latency(),
                    response_us: responses(sum).latency(),
                    failed_us: sum.failed_us.latency(),
                    ..Step::default()
                });
            }
            RowKind::Transaction => summary.transactions.push(Transaction {
                case,
                label,
                name,
                passed: sum.succeeded,
                failed: sum.failed,
                rps: rate(count),
                duration_us: sum.service_us.latency(),
            }),
            RowKind::Setup => {}
        }
    }
    let totals = &mut summary.totals;
    totals.rps = rate(totals.requests);
    totals.failure_ratio = if totals.requests > 0 { totals.failures as f64 / totals.requests as f64 } else { 0.0 };
    let latency = |of: fn(&KeptPart) -> &Distribution| {
        let requests = rows.iter().zip(sums).filter(|(key, _)| key.kind == RowKind::Request);
        Distribution::merged(requests.map(|(_, sum)| of(sum))).latency()
    };
    totals.service_us = latency(|part| &part.service_us);
    totals.response_us = if open { latency(|part| &part.response_us) } else { totals.service_us.clone() };
    totals.failed_us = latency(|part| &part.failed_us);
}

fn rows_of(connection: &Connection, run: i64) -> rusqlite::Result<Vec<RowKey>> {
    let mut statement =
        connection.prepare("SELECT case_name, kind, type, name, n FROM row WHERE run = ?1 ORDER BY n")?;
    let rows = statement.query_map([run], |row| {
        let (kind, place): (String, usize) = (row.get(1)?, row.get(4)?);
        let kind = Kind::of_name(&kind).unwrap_or(Kind::Request);
        Ok((place, Row { place, case: row.get(0)?, kind, label: row.get(2)?, name: row.get(3)? }.key()))
    })?;
    let unknown = RowKey { case: "".into(), kind: RowKind::Setup, label: "".into(), name: "unknown".into() };
    by_place(rows, &unknown)
}

/// Which rows of a run are requests, by place.
pub(super) fn requests_of(connection: &Connection, run: i64) -> rusqlite::Result<Vec<bool>> {
    let mut statement = connection.prepare_cached("SELECT n, kind = 'request' FROM row WHERE run = ?1 ORDER BY n")?;
    let kinds = statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    by_place(kinds, &false)
}

/// What stands at each place, `missing` where the store does not say, which is so only where something was lost.
fn by_place<T: Clone>(
    rows: impl Iterator<Item = rusqlite::Result<(usize, T)>>,
    missing: &T,
) -> rusqlite::Result<Vec<T>> {
    let mut placed = Vec::new();
    for row in rows {
        let (place, row) = row?;
        if place >= ROWS_MAX {
            return Err(rusqlite::Error::IntegralValueOutOfRange(0, place as i64));
        }
        placed.resize(place, missing.clone());
        placed.push(row);
    }
    Ok(placed)
}

/// The columns of an interval that [`point`] reads.
const POINT: &str =
    "t_s, span_s, warmup, drain, users, requests, failures, bytes_received, handshakes, plugin_calls, arrivals, \
                     arrivals_missed, p50_us, p95_us, p99_us";

fn point(row: &rusqlite::Row<'_>) -> rusqlite::Result<SeriesPoint> {
    Ok(SeriesPoint {
        t_s: row.get(0)?,
        span_s: row.get(1)?,
        warmup: row.get(2)?,
        drain: row.get(3)?,
        users: row.get(4)?,
        requests: row.get(5)?,
        failures: row.get(6)?,
        bytes_received: row.get(7)?,
        handshakes: row.get(8)?,
        plugin_calls: row.get(9)?,
        arrivals: row.get(10)?,
        arrivals_missed: row.get(11)?,
        p50_us: row.get(12)?,
        p95_us: row.get(13)?,
        p99_us: row.get(14)?,
    })
}

/// Gives the spans that begin within some seconds to `each`, in order.
pub(super) fn read_spans(
    connection: &Connection,
    packer: &mut Packer,
    run: i64,
    within_s: Range<u64>,
    each: &mut dyn FnMut(KeptSecond) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut intervals = connection.prepare_cached(&format!(
        "SELECT {POINT} FROM interval WHERE run = ?1 AND t_s >= ?2 AND t_s < ?3 ORDER BY t_s"
    ))?;
    let mut clients = connection.prepare_cached(
        "SELECT cpu_share_max, connections_open, connections_opened, time_wait FROM client WHERE run = ?1 AND t_s = ?2",
    )?;
    let mut activity = connection.prepare_cached(
        "SELECT row, succeeded, failed, bytes_received, bytes_sent FROM activity WHERE run = ?1 AND t_s = ?2 ORDER BY row",
    )?;
    let mut series = connection.prepare_cached(
        "SELECT row, kind, count, min_us, max_us, sum_us, sum_squares, hdr FROM series WHERE run = ?1 AND t_s = ?2",
    )?;
    let mut found = intervals.query(params![run, within_s.start, within_s.end])?;
    while let Some(row) = found.next()? {
        let point = point(row)?;
        let t_s = point.t_s;
        let client = clients
            .query_row(params![run, t_s], |row| {
                Ok(KeptClient {
                    cpu_share_max: row.get(0)?,
                    connections_open: row.get(1)?,
                    connections_opened: row.get(2)?,
                    time_wait: row.get(3)?,
                })
            })
            .optional()?
            .unwrap_or_default();
        let mut parts = activity
            .query_map(params![run, t_s], |row| {
                Ok(KeptPart {
                    row: row.get(0)?,
                    succeeded: row.get(1)?,
                    failed: row.get(2)?,
                    bytes_received: row.get(3)?,
                    bytes_sent: row.get(4)?,
                    ..KeptPart::default()
                })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut latencies = series.query(params![run, t_s])?;
        while let Some(row) = latencies.next()? {
            let place: usize = row.get(0)?;
            let packed = read_packed(row, 2)?;
            let distribution = packer
                .unpack(&packed)
                .map_err(|why| rusqlite::Error::FromSqlConversionFailure(7, rusqlite::types::Type::Blob, why.into()))?;
            let Ok(at) = parts.binary_search_by_key(&place, |part| part.row) else { continue };
            let part = &mut parts[at];
            match row.get_ref(1)?.as_str()? {
                "service" => part.service_us = distribution,
                "response" => part.response_us = distribution,
                _ => part.failed_us = distribution,
            }
        }
        each(KeptSecond { point, client, parts })?;
    }
    Ok(())
}
