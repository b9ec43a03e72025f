//! InfluxDB's line protocol: totals of the run, of each row, and of errors, and the percentiles of the last second, as InfluxDB cannot
//! work them out from buckets.
//!
//! Counts are those since the start; `derivative` or `non_negative_difference` makes rates of them.

use std::fmt::Write;
use std::time::UNIX_EPOCH;

use super::state::{Row, State};
use crate::row::RowKind;

/// What a request with it says it is.
pub(super) const CONTENT_TYPE: &str = "text/plain; charset=utf-8";

/// One line for the run, one for each row and one for each error.
pub(super) fn encode(state: &State) -> Vec<u8> {
    let time_ns = state.updated_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut text = String::new();
    let mut line = |measurement: &str, tags: &[(&str, &str)], fields: &str| {
        text.push_str(measurement);
        for (tag, value) in tags.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = write!(text, ",{tag}=");
            escape(&mut text, value);
        }
        let _ = writeln!(text, " {fields} {time_ns}");
    };
    let run = ("run", state.instance.as_str());
    line("pummel", &[run, ("command", &state.facts.command), ("name", &state.facts.name)], &of_run(state));
    for row in state.rows() {
        let tags = [run, ("case", &*row.case), ("type", &*row.label), ("name", &*row.name)];
        let measurement = if row.kind == RowKind::Transaction { "pummel_transaction" } else { "pummel_step" };
        line(measurement, &tags, &of_row(row));
    }
    for (kind, step, count) in state.errors() {
        line("pummel_error", &[run, ("kind", &*kind), ("name", &*step)], &format!("count={count}i"));
    }
    text.into_bytes()
}

fn of_run(state: &State) -> String {
    let requests = || state.rows().iter().filter(|row| row.kind != RowKind::Transaction);
    let (arrivals, missed) = state.arrivals();
    let mut fields = format!(
        "running={},users={}i,in_flight={}i,requests={}i,failures={}i,bytes_received={}i,bytes_sent={}i,\
         connections_open={}i,connections_opened={}i,arrivals={arrivals}i,arrivals_missed={missed}i",
        state.running,
        state.users,
        state.overall.in_flight,
        requests().map(|row| row.succeeded + row.failed).sum::<u64>(),
        requests().map(|row| row.failed).sum::<u64>(),
        requests().map(|row| row.bytes_received).sum::<u64>(),
        requests().map(|row| row.bytes_sent).sum::<u64>(),
        state.client.connections_open,
        state.client.connections_opened,
    );
    if let Some(share) = state.client.cpu_share_max {
        let _ = write!(fields, ",client_cpu={share}");
    }
    fields
}

fn of_row(row: &Row) -> String {
    let mut fields = format!("count={}i,failures={}i", row.succeeded + row.failed, row.failed);
    if row.kind != RowKind::Transaction {
        let _ = write!(fields, ",bytes_received={}i,bytes_sent={}i", row.bytes_received, row.bytes_sent);
    }
    let Some(latency) = row.second.as_ref().map(|second| &second.latency) else { return fields };
    let figures = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)];
    for (name, share) in figures {
        if let Some(us) = latency.value_at(share) {
            let _ = write!(fields, ",{name}_us={us}i");
        }
    }
    if let Some(mean) = latency.moments().mean() {
        let _ = write!(fields, ",mean_us={mean}");
    }
    fields
}

/// A tag's value. Space, comma and equals sign have a backslash before them. What cannot stand in one is replaced: a control character by
/// a space, and a backslash, which would take the sign behind it for its own, by a slash.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            ' ' | ',' | '=' => text.extend(['\\', c]),
            '\\' => text.push('/'),
            c if c.is_control() => text.push_str("\\ "),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::state::MetricsFacts;
    use crate::row::RowKey;
    use crate::sample;
    use crate::snapshot::RowSecond;

    #[test]
    fn a_line_for_the_run_each_row_and_each_error() {
        let facts = MetricsFacts { command: "boom".into(), name: "my case".into(), ..MetricsFacts::default() };
        let mut state = State::new(facts);
        state.add(&sample::snapshot(0));
        let text = String::from_utf8(encode(&state)).unwrap();
        let time = state.updated_at.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let run = &state.instance;
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                format!(
                    "pummel,run={run},command=boom,name=my\\ case running=true,users=50i,in_flight=200i,requests=2000i,\
                     failures=4i,bytes_received=400000i,bytes_sent=200000i,connections_open=200i,\
                     connections_opened=200i,arrivals=0i,arrivals_missed=0i,client_cpu=0.62 {time}"
                ),
                format!(
                    "pummel_step,run={run},case=demo,type=request-GET,name=hello count=1000i,failures=0i,\
                     bytes_received=200000i,bytes_sent=100000i,p50_us=1398i,p90_us=2199i,p95_us=2299i,p99_us=2379i,\
                     max_us=2398i,mean_us=1399 {time}"
                ),
                format!(
                    "pummel_step,run={run},case=demo,type=request-POST,name=order count=1000i,failures=4i,\
                     bytes_received=200000i,bytes_sent=100000i,p50_us=1794i,p90_us=2593i,p95_us=2693i,p99_us=2773i,\
                     max_us=2790i,mean_us=1795 {time}"
                ),
                format!(
                    "pummel_transaction,run={run},case=demo,type=transaction,name=checkout count=1000i,failures=4i,\
                     p50_us=3197i,p90_us=4799i,p95_us=4999i,p99_us=5159i,max_us=5196i,mean_us=3198 {time}"
                ),
                format!("pummel_error,run={run},kind=assertion,name=order count=3i {time}"),
                format!("pummel_error,run={run},kind=connect_refused,name=order count=1i {time}"),
            ]
        );
    }

    #[test]
    fn tags_are_escaped() {
        let mut snapshot = sample::snapshot(0);
        let key = RowKey { case: "".into(), name: "a b,c=d\\\n\"é".into(), ..(*snapshot.rows[0].key).clone() };
        snapshot.rows = vec![Arc::new(RowSecond::new(Arc::new(key)))];
        let mut state = State::new(MetricsFacts::default());
        state.add(&snapshot);
        let text = String::from_utf8(encode(&state)).unwrap();
        let line = text.lines().nth(1).unwrap();
        let tags = ",type=request-GET,name=a\\ b\\,c\\=d/\\ \"é count=0i,failures=0i,";
        assert!(line.contains(tags) && !line.contains("case="), "{line}");
    }
}
