//! A figure second by second, as columns of block characters over an axis of time.

use super::bars::INDENT;
use crate::display::units::clock;
use crate::summary::SeriesPoint;

/// Lines of a chart; a character has eight levels, so that a value is drawn to 1/48 of the scale.
const ROWS: usize = 6;

/// Levels of a character.
const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A second of a short run is drawn this many characters wide at most: what is wider looks like more than there is.
const WIDEST: usize = 6;

/// The shortest part of the last second that is drawn, seconds: the rate of a shorter one says little.
const SHORTEST_S: f64 = 0.25;

/// What the top of a scale is a multiple of by a power of ten.
const TOPS: [f64; 10] = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];

/// Some seconds that are drawn as one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Column {
    /// Requests that finished; of a span that lies in several columns each has its share.
    requests: f64,
    /// How long the load lasted in it.
    covered_s: f64,
    /// The worst p99 of its seconds.
    pub(super) p99_us: Option<u64>,
    /// It begins within the warm-up.
    warmup: bool,
}

impl Column {
    /// Requests per second.
    pub(super) fn rps(&self) -> Option<f64> {
        (self.covered_s > 0.0).then(|| self.requests / self.covered_s)
    }
}

/// A run in as many columns as there is room for.
#[derive(Debug, PartialEq)]
pub(super) struct OverTime {
    pub(super) columns: Vec<Column>,
    /// Seconds of each but the last.
    pub(super) each_s: u64,
    /// Characters each is wide.
    characters: usize,
    /// Seconds on the run clock.
    from_s: u64,
    to_s: u64,
}

impl OverTime {
    /// The seconds of a load that lasted `load_s` from the start of the run clock, without the drain, in at most `most` columns. `None`
    /// where there are less than two.
    pub(super) fn new(series: &[SeriesPoint], load_s: f64, most: usize) -> Option<Self> {
        let spans = series.iter().filter(|point| !point.drain && part_of(point, load_s) >= SHORTEST_S);
        let from_s = spans.clone().map(|point| point.t_s).min()?;
        let to_s = spans.clone().map(|point| point.t_s.saturating_add(span_s(point))).max()?;
        let count = to_s - from_s;
        if count < 2 || most < 2 {
            return None;
        }
        let each_s = count.div_ceil(most as u64);
        let mut columns = vec![Column::default(); count.div_ceil(each_s) as usize];
        let last = columns.len() - 1;
        let column_of = |t_s: u64| ((t_s.saturating_sub(from_s) / each_s) as usize).min(last);
        for point in spans {
            let (begin_s, end_s) = (point.t_s, point.t_s.saturating_add(span_s(point)));
            let (first, covered_s) = (column_of(begin_s), part_of(point, load_s));
            let count = column_of(end_s - 1).max(first) + 1 - first;
            for (place, column) in columns.iter_mut().enumerate().skip(first).take(count) {
                // What of the span lies in this column; all of it where it lies in no other.
                let column_s = from_s.saturating_add(place as u64 * each_s);
                let within = begin_s.max(column_s)..end_s.min(column_s.saturating_add(each_s));
                let before_s = within.start.saturating_sub(begin_s) as f64;
                let part_s = (covered_s - before_s).clamp(0.0, within.end.saturating_sub(within.start) as f64);
                column.warmup |= point.warmup && column.covered_s <= 0.0;
                column.requests += point.requests as f64 * part_s / covered_s;
                column.covered_s += part_s;
                column.p99_us = column.p99_us.max(point.p99_us);
            }
        }
        let characters = (most / columns.len()).clamp(1, WIDEST);
        Some(Self { columns, each_s, characters, from_s, to_s })
    }

    pub(super) fn has_warmup(&self) -> bool {
        self.columns.iter().any(|column| column.warmup)
    }

    /// The chart of a figure, and below it the axis. `None` of a figure, and 0, are left empty.
    pub(super) fn lines(&self, figure: fn(&Column) -> Option<f64>, text: fn(f64) -> String) -> Vec<String> {
        let values: Vec<f64> = self.columns.iter().map(|column| figure(column).unwrap_or(0.0)).collect();
        let top = top_of(values.iter().copied().fold(0.0, f64::max));
        let labels: Vec<String> = (0..=ROWS).map(|row| label(row, top, text)).collect();
        let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let mut lines = Vec::new();
        for (row, label) in labels.iter().take(ROWS).enumerate() {
            let tick = if label.is_empty() { '│' } else { '┤' };
            let cells: String = values.iter().map(|value| self.wide(level(*value, top, row))).collect();
            lines.push(format!("{:INDENT$}{label:>width$} {tick}{cells}", "").trim_end().to_owned());
        }
        let axis: String = self.columns.iter().map(|column| self.wide(if column.warmup { '┄' } else { '─' })).collect();
        lines.push(format!("{:INDENT$}{:>width$} └{axis}", "", labels[ROWS]));
        lines.push(format!("{:1$}{2}", "", INDENT + width + 2, self.times()));
        lines
    }

    fn wide(&self, mark: char) -> String {
        mark.to_string().repeat(self.characters)
    }

    /// Where the axis begins and ends, and its middle if there is room.
    fn times(&self) -> String {
        let width = self.columns.len() * self.characters;
        let middle_column = self.columns.len() / 2;
        let middle = clock(self.from_s + middle_column as u64 * self.each_s);
        let (from, to) = (clock(self.from_s), clock(self.to_s));
        let mut line = from;
        let at = middle_column * self.characters;
        if at > line.chars().count() + 1 && at + middle.len() + 1 + to.len() < width {
            line = format!("{line:<at$}{middle}");
        }
        let before = width.saturating_sub(to.len()).max(line.len() + 1);
        format!("{line:<before$}{to}")
    }
}

/// How long a point is, seconds.
fn span_s(point: &SeriesPoint) -> u64 {
    point.span_s.max(1)
}

/// How long of a point the load lasted, seconds.
fn part_of(point: &SeriesPoint, load_s: f64) -> f64 {
    (load_s - point.t_s as f64).clamp(0.0, span_s(point) as f64)
}

/// The least of the round numbers that is not below the value.
fn top_of(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let decade = 10_f64.powf(value.log10().floor());
    // One that rounding pushed below its number is taken for it.
    TOPS.into_iter().map(|top| top * decade).find(|top| *top >= value * 0.999_999).unwrap_or(decade * 10.0)
}

/// The value at the upper edge of a row: of the uppermost, of that in the middle, and 0 of the axis.
fn label(row: usize, top: f64, text: fn(f64) -> String) -> String {
    match row {
        0 => text(top),
        ROWS => "0".to_owned(),
        row if row == ROWS / 2 => text(top / 2.0),
        _ => String::new(),
    }
}

/// How full a row's character is. Whatever is above 0 is seen.
fn level(value: f64, top: f64, row: usize) -> char {
    let full = LEVELS.len() - 1;
    let eighths = (value / top * (ROWS * full) as f64).round() as usize;
    let eighths = if value > 0.0 { eighths.max(1) } else { 0 };
    LEVELS[eighths.saturating_sub((ROWS - 1 - row) * full).min(full)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(requests: &[u64]) -> Vec<SeriesPoint> {
        let point = |(t_s, &requests): (usize, &u64)| SeriesPoint {
            t_s: t_s as u64,
            requests,
            p99_us: (requests > 0).then_some(requests * 10),
            ..SeriesPoint::default()
        };
        requests.iter().enumerate().map(point).collect()
    }

    fn rates(columns: &OverTime) -> Vec<f64> {
        columns.columns.iter().map(|column| column.rps().unwrap()).collect()
    }

    #[test]
    fn the_top_of_a_scale_is_round() {
        for (value, top) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (1.1, 1.2),
            (99.0, 100.0),
            (100.0, 100.0),
            (101.0, 120.0),
            (0.3, 0.3),
            (8_001.0, 10_000.0),
        ] {
            assert!((top_of(value) - top).abs() < 1e-9, "{value}: {}", top_of(value));
        }
        assert!((top_of(f64::NAN) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_character_has_eight_levels() {
        // The scale has 48 levels: 24 fill three rows, 1 is an eighth of the lowest.
        let column = |value| (0..ROWS).map(|row| level(value, 48.0, row)).collect::<String>();
        assert_eq!(column(48.0), "██████");
        assert_eq!(column(24.0), "   ███");
        assert_eq!(column(27.0), "  ▃███");
        assert_eq!(column(0.001), "     ▁");
        assert_eq!(column(0.0), "      ");
    }

    #[test]
    fn seconds_share_columns_where_there_are_many() {
        let columns = OverTime::new(&series(&[10, 20, 30, 40, 50]), 5.0, 3).unwrap();
        assert_eq!((columns.each_s, columns.characters), (2, 1));
        assert_eq!(rates(&columns), [15.0, 35.0, 50.0]);
        let p99_us: Vec<_> = columns.columns.iter().map(|column| column.p99_us).collect();
        assert_eq!(p99_us, [Some(200), Some(400), Some(500)]);
    }

    #[test]
    fn the_last_second_is_as_long_as_the_load_lasted_in_it() {
        assert_eq!(rates(&OverTime::new(&series(&[10, 10, 5]), 2.5, 60).unwrap()), [10.0, 10.0, 10.0]);
        assert_eq!(rates(&OverTime::new(&series(&[10, 10, 1]), 2.1, 60).unwrap()), [10.0, 10.0]);
        assert_eq!(OverTime::new(&series(&[10, 1]), 1.1, 60), None);
        assert_eq!(OverTime::new(&[], 0.0, 60), None);
    }

    #[test]
    fn a_minute_is_drawn_as_long_as_it_is() {
        // Two minutes and two seconds, 10/s in the first minute and in the seconds, 20/s in the second one.
        let mut minutes = series(&[600, 1_200, 10, 10]);
        for (point, (t_s, span_s)) in minutes.iter_mut().zip([(0, 60), (60, 60), (120, 1), (121, 1)]) {
            (point.t_s, point.span_s) = (t_s, span_s);
        }
        minutes[0].warmup = true;
        // 31 s a column: the second has 29 s of the first minute and 2 s of the other.
        let columns = OverTime::new(&minutes, 122.0, 4).unwrap();
        assert_eq!((columns.each_s, columns.columns.len()), (31, 4));
        let rates = |columns: &OverTime| rates(columns).iter().map(|rate| rate.round()).collect::<Vec<_>>();
        assert_eq!(rates(&columns), [10.0, 11.0, 20.0, 19.0]);
        assert_eq!(columns.columns.iter().map(|column| column.warmup).collect::<Vec<_>>(), [true, true, false, false]);
        assert_eq!(columns.to_s, 122);
        let all: f64 = columns.columns.iter().map(|column| column.requests).sum();
        assert!((all - 1_820.0).abs() < 1e-6, "{all}");
        // Of a last minute of which the load had 30 s the 600 requests are of these.
        minutes.truncate(2);
        minutes[1].requests = 600;
        assert_eq!(rates(&OverTime::new(&minutes, 90.0, 2).unwrap()), [10.0, 20.0]);
    }

    #[test]
    fn seconds_of_nonsense_are_drawn_too() {
        let mut far = series(&[1, 2, 3]);
        (far[1].span_s, far[2].t_s) = (0, u64::MAX);
        // The greatest number of seconds there is can be divided by 15.
        let columns = OverTime::new(&far, f64::INFINITY, 15).unwrap();
        assert_eq!(columns.columns.len(), 15);
        assert_eq!(columns.lines(Column::rps, |value| format!("{value}")).len(), ROWS + 2);
        assert_eq!(OverTime::new(&far, f64::NAN, 60), None);
    }
}
