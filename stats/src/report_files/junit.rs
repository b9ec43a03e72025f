//! The outcome for a build server: JUnit XML.

use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::names::bounded;
use crate::display::report::{how_it_was, limit_sentence, shown, step_name, verdict_sentence, Percentile, PERCENTILES};
use crate::display::units::{latency_or_dash, percent, rate, whole_us};
use crate::summary::{Step, Summary, Threshold};
use crate::verdict::Verdict;

/// The summary as JUnit XML, in three suites: `thresholds` has a test case for each threshold, which fails where it was missed or could
/// not be judged; `client` has one for the load generator's verdict on itself, which fails where that is invalid, and is skipped for a
/// run that was cut off; `steps` has one for each step, which never fails, with its figures as its output.
///
/// # Errors
/// None that is known: writing into memory does not fail.
pub fn junit(summary: &Summary) -> io::Result<String> {
    let run = &summary.run;
    let mut report = Report::new(xml(&format!("pummel {} {}", run.command, run.name)));
    if let Ok(time) = Duration::try_from_secs_f64(run.duration_s) {
        report.set_time(time);
    }
    let suites = [
        ("thresholds", summary.thresholds.iter().map(threshold).collect()),
        ("client", vec![client(summary)]),
        ("steps", summary.steps.iter().map(|one| step(summary, one)).collect::<Vec<_>>()),
    ];
    for (name, cases) in suites {
        let mut suite = TestSuite::new(name);
        suite.extra.insert("timestamp".into(), xml(&run.started_at));
        suite.add_test_cases(cases);
        report.add_test_suite(suite);
    }
    report.to_string().map_err(io::Error::other)
}

fn threshold(threshold: &Threshold) -> TestCase {
    let expression = bounded(&threshold.expression);
    let how = how_it_was(threshold);
    let status = if threshold.ok {
        TestCaseStatus::success()
    } else {
        failure(&format!("{expression} was missed: {how}"), "threshold")
    };
    let mut case = TestCase::new(xml(&expression), status);
    case.set_classname("thresholds").set_system_out(xml(&how));
    case
}

fn client(summary: &Summary) -> TestCase {
    let client = &summary.client;
    let sentence = verdict_sentence(client.verdict);
    let status = match client.verdict {
        _ if !summary.was_judged() => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("the run was cut off, and there is no verdict");
            status
        }
        Verdict::Invalid => failure(sentence, "client"),
        Verdict::Valid | Verdict::Degraded => TestCaseStatus::success(),
    };
    let mut case = TestCase::new("client verdict", status);
    case.set_classname("client");
    if summary.was_judged() {
        let mut lines = vec![sentence.to_owned(), format!("limited by {}", limit_sentence(client.limit))];
        lines.extend(client.reasons.iter().map(|reason| bounded(reason)));
        case.set_system_out(xml_lines(&lines));
    }
    case
}

fn step(summary: &Summary, step: &Step) -> TestCase {
    let latency = shown(summary.run.model, &step.service_us, &step.response_us).0;
    let mut lines = vec![
        format!("requests: {}", step.requests),
        format!("failures: {} ({})", step.failures, percent(step.failures, step.requests)),
        format!("RPS: {}", rate(step.rps)),
        format!("mean: {}", latency_or_dash(latency.mean)),
    ];
    lines.extend(
        PERCENTILES
            .iter()
            .map(|percentile| format!("{}: {}", percentile.name.to_lowercase(), percentile.text(latency))),
    );
    lines.push(format!("max: {}", whole_us(latency.max)));
    let needs: Vec<_> =
        PERCENTILES.iter().filter(|percentile| percentile.is_weak(latency)).map(Percentile::need).collect();
    if !needs.is_empty() {
        lines.push(format!("~ too few samples to rely on: {}", needs.join(", ")));
    }
    let mut case = TestCase::new(xml(&step_name(step)), TestCaseStatus::success());
    case.set_classname(xml(&step.case)).set_system_out(xml_lines(&lines));
    case
}

fn failure(message: &str, kind: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(xml_safe(message)).set_type(kind);
    status
}

/// A text from outside.
fn xml(text: &str) -> XmlString {
    xml_safe(&bounded(text))
}

fn xml_lines(lines: &[String]) -> XmlString {
    xml_safe(&lines.join("\n"))
}

/// A text without what XML 1.0 cannot hold (section 2.2): the library takes control characters out, not these two.
fn xml_safe(text: &str) -> XmlString {
    XmlString::new(text.replace(['\u{fffe}', '\u{ffff}'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report_files::sample::HOSTILE;
    use crate::sample;
    use crate::summary::{Client, Conservation};
    use crate::threshold::Unit;

    fn missed(expression: &str) -> Threshold {
        Threshold {
            expression: expression.into(),
            value: Some(15_000.0),
            limit: Some(10_000.0),
            unit: Unit::Us,
            by: Some(0.5),
            first_failed_s: Some(3),
            ..Threshold::default()
        }
    }

    #[test]
    fn a_run_with_thresholds() {
        let mut summary = sample::summary();
        let held = Threshold { ok: true, by: None, first_failed_s: None, ..missed("p99<20ms") };
        let few = Threshold { value: None, by: None, reason: Some("only 4 samples".into()), ..missed("order:p99<1s") };
        summary.thresholds = vec![held, missed("max<10ms"), few];
        insta::assert_snapshot!(junit(&summary).unwrap(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="pummel boom demo" tests="6" skipped="0" failures="2" errors="0" time="15.002">
            <testsuite name="thresholds" tests="3" skipped="0" errors="0" failures="2" timestamp="2026-11-22T01:52:20.000Z">
                <testcase name="p99&lt;20ms" classname="thresholds">
                    <system-out>was 15.0 ms</system-out>
                </testcase>
                <testcase name="max&lt;10ms" classname="thresholds">
                    <failure message="max&lt;10ms was missed: was 15.0 ms, 50.0% over, first seen in second 3" type="threshold"/>
                    <system-out>was 15.0 ms, 50.0% over, first seen in second 3</system-out>
                </testcase>
                <testcase name="order:p99&lt;1s" classname="thresholds">
                    <failure message="order:p99&lt;1s was missed: only 4 samples, first seen in second 3" type="threshold"/>
                    <system-out>only 4 samples, first seen in second 3</system-out>
                </testcase>
            </testsuite>
            <testsuite name="client" tests="1" skipped="0" errors="0" failures="0" timestamp="2026-11-22T01:52:20.000Z">
                <testcase name="client verdict" classname="client">
                    <system-out>VALID: the load generator did not distort the figures
        limited by the server, or the way to it
        no core of the client was above 62.0 %: the users waited for answers</system-out>
                </testcase>
            </testsuite>
            <testsuite name="steps" tests="2" skipped="0" errors="0" failures="0" timestamp="2026-11-22T01:52:20.000Z">
                <testcase name="GET hello" classname="demo">
                    <system-out>requests: 15000
        failures: 0 (0.0%)
        RPS: 1000.0
        mean: 7.90 ms
        p50: 7.90 ms
        p90: 13.9 ms
        p95: 14.7 ms
        p99: 15.3 ms
        p99.9: 15.4 ms
        max: 15.4 ms</system-out>
                </testcase>
                <testcase name="POST order" classname="demo">
                    <system-out>requests: 15000
        failures: 4 (&lt;0.1%)
        RPS: 1000.0
        mean: 8.30 ms
        p50: 8.30 ms
        p90: 14.3 ms
        p95: 15.0 ms
        p99: 15.6 ms
        p99.9: 15.8 ms
        max: 15.8 ms</system-out>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn a_client_that_was_the_limit_fails_and_one_that_was_not_judged_is_skipped() {
        let mut summary = sample::summary();
        let figures = |summary: &Summary| {
            let text = junit(summary).unwrap();
            let head = text.lines().nth(1).unwrap().to_owned();
            head[head.find("tests=").unwrap()..].to_owned()
        };
        assert_eq!(figures(&summary), "tests=\"3\" skipped=\"0\" failures=\"0\" errors=\"0\" time=\"15.002\">");
        summary.client.verdict = Verdict::Degraded;
        assert_eq!(figures(&summary), "tests=\"3\" skipped=\"0\" failures=\"0\" errors=\"0\" time=\"15.002\">");
        summary.client.verdict = Verdict::Invalid;
        assert_eq!(figures(&summary), "tests=\"3\" skipped=\"0\" failures=\"1\" errors=\"0\" time=\"15.002\">");
        (summary.client, summary.conservation) = (Client::default(), Conservation::default());
        assert_eq!(figures(&summary), "tests=\"3\" skipped=\"1\" failures=\"0\" errors=\"0\" time=\"15.002\">");
    }

    #[test]
    fn a_summary_of_nonsense_is_a_document_too() {
        let mut summary = Summary::default();
        summary.run.duration_s = f64::NAN;
        assert!(junit(&summary).unwrap().contains("tests=\"1\""));
        summary.run.duration_s = -1.0;
        assert!(junit(&summary).is_ok());
    }

    #[test]
    fn whatever_a_name_holds_the_document_is_well_formed() {
        for name in HOSTILE {
            let mut summary = sample::summary();
            summary.run.name = name.into();
            summary.thresholds = vec![missed(name)];
            for step in &mut summary.steps {
                (step.case, step.name) = (name.into(), name.into());
            }
            let text = junit(&summary).unwrap();
            assert!(text.chars().all(is_xml_char), "{name:?}: {text}");
            // The reader checks that every element ends, and every attribute and text is well formed.
            let read = Report::deserialize_from_str(&text).unwrap_or_else(|error| panic!("{name:?}: {error}\n{text}"));
            let suites: Vec<_> = read.test_suites.iter().map(|suite| (suite.tests, suite.failures)).collect();
            assert_eq!(suites, [(1, 1), (1, 0), (2, 0)], "{name:?}");
            assert!(read.test_suites[2].test_cases[0].name.as_str().chars().count() <= 256, "{name:?}");
        }
    }

    /// XML 1.0, production 2.
    fn is_xml_char(c: char) -> bool {
        matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    }
}
