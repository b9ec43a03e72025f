//! The interval log of HdrHistogram, version 2 with DEFLATE: the form its reference tools read (`HistogramLogProcessor`,
//! `HistogramLogAnalyzer`, `hdrh`).

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::Histogram;

use super::names::{bounded, key};
use crate::clock::from_rfc3339_utc;
use crate::kept::{KeptPart, KeptRun, KeptSecond};
use crate::latency::{Distribution, HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS};
use crate::row::RowKind;

/// The column names the reference writer puts above the intervals (`HistogramLogWriter.outputLegend`).
const LEGEND: &str = r#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#;

/// What the third column divides the histogram's maximum by. The reference writer's unit there is the millisecond.
const US_PER_MS: f64 = 1_000.0;

/// What the tags of the warm-up begin with.
const WARMUP: &str = "warmup";

/// Writes the log: microseconds in the histograms, milliseconds in the column of maxima, seconds since `BaseTime`, the start of the run,
/// in the first two columns. A maximum is that of the histogram, the upper end of its bucket.
///
/// Lines without a tag are all requests of a span, by the latency of [`KeptPart::latency`]: what the reference tools show when they are
/// told no tag. Every span has one, also where nothing succeeded. The others have the tag `CASE/TYPE/NAME/KIND`, such as
/// `shop/request-GET/login/service`, where KIND is `service`, `response` (open runs alone), `failed`, or for transactions `duration`,
/// and stand only where there is something in them. Spans of the warm-up have the tags `warmup` and `warmup/CASE/TYPE/NAME/KIND`, so
/// that they are in no other's figures. White space and commas, which a tag cannot hold, are written as `_`; where that makes two
/// tags the same, the later ones end in `~2`, `~3` and so on before their KIND.
///
/// The percentiles `HistogramLogProcessor` prints are in milliseconds with `-outputValueUnitRatio 1000`.
///
/// # Errors
/// Those of `out`.
pub fn hdr_log(run: &KeptRun, seconds: &mut dyn Iterator<Item = KeptSecond>, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut serializer = V2DeflateSerializer::new();
    let mut header = IntervalLogWriterBuilder::new();
    header
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!("[Logged with pummel {}]", version(run)));
    if let Some(started_at) = from_rfc3339_utc(&run.summary.run.started_at) {
        header.with_start_time(started_at).with_base_time(started_at);
    }
    header.begin_log_with(&mut out, &mut serializer)?;
    writeln!(out, "{LEGEND}")?;
    let log =
        IntervalLogWriterBuilder::new().with_max_value_divisor(US_PER_MS).begin_log_with(&mut out, &mut serializer)?;
    let mut log = Log { log, histogram: empty()? };
    let tags = tags(run);
    for second in seconds {
        log.second(run, &tags, &second)?;
    }
    out.flush()
}

fn version(run: &KeptRun) -> String {
    bounded(&run.summary.run.version)
}

struct Log<'out, W: Write> {
    log: IntervalLogWriter<'out, 'out, W, V2DeflateSerializer>,
    /// Filled anew for each line.
    histogram: Histogram<u64>,
}

impl<W: Write> Log<'_, W> {
    fn second(&mut self, run: &KeptRun, tags: &[String], second: &KeptSecond) -> io::Result<()> {
        let warmup = second.point.warmup;
        let all = second.latency(|row| key(run, row).kind == RowKind::Request);
        self.line(second, warmup.then_some(WARMUP), &all)?;
        for part in &second.parts {
            let unknown = format!("unknown/row_{}", part.row);
            let row = tags.get(part.row).unwrap_or(&unknown);
            let row = if warmup { format!("{WARMUP}/{row}") } else { row.clone() };
            for (kind, latency) in kinds(key(run, part.row).kind, part) {
                if latency.count() > 0 {
                    self.line(second, Some(&format!("{row}/{kind}")), latency)?;
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, second: &KeptSecond, tag: Option<&str>, latency: &Distribution) -> io::Result<()> {
        self.histogram.reset();
        for &(us, count) in latency.buckets() {
            // The layout is that of the buckets, so that each comes into its like.
            self.histogram.record_n(us.clamp(LOWEST_US, HIGHEST_US), count).map_err(io::Error::other)?;
        }
        let (start, length) = (Duration::from_secs(second.point.t_s), Duration::from_secs(second.point.span_s));
        self.log.write_histogram(&self.histogram, start, length, tag.and_then(Tag::new)).map_err(io::Error::other)
    }
}

fn kinds(kind: RowKind, part: &KeptPart) -> Vec<(&'static str, &Distribution)> {
    match kind {
        RowKind::Transaction => vec![("duration", &part.service_us)],
        RowKind::Request | RowKind::Setup => {
            vec![("service", &part.service_us), ("response", &part.response_us), ("failed", &part.failed_us)]
        }
    }
}

fn empty() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS).map_err(io::Error::other)
}

/// For each row its tag without the kind. No two are the same.
fn tags(run: &KeptRun) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut tags = Vec::with_capacity(run.rows.len());
    for row in &run.rows {
        let tag = [&row.case, &row.label, &row.name].map(|text| tag_part(text)).join("/");
        let others = (2_u64..).map(|n| format!("{tag}~{n}"));
        let unused = [tag.clone()].into_iter().chain(others).find(|tag| !taken.contains(tag)).unwrap_or(tag);
        taken.insert(unused.clone());
        tags.push(unused);
    }
    tags
}

/// A text as part of a tag, which holds no comma, space or line break (`HistogramLogWriter`; other white space ends lines elsewhere).
fn tag_part(text: &str) -> String {
    bounded(text).chars().map(|c| if c == ',' || c.is_whitespace() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use base64::prelude::{Engine, BASE64_STANDARD};
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use hdrhistogram::serialization::Deserializer;

    use super::*;
    use crate::report_files::sample::{kept_run, of, seconds, HOSTILE};

    fn written(run: &KeptRun, seconds: Vec<KeptSecond>) -> String {
        let mut out = Vec::new();
        hdr_log(run, &mut seconds.into_iter(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// A line of the log read back.
    #[derive(Debug)]
    struct Line {
        tag: Option<String>,
        start_s: u64,
        length_s: u64,
        max_ms: f64,
        histogram: Histogram<u64>,
    }

    fn read(log: &str) -> Vec<Line> {
        let lines = IntervalLogIterator::new(log.as_bytes()).filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(interval) => Some(Line {
                tag: interval.tag().map(|tag| tag.as_str().to_owned()),
                start_s: interval.start_timestamp().as_secs(),
                length_s: interval.duration().as_secs(),
                max_ms: interval.max(),
                histogram: Deserializer::new()
                    .deserialize(&mut &*BASE64_STANDARD.decode(interval.encoded_histogram()).unwrap())
                    .unwrap(),
            }),
            LogEntry::StartTime(time) | LogEntry::BaseTime(time) => {
                // 2026-11-22T01:52:20Z.
                assert_eq!(time.as_secs(), 1_795_312_340);
                None
            }
        });
        lines.collect()
    }

    #[test]
    fn the_log_reads_back_as_the_samples() {
        let log = written(&kept_run(&["hello", "checkout"]), seconds());
        let header: Vec<_> = log.lines().take(6).collect();
        assert_eq!(
            header,
            [
                "#[Histogram log format version 1.3]",
                "#[Logged with pummel 0.1.0]",
                "#[StartTime: 1795312340.000 (seconds since epoch)]",
                "#[BaseTime: 1795312340.000 (seconds since epoch)]",
                LEGEND,
                "#[MaxValueDivisor: 1000.000]",
            ]
        );
        let lines = read(&log);
        let seen: Vec<_> =
            lines.iter().map(|line| (line.tag.as_deref(), line.start_s, line.length_s, line.histogram.len())).collect();
        assert_eq!(
            seen,
            [
                (Some("warmup"), 0, 1, 2),
                (Some("warmup/demo/request-GET/hello/service"), 0, 1, 2),
                (Some("warmup/demo/transaction/checkout/duration"), 0, 1, 1),
                (None, 1, 2, 4),
                (Some("demo/request-GET/hello/service"), 1, 2, 4),
                (Some("demo/request-GET/hello/failed"), 1, 2, 1),
                (None, 3, 1, 0),
                (Some("demo/request-GET/hello/failed"), 3, 1, 1),
            ]
        );
        let measured = &lines[3].histogram;
        assert_eq!([0.5, 0.75, 0.99].map(|share| measured.value_at_quantile(share)), [200, 300, 400]);
        assert!((lines[3].max_ms - 0.4).abs() < 1e-9 && lines[6].max_ms.abs() < 1e-9);
    }

    #[test]
    fn every_bucket_comes_back_as_it_was() {
        // From the first bucket to beyond the last.
        let values = [0, 1, 2_047, 2_048, 70_000, 1_234_567, HIGHEST_US, 2 * HIGHEST_US];
        let mut second = seconds().remove(1);
        second.parts[0].service_us = of(&values);
        let before = second.parts[0].service_us.clone();
        let lines = read(&written(&kept_run(&["hello"]), vec![second]));
        assert_eq!(lines[1].histogram.len(), values.len() as u64);
        let after: Vec<_> = lines[1]
            .histogram
            .iter_recorded()
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
            .collect();
        assert_eq!(after, before.buckets());
    }

    #[test]
    fn an_open_run_has_its_response_times_too() {
        let mut second = seconds().remove(1);
        second.parts[0].response_us = of(&[1_000, 2_000, 3_000, 4_000]);
        let lines = read(&written(&kept_run(&["hello"]), vec![second]));
        let tags: Vec<_> = lines.iter().map(|line| line.tag.as_deref().unwrap_or_default()).collect();
        let row = "demo/request-GET/hello";
        assert_eq!(tags, ["", &*format!("{row}/service"), &format!("{row}/response"), &format!("{row}/failed")]);
        assert_eq!(lines[0].histogram.value_at_quantile(0.5), lines[2].histogram.value_at_quantile(0.5));
    }

    #[test]
    fn names_that_are_alike_as_tags_are_told_apart() {
        let mut run = kept_run(&["a b"]);
        for name in ["a,b", "a_b", "a b~2"] {
            let mut row = run.rows[0].clone();
            row.name = name.into();
            run.rows.push(row);
        }
        let row = "demo/request-GET/a_b";
        assert_eq!(tags(&run), [row.to_owned(), format!("{row}~2"), format!("{row}~3"), format!("{row}~2~2")]);
    }

    #[test]
    fn whatever_a_name_holds_each_line_is_read_back() {
        for name in HOSTILE {
            let log = written(&kept_run(&[name, "checkout"]), seconds());
            let lines = read(&log);
            assert_eq!(lines.len(), 8, "{name:?}");
            assert_eq!(
                lines.iter().map(|line| line.histogram.len()).sum::<u64>(),
                2 + 2 + 1 + 4 + 4 + 1 + 1,
                "{name:?}"
            );
            assert!(!log.chars().any(|c| c.is_control() && c != '\n'), "{name:?}");
        }
    }

    #[test]
    fn a_run_without_a_start_has_a_log_all_the_same() {
        let mut run = kept_run(&["hello", "checkout"]);
        run.summary.run.started_at = "yesterday".into();
        let log = written(&run, seconds());
        assert!(!log.contains("Time:"), "{log}");
        assert_eq!(read(&log).len(), 8);
        assert_eq!(from_rfc3339_utc("1970-01-01T00:00:00.000Z"), Some(UNIX_EPOCH));
    }
}
