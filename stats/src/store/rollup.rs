//! Old seconds merged into minutes, so that a run of a day stays small. Every count and every bucket is kept.

use rusqlite::{params, OptionalExtension, Result, Transaction};

use super::entry::Part;
use super::packed::Packer;
use super::reader::read_spans;
use super::writer::{bytes_of, insert_interval, insert_part};
use crate::kept::merged_spans;

/// The last hour of a run is kept by the second; what is older, by the minute.
const FINE_S: u64 = 3_600;
const COARSE_S: u64 = 60;

/// Merges the minutes of a run that have become older than [`FINE_S`]; looks up no more than one row where there are none. Gives by how
/// many bytes what is kept has grown, which is less than nothing as a rule.
pub(super) fn roll_up(transaction: &Transaction<'_>, packer: &mut Packer, run: i64) -> Result<i64> {
    let last: Option<(u64, u64)> = transaction
        .prepare_cached(
            "SELECT rolled_until_s, (SELECT max(t_s) FROM interval WHERE run = run.no AND drain = 0) FROM run WHERE no = ?1",
        )?
        .query_row([run], |row| Ok((row.get(0)?, row.get::<_, Option<u64>>(1)?.unwrap_or(0))))
        .optional()?;
    let Some((mut from_s, last_s)) = last else { return Ok(0) };
    let mut bytes = 0;
    while from_s + COARSE_S + FINE_S <= last_s + 1 {
        // Where seconds are lacking, to the next minute that has any; the last is one.
        let next_s: Option<u64> = transaction
            .prepare_cached("SELECT min(t_s) FROM interval WHERE run = ?1 AND t_s >= ?2")?
            .query_row(params![run, from_s], |row| row.get(0))?;
        let minute_s = next_s.unwrap_or(last_s) / COARSE_S * COARSE_S;
        if minute_s > from_s {
            from_s = minute_s;
            continue;
        }
        bytes += merge(transaction, packer, run, from_s, from_s + COARSE_S)?;
        from_s += COARSE_S;
        transaction
            .prepare_cached("UPDATE run SET rolled_until_s = ?2 WHERE no = ?1")?
            .execute(params![run, from_s])?;
    }
    Ok(bytes)
}

fn merge(transaction: &Transaction<'_>, packer: &mut Packer, run: i64, from_s: u64, until_s: u64) -> Result<i64> {
    let kinds = super::reader::requests_of(transaction, run)?;
    let mut spans = Vec::new();
    read_spans(transaction, packer, run, from_s..until_s, &mut |span| {
        spans.push(span);
        Ok(())
    })?;
    let is_request = |row: usize| kinds.get(row).copied().unwrap_or(false);
    // One span as long as all of them, or two where the warm-up ends within.
    let merged = merged_spans(spans.into_iter(), until_s, (until_s / COARSE_S) as usize);
    let mut bytes = -bytes_of(transaction, run, from_s..until_s, None)?;
    for table in ["interval", "client", "activity", "series"] {
        transaction
            .prepare_cached(&format!("DELETE FROM {table} WHERE run = ?1 AND t_s >= ?2 AND t_s < ?3"))?
            .execute(params![run, from_s, until_s])?;
    }
    for mut span in merged {
        span.refigure(is_request);
        insert_interval(transaction, run, &span.point)?;
        let client = span.client;
        transaction.prepare_cached("INSERT INTO client VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            run,
            span.point.t_s,
            client.cpu_share_max,
            client.connections_open,
            client.connections_opened,
            client.time_wait
        ])?;
        for part in &span.parts {
            bytes += insert_part(transaction, run, span.point.t_s, &Part::of_kept(packer, part))?;
        }
    }
    Ok(bytes)
}
