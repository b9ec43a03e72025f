//! A functional run made by hand, for the tests of the outputs: a case that passes and the same case failing, with texts that
//! would do harm where they are not escaped.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pummel_case::ValidatorRecord;
use pummel_engine::{ExchangeRecord, FunctionalEvent, Phases, ResponseRecord, StepFailure, StepRecord};
use serde_json::{json, Map, Value};

use super::results::{CaseFacts, Keep, Results, RunEnd};

/// When it begins: 2026-11-22t0()1:52:20Z.
pub(super) fn t0() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_312_340)
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The case.
pub(super) fn facts() -> CaseFacts {
    CaseFacts {
        name: "shop <1>".into(),
        path: Some("cases/shop.yml".into()),
        config_variables: object(&json!({"user": "anna & bob"})),
    }
}

pub(super) fn started(case: usize) -> FunctionalEvent {
    FunctionalEvent::CaseStarted { case, started_at: t0() }
}

pub(super) fn ended(case: usize, exit_code: u8) -> FunctionalEvent {
    FunctionalEvent::CaseEnded {
        case,
        passed: exit_code == 0,
        error: None,
        exit_code,
        elapsed_us: 12_000,
        exports: object(&json!({"token": "t-1"})),
    }
}

pub(super) fn step(record: StepRecord) -> FunctionalEvent {
    FunctionalEvent::Step(Box::new(record))
}

/// A JSON request and a JSON response.
pub(super) fn exchange() -> ExchangeRecord {
    ExchangeRecord {
        method: "POST".into(),
        url: "http://127.0.0.1:80/login".into(),
        request_headers: vec![
            ("Content-Type".into(), "application/json".into()),
            ("Cookie".into(), "sid=1; lang=zh".into()),
        ],
        request_body: br#"{"user":"anna","n":[1,2.5]}"#.to_vec(),
        address: Some(pummel_engine::Address::Inet(([127, 0, 0, 1], 80).into())),
        response: Some(ResponseRecord {
            content_bytes: 46,
            version: "HTTP/1.1".into(),
            status: 200,
            headers: vec![
                ("content-type".into(), "application/json; charset=utf-8".into()),
                ("set-cookie".into(), "sid=2; Path=/".into()),
                ("set-cookie".into(), "seen=yes".into()),
            ],
            body: br#"{"html":"<script>alert(1)</script>","ok":true}"#.to_vec(),
        }),
        redirects: 1,
        phases: Phases {
            dns_us: 1_000,
            connect_us: 2_000,
            wait_us: 3_000,
            receive_us: 500,
            total_us: 6_500,
            ..Phases::default()
        },
    }
}

fn validator(check: &str, expect: Value, actual: Value, passed: bool) -> ValidatorRecord {
    ValidatorRecord {
        check: check.into(),
        assertion: "equals".into(),
        expect,
        message: if passed { "".into() } else { "must be <fine>".into() },
        actual,
        passed,
    }
}

fn bare(name: &str, step_type: &'static str) -> StepRecord {
    StepRecord {
        name: name.into(),
        step_type,
        started_at: t0(),
        elapsed_us: 6_700,
        plugin_us: 0,
        content_bytes: 0,
        failure: None,
        extracted: Vec::new(),
        validators: Vec::new(),
        exchange: None,
    }
}

/// A request that passes.
pub(super) fn passing(name: &str) -> StepRecord {
    StepRecord {
        content_bytes: 46,
        extracted: vec![("token".into(), json!("t-1"))],
        validators: vec![validator("status_code", json!(200), json!(200), true)],
        exchange: Some(Box::new(exchange())),
        ..bare(name, "request")
    }
}

/// A request whose check does not hold.
pub(super) fn failing(name: &str, exit_code: u8) -> StepRecord {
    let mut record = passing(name);
    record.validators.push(validator("body.html", json!("7"), json!("<script>alert(1)</script>"), false));
    record.failure = Some(StepFailure { kind: "assertion", message: "step validation failed".into(), exit_code });
    record
}

/// What the engine tells.
pub(super) fn events() -> Vec<FunctionalEvent> {
    let refused = StepRecord {
        failure: Some(StepFailure { kind: "connect_refused", message: "connection refused".into(), exit_code: 1 }),
        exchange: Some(Box::new(ExchangeRecord {
            method: "GET".into(),
            url: "http://127.0.0.1:1/".into(),
            ..ExchangeRecord::default()
        })),
        ..bare("refused", "api")
    };
    vec![
        started(0),
        step(passing("log in")),
        step(bare("pause", "thinktime")),
        ended(0, 0),
        started(0),
        step(failing("登录 <b>", 1)),
        step(refused),
        ended(0, 1),
    ]
}

/// The results of them.
pub(super) fn results() -> Results {
    let mut results = Results::new(vec![facts()], Keep::Exchanges, t0());
    for event in events() {
        results.take(event);
    }
    results.finish(Duration::from_millis(30), RunEnd::Whole);
    results
}
