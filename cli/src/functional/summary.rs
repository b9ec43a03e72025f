//! `summary.json` with the keys, types and nesting of hrp (hrp spec 13.8), so that what reads hrp's summary reads this one.

use std::{
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pummel_case::ValidatorRecord;
use pummel_engine::{ExchangeRecord, ResponseRecord};
use pummel_stats::clock::rfc3339_utc;
use serde::Serialize;
use serde_json::{ser::PrettyFormatter, Map, Serializer, Value};

use super::{
    body::{header, indented_json},
    phases::hrp_phases_ms,
    results::{CaseRun, Count, Results, StepResult},
};

/// hrp's version first: some readers compare it.
const HTTPRUNNER_VERSION: &str = concat!("v4.3.6 (pummel ", env!("CARGO_PKG_VERSION"), ")");

/// The document, indented by four blanks as hrp does, with a line break at its end.
///
/// # Errors
/// None that is known: all of it is text, numbers and lists.
pub(crate) fn summary_json(results: &Results, with_phases: bool) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b"    "));
    Summary::of(results, with_phases).serialize(&mut serializer)?;
    out.push(b'\n');
    Ok(out)
}

#[derive(Serialize)]
struct Summary<'a> {
    success: bool,
    stat: Stat,
    time: Time,
    platform: Platform,
    /// Null where no case ran, as an empty list is in Go.
    details: Option<Vec<Detail<'a>>>,
}

#[derive(Serialize)]
struct Stat {
    testcases: CaseStat,
    teststeps: StepStat,
}

#[derive(Serialize)]
struct CaseStat {
    total: u64,
    success: u64,
    fail: u64,
}

#[derive(Serialize)]
struct StepStat {
    total: u64,
    successes: u64,
    failures: u64,
}

impl From<Count> for StepStat {
    fn from(count: Count) -> Self {
        Self { total: count.total, successes: count.passed(), failures: count.failed }
    }
}

#[derive(Serialize)]
struct Time {
    start_at: String,
    duration: f64,
}

impl Time {
    fn new(started_at: SystemTime, took: Duration) -> Self {
        Self { start_at: rfc3339_ns(started_at), duration: took.as_secs_f64() }
    }
}

#[derive(Serialize)]
struct Platform {
    httprunner_version: &'static str,
    go_version: &'static str,
    #[serde(rename = "platform")]
    system: String,
}

#[derive(Serialize)]
struct Detail<'a> {
    name: &'a str,
    success: bool,
    stat: StepStat,
    time: Time,
    in_out: InOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<Vec<&'a str>>,
    root_dir: &'static str,
    records: Vec<Record<'a>>,
}

#[derive(Serialize)]
struct InOut<'a> {
    config_vars: &'a Map<String, Value>,
    export_vars: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Record<'a> {
    name: &'a str,
    start_time: u64,
    step_type: &'a str,
    success: bool,
    elapsed_ms: u64,
    /// What its calls of plugin functions took, whole microseconds, as they often take less than hrp's unit; hrp has no such key.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    httpstat: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
    content_size: u64,
    #[serde(skip_serializing_if = "Map::is_empty")]
    export_vars: Map<String, Value>,
    /// The error's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    attachments: Option<&'a str>,
}

#[derive(Serialize)]
struct Data<'a> {
    success: bool,
    req_resps: ReqResps,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validators: Vec<Validator<'a>>,
}

#[derive(Serialize)]
struct ReqResps {
    request: Value,
    response: Value,
}

#[derive(Serialize)]
struct Validator<'a> {
    check: &'a str,
    assert: &'a str,
    expect: &'a Value,
    #[serde(skip_serializing_if = "str::is_empty")]
    msg: &'a str,
    check_value: &'a Value,
    check_result: &'static str,
}

impl<'a> Summary<'a> {
    fn of(results: &'a Results, with_phases: bool) -> Self {
        let cases = results.case_count();
        let details: Vec<_> = results.cases.iter().map(|run| Detail::of(run, with_phases)).collect();
        Self {
            success: results.failure().is_none(),
            stat: Stat {
                testcases: CaseStat { total: cases.total, success: cases.passed(), fail: cases.failed },
                teststeps: results.step_count().into(),
            },
            time: Time::new(results.started_at, results.elapsed),
            platform: Platform {
                httprunner_version: HTTPRUNNER_VERSION,
                go_version: "",
                system: format!("{}-{}", std::env::consts::OS, go_architecture()),
            },
            details: (!details.is_empty()).then_some(details),
        }
    }
}

impl<'a> Detail<'a> {
    fn of(run: &'a CaseRun, with_phases: bool) -> Self {
        Self {
            name: &run.facts.name,
            success: run.passed,
            stat: Count { total: run.steps_run, failed: run.steps_failed }.into(),
            time: Time::new(run.started_at, Duration::from_micros(run.elapsed_us)),
            in_out: InOut { config_vars: &run.facts.config_variables, export_vars: &run.exports },
            logs: run.error.as_deref().map(|error| vec![error]),
            // hrp declares it and never fills it in (hrp spec 13.2).
            root_dir: "",
            records: run.steps.iter().map(|step| Record::of(step, with_phases)).collect(),
        }
    }
}

impl<'a> Record<'a> {
    fn of(step: &'a StepResult, with_phases: bool) -> Self {
        let StepResult { record, request_cut_bytes, response_cut_bytes } = step;
        let exchange = record.exchange.as_deref();
        let phases = exchange.filter(|_| with_phases).map(|exchange| {
            let phases = hrp_phases_ms(exchange.phases).into_iter();
            phases.map(|(name, ms)| (name.to_owned(), ms.into())).collect()
        });
        let data = (exchange.is_some() || !record.validators.is_empty()).then(|| Data {
            success: record.failure.is_none(),
            req_resps: ReqResps {
                request: exchange.map_or(Value::Null, |exchange| request(exchange, *request_cut_bytes)),
                response: exchange
                    .and_then(|exchange| exchange.response.as_ref())
                    .map_or(Value::Null, |response| self::response(response, *response_cut_bytes)),
            },
            address: exchange.and_then(|exchange| exchange.address.as_ref()).map(ToString::to_string),
            validators: record.validators.iter().map(Validator::of).collect(),
        });
        Self {
            name: &record.name,
            start_time: record.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            step_type: record.step_type,
            success: record.failure.is_none(),
            elapsed_ms: record.elapsed_us / 1000,
            plugin_us: (record.plugin_us > 0).then_some(record.plugin_us),
            httpstat: phases,
            data,
            content_size: record.content_bytes,
            export_vars: record.extracted.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            attachments: record.failure.as_ref().map(|failure| failure.message.as_str()),
        }
    }
}

impl<'a> Validator<'a> {
    fn of(record: &'a ValidatorRecord) -> Self {
        Self {
            check: &record.check,
            assert: &record.assertion,
            expect: &record.expect,
            msg: &record.message,
            check_value: &record.actual,
            check_result: if record.passed { "pass" } else { "fail" },
        }
    }
}

/// Body, cookies, headers, method and URL, in the order of Go's maps. A JSON body is its value; there is no key for what is not
/// there.
fn request(exchange: &ExchangeRecord, cut_bytes: u64) -> Value {
    let mut map = Map::new();
    if !exchange.request_body.is_empty() || cut_bytes > 0 {
        let whole = (cut_bytes == 0).then_some(&exchange.request_body);
        let value = whole.and_then(|body| serde_json::from_slice(body).ok());
        map.insert("body".into(), value.unwrap_or_else(|| text_of(&exchange.request_body, cut_bytes).into()));
    }
    if let Some(cookies) = header(&exchange.request_headers, "cookie") {
        let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let cookies: Map<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.into())).collect();
        map.insert("cookies".into(), cookies.into());
    }
    map.insert("headers".into(), first_values(&exchange.request_headers).into());
    map.insert("method".into(), exchange.method.as_str().into());
    map.insert("url".into(), exchange.url.as_str().into());
    map.into()
}

/// Body, cookies, headers, protocol and status. A JSON body is its indented text.
fn response(response: &ResponseRecord, cut_bytes: u64) -> Value {
    let text = text_of(&response.body, cut_bytes);
    let body = if cut_bytes == 0 { indented_json(&text).unwrap_or(text) } else { text };
    let set = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let pairs = set.filter_map(|(_, value)| value.split(';').next()?.trim().split_once('='));
    let cookies: Map<String, Value> = pairs.map(|(name, value)| (name.to_owned(), value.into())).collect();
    let mut map = Map::new();
    map.insert("body".into(), body.into());
    map.insert("cookies".into(), cookies.into());
    map.insert("headers".into(), first_values(&response.headers).into());
    map.insert("proto".into(), response.version.as_str().into());
    // A message on a websocket has none.
    if response.status != 0 {
        map.insert("status_code".into(), response.status.into());
    }
    map.into()
}

fn text_of(body: &[u8], cut_bytes: u64) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    if cut_bytes > 0 {
        let _ = write!(text, "... ({cut_bytes} more bytes, left out)");
    }
    text
}

/// The first value of each field, under Go's spelling of its name (hrp spec 10.1).
fn first_values(headers: &[(String, String)]) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in headers {
        map.entry(canonical(name)).or_insert_with(|| value.as_str().into());
    }
    map
}

/// `content-type` as `Content-Type`.
fn canonical(name: &str) -> String {
    let mut upper = true;
    let letters = name.chars().map(|c| {
        let letter = if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        upper = c == '-';
        letter
    });
    letters.collect()
}

/// Go's name of this processor.
fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// RFC 3339 with nanoseconds, in UTC.
fn rfc3339_ns(time: SystemTime) -> String {
    let to_the_ms = rfc3339_utc(time);
    let ns = time.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let (second, _) = to_the_ms.split_once('.').unwrap_or((&to_the_ms, ""));
    format!("{second}.{ns:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::{
        results::{CaseFacts, Keep, RunEnd},
        sample::{exchange, results, t0},
    };

    fn text(results: &Results, with_phases: bool) -> String {
        String::from_utf8(summary_json(results, with_phases).unwrap()).unwrap()
    }

    #[test]
    fn the_document_has_hrps_keys() {
        let platform = format!("linux-{}", go_architecture());
        let text = text(&results(), true).replace(&platform, "linux-[ARCH]");
        insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "[VERSION]"));
    }

    #[test]
    fn phases_are_there_on_demand_only() {
        assert!(!text(&results(), false).contains("httpstat"));
    }

    #[test]
    fn calls_of_plugins_have_a_key_where_there_are_any() {
        let mut results = results();
        assert!(!text(&results, true).contains("plugin_us"));
        results.cases[0].steps[0].record.plugin_us = 1_240;
        let document: Value = serde_json::from_str(&text(&results, false)).unwrap();
        assert_eq!(document["details"][0]["records"][0]["plugin_us"], 1_240);
    }

    #[test]
    fn without_a_case_details_are_null() {
        let mut none = Results::new(vec![CaseFacts::default()], Keep::Exchanges, t0());
        none.finish(Duration::from_millis(1_500), RunEnd::Interrupted);
        let document: Value = serde_json::from_str(&text(&none, false)).unwrap();
        assert_eq!((&document["success"], &document["details"]), (&Value::Bool(false), &Value::Null));
        assert_eq!(document["time"]["duration"], 1.5);
        assert_eq!(document["time"]["start_at"], "2026-11-22T01:52:20.000000000Z");
    }

    #[test]
    fn bodies_that_were_cut_or_are_no_text_stay_readable() {
        let mut exchange = exchange();
        exchange.request_body = b"{\"a\":".to_vec();
        assert_eq!(request(&exchange, 0)["body"], "{\"a\":");
        assert_eq!(request(&exchange, 9)["body"], "{\"a\":... (9 more bytes, left out)");
        exchange.request_body.clear();
        assert_eq!(request(&exchange, 0).get("body"), None);
        let binary = ResponseRecord { body: vec![0xff, b'a'], ..ResponseRecord::default() };
        assert_eq!(response(&binary, 0)["body"], "\u{fffd}a");
    }

    #[test]
    fn headers_have_gos_spelling_and_their_first_value() {
        let headers = [("x-a".into(), "1".into()), ("X-A".into(), "2".into()), ("ETAG".into(), "3".into())];
        assert_eq!(Value::from(first_values(&headers)), serde_json::json!({"X-A": "1", "Etag": "3"}));
    }
}
