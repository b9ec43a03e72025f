//! A table of seconds, for spreadsheets and data frames (RFC 4180).

use std::io::{self, Write};

use super::names::{bounded, key};
use crate::kept::{KeptPart, KeptRun, KeptSecond};
use crate::latency::{Distribution, Latency};
use crate::row::RowKind;

/// The columns. Times are seconds on the run clock, latencies microseconds.
const HEADER: [&str; 22] = [
    "t_s",
    "span_s",
    "warmup",
    "drain",
    "case",
    "type",
    "name",
    "users",
    "requests",
    "failures",
    "rps",
    "bytes_received",
    "bytes_sent",
    "min_us",
    "mean_us",
    "p50_us",
    "p75_us",
    "p90_us",
    "p95_us",
    "p99_us",
    "p99_9_us",
    "max_us",
];

/// The type of the record that holds all requests of a second.
const ALL: &str = "all";

/// Writes a record for each second or span and each step or transaction that was busy in it, behind one for all requests of it, whose
/// type is `all` and which has neither case nor name.
///
/// `users` are those at the end of the span, and the same in all its records. `rps` is per second of the span, and empty for the drain,
/// which lasts as long as it lasts. Latencies are those of [`KeptPart::latency`], and empty where nothing succeeded. A text that a
/// spreadsheet would run as a formula has an apostrophe in front. Fields are quoted as RFC 4180 says, lines end in `\n`.
///
/// # Errors
/// Those of `out`.
pub fn csv(run: &KeptRun, seconds: &mut dyn Iterator<Item = KeptSecond>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(HEADER)?;
    for second in seconds {
        table.write_record(all_requests(run, &second))?;
        for part in &second.parts {
            table.write_record(one_row(run, &second, part))?;
        }
    }
    table.flush()
}

fn all_requests(run: &KeptRun, second: &KeptSecond) -> [String; HEADER.len()] {
    let is_request = |row: usize| key(run, row).kind == RowKind::Request;
    let bytes_sent = second.parts.iter().filter(|part| is_request(part.row)).map(|part| part.bytes_sent).sum();
    let point = &second.point;
    record(
        second,
        [String::new(), ALL.to_owned(), String::new()],
        [point.requests, point.failures, point.bytes_received, bytes_sent],
        &second.latency(is_request),
    )
}

fn one_row(run: &KeptRun, second: &KeptSecond, part: &KeptPart) -> [String; HEADER.len()] {
    let key = key(run, part.row);
    record(
        second,
        [&key.case, &key.label, &key.name].map(|text| text_cell(text)),
        [part.succeeded + part.failed, part.failed, part.bytes_received, part.bytes_sent],
        part.latency(),
    )
}

fn record(
    second: &KeptSecond,
    [case, label, name]: [String; 3],
    [requests, failures, bytes_received, bytes_sent]: [u64; 4],
    latency: &Distribution,
) -> [String; HEADER.len()] {
    let point = &second.point;
    let Latency { min, mean, p50, p75, p90, p95, p99, p99_9, max, .. } = latency.latency();
    let whole = |us: Option<u64>| us.map_or_else(String::new, |us| us.to_string());
    [
        point.t_s.to_string(),
        second.point.span_s.to_string(),
        point.warmup.to_string(),
        point.drain.to_string(),
        case,
        label,
        name,
        point.users.to_string(),
        requests.to_string(),
        failures.to_string(),
        if point.drain { String::new() } else { rps(requests, point.span_s) },
        bytes_received.to_string(),
        bytes_sent.to_string(),
        whole(min),
        mean.map_or_else(String::new, |us| us.to_string()),
        whole(p50),
        whole(p75),
        whole(p90),
        whole(p95),
        whole(p99),
        whole(p99_9),
        whole(max),
    ]
}

/// To the thousandth.
fn rps(requests: u64, span_s: u64) -> String {
    let per_s = requests as f64 / span_s.max(1) as f64;
    ((per_s * 1000.0).round() / 1000.0).to_string()
}

/// A text that stays text in a spreadsheet. What a formula begins with, tab and carriage return among it, is OWASP's list (CSV
/// injection); a space in front hides none of it from every program.
fn text_cell(text: &str) -> String {
    let line = bounded(text);
    let begins = |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if begins(text) || begins(line.trim_start()) {
        format!("'{line}")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report_files::sample::{kept_run, seconds, HOSTILE};

    fn written(run: &KeptRun, seconds: Vec<KeptSecond>) -> String {
        let mut out = Vec::new();
        csv(run, &mut seconds.into_iter(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn records_of_a_warm_up_a_second_and_the_drain() {
        // Two requests of 10 and 20 us and one transaction in second 0, four of 100 to 400 us and a failed one in seconds 1 and 2.
        insta::assert_snapshot!(written(&kept_run(&["hello", "checkout"]), seconds()), @r"
        t_s,span_s,warmup,drain,case,type,name,users,requests,failures,rps,bytes_received,bytes_sent,min_us,mean_us,p50_us,p75_us,p90_us,p95_us,p99_us,p99_9_us,max_us
        0,1,true,false,,all,,1,2,0,2,200,100,10,15,10,20,20,20,20,20,20
        0,1,true,false,demo,request-GET,hello,1,2,0,2,200,100,10,15,10,20,20,20,20,20,20
        0,1,true,false,demo,transaction,checkout,1,1,0,1,0,0,35,35,35,35,35,35,35,35,35
        1,2,false,false,,all,,2,5,1,2.5,400,250,100,250,200,300,400,400,400,400,400
        1,2,false,false,demo,request-GET,hello,2,5,1,2.5,400,250,100,250,200,300,400,400,400,400,400
        3,1,false,true,,all,,0,1,1,,0,50,,,,,,,,,
        3,1,false,true,demo,request-GET,hello,0,1,1,,0,50,,,,,,,,,
        ");
    }

    #[test]
    fn nothing_but_the_header_of_a_run_without_seconds() {
        assert_eq!(written(&kept_run(&[]), Vec::new()), HEADER.join(",") + "\n");
    }

    #[test]
    fn formulas_are_text() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "' =1"),
            ("\rx", "' x"),
            ("  =1", "'  =1"),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(text_cell(text), cell, "{text:?}");
        }
    }

    #[test]
    fn whatever_a_name_holds_there_is_one_record_for_each_row() {
        for name in HOSTILE {
            let text = written(&kept_run(&[name, "checkout"]), seconds());
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let records: Vec<_> = reader.records().map(Result::unwrap).collect();
            assert_eq!(records.len(), 7, "{name:?}");
            assert!(records.iter().all(|record| record.len() == HEADER.len()), "{name:?}");
            assert!(records[1][6].chars().count() <= 257, "{name:?}");
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{name:?}");
            assert_eq!(text.lines().count(), 8, "{name:?}");
            assert_eq!(records[1][8].parse(), Ok(2), "{name:?}");
        }
    }

    #[test]
    fn a_part_of_no_known_row_is_kept() {
        let mut damaged = seconds();
        damaged[0].parts[0].row = 7;
        assert!(written(&kept_run(&["hello"]), damaged).contains("\n0,1,true,false,,unknown,row 7,1,2,0,"));
    }
}
