//! The charts of a run.

use super::histogram::histogram;
use super::over_time::{Column, OverTime};
use crate::collector::Model;
use crate::display::report::{ReportOptions, Text};
use crate::display::units::{clock, latency, rate};
use crate::summary::Summary;

/// Columns of a terminal that every one has.
pub(in crate::display) const CHART_COLUMNS: usize = 80;

/// Columns the axis and its labels take, of which the longest are such as `1000000` and `3600 s`.
const LABEL_COLUMNS: usize = 12;

/// RPS and p99 over time and the histogram of latencies ([`Summary::latency_distribution`]), each line with its line break and at most
/// `columns` characters long, 40 at least.
///
/// The charts over time show the warm-up too, with another axis, and not the drain; a load shorter than two seconds has none. Where
/// there are more seconds than columns, a column has the mean RPS and the worst p99 of its seconds. A summary that was read from JSON
/// has no histogram.
pub fn charts(summary: &Summary, columns: usize) -> String {
    let mut text = Text::new(ReportOptions::default());
    write(&mut text, summary, columns);
    text.into_lines()
}

/// [`charts`] as sections of a report.
pub(in crate::display) fn write(text: &mut Text, summary: &Summary, columns: usize) {
    let columns = columns.max(40);
    over_time(text, summary, columns);
    let model = of_model(summary.run.model);
    let lines = histogram(&summary.latency_distribution, columns);
    if !lines.is_empty() {
        text.heading(&format!("Latencies ({model} of those that succeeded, classes on a logarithmic scale)"));
        text.lines(&lines);
    }
}

fn over_time(text: &mut Text, summary: &Summary, columns: usize) {
    let load_s = summary.run.warmup_s + summary.run.load_s;
    let Some(drawn) = OverTime::new(&summary.series, load_s, columns - LABEL_COLUMNS) else {
        text.heading("Over time");
        text.line("  the load was too short for a chart: it takes two seconds");
        return;
    };
    let warmup = if drawn.has_warmup() { "; ┄ is the warm-up" } else { "" };
    let (each, worst) = match drawn.each_s {
        1 => (String::new(), String::new()),
        each_s => (format!(", columns of {}", clock(each_s)), format!(", the worst second of every {}", clock(each_s))),
    };
    text.heading(&format!("RPS over time (requests finished{each}{warmup})"));
    text.lines(&drawn.lines(Column::rps, round_rate));
    let model = of_model(summary.run.model);
    text.heading(&format!("p99 over time ({model}{worst}{warmup})"));
    text.lines(&drawn.lines(|column| column.p99_us.map(|us| us as f64), latency));
}

/// The scale's numbers are round, and decimals say nothing.
fn round_rate(per_s: f64) -> String {
    if per_s >= 10.0 && per_s.fract() == 0.0 {
        format!("{per_s:.0}")
    } else {
        rate(per_s)
    }
}

fn of_model(model: Model) -> &'static str {
    match model {
        Model::Closed => "service time",
        Model::Open => "response time",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Recorded;
    use crate::sample;
    use crate::summary::SeriesPoint;

    /// A run of `seconds` whose rate rises by 10 each second and whose p99 is 1 ms, but for one second in which nothing ended.
    fn summary(seconds: u64) -> Summary {
        let mut summary = sample::summary();
        let point = |t_s| SeriesPoint {
            t_s,
            requests: if t_s == 3 { 0 } else { 10 * (t_s + 1) },
            p99_us: (t_s != 3).then_some(if t_s == 4 { 4_000 } else { 1_000 }),
            ..SeriesPoint::default()
        };
        summary.series = (0..seconds).map(point).collect();
        summary.series.push(SeriesPoint { drain: true, requests: 999, ..point(seconds) });
        summary.run.load_s = seconds as f64;
        let mut recorded = Recorded::<u32>::default();
        // From 1 us to 4,096 us, so that a class ends at twice the one before, and in each as many more as its number says.
        recorded.record(1);
        recorded.record(4_096);
        (1..=12).for_each(|class| (0..class).for_each(|_| recorded.record((1 << class) - (1 << class) / 8)));
        summary.latency_distribution = recorded.to_distribution();
        summary
    }

    #[test]
    fn charts_of_ten_seconds() {
        insta::assert_snapshot!(charts(&summary(10), 80), @r"

        RPS over time (requests finished)
          100 ┤                                                ▃▃▃▃▃▃██████
              │                                    ▂▂▂▂▂▂▆▆▆▆▆▆████████████
              │                              ▅▅▅▅▅▅████████████████████████
           50 ┤                        ████████████████████████████████████
              │      ▂▂▂▂▂▂▆▆▆▆▆▆      ████████████████████████████████████
              │▅▅▅▅▅▅████████████      ████████████████████████████████████
            0 └────────────────────────────────────────────────────────────
               0s                            5s                         10s

        p99 over time (service time)
          4.00 ms ┤                        ██████
                  │                        ██████
                  │                        ██████
          2.00 ms ┤                        ██████
                  │▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄      ██████▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄
                  │██████████████████      ████████████████████████████████████
                0 └────────────────────────────────────────────────────────────
                   0s                            5s                         10s

        Latencies (service time of those that succeeded, classes on a logarithmic scale)
            UP TO  COUNT  SO FAR
             2 us      2    2.5% |████████
             4 us      2    5.0% |████████
             8 us      3    8.8% |████████████
            16 us      4   13.8% |████████████████
            32 us      5   20.0% |████████████████████
            64 us      6   27.5% |████████████████████████
           128 us      7   36.2% |█████████████████████████████
           256 us      8   46.2% |█████████████████████████████████
           512 us      9   57.5% |█████████████████████████████████████
          1.02 ms     10   70.0% |█████████████████████████████████████████
          2.05 ms     11   83.8% |█████████████████████████████████████████████
          4.10 ms     13  100.0% |█████████████████████████████████████████████████████
        ");
    }

    #[test]
    fn charts_of_an_hour_and_a_half_with_a_warm_up() {
        let mut summary = summary(5_400);
        (summary.run.warmup_s, summary.run.load_s) = (600.0, 4_800.0);
        summary.run.model = Model::Open;
        summary.series.iter_mut().take(600).for_each(|point| point.warmup = true);
        insta::assert_snapshot!(charts(&summary, 80), @r"

        RPS over time (requests finished, columns of 1m20s; ┄ is the warm-up)
          60000 ┤                                                               ▁▁▂▃▃
                │                                                   ▁▂▂▃▄▄▅▅▆▇▇██████
                │                                      ▁▁▂▃▃▄▄▅▆▆▇███████████████████
          30000 ┤                          ▁▂▂▃▄▄▅▅▆▇▇███████████████████████████████
                │             ▁▁▂▃▃▄▄▅▆▆▇████████████████████████████████████████████
                │▁▁▂▂▃▄▄▅▅▆▇▇████████████████████████████████████████████████████████
              0 └┄┄┄┄┄┄┄┄────────────────────────────────────────────────────────────
                 0s                                45m20s                     1h30m0s

        p99 over time (response time, the worst second of every 1m20s; ┄ is the warm-up)
          4.00 ms ┤█
                  │█
                  │█
          2.00 ms ┤█
                  │█▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄
                  │████████████████████████████████████████████████████████████████████
                0 └┄┄┄┄┄┄┄┄────────────────────────────────────────────────────────────
                   0s                                45m20s                     1h30m0s

        Latencies (response time of those that succeeded, classes on a logarithmic scale)
            UP TO  COUNT  SO FAR
             2 us      2    2.5% |████████
             4 us      2    5.0% |████████
             8 us      3    8.8% |████████████
            16 us      4   13.8% |████████████████
            32 us      5   20.0% |████████████████████
            64 us      6   27.5% |████████████████████████
           128 us      7   36.2% |█████████████████████████████
           256 us      8   46.2% |█████████████████████████████████
           512 us      9   57.5% |█████████████████████████████████████
          1.02 ms     10   70.0% |█████████████████████████████████████████
          2.05 ms     11   83.8% |█████████████████████████████████████████████
          4.10 ms     13  100.0% |█████████████████████████████████████████████████████
        ");
    }

    #[test]
    fn lines_are_no_longer_than_the_terminal_is_wide() {
        for seconds in [2, 3, 17, 68, 69, 100, 100_000] {
            for columns in [40, 80, 200] {
                let text = charts(&summary(seconds), columns);
                let longest = text.lines().filter(|line| line.starts_with(' ')).map(|line| line.chars().count()).max();
                assert!(longest.unwrap() <= columns, "{seconds} s in {columns}:\n{text}");
            }
        }
    }

    #[test]
    fn a_run_too_short_says_so_and_has_its_histogram() {
        let text = charts(&summary(1), 80);
        assert!(
            text.starts_with("\nOver time\n  the load was too short for a chart: it takes two seconds\n\nLatencies ("),
            "{text}"
        );
        let nothing = charts(&Summary::default(), 80);
        assert_eq!(nothing.lines().count(), 3, "{nothing}");
    }
}
