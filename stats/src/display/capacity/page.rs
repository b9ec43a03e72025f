//! The report of a search.

use super::headline::{capacity_headline, resource, why_it_ended};
use super::line::grade;
use crate::capacity::spec::number;
use crate::capacity::usl::Concurrency;
use crate::capacity::{By, CapacityResult, CurvePoint, Grade, Usl, UslFit};
use crate::display::chart::bars::{lines, Bar, Scale};
use crate::display::chart::CHART_COLUMNS;
use crate::display::report::{ReportOptions, Text};
use crate::display::text::{columns, LEFT, RIGHT};
use crate::display::units::{latency, percent, whole_us};
use crate::verdict::Limit;

/// The report, each line with its line break: the answer, the curve as table and chart, what was the limit, the law.
pub fn capacity_report(result: &CapacityResult, options: ReportOptions) -> String {
    let mut text = Text::new(options);
    text.line("");
    text.title(&capacity_headline(result));
    text.sentence("  ", &facts(result));
    table(&mut text, result);
    drawing(&mut text, result);
    limit(&mut text, result);
    law(&mut text, result);
    for note in &result.notes {
        text.sentence("  note: ", note);
    }
    text.into_lines()
}

/// What was done for it.
fn facts(result: &CapacityResult) -> String {
    let mut facts = Vec::new();
    if let (Some(held), Some(failed)) = (result.held, result.failed) {
        facts.push(format!("between {} and {}", result.by.text(held), result.by.text(failed)));
    }
    facts.push(match result.probe_count {
        1 => "1 probe".to_owned(),
        probes => format!("{probes} probes"),
    });
    if let Some(estimate_per_s) = result.estimate_per_s {
        facts.push(format!("estimate {}", By::Rate.text(estimate_per_s)));
    }
    facts.push(format!("ended: {}", why_it_ended(result)));
    facts.join(", ")
}

fn table(text: &mut Text, result: &CapacityResult) {
    if result.curve.is_empty() {
        return;
    }
    text.heading(match result.by {
        By::Rate => "Rates (open model: response time of requests that succeeded)",
        By::Users => "Users (closed model: service time of requests that succeeded)",
    });
    let rows = result.curve.iter().map(|point| {
        vec![
            level(result.by, point),
            By::Rate.text(point.achieved_per_s),
            whole_us(point.p50_us),
            whole_us(point.p95_us),
            whole_us(point.p99_us),
            errors(point.failure_ratio),
            grade(point.grade).to_owned(),
        ]
    });
    let first = match result.by {
        By::Rate => "RATE",
        By::Users => "USERS",
    };
    let header = [first, "ACHIEVED", "P50", "P95", "P99", "ERRORS", "VERDICT"];
    let lines = columns(&header, &[RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, LEFT], &rows.collect::<Vec<_>>());
    // The first line is the header's.
    let grades = [Grade::Held].into_iter().chain(result.curve.iter().map(|point| point.grade));
    for (line, grade) in lines.iter().zip(grades) {
        let line = format!("  {line}");
        let line = match grade {
            Grade::Held => line,
            Grade::Failed => text.paint.red(&line),
            Grade::ClientLimited | Grade::Inconclusive => text.paint.yellow(&line),
        };
        text.line(&line);
    }
}

/// The curve as bars. With less than two points there is none.
fn drawing(text: &mut Text, result: &CapacityResult) {
    let bars = result.curve.iter().filter_map(|point| {
        let p99_us = point.p99_us.filter(|&us| us > 0)? as f64;
        Some(Bar {
            label: level(result.by, point),
            value: p99_us,
            text: latency(p99_us),
            mark: match point.grade {
                Grade::Held => '#',
                Grade::Failed => 'x',
                Grade::ClientLimited | Grade::Inconclusive => '?',
            },
        })
    });
    let bars: Vec<Bar> = bars.collect();
    if bars.len() < 2 {
        return;
    }
    let scale = Scale::fitting(&bars);
    let logarithmic = if scale == Scale::Logarithmic { ", logarithmic scale" } else { "" };
    let against = match result.by {
        By::Rate => "rate",
        By::Users => "users",
    };
    text.heading(&format!("p99 by {against} (# held, x failed, ? not judged{logarithmic})"));
    for line in lines(&bars, scale, CHART_COLUMNS) {
        text.line(&line);
    }
}

/// What was the limit, where a level failed.
fn limit(text: &mut Text, result: &CapacityResult) {
    let Some(failed) = result.failed else { return };
    text.heading(&format!("Limit at {}", result.by.text(failed)));
    let side = match result.limit.side {
        Limit::Server => "the server, or the way to it",
        Limit::Client => "the client (this program or its machine)",
        Limit::Unclear => "neither side clearly",
    };
    let what = result.limit.resource.map_or_else(String::new, |what| format!(": {}", resource(what)));
    text.line(&format!("  limited by   {side}{what}"));
    for reason in &result.limit.reasons {
        text.sentence("    - ", reason);
    }
}

fn law(text: &mut Text, result: &CapacityResult) {
    if result.probe_count == 0 {
        return;
    }
    text.heading("Universal Scalability Law: X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1))");
    match &result.usl {
        UslFit::NotFitted { why } => text.sentence("  not fitted: ", why),
        UslFit::Fitted(usl) => fitted(text, usl),
    }
}

fn fitted(text: &mut Text, usl: &Usl) {
    let n = match usl.concurrency {
        Concurrency::Users => "users",
        Concurrency::MeanInFlight => "requests under way at once on average, by Little's law",
    };
    text.line(&format!("  N            {n}"));
    text.line(&format!(
        "  fit          lambda {}, sigma {}, kappa {}",
        By::Rate.text(usl.lambda_per_s),
        coefficient(usl.sigma),
        coefficient(usl.kappa)
    ));
    match (&usl.peak, &usl.no_peak) {
        (Some(peak), _) => {
            text.line(&format!("  peak         {} at N = {}", By::Rate.text(peak.per_s), number(peak.n)));
        }
        (None, Some(why)) => text.line(&format!("  peak         {why}")),
        (None, None) => {}
    }
    let r_squared = usl.r_squared.map_or_else(String::new, |r_squared| format!(", R squared {r_squared:.4}"));
    text.line(&format!(
        "  residuals    at most {:.1}%, RMS {:.1}%{r_squared}, of {} points",
        usl.residual_max_ratio * 100.0,
        usl.residual_rms_ratio * 100.0,
        usl.points.len()
    ));
}

fn level(by: By, point: &CurvePoint) -> String {
    match by {
        By::Rate => by.text(point.level),
        By::Users => number(point.level),
    }
}

/// In millionths, which is finer than what is shown.
fn errors(ratio: f64) -> String {
    percent((ratio * 1e6).ceil() as u64, 1_000_000)
}

/// Three significant digits: contention is some percent, coherence far less.
fn coefficient(value: f64) -> String {
    if value < 1e-12 {
        "0".to_owned()
    } else if value < 1e-3 {
        format!("{value:.2e}")
    } else {
        format!("{value:.4}")
    }
}
