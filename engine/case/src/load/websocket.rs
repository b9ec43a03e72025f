//! `websocket` of a step (hrp spec 12.6).

use std::{sync::Arc, time::Duration};

use super::{
    case::CaseBuilder,
    fields::{asks_nothing, boolean, integer, text, Fields},
    report::{code, Report},
    request::{before_and_after, common_auth, named, settle, step_variables, Compiler},
};
use crate::{
    document::{Node, Place},
    expression::Expr,
    request::{writes_authorization, AuthPrograms, BodyProgram, RequestProgram, Schemes},
    RequestStep, WebSocketAction, WebSocketStep,
};

pub(crate) const KEYS: [&str; 9] =
    ["type", "url", "params", "headers", "new_connection", "text", "binary", "close_status", "timeout"];

/// How long a step may take that does not say it.
const DEFAULT_TIMEOUT_MS: u64 = 30_000;

/// The longest that can be asked for: a day. A longer one is a typing error.
const MAX_TIMEOUT_MS: i64 = 86_400_000;

/// The code of a close that does not say another: that all is done (RFC 6455 section 7.4.1).
const NORMAL_CLOSE: u16 = 1000;

/// Codes a close may be sent with.
const CLOSE_CODES: std::ops::RangeInclusive<i64> = 1000..=4999;

/// Codes that stand for the lack of one and are never sent (RFC 6455 section 7.4.1).
const CODES_NEVER_SENT: [i64; 4] = [1004, 1005, 1006, 1015];

/// Compiles a websocket step.
pub(crate) fn compile_websocket(
    step: &Fields<'_>,
    node: &Node,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> Option<WebSocketStep> {
    let errors_before = report.errors.len();
    let fields = Fields::of(node, "websocket", report)?;
    fields.warn_unknown(&KEYS, "websocket", report);
    let action = action(&fields, node, report)?;
    let url = match fields.get("url") {
        Some(url) => text(url, "websocket.url", report)?,
        None => "",
    };
    let named = named(step, Some(format!("{} {url}", action.name())), builder, report)?;
    let (scope, mut operations) = step_variables(step, builder, report);
    let url_place = fields.get("url").map_or(node.place, |url| url.place);
    let schemes = Schemes::WebSocket;
    let mut compiler = Compiler { scope: &scope, report, url_style: builder.url_style, schemes, userinfo: None };
    let params = compiler.params_written(&fields);
    let target = compiler.target(url, url_place, !params.is_empty());
    let params = compiler.params(params);
    let of_url = compiler.userinfo.take();
    // Only a handshake has headers.
    let headers = match action {
        WebSocketAction::Open => compiler.headers(builder.config.headers, &fields),
        _ => Some(Vec::new()),
    };
    let message = message(&fields, &mut compiler);
    warn_unused(&fields, action, report);
    let auth = match action {
        WebSocketAction::Open if !headers.as_deref().is_some_and(writes_authorization) => {
            AuthPrograms { own: None, of_url, common: common_auth(&scope, builder, report) }
        }
        _ => AuthPrograms::default(),
    };
    operations.append(&mut scope.take_operations());
    let (setup, checks) = before_and_after(step, &named, scope, builder, report);
    let timeout = timeout(&fields, report);
    let close_status = close_status(&fields, report);
    if report.errors.len() > errors_before {
        return None;
    }
    let (text, message) = message?;
    let program = RequestProgram {
        operations: operations.into(),
        auth,
        target: target?,
        params: params?.into(),
        headers: headers?.into(),
        cookies: Box::default(),
        body: if action.writes() { message } else { BodyProgram::None },
    };
    let checks = checks?;
    let request = RequestStep {
        name: named.name,
        label: Arc::from(format!("websocket-{}", action.name())),
        // That of the handshake (RFC 6455 section 4.1).
        method: Arc::from("GET"),
        timeout: Some(timeout?),
        allow_redirects: None,
        http2: Some(false),
        verify: None,
        needs: checks.needs(),
        name_template: named.template,
        setup: setup.into(),
        request: settle(program, node.place, report)?,
        checks,
    };
    Some(WebSocketStep { action, text, close_status: close_status?, request })
}

fn action(fields: &Fields<'_>, node: &Node, report: &mut Report) -> Option<WebSocketAction> {
    let written = match fields.get("type") {
        Some(written) => text(written, "websocket.type", report)?,
        None => "",
    };
    let known = WebSocketAction::ALL.iter().find(|(name, _)| *name == written);
    if let Some((_, action)) = known {
        return Some(*action);
    }
    let place = fields.get("type").map_or(Place { len: 0, ..node.place }, |written| written.place);
    let message = if written.is_empty() {
        "the websocket step has no type".to_owned()
    } else {
        format!("\"{written}\" is no type of a websocket step")
    };
    let names: Vec<&str> = WebSocketAction::ALL.iter().map(|(name, _)| *name).collect();
    let error = report.step_error(place, code::INVALID_CASE, message.clone(), &message);
    error.label = Some("unknown type".into());
    error.help = Some(format!("the types are {}", names.join(", ")));
    None
}

/// The message, and whether it is text: `text` wins over `binary`, and where there is neither it is an empty binary one.
fn message(fields: &Fields<'_>, compiler: &mut Compiler<'_>) -> Option<(bool, BodyProgram)> {
    let (text, node) = match (fields.get("text"), fields.get("binary")) {
        (Some(text), _) => (true, text),
        (None, Some(binary)) => (false, binary),
        (None, None) => return Some((false, BodyProgram::Fixed(Box::default()))),
    };
    Some(match compiler.value(node)? {
        literal @ Expr::Text(_) => (text, BodyProgram::Text(literal)),
        value => (text, BodyProgram::Message(value)),
    })
}

/// Keys that do nothing, in a step of this type or in any.
fn warn_unused(fields: &Fields<'_>, action: WebSocketAction, report: &mut Report) {
    let name = action.name();
    if let Some((key, node)) = fields.entry("new_connection") {
        if boolean(node, "websocket.new_connection", report) == Some(true) {
            let warning = report.warn(key.place, "new_connection is ignored: nothing reads it, in hrp either");
            warning.help =
                Some("close the connection first, or give it a URL of its own, such as one with a query".into());
        }
    }
    let message = ["text", "binary"].into_iter().filter_map(|name| fields.entry(name));
    for (n, (key, _)) in message.enumerate() {
        if !action.writes() {
            report.warn(key.place, format!("\"{}\" is ignored: a step of the type {name} sends no message", key.text));
        } else if n > 0 {
            report.warn(key.place, "\"binary\" is ignored: the message has \"text\"");
        }
    }
    if let Some((key, node)) = fields.entry("headers").filter(|_| action != WebSocketAction::Open) {
        if !asks_nothing(node, 0) {
            report
                .warn(key.place, format!("\"headers\" is ignored: only a step of the type open sends any, not {name}"));
        }
    }
    if let Some((key, _)) = fields.entry("close_status").filter(|_| action != WebSocketAction::Close) {
        report.warn(key.place, format!("\"close_status\" is ignored: a step of the type {name} closes nothing"));
    }
}

/// Milliseconds; what is not above 0 means the default.
fn timeout(fields: &Fields<'_>, report: &mut Report) -> Option<Duration> {
    let default = Duration::from_millis(DEFAULT_TIMEOUT_MS);
    let Some(node) = fields.get("timeout") else { return Some(default) };
    let ms = integer(node, "websocket.timeout", report)?;
    if ms > MAX_TIMEOUT_MS {
        report.error(node.place, code::INVALID_CASE, "websocket.timeout is longer than a day").help =
            Some("it is in milliseconds".into());
        return None;
    }
    Some(u64::try_from(ms).ok().filter(|ms| *ms > 0).map_or(default, Duration::from_millis))
}

fn close_status(fields: &Fields<'_>, report: &mut Report) -> Option<u16> {
    let Some(node) = fields.get("close_status") else { return Some(NORMAL_CLOSE) };
    let status = integer(node, "websocket.close_status", report)?;
    if CLOSE_CODES.contains(&status) && !CODES_NEVER_SENT.contains(&status) {
        return u16::try_from(status).ok();
    }
    let message = format!("a websocket cannot be closed with the status {status}");
    let error = report.error(node.place, code::INVALID_CASE, message);
    error.help = Some("statuses are 1000 to 4999; 1004, 1005, 1006 and 1015 are never sent".into());
    None
}
