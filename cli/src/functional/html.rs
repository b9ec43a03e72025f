//! The report as one page that needs no network (hrp spec 13.9).
//!
//! Every text goes through the template's escaping, and the page's own policy forbids scripts and loads: what a server or a
//! case says can do nothing in the browser.

use minijinja::{value::Serde, AutoEscape, Environment, Value};
use pummel_engine::{ExchangeRecord, ResponseRecord};
use pummel_stats::{
    clock::rfc3339_utc,
    display::units::{bytes, latency},
};
use serde::Serialize;

use super::{
    body::{shown, value_text, ShownBody},
    console::counted,
    phases::step_phases_line,
    results::{CaseRun, Count, Results, StepResult},
};

const TEMPLATE: &str = include_str!("report.html");

/// The most bytes of a body or value on the page: a browser should open a run of a thousand steps.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// The page. `title` names the run.
///
/// # Errors
/// None that is known: the template is part of the program and its data is text and numbers.
pub(crate) fn html_report(results: &Results, title: &str) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("report", TEMPLATE)?;
    let details: Vec<CaseView> = results.cases.iter().map(CaseView::of).collect();
    let failure = results.failure().map(|(sentence, _)| sentence);
    let page = Page {
        title,
        success: failure.is_none(),
        verdict: if failure.is_none() { "passed" } else { "failed" },
        failure,
        started_at: rfc3339_utc(results.started_at),
        duration: latency(results.elapsed.as_micros() as f64),
        version: concat!("pummel ", env!("CARGO_PKG_VERSION")),
        cases: CountView::of(results.case_count()),
        steps: CountView::of(results.step_count()),
        details,
    };
    let page = environment.get_template("report")?.render(Value::from(Serde(&page)))?;
    Ok(page.replace(is_no_text, "\u{fffd}"))
}

/// Control characters: HTML allows none of them (section 13.2.3.5 of the standard), and a page is also read in terminals.
fn is_no_text(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    success: bool,
    verdict: &'static str,
    failure: Option<&'a str>,
    started_at: String,
    duration: String,
    version: &'static str,
    cases: CountView,
    steps: CountView,
    details: Vec<CaseView<'a>>,
}

#[derive(Serialize)]
struct CountView {
    total: u64,
    passed: u64,
    failed: u64,
}

impl CountView {
    fn of(count: Count) -> Self {
        Self { total: count.total, passed: count.passed(), failed: count.failed }
    }
}

#[derive(Serialize)]
struct CaseView<'a> {
    name: &'a str,
    path: Option<String>,
    success: bool,
    started_at: String,
    elapsed: String,
    steps: String,
    error: Option<&'a str>,
    records: Vec<RecordView<'a>>,
}

#[derive(Serialize)]
struct RecordView<'a> {
    name: &'a str,
    step_type: &'a str,
    success: bool,
    status: String,
    elapsed: String,
    error: Option<&'a str>,
    /// A step that sends nothing and checks nothing has nothing to tell.
    has_log: bool,
    messages: Vec<MessageView>,
    validators: Vec<ValidatorView<'a>>,
    extracted: Vec<(&'a str, String)>,
    statistics: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct MessageView {
    title: &'static str,
    pairs: Vec<(String, String)>,
    body: String,
    note: Option<String>,
}

#[derive(Serialize)]
struct ValidatorView<'a> {
    check: &'a str,
    comparator: &'a str,
    expect: String,
    actual: String,
    passed: bool,
}

impl<'a> CaseView<'a> {
    fn of(run: &'a CaseRun) -> Self {
        Self {
            name: &run.facts.name,
            path: run.facts.path.as_ref().map(|path| path.display().to_string()),
            success: run.passed,
            started_at: rfc3339_utc(run.started_at),
            elapsed: latency(run.elapsed_us as f64),
            steps: counted(Count { total: run.steps_run, failed: run.steps_failed }, "step"),
            error: run.error.as_deref(),
            records: run.steps.iter().map(RecordView::of).collect(),
        }
    }
}

impl<'a> RecordView<'a> {
    fn of(step: &'a StepResult) -> Self {
        let record = &step.record;
        let exchange = record.exchange.as_deref();
        let response = exchange.and_then(|exchange| exchange.response.as_ref());
        let mut statistics =
            vec![("content size", bytes(record.content_bytes)), ("elapsed", latency(record.elapsed_us as f64))];
        statistics.extend(step_phases_line(record).map(|phases| ("phases", phases)));
        Self {
            name: &record.name,
            step_type: record.step_type,
            success: record.failure.is_none(),
            status: response.map(status_text).unwrap_or_default(),
            elapsed: latency(record.elapsed_us as f64),
            error: record.failure.as_ref().map(|failure| failure.message.as_str()),
            has_log: exchange.is_some() || !record.validators.is_empty() || !record.extracted.is_empty(),
            messages: exchange.map(|exchange| messages(exchange, step)).unwrap_or_default(),
            validators: record
                .validators
                .iter()
                .map(|one| ValidatorView {
                    check: &one.check,
                    comparator: &one.assertion,
                    expect: value_text(&one.expect, TEXT_BYTES_MAX),
                    actual: value_text(&one.actual, TEXT_BYTES_MAX),
                    passed: one.passed,
                })
                .collect(),
            extracted: record
                .extracted
                .iter()
                .map(|(name, value)| (&**name, value_text(value, TEXT_BYTES_MAX)))
                .collect(),
            statistics,
        }
    }
}

/// A status code; nothing for a message on a websocket, which has none.
fn status_text(response: &ResponseRecord) -> String {
    match response.status {
        0 => String::new(),
        status => status.to_string(),
    }
}

/// Request and response.
fn messages(exchange: &ExchangeRecord, step: &StepResult) -> Vec<MessageView> {
    let request = MessageView::new(
        "Request",
        vec![("method".into(), exchange.method.clone()), ("url".into(), exchange.url.clone())],
        &exchange.request_headers,
        &exchange.request_body,
        step.request_cut_bytes,
    );
    let mut messages = vec![request];
    if let Some(response) = &exchange.response {
        messages.push(MessageView::new(
            "Response",
            vec![("status".into(), status_text(response)), ("protocol".into(), response.version.clone())],
            &response.headers,
            &response.body,
            step.response_cut_bytes,
        ));
    }
    messages
}

impl MessageView {
    fn new(
        title: &'static str,
        mut pairs: Vec<(String, String)>,
        headers: &[(String, String)],
        body: &[u8],
        cut_bytes: u64,
    ) -> Self {
        pairs.extend(headers.iter().cloned());
        let ShownBody { text, note } = shown(headers, body, cut_bytes, TEXT_BYTES_MAX);
        let is_empty = body.is_empty() && cut_bytes == 0;
        Self { title, pairs, body: text, note: note.filter(|_| !is_empty) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::sample::results;

    #[test]
    fn every_text_from_outside_is_escaped() {
        let page = html_report(&results(), "shop \"<1>\" & co").unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains("<b>\n") && !page.contains("登录 <b>"), "{page}");
        assert!(
            page.contains("<h1>shop &quot;&lt;1&gt;&quot; &amp; co: <span class=\"bad\">failed</span></h1>"),
            "{page}"
        );
        assert!(page.contains("登录 &lt;b&gt;"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;"), "{page}");
        assert!(page.contains("default-src 'none'"), "{page}");
    }

    #[test]
    fn no_control_character_is_on_the_page() {
        let page = html_report(&results(), "a\u{0}b\u{1b}[31mc\u{9b}d\te").unwrap();
        assert!(page.contains("<h1>a\u{fffd}b\u{fffd}[31mc\u{fffd}d\te: "), "{page}");
        assert!(!page.contains(is_no_text));
    }

    #[test]
    fn the_page_holds_what_hrps_does() {
        let page = html_report(&results(), "all").unwrap();
        // Two cases with two steps each; the think time and nothing else is without a log.
        assert_eq!(page.matches("<section class=\"passed\">").count(), 1);
        assert_eq!(page.matches("<section class=\"failed\">").count(), 1);
        assert_eq!(page.matches("<tbody class=\"passed\">").count(), 2);
        assert_eq!(page.matches("<tbody class=\"failed\">").count(), 2);
        assert_eq!(page.matches("<summary>log</summary>").count(), 3);
        assert_eq!(page.matches("<summary>traceback</summary>").count(), 2);
        for text in [
            "<dt>Started</dt><dd>2026-11-22T01:52:20.000Z</dd>",
            "<dt>Duration</dt><dd>30.0 ms</dd>",
            "<th>content size</th><td>46 B</td>",
            "<td>status_code</td><td>equals</td><td><pre>200</pre></td><td><pre>200</pre></td>",
            "<th>url</th><td>http:&#x2f;&#x2f;127.0.0.1:80&#x2f;login</td>",
            "<pre class=\"bad\">connection refused</pre>",
        ] {
            assert!(page.contains(text), "{text} is not in\n{page}");
        }
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = html_report(&results(), "all").unwrap();
        for loads in ["src=", "href=", "url(", "@import", "<link", "<iframe"] {
            assert!(!page.contains(loads), "{loads}");
        }
    }
}
