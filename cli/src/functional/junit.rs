//! The results as JUnit XML: a suite for each run of a case, a test case for each step.

use std::time::Duration;

use pummel_stats::clock::rfc3339_utc;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::body::value_text;
use super::results::{CaseRun, Results, StepResult};

/// The most bytes of a value: build servers show these texts in tables.
const VALUE_BYTES_MAX: usize = 4 << 10;

/// The document.
///
/// # Errors
/// None that is known: writing into memory does not fail.
pub(crate) fn junit_xml(results: &Results) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("pummel run");
    report.set_time(results.elapsed);
    report.add_test_suites(results.cases.iter().map(suite));
    report.to_string()
}

fn suite(run: &CaseRun) -> TestSuite {
    let mut suite = TestSuite::new(xml(&run.facts.name));
    suite.set_time(Duration::from_micros(run.elapsed_us));
    suite.extra.insert("timestamp".into(), rfc3339_utc(run.started_at).into());
    if let Some(path) = &run.facts.path {
        suite.extra.insert("file".into(), xml(&path.display().to_string()));
    }
    suite.add_test_cases(run.steps.iter().map(|step| test_case(run, step)));
    // What is no step's failure, a time limit for example, needs a test case of its own to be seen.
    if let Some(error) = &run.error {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(xml(error)).set_type("case");
        let mut case = TestCase::new(xml(&run.facts.name), status);
        case.set_classname(xml(&run.facts.name));
        suite.add_test_case(case);
    }
    suite
}

fn test_case(run: &CaseRun, step: &StepResult) -> TestCase {
    let record = &step.record;
    let status = match &record.failure {
        None => TestCaseStatus::success(),
        Some(failure) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(xml(&failure.message)).set_type(failure.kind);
            let failed = record.validators.iter().filter(|validator| !validator.passed);
            let lines: Vec<String> = failed
                .map(|one| {
                    let (expect, actual) =
                        (value_text(&one.expect, VALUE_BYTES_MAX), value_text(&one.actual, VALUE_BYTES_MAX));
                    format!("{} {} {expect}, but it is {actual}", one.check, one.assertion)
                })
                .collect();
            if !lines.is_empty() {
                status.set_description(xml(&lines.join("\n")));
            }
            status
        }
    };
    let mut case = TestCase::new(xml(&record.name), status);
    case.set_classname(xml(&run.facts.name)).set_time(Duration::from_micros(record.elapsed_us));
    case
}

/// A text without what XML 1.0 cannot hold (section 2.2): the library takes control characters out, not these two.
fn xml(text: &str) -> XmlString {
    XmlString::new(text.replace(['\u{fffe}', '\u{ffff}'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::{
        results::{Keep, RunEnd},
        sample::{facts, passing, results, started, step, t0},
    };

    #[test]
    fn suites_are_cases_and_test_cases_are_steps() {
        insta::assert_snapshot!(junit_xml(&results()).unwrap());
    }

    #[test]
    fn a_case_that_was_cut_off_is_an_error() {
        let mut results = Results::new(vec![facts()], Keep::Exchanges, t0());
        results.take(started(0));
        results.take(step(passing("a\u{0}\u{fffe}\u{1b}[31mb")));
        results.finish(Duration::from_secs(1), RunEnd::Whole);
        let text = junit_xml(&results).unwrap();
        assert!(text.contains("<testcase name=\"ab\" classname=\"shop &lt;1&gt;\""), "{text}");
        assert!(text.contains("tests=\"2\" skipped=\"0\" errors=\"1\" failures=\"0\""), "{text}");
        assert!(text.contains("<error message=\"it was not brought to its end\" type=\"case\"/>"), "{text}");
    }
}
