//! The columns behind the charts: one number for each span of time, `null` where nothing is known.

use serde::Serialize;

use super::figure::Figure;
use super::text::short;
use crate::collector::Model;
use crate::kept::{KeptClient, KeptPart, KeptRun, KeptSecond, PartSum};
use crate::latency::{Distribution, LOWEST_US};
use crate::row::{RowKey, RowKind};
use crate::summary::SeriesPoint;

/// Rows with curves of their own. More cannot be told apart in a chart, and a run whose steps are named after values has very many.
pub(super) const CURVES_MAX: usize = 40;

/// Points of a distribution for each factor of ten in 1 / (1 - share).
const POINTS_PER_DECADE: u32 = 20;

/// The distribution's last factor of ten: 99.9999 %.
const DECADES: u32 = 6;

/// Everything that is drawn.
#[derive(Debug, Serialize)]
pub(super) struct Charts {
    /// When each span begins, seconds on the run clock; the drain is none of them.
    t_s: Vec<u64>,
    /// How long each is, seconds.
    span_s: Vec<u64>,
    /// From when to when the load was warming up, seconds.
    warmup: Vec<(u64, u64)>,
    /// Users active at the span's end.
    users: Vec<Option<u64>>,
    /// Bytes read from sockets, a second.
    received: Vec<Option<Figure>>,
    /// Bytes handed to sockets, a second.
    sent: Vec<Option<Figure>>,
    /// Connections open at the span's end.
    connections: Vec<Option<u64>>,
    /// CPU share of the busiest core of the load, percent.
    cpu: Vec<Option<Figure>>,
    /// Arrivals that a user began, a second; empty in a closed run.
    arrivals: Vec<Option<Figure>>,
    /// Arrivals that were given up, a second; empty in a closed run.
    arrivals_missed: Vec<Option<Figure>>,
    /// All requests together.
    all: Curves,
    /// Of an open run the distribution of the service times of all requests, beside that of response times; empty in a closed one.
    all_service: Vec<u64>,
    /// The rows with most requests, in the order first seen.
    rows: Vec<RowCurves>,
    /// How many more rows there are.
    rows_left_out: usize,
    /// Seconds that were written, without those of gaps.
    #[serde(skip)]
    pub(super) written_s: u64,
}

/// One row.
#[derive(Debug, Serialize)]
struct RowCurves {
    case: String,
    #[serde(rename = "type")]
    label: String,
    name: String,
    transaction: bool,
    #[serde(flatten)]
    curves: Curves,
}

/// The columns of a row, or of all requests. Latencies are microseconds.
#[derive(Debug, Default, Serialize)]
struct Curves {
    /// Requests or transactions that ended, a second.
    rps: Vec<Option<Figure>>,
    /// Those that failed, a second.
    failures: Vec<Option<Figure>>,
    p50: Vec<Option<u64>>,
    p95: Vec<Option<u64>>,
    p99: Vec<Option<u64>>,
    p99_9: Vec<Option<u64>>,
    /// Latency of all that was measured at the shares 1 - 10^(-n/20), n from 0, as far as a sample lies beyond.
    distribution: Vec<u64>,
}

/// What is drawn of a span: its latencies take a thousand times as much memory as their percentiles.
struct Drawn {
    point: SeriesPoint,
    client: KeptClient,
    /// Bytes of its requests.
    bytes_sent: u64,
    /// Of all its requests.
    percentiles: Percentiles,
    parts: Vec<DrawnPart>,
}

/// What is drawn of a row in a span.
struct DrawnPart {
    row: usize,
    ended: u64,
    failed: u64,
    percentiles: Percentiles,
}

/// p50, p95, p99 and p99.9, microseconds.
#[derive(Clone, Copy, Default)]
struct Percentiles([Option<u64>; 4]);

/// A place on the axis of time: a span, or a gap before the next one.
struct Slot<'a> {
    t_s: u64,
    span_s: u64,
    span: Option<&'a Drawn>,
}

impl Charts {
    pub(super) fn new(run: &KeptRun, spans: impl IntoIterator<Item = KeptSecond>) -> Self {
        let is_request = |row: usize| run.is_request(row);
        let mut measured: Vec<PartSum> = run.rows.iter().map(|_| PartSum::default()).collect();
        let draw = |span: KeptSecond| {
            let drawn = Drawn::of(&span, is_request);
            // All but the warm-up was measured, the drain too.
            for part in span.parts.into_iter().filter(|_| !drawn.point.warmup) {
                if let Some(sum) = measured.get_mut(part.row) {
                    sum.add(part);
                }
            }
            drawn
        };
        let spans: Vec<Drawn> = spans.into_iter().map(draw).collect();
        let measured: Vec<KeptPart> = measured.iter().map(PartSum::finish).collect();
        let requests = || (0..measured.len()).filter(|&row| is_request(row)).map(|row| &measured[row]);
        let all = |of: fn(&KeptPart) -> &Distribution| Distribution::merged(requests().map(of));
        let slots = slots(&spans);
        let (shown, rows_left_out) = shown_rows(run, &spans);
        let open = run.summary.run.model == Model::Open;
        let of_open = |count: fn(&Drawn) -> u64| if open { rates(&slots, count) } else { Vec::new() };
        Self {
            t_s: slots.iter().map(|slot| slot.t_s).collect(),
            span_s: slots.iter().map(|slot| slot.span_s).collect(),
            warmup: warmup(&spans),
            users: column(&slots, |span| Some(span.point.users)),
            received: rates(&slots, |span| span.point.bytes_received),
            sent: rates(&slots, |span| span.bytes_sent),
            connections: column(&slots, |span| Some(span.client.connections_open)),
            cpu: column(&slots, |span| span.client.cpu_share_max.map(|share| Figure(share * 100.0))),
            arrivals: of_open(|span| span.point.arrivals),
            arrivals_missed: of_open(|span| span.point.arrivals_missed),
            all: all_curves(&slots, &all(KeptPart::latency)),
            all_service: if open { distribution(&all(|part| &part.service_us)) } else { Vec::new() },
            rows: shown.iter().map(|&row| row_curves(&run.rows[row], row, &slots, &measured[row])).collect(),
            rows_left_out,
            written_s: slots.iter().filter(|slot| slot.span.is_some()).map(|slot| slot.span_s).sum(),
        }
    }
}

impl Drawn {
    fn of(span: &KeptSecond, is_request: impl Fn(usize) -> bool) -> Self {
        let part = |part: &KeptPart| DrawnPart {
            row: part.row,
            ended: part.succeeded + part.failed,
            failed: part.failed,
            percentiles: Percentiles::of(part.latency()),
        };
        Self {
            point: span.point.clone(),
            client: span.client,
            bytes_sent: span.parts.iter().filter(|part| is_request(part.row)).map(|part| part.bytes_sent).sum(),
            percentiles: Percentiles::of(&span.latency(is_request)),
            parts: span.parts.iter().map(part).collect(),
        }
    }

    fn part(&self, row: usize) -> Option<&DrawnPart> {
        self.parts.iter().find(|part| part.row == row)
    }
}

impl Percentiles {
    fn of(latency: &Distribution) -> Self {
        Self([0.50, 0.95, 0.99, 0.999].map(|share| latency.value_at(share)))
    }
}

/// The spans in their order, the drain left out, with a gap where the one before ends sooner than the next begins.
fn slots(spans: &[Drawn]) -> Vec<Slot<'_>> {
    let mut slots: Vec<Slot<'_>> = Vec::with_capacity(spans.len());
    for span in spans.iter().filter(|span| !span.point.drain) {
        let (t_s, end_s) = (span.point.t_s, slots.last().map_or(span.point.t_s, |last| last.t_s + last.span_s));
        if end_s < t_s {
            slots.push(Slot { t_s: end_s, span_s: t_s - end_s, span: None });
        }
        slots.push(Slot { t_s, span_s: span.point.span_s.max(1), span: Some(span) });
    }
    slots
}

/// What is drawn of each slot; nothing of a gap.
fn column<T>(slots: &[Slot<'_>], value: impl Fn(&Drawn) -> Option<T>) -> Vec<Option<T>> {
    slots.iter().map(|slot| slot.span.and_then(&value)).collect()
}

/// A count as so many a second.
fn rates(slots: &[Slot<'_>], count: impl Fn(&Drawn) -> u64) -> Vec<Option<Figure>> {
    column(slots, |span| Some(Figure(count(span) as f64 / span.point.span_s.max(1) as f64)))
}

/// The spans of the warm-up, put together where they follow each other.
fn warmup(spans: &[Drawn]) -> Vec<(u64, u64)> {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    for span in spans.iter().filter(|span| span.point.warmup && !span.point.drain) {
        let (from_s, to_s) = (span.point.t_s, span.point.t_s + span.point.span_s);
        match stretches.last_mut() {
            Some(last) if last.1 == from_s => last.1 = to_s,
            _ => stretches.push((from_s, to_s)),
        }
    }
    stretches
}

/// The rows that get curves, in the order first seen, and how many do not: those with most requests.
fn shown_rows(run: &KeptRun, spans: &[Drawn]) -> (Vec<usize>, usize) {
    let mut ended = vec![0_u64; run.rows.len()];
    for part in spans.iter().flat_map(|span| &span.parts) {
        if let Some(count) = ended.get_mut(part.row) {
            *count += part.ended;
        }
    }
    let mut rows: Vec<usize> =
        (0..run.rows.len()).filter(|&row| run.rows[row].kind != RowKind::Setup && ended[row] > 0).collect();
    rows.sort_by_key(|&row| (std::cmp::Reverse(ended[row]), row));
    let left_out = rows.len().saturating_sub(CURVES_MAX);
    rows.truncate(CURVES_MAX);
    rows.sort_unstable();
    (rows, left_out)
}

fn all_curves(slots: &[Slot<'_>], measured: &Distribution) -> Curves {
    let mut curves = Curves {
        rps: rates(slots, |span| span.point.requests),
        failures: rates(slots, |span| span.point.failures),
        distribution: distribution(measured),
        ..Curves::default()
    };
    for slot in slots {
        curves.push(slot.span.map(|span| span.percentiles));
    }
    curves
}

fn row_curves(key: &RowKey, row: usize, slots: &[Slot<'_>], measured: &KeptPart) -> RowCurves {
    let count = |span: &Drawn, of: fn(&DrawnPart) -> u64| span.part(row).map_or(0, of);
    let mut curves = Curves {
        rps: rates(slots, |span| count(span, |part| part.ended)),
        failures: rates(slots, |span| count(span, |part| part.failed)),
        distribution: distribution(measured.latency()),
        ..Curves::default()
    };
    for slot in slots {
        let part = slot.span.and_then(|span| span.part(row));
        curves.push(part.map(|part| part.percentiles));
    }
    RowCurves {
        case: short(&key.case),
        label: short(&key.label),
        name: short(&key.name),
        transaction: key.kind == RowKind::Transaction,
        curves,
    }
}

impl Curves {
    fn push(&mut self, percentiles: Option<Percentiles>) {
        let columns = [&mut self.p50, &mut self.p95, &mut self.p99, &mut self.p99_9];
        for (column, value) in columns.into_iter().zip(percentiles.unwrap_or_default().0) {
            column.push(value);
        }
    }
}

/// Latency at shares that come ever closer to all, up to the last beyond which there is a sample.
fn distribution(latency: &Distribution) -> Vec<u64> {
    let points = (0..=DECADES * POINTS_PER_DECADE).map(|n| 10_f64.powf(f64::from(n) / f64::from(POINTS_PER_DECADE)));
    // The first point is the share of none, so where there is one sample there is a point.
    points
        .take_while(|&one_in| one_in <= latency.count() as f64)
        .filter_map(|one_in| latency.value_at(1.0 - 1.0 / one_in))
        .map(|us| us.max(LOWEST_US))
        .collect()
}
