//! Entries into tables.

use std::ops::Range;

use rusqlite::{params, Connection, OptionalExtension, Result, Transaction, TransactionBehavior};

use super::entry::{Begin, Entry, Numbered, Part, Row, Second};
use super::packed::{Packed, Packer};
use super::reader::{read_spans, requests_of};
use super::rollup;
use crate::clock::unix_s;
use crate::summary::{ErrorCount, SeriesPoint, Summary};
use crate::Verdict;

/// What a row of the tables `activity` and `series` takes beside the payload, bytes.
const ROW_BYTES: i64 = 60;

/// Why entries were not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// Entries that were written are not there.
    #[error(
        "it lacks {lacking} entries of this run that were written before; it was replaced or changed by something else"
    )]
    Gap { lacking: u64 },
}

/// Entries that come before one, and that the store has not had.
#[derive(Clone, Copy, Default)]
struct Gap {
    /// Without those that were lost before they came here.
    lacking: u64,
    /// All of them.
    missing: u64,
}

/// Writes entries; one of these for each connection.
#[derive(Default)]
pub(super) struct Writer {
    packer: Packer,
}

impl Writer {
    /// Writes entries, all or none of them. One that was written before is passed over.
    ///
    /// # Errors
    /// What SQLite says; the store lacks an entry that comes before these.
    pub(super) fn write(
        &mut self,
        connection: &mut Connection,
        entries: &[impl AsRef<Numbered>],
    ) -> Result<(), WriteError> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for entry in entries {
            let gap = self.apply(&transaction, entry.as_ref())?;
            if gap.lacking > 0 {
                return Err(WriteError::Gap { lacking: gap.lacking });
            }
        }
        Ok(transaction.commit()?)
    }

    /// The same of a run that nobody writes any more: what is lacking does not come. Gives how many entries that is.
    pub(super) fn write_what_there_is(&mut self, connection: &mut Connection, entries: &[Numbered]) -> Result<u64> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut missing = 0;
        for entry in entries {
            missing += self.apply(&transaction, entry)?.missing;
        }
        transaction.commit()?;
        Ok(missing)
    }

    /// Gives what the store has not had before this one.
    fn apply(&mut self, transaction: &Transaction<'_>, numbered: &Numbered) -> Result<Gap> {
        let Numbered { run: id, number, after, entry } = numbered;
        let known: Option<(i64, u64)> = transaction
            .prepare_cached("SELECT no, applied FROM run WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (run, applied) = match (known, entry) {
            (Some((run, _)), Entry::Rows(rows)) => {
                insert_rows(transaction, run, rows)?;
                return Ok(Gap::default());
            }
            (Some((_, applied)), _) if *number <= applied => return Ok(Gap::default()),
            (Some(known), _) => known,
            (None, Entry::Begin(begin)) => (insert_run(transaction, id, begin)?, 0),
            // Somebody deleted the run while it went on: it belongs to nothing.
            (None, _) => return Ok(Gap::default()),
        };
        let mut bytes = match entry {
            Entry::Begin(_) | Entry::Rows(_) => 0,
            Entry::Second(second) => insert_second(transaction, run, second)?,
            Entry::Late(second) => self.add_late(transaction, run, second)?,
            Entry::End(summary) => end(transaction, run, summary)?,
        };
        bytes += rollup::roll_up(transaction, &mut self.packer, run)?;
        transaction
            .prepare_cached("UPDATE run SET applied = ?2, written_unix_s = ?3, bytes = bytes + ?4 WHERE no = ?1")?
            .execute(params![run, number, unix_s(), bytes])?;
        Ok(Gap { lacking: after.saturating_sub(applied), missing: number - applied - 1 })
    }

    /// What came late is added to the span it belongs to, which may have been merged since.
    fn add_late(&mut self, transaction: &Transaction<'_>, run: i64, second: &Second) -> Result<i64> {
        learn(transaction, run, second)?;
        let there: Option<(u64, u64, u64, u64)> = transaction
            .prepare_cached(
                "SELECT t_s, span_s, requests, failures FROM interval WHERE run = ?1 AND t_s <= ?2 \
                 ORDER BY t_s DESC LIMIT 1",
            )?
            .query_row(params![run, second.point.t_s], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let point = &second.point;
        let covers = |t_s: u64, span_s: u64| point.t_s - t_s < span_s;
        let Some((t_s, span_s, requests, failures)) = there.filter(|there| covers(there.0, there.1)) else {
            return insert_second(transaction, run, second);
        };
        let mut bytes = 0;
        for part in &second.parts {
            bytes += self.add_part(transaction, run, t_s, part)?;
        }
        let (more_requests, more_failures) = if span_s == 1 {
            insert_interval(transaction, run, point)?;
            (point.requests.saturating_sub(requests), point.failures.saturating_sub(failures))
        } else {
            self.add_to_span(transaction, run, t_s, second)?
        };
        transaction
            .prepare_cached("UPDATE run SET requests = requests + ?2, failures = failures + ?3 WHERE no = ?1")?
            .execute(params![run, measured(point, more_requests), measured(point, more_failures)])?;
        Ok(bytes)
    }

    /// Raises the sums of a merged span by what came late for one of its seconds, whose own point is no more there to compare with, and
    /// works its percentiles out again. Gives how many requests that were, and how many of them failed.
    fn add_to_span(
        &mut self,
        transaction: &Transaction<'_>,
        run: i64,
        t_s: u64,
        second: &Second,
    ) -> Result<(u64, u64)> {
        let kinds = requests_of(transaction, run)?;
        let is_request = |row: usize| kinds.get(row).copied().unwrap_or(false);
        let parts = || second.parts.iter().filter(|part| is_request(part.row));
        let failures = parts().map(|part| part.failed).sum();
        let requests = parts().map(|part| part.succeeded + part.failed).sum();
        let mut spans = Vec::new();
        read_spans(transaction, &mut self.packer, run, t_s..t_s + 1, &mut |span| {
            spans.push(span);
            Ok(())
        })?;
        for mut span in spans {
            span.point.requests += requests;
            span.point.failures += failures;
            span.point.bytes_received += parts().map(|part| part.bytes_received).sum::<u64>();
            span.refigure(is_request);
            insert_interval(transaction, run, &span.point)?;
        }
        Ok((requests, failures))
    }

    fn add_part(&mut self, transaction: &Transaction<'_>, run: i64, t_s: u64, part: &Part) -> Result<i64> {
        let before = bytes_of(transaction, run, t_s..t_s + 1, Some(part.row))?;
        let mut whole = part.clone();
        for (kind, packed) in
            [("service", &mut whole.service), ("response", &mut whole.response), ("failed", &mut whole.failed_us)]
        {
            let there = transaction
                .prepare_cached(
                    "SELECT count, min_us, max_us, sum_us, sum_squares, hdr FROM series \
                     WHERE run = ?1 AND t_s = ?2 AND row = ?3 AND kind = ?4",
                )?
                .query_row(params![run, t_s, part.row, kind], |row| read_packed(row, 0))
                .optional()?;
            let Some(there) = there else { continue };
            let merged = packed.as_ref().map_or_else(|| Some(there.clone()), |late| self.packer.merge(&there, late));
            *packed = merged;
        }
        let counts = transaction
            .prepare_cached(
                "SELECT succeeded, failed, bytes_received, bytes_sent FROM activity WHERE run = ?1 AND t_s = ?2 AND row = ?3",
            )?
            .query_row(params![run, t_s, part.row], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?, row.get::<_, u64>(2)?, row.get::<_, u64>(3)?))
            })
            .optional()?;
        if let Some((succeeded, failed, received, sent)) = counts {
            whole.succeeded += succeeded;
            whole.failed += failed;
            whole.bytes_received += received;
            whole.bytes_sent += sent;
        }
        Ok(insert_part(transaction, run, t_s, &whole)? - before)
    }
}

fn insert_second(transaction: &Transaction<'_>, run: i64, second: &Second) -> Result<i64> {
    learn(transaction, run, second)?;
    insert_interval(transaction, run, &second.point)?;
    let client = &second.client;
    transaction.prepare_cached("INSERT OR REPLACE INTO client VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        run,
        second.point.t_s,
        client.cpu_share_max,
        client.connections_open,
        client.connections_opened,
        client.time_wait
    ])?;
    let mut bytes = 0;
    for part in &second.parts {
        bytes += insert_part(transaction, run, second.point.t_s, part)?;
    }
    let point = &second.point;
    transaction
        .prepare_cached(
            "UPDATE run SET requests = requests + ?2, failures = failures + ?3, duration_s = max(duration_s, ?4) \
             WHERE no = ?1",
        )?
        .execute(params![run, measured(point, point.requests), measured(point, point.failures), point.t_s + 1])?;
    Ok(bytes)
}

/// The warm-up's are none of the run's totals.
fn measured(point: &SeriesPoint, count: u64) -> u64 {
    if point.warmup {
        0
    } else {
        count
    }
}

fn insert_run(transaction: &Transaction<'_>, id: &str, begin: &Begin) -> Result<i64> {
    let model = serde_json::to_value(begin.model).ok();
    let model = model.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    transaction
        .prepare_cached(
            "INSERT INTO run (id, name, command, model, version, host, plan, started_at, started_unix_s, written_unix_s) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            id,
            begin.name,
            begin.command,
            model,
            begin.version,
            json(&begin.host),
            begin.plan.to_string(),
            begin.started_at,
            begin.started_unix_s,
            unix_s()
        ])?;
    let run = transaction.last_insert_rowid();
    insert_stages(transaction, run, &begin.plan)?;
    Ok(run)
}

/// What the plan says of the course of the load: the warm-up and the stages, each from where to where.
fn insert_stages(transaction: &Transaction<'_>, run: i64, plan: &serde_json::Value) -> Result<()> {
    let mut n = 0;
    let mut insert = |kind: &str, from_s: f64, until_s: Option<f64>, target: Option<f64>| {
        n += 1;
        transaction
            .prepare_cached("INSERT INTO stage VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![run, n, kind, from_s, until_s, target])
    };
    if let Some(warmup_s) = plan["warmup_s"].as_f64().filter(|warmup_s| *warmup_s > 0.0) {
        insert("warmup", 0.0, Some(warmup_s), None)?;
    }
    let mut from_s = 0.0;
    for stage in plan["stages"].as_array().into_iter().flatten() {
        let until_s = from_s + stage["over_s"].as_f64().unwrap_or(0.0);
        insert("stage", from_s, Some(until_s), stage["target"].as_f64())?;
        from_s = until_s;
    }
    Ok(())
}

fn learn(transaction: &Transaction<'_>, run: i64, second: &Second) -> Result<()> {
    insert_rows(transaction, run, &second.new_rows)?;
    match &second.errors {
        Some(errors) => insert_errors(transaction, run, errors),
        None => Ok(()),
    }
}

/// Each at its place; one that is there stays.
fn insert_rows(transaction: &Transaction<'_>, run: i64, rows: &[Row]) -> Result<()> {
    for row in rows {
        transaction.prepare_cached("INSERT OR IGNORE INTO row VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            run,
            row.place,
            row.case,
            row.kind.name(),
            row.label,
            row.name
        ])?;
    }
    Ok(())
}

fn insert_errors(transaction: &Transaction<'_>, run: i64, errors: &[ErrorCount]) -> Result<()> {
    transaction.prepare_cached("DELETE FROM error WHERE run = ?1")?.execute([run])?;
    for (n, error) in errors.iter().enumerate() {
        transaction.prepare_cached("INSERT INTO error VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            run,
            n,
            error.kind,
            error.step,
            error.message,
            error.count
        ])?;
    }
    Ok(())
}

/// Puts an interval in the place of the one that may be there.
pub(super) fn insert_interval(transaction: &Transaction<'_>, run: i64, point: &SeriesPoint) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO interval VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            run,
            point.t_s,
            point.span_s,
            point.warmup,
            point.drain,
            point.users,
            point.requests,
            point.failures,
            point.bytes_received,
            point.handshakes,
            point.plugin_calls,
            point.arrivals,
            point.arrivals_missed,
            point.p50_us,
            point.p95_us,
            point.p99_us
        ])?;
    Ok(())
}

/// Puts a row's part in the place of the one that may be there; gives about how many bytes it takes.
pub(super) fn insert_part(transaction: &Transaction<'_>, run: i64, t_s: u64, part: &Part) -> Result<i64> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO activity VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![run, t_s, part.row, part.succeeded, part.failed, part.bytes_received, part.bytes_sent])?;
    let mut bytes = ROW_BYTES;
    for (kind, packed) in part.latencies() {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO series VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
            .execute(params![
            run,
            t_s,
            part.row,
            kind,
            packed.count,
            packed.min_us,
            packed.max_us,
            packed.sum_us as i64,
            packed.sum_squares,
            packed.hdr
        ])?;
        bytes += ROW_BYTES + packed.hdr.len() as i64;
    }
    Ok(bytes)
}

/// About how many bytes the parts take that begin within some seconds, as [`insert_part`] counts them; of one row, or of all.
pub(super) fn bytes_of(
    transaction: &Transaction<'_>,
    run: i64,
    within_s: Range<u64>,
    row: Option<usize>,
) -> Result<i64> {
    transaction
        .prepare_cached(
            "SELECT ?5 * (SELECT count(*) FROM activity WHERE run = ?1 AND t_s >= ?2 AND t_s < ?3 AND row = coalesce(?4, row)) \
             + (SELECT coalesce(sum(?5 + length(hdr)), 0) FROM series \
                WHERE run = ?1 AND t_s >= ?2 AND t_s < ?3 AND row = coalesce(?4, row))",
        )?
        .query_row(params![run, within_s.start, within_s.end, row, ROW_BYTES], |row| row.get(0))
}

/// The six columns of a packed distribution, from `at` on.
pub(super) fn read_packed(row: &rusqlite::Row<'_>, at: usize) -> Result<Packed> {
    Ok(Packed {
        count: row.get(at)?,
        min_us: row.get(at + 1)?,
        max_us: row.get(at + 2)?,
        // Sums wrap in the recorder; the store keeps their bits.
        sum_us: row.get::<_, i64>(at + 3)? as u64,
        sum_squares: row.get(at + 4)?,
        hdr: row.get(at + 5)?,
    })
}

fn end(transaction: &Transaction<'_>, run: i64, summary: &Summary) -> Result<i64> {
    let text = json(summary);
    let verdict = match summary.client.verdict {
        Verdict::Valid => "valid",
        Verdict::Degraded => "degraded",
        Verdict::Invalid => "invalid",
    };
    let latency =
        if summary.run.model == crate::Model::Open { &summary.totals.response_us } else { &summary.totals.service_us };
    transaction
        .prepare_cached(
            "UPDATE run SET ended = 1, name = ?2, requests = ?3, failures = ?4, duration_s = ?5, rps = ?6, p99_us = ?7, \
             verdict = ?8, summary = ?9 WHERE no = ?1",
        )?
        .execute(params![
            run,
            summary.run.name,
            summary.totals.requests,
            summary.totals.failures,
            summary.run.duration_s,
            summary.totals.rps,
            latency.p99,
            verdict,
            text
        ])?;
    insert_errors(transaction, run, &summary.errors)?;
    for (n, sample) in summary.failure_samples.iter().enumerate() {
        transaction.prepare_cached("INSERT OR REPLACE INTO sample VALUES (?1, ?2, ?3)")?.execute(params![
            run,
            n,
            json(sample)
        ])?;
    }
    for (n, threshold) in summary.thresholds.iter().enumerate() {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO threshold VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![run, n, threshold.expression, threshold.value, threshold.ok])?;
    }
    Ok(text.len() as i64)
}

/// What serde makes of our own types, which have no keys but text.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
