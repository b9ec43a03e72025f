//! A kept run whose figures can be worked out by hand, and names that are none of them harmless.

use crate::kept::{KeptPart, KeptRun, KeptSecond, RunState};
use crate::latency::Distribution;
use crate::row::{RowKey, RowKind};
use crate::summary::SeriesPoint;

/// What would break one of the formats if any of it were taken for more than a text.
pub(super) const HOSTILE: [&str; 11] = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"quoted\", 'and', \"\"twice\"\"",
    "a\nb\r\nc\u{2028}d\u{85}e",
    "| a | b |\\| c \\",
    "`code` ``more`` ```fence",
    "=cmd|'/C calc'!A0",
    "nul \u{0} esc \u{1b}[31m bell \u{7} del \u{7f} c1 \u{9b}31m",
    "]]> --> &amp; &#0; <!-- <![CDATA[",
    "\u{202e}gnp.exe\u{fffe}\u{ffff}",
    "@team #1 [link](http://h.invalid) **bold** _it_ ~~no~~ $x$",
    TEN_KB,
];

/// 10,240 characters with a comma, a quote and a line break each.
const TEN_KB: &str = {
    const BYTES: [u8; 10_240] = {
        let mut bytes = [b'x'; 10_240];
        let mut at = 0;
        while at < bytes.len() {
            bytes[at] = b"x,\"\n|"[at % 5];
            at += 1;
        }
        bytes
    };
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => panic!("ASCII"),
    }
};

/// A distribution of these values.
pub(super) fn of(values_us: &[u64]) -> Distribution {
    Distribution::of(values_us.iter().copied())
}

/// A run with these rows: the first a request, the others transactions.
pub(super) fn kept_run(names: &[&str]) -> KeptRun {
    let rows = names.iter().enumerate().map(|(at, name)| {
        let (kind, label) =
            if at == 0 { (RowKind::Request, "request-GET") } else { (RowKind::Transaction, "transaction") };
        RowKey { case: "demo".into(), kind, label: label.into(), name: (*name).into() }
    });
    KeptRun { label: None, state: RunState::Ended, summary: crate::sample::summary(), rows: rows.collect() }
}

/// A second of warm-up, a span of two, and the drain.
pub(super) fn seconds() -> Vec<KeptSecond> {
    let point = |t_s, users, requests, failures, bytes_received| SeriesPoint {
        t_s,
        users,
        requests,
        failures,
        bytes_received,
        ..SeriesPoint::default()
    };
    let warmup = KeptSecond {
        point: SeriesPoint { warmup: true, ..point(0, 1, 2, 0, 200) },
        parts: vec![
            KeptPart {
                succeeded: 2,
                bytes_received: 200,
                bytes_sent: 100,
                service_us: of(&[10, 20]),
                ..KeptPart::default()
            },
            KeptPart { row: 1, succeeded: 1, service_us: of(&[35]), ..KeptPart::default() },
        ],
        ..KeptSecond::default()
    };
    let measured = KeptSecond {
        point: SeriesPoint { span_s: 2, ..point(1, 2, 5, 1, 400) },
        parts: vec![KeptPart {
            succeeded: 4,
            failed: 1,
            bytes_received: 400,
            bytes_sent: 250,
            service_us: of(&[100, 200, 300, 400]),
            failed_us: of(&[50]),
            ..KeptPart::default()
        }],
        ..KeptSecond::default()
    };
    let drain = KeptSecond {
        point: SeriesPoint { drain: true, ..point(3, 0, 1, 1, 0) },
        parts: vec![KeptPart { failed: 1, bytes_sent: 50, failed_us: of(&[70]), ..KeptPart::default() }],
        ..KeptSecond::default()
    };
    vec![warmup, measured, drain]
}
