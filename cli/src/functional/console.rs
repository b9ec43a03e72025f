//! The lines a person reads while a functional run goes on, and its totals.

use std::fmt::Write;

use pummel_case::ValidatorRecord;
use pummel_engine::{FunctionalEvent, StepRecord};
use pummel_stats::display::{
    text::{one_line, Paint},
    units::latency,
};

use serde::de::IgnoredAny;

use super::{
    body::{header, is_json, value_text},
    dump::dump,
    phases::step_phases_line,
    results::{CaseFacts, CaseRun, Count, Results},
};

/// The most characters of a name or a value on a line.
const CHARS_MAX: usize = 200;

/// The most bytes of a value: with what is said of the rest it stays on a line of [`CHARS_MAX`].
const VALUE_BYTES_MAX: usize = 160;

/// The most characters of an error's sentence.
const ERROR_CHARS_MAX: usize = 1_000;

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConsoleOptions {
    /// Colours: a terminal reads.
    pub(crate) colour: bool,
    /// Each step's phases (`--http-stat`).
    pub(crate) phases: bool,
    /// Each step's request and response (`--log-requests`).
    pub(crate) exchanges: bool,
}

/// Turns events and results into text.
#[derive(Debug)]
pub(crate) struct Console {
    options: ConsoleOptions,
    paint: Paint,
}

impl Console {
    /// One that shows what the options say.
    pub(crate) fn new(options: ConsoleOptions) -> Self {
        Self { options, paint: Paint { colour: options.colour } }
    }

    /// The lines of an event that `results` has not yet taken; a case's end comes from what it then knows.
    pub(crate) fn before(&self, event: &FunctionalEvent, facts: &[CaseFacts]) -> String {
        match event {
            FunctionalEvent::CaseStarted { case, .. } => facts.get(*case).map(|facts| self.header(facts)),
            FunctionalEvent::Step(record) => Some(self.step(record)),
            FunctionalEvent::CaseEnded { .. } => None,
        }
        .unwrap_or_default()
    }

    /// The case that begins.
    fn header(&self, facts: &CaseFacts) -> String {
        let path = facts.path.as_ref().map(|path| format!("  {}", path.display())).unwrap_or_default();
        format!("\n{}{}\n", self.paint.bold(&one_line(&facts.name, CHARS_MAX)), one_line(&path, CHARS_MAX))
    }

    /// A step: how it came out, type, status code, time, name; under it what there is to say.
    fn step(&self, record: &StepRecord) -> String {
        let mark = match record.failure {
            None => self.paint.green("ok  "),
            Some(_) => self.paint.red("FAIL"),
        };
        let response = record.exchange.as_ref().and_then(|exchange| exchange.response.as_ref());
        let status = response.filter(|response| response.status != 0);
        let status = status.map(|response| response.status.to_string()).unwrap_or_default();
        let time = latency(record.elapsed_us as f64);
        let name = one_line(&record.name, CHARS_MAX);
        let mut text = format!("  {mark}  {:<11}  {status:>3}  {time:>8}  {name}", record.step_type);
        match record.exchange.as_ref().map_or(0, |exchange| exchange.redirects) {
            0 => {}
            1 => text.push_str("  (1 redirect)"),
            redirects => {
                let _ = write!(text, "  ({redirects} redirects)");
            }
        }
        text.push('\n');
        if let Some(failure) = &record.failure {
            let sentence = one_line(&failure.message, ERROR_CHARS_MAX);
            let _ = writeln!(text, "        {}", self.paint.red(&sentence));
            record.validators.iter().filter(|one| !one.passed).for_each(|one| push_validator(&mut text, one));
            if let Some(problem) = unreadable_body(record) {
                let _ = writeln!(text, "          body    {}", one_line(&problem, CHARS_MAX));
            }
        }
        if let Some(phases) = step_phases_line(record).filter(|_| self.options.phases) {
            let _ = writeln!(text, "        {phases}");
        }
        if let Some(exchange) = record.exchange.as_ref().filter(|_| self.options.exchanges) {
            text.push_str(&dump(exchange));
        }
        text
    }

    /// How a case came out.
    pub(crate) fn case_end(&self, run: &CaseRun) -> String {
        let time = latency(run.elapsed_us as f64);
        let steps = counted(Count { total: run.steps_run, failed: run.steps_failed }, "step");
        let mut text = if run.passed {
            format!("  {} in {time}: {steps}\n", self.paint.green("passed"))
        } else {
            format!("  {} in {time}: {steps}\n", self.paint.red("failed"))
        };
        if let Some(error) = &run.error {
            let _ = writeln!(text, "        {}", self.paint.red(&one_line(error, ERROR_CHARS_MAX)));
        }
        text
    }

    /// All cases and steps.
    pub(crate) fn totals(&self, results: &Results) -> String {
        let time = latency(results.elapsed.as_micros() as f64);
        let cases = counted(results.case_count(), "case");
        let steps = counted(results.step_count(), "step");
        let verdict = match results.failure() {
            None => self.paint.green("PASSED"),
            Some(_) => self.paint.red("FAILED"),
        };
        format!("\n{verdict} in {time}\n  {cases}\n  {steps}\n")
    }
}

/// Why the body could not be searched where a check of it failed: it is compressed, or claims to be JSON and is not.
fn unreadable_body(record: &StepRecord) -> Option<String> {
    let failed = record.validators.iter().find(|one| !one.passed)?;
    let response = record.exchange.as_ref()?.response.as_ref()?;
    if !failed.check.contains("body") {
        return None;
    }
    if let Some(coding) = header(&response.headers, "content-encoding").filter(|coding| *coding != "identity") {
        return Some(format!("is in the content coding {coding}, which is not decoded"));
    }
    let error = serde_json::from_slice::<IgnoredAny>(&response.body).err().filter(|_| is_json(&response.headers))?;
    Some(format!("is no JSON, although its type says so: {error}"))
}

/// What a validator wanted and what it got. Its author's message is part of the failure's sentence.
fn push_validator(text: &mut String, validator: &ValidatorRecord) {
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "          {what:<7} {}", one_line(value, CHARS_MAX));
    };
    line("check", &validator.check);
    line("assert", &validator.assertion);
    line("expect", &value_text(&validator.expect, VALUE_BYTES_MAX));
    line("actual", &value_text(&validator.actual, VALUE_BYTES_MAX));
}

/// `3 steps, 1 failed`.
pub(super) fn counted(count: Count, what: &str) -> String {
    let many = if count.total == 1 { "" } else { "s" };
    match count.failed {
        0 => format!("{} {what}{many}, all passed", count.total),
        failed => format!("{} {what}{many}, {} passed, {failed} failed", count.total, count.passed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::results::RunEnd;
    use crate::functional::{
        sample::{events, facts, failing, t0},
        Keep,
    };

    /// Everything that is printed for the sample.
    fn printed(options: ConsoleOptions) -> String {
        let console = Console::new(options);
        let facts = vec![facts()];
        let mut results = Results::new(facts.clone(), Keep::Counts, t0());
        let mut text = String::new();
        for event in events() {
            text += &console.before(&event, &facts);
            let is_end = matches!(event, FunctionalEvent::CaseEnded { .. });
            results.take(event);
            if is_end {
                text += &console.case_end(results.cases.last().unwrap());
            }
        }
        results.finish(std::time::Duration::from_millis(30), RunEnd::Whole);
        text + &console.totals(&results)
    }

    const PLAIN: ConsoleOptions = ConsoleOptions { colour: false, phases: false, exchanges: false };

    #[test]
    fn each_step_is_a_line_and_a_failure_says_why() {
        let expected = "
shop <1>  cases/shop.yml
  ok    request      200   6.70 ms  log in  (1 redirect)
  ok    thinktime          6.70 ms  pause
  passed in 12.0 ms: 2 steps, all passed

shop <1>  cases/shop.yml
  FAIL  request      200   6.70 ms  登录 <b>  (1 redirect)
        step validation failed
          check   body.html
          assert  equals
          expect  \"7\"
          actual  \"<script>alert(1)</script>\"
  FAIL  api                6.70 ms  refused
        connection refused
  failed in 12.0 ms: 2 steps, 0 passed, 2 failed

FAILED in 30.0 ms
  2 cases, 1 passed, 1 failed
  4 steps, 2 passed, 2 failed
";
        assert_eq!(printed(PLAIN), expected);
    }

    #[test]
    fn phases_stand_under_their_step_and_requests_on_demand() {
        let text = printed(ConsoleOptions { phases: true, ..PLAIN });
        assert_eq!(
            text.matches("\n        dns 1.00 ms, connect 2.00 ms, send 0 us, wait 3.00 ms").count(),
            2,
            "{text}"
        );
        assert!(!text.contains("> POST"), "{text}");
        let text = printed(ConsoleOptions { exchanges: true, ..PLAIN });
        assert_eq!(text.matches("\n      > POST http://127.0.0.1:80/login\n").count(), 2, "{text}");
    }

    #[test]
    fn colours_are_for_terminals() {
        assert!(!printed(PLAIN).contains('\u{1b}'));
        assert!(printed(ConsoleOptions { colour: true, ..PLAIN }).contains("\u{1b}[31mFAIL\u{1b}[0m"));
    }

    #[test]
    fn a_check_of_a_body_that_is_not_the_json_it_claims_to_be_says_so() {
        let said = |content_type: &str, body: &str| {
            let mut record = failing("step", 1);
            let response = record.exchange.as_mut().unwrap().response.as_mut().unwrap();
            response.headers = vec![("Content-Type".into(), content_type.into())];
            response.body = body.into();
            let text = Console::new(PLAIN).step(&record);
            text.lines().find_map(|line| line.strip_prefix("          body    ")).map(str::to_owned)
        };
        let problem = "is no JSON, although its type says so: EOF while parsing an object at line 1 column 8";
        assert_eq!(said("application/json", "{\"a\": 1,").as_deref(), Some(problem));
        assert_eq!(said("application/problem+json; charset=utf-8", "{\"a\": 1,").as_deref(), Some(problem));
        assert_eq!(said("application/json", "{\"a\": 1}"), None);
        assert_eq!(said("text/html", "{\"a\": 1,"), None);
        let mut record = failing("step", 1);
        let response = record.exchange.as_mut().unwrap().response.as_mut().unwrap();
        response.headers = vec![("content-encoding".into(), "gzip".into())];
        let text = Console::new(PLAIN).step(&record);
        assert!(text.contains("          body    is in the content coding gzip, which is not decoded\n"), "{text}");
    }

    #[test]
    fn a_long_value_ends_with_what_is_missing() {
        let mut record = failing("step", 1);
        record.validators[1].actual = "x".repeat(5_000).into();
        let text = Console::new(PLAIN).step(&record);
        assert!(text.contains("x... (4842 more bytes)\n"), "{text}");
    }
}
