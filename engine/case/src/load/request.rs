//! `request` of a step (hrp spec 4, 11), compiled to a program, or rendered at once where nothing in it changes.

use std::sync::Arc;

use super::{
    auth::compile_auth,
    case::CaseBuilder,
    checks::compile_checks,
    config::timeout,
    fields::{boolean, map, text, Fields},
    hooks::compile_hooks,
    report::{code, Report},
    steps::{name_template, step_name},
    upload::{compile_upload, is_content_type_call, is_encoder_variable, upload_fields},
    variables::{in_order, text_of, Definition},
};
use crate::{
    check::Checks,
    document::{Key, Node, Place},
    expression::{compile_text, compile_value, sole_variable, Binding, Expr, Phase, Scan, Scope, StepWork, Variable},
    operation::Operation,
    request::{
        build_target, canonical_name, is_header_name, is_header_value, is_ignored_header, push_form_map,
        writes_authorization, AuthProgram, AuthPrograms, BodyProgram, CookieProgram, HeaderName, HeaderProgram,
        ParamProgram, RequestProgram, Schemes, TargetProgram, TargetStyle, FORM_TYPE, JSON_TYPE,
    },
    step::Program,
    value::Value,
    Progress, RenderedRequest, RequestStep, Session, Step, UrlStyle,
};

pub(crate) const KEYS: [&str; 14] = [
    "method",
    "url",
    "http2",
    "params",
    "headers",
    "cookies",
    "body",
    "json",
    "data",
    "timeout",
    "allow_redirects",
    "verify",
    "upload",
    "auth",
];

/// Compiles a request step.
pub(crate) fn compile_request(
    step: &Fields<'_>,
    node: &Node,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> Option<Step> {
    let errors_before = report.errors.len();
    let request = Fields::of(node, "request", report)?;
    request.warn_unknown(&KEYS, "request", report);
    let method = method(&request, node, report);
    let url = match request.get("url") {
        Some(url) => text(url, "request.url", report)?,
        None => "",
    };
    let default_name = method.as_ref().map(|method| format!("{method} {url}"));
    let named = named(step, default_name, builder, report)?;
    let (scope, mut operations) = step_variables(step, builder, report);
    let url_place = request.get("url").map_or(node.place, |url| url.place);
    let mut auth = AuthPrograms {
        own: request.get("auth").and_then(|node| compile_auth(node, "request.auth", &scope, report)),
        of_url: None,
        common: common_auth(&scope, builder, report),
    };
    let schemes = Schemes::Http;
    let mut compiler = Compiler { scope: &scope, report, url_style: builder.url_style, schemes, userinfo: None };
    let params = compiler.params_written(&request);
    let target = compiler.target(url, url_place, !params.is_empty());
    let params = compiler.params(params);
    auth.of_url = compiler.userinfo.take();
    let headers = compiler.headers(builder.config.headers, &request);
    let cookies = compiler.cookies(&request);
    let (headers, body) = match headers {
        Some(mut headers) => {
            let body = match upload_fields(step, &request, compiler.report) {
                Some(upload) => {
                    let compiled = compile_upload(upload, &scope, &operations, compiler.report);
                    compiled.map(|(body, content_type)| {
                        if let Some(kind) = content_type {
                            put_header(&mut headers, content_type_header(&kind));
                        }
                        body
                    })
                }
                None => compiler.body(&request, &mut headers),
            };
            (Some(headers), body)
        }
        None => (None, None),
    };
    operations.append(&mut scope.take_operations());
    let (setup, checks) = before_and_after(step, &named, scope, builder, report);
    let timeout = request.get("timeout").and_then(|node| timeout(node, "request.timeout", report));
    let mut flag = |name: &str| request.get(name).and_then(|node| boolean(node, &format!("request.{name}"), report));
    let (allow_redirects, verify, http2) = (flag("allow_redirects"), flag("verify"), flag("http2"));
    if report.errors.len() > errors_before {
        return None;
    }
    if headers.as_deref().is_some_and(writes_authorization) {
        auth = AuthPrograms::default();
    }
    let program = RequestProgram {
        operations: operations.into(),
        auth,
        target: target?,
        params: params?.into(),
        headers: headers?.into(),
        cookies: cookies?.into(),
        body: body?,
    };
    let (method, checks) = (method?, checks?);
    Some(Step::Request(Box::new(RequestStep {
        name: named.name,
        label: Arc::from(format!("request-{method}")),
        method: Arc::from(method.to_ascii_uppercase()),
        timeout,
        allow_redirects,
        verify,
        http2,
        needs: checks.needs(),
        name_template: named.template,
        setup: setup.into(),
        request: settle(program, node.place, report)?,
        checks,
    })))
}

/// What a step is called.
pub(crate) struct Named {
    pub(crate) name: Arc<str>,
    /// Where values of the session are part of it.
    pub(crate) template: Option<Expr>,
}

/// A step's name; `default` where it has none (hrp spec section 3).
pub(crate) fn named(
    step: &Fields<'_>,
    default: Option<String>,
    builder: &CaseBuilder<'_>,
    report: &mut Report,
) -> Option<Named> {
    let template = name_template(step, builder, report);
    let written = match template.as_ref().and_then(Expr::const_text) {
        Some(name) => name,
        None => step_name(step, builder, report)?,
    };
    let name = match default {
        Some(default) if written.is_empty() => Arc::from(default),
        _ => Arc::from(written),
    };
    Some(Named { name, template: template.filter(|template| template.as_const().is_none()) })
}

/// What is done once the request is built, and what is done with the response.
pub(crate) fn before_and_after(
    step: &Fields<'_>,
    named: &Named,
    mut scope: Scope,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> (Vec<Operation>, Option<Checks>) {
    scope.work(|work| work.name_step(named.template.clone(), named.name.clone()));
    scope.phase = Phase::Built;
    let mut setup = compile_hooks(step, "setup_hooks", &scope, report);
    scope.phase = Phase::Answered;
    let checks = compile_checks(step, &scope, builder, report);
    setup.append(&mut scope.work(StepWork::take_late_setup));
    builder.step_slots = builder.step_slots.max(scope.work(|work| work.slots()));
    (setup, checks)
}

/// Renders the request now where nothing in it can change.
pub(crate) fn settle(program: RequestProgram, place: Place, report: &mut Report) -> Option<Program> {
    if !program.is_constant() {
        return Some(Program::Rendered(Box::new(program)));
    }
    let mut rendered = RenderedRequest::default();
    match program.render(&mut Session::new(), &mut rendered, &mut Progress::default()) {
        Ok(_) => Some(Program::Constant(Box::new(rendered))),
        Err(error) => {
            report.step_error(place, code::INVALID_CASE, error.message.to_string(), &error.message);
            None
        }
    }
}

fn method(request: &Fields<'_>, node: &Node, report: &mut Report) -> Option<String> {
    let written = match request.get("method") {
        Some(method) => text(method, "request.method", report)?,
        None => "",
    };
    if is_header_name(written) {
        return Some(written.to_owned());
    }
    let place = request.get("method").map_or(node.place, |method| method.place);
    let message = if written.is_empty() { "the request has no method" } else { "the method is not a single word" };
    report.step_error(place, code::INVALID_CASE, message, message).help = Some("for example method: GET".into());
    None
}

/// The step's own variables, as names for the rest of the step and as work to do before it (hrp spec 7.1, 7.2, 7.4).
pub(crate) fn step_variables(
    step: &Fields<'_>,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> (Scope, Vec<Operation>) {
    let mut scope = builder.scope.of_step();
    let entries = match step.get("variables") {
        Some(node) => map(node, "variables", report).unwrap_or_default(),
        None => &[],
    };
    let mut definitions = Vec::new();
    for (key, node) in entries {
        // A value that is exactly its own name means the layer below.
        let own_name = text_of(node).and_then(|text| sole_variable(text.trim())) == Some(&*key.text);
        let is_skipped = own_name && scope.resolve_below_step(&key.text).is_some();
        if !is_skipped && !is_encoder_variable(step, node) {
            definitions.push(Definition { name: &key.text, key, node });
        }
    }
    let ordered = in_order(&definitions, report);
    scope.broken.extend(definitions.iter().map(|definition| definition.name.into()));
    for Definition { name, node, .. } in ordered {
        let binding = match compile_value(node, &scope) {
            Ok(Expr::Const(value)) => Binding::Const(value),
            // The result of a call stands in a slot already.
            Ok(Expr::Variable(Variable::Step { slot, .. })) => Binding::Slot(slot),
            Ok(value) => Binding::Slot(scope.work(|work| work.add(|slot| Operation::Set { slot, value }))),
            Err(error) => {
                report.expression(&error, &scope, code::VARIABLES);
                continue;
            }
        };
        scope.step.insert(name.into(), binding);
    }
    // Those that are left are in a circle, or could not be compiled.
    scope.broken.retain(|name| !scope.step.contains_key(name));
    builder.step_slots = builder.step_slots.max(scope.work(|work| work.slots()));
    let operations = scope.take_operations();
    (scope, operations)
}

/// The credentials of every request that gives none: the config's, else the run's.
pub(crate) fn common_auth(scope: &Scope, builder: &CaseBuilder<'_>, report: &mut Report) -> Option<AuthProgram> {
    match builder.config.auth {
        Some(node) => compile_auth(node, "config.auth", scope, report),
        None => builder.context.options.auth.clone().map(AuthProgram::Given),
    }
}

/// Compiles the parts of one request; each is none where it reported an error.
pub(crate) struct Compiler<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) report: &'a mut Report,
    pub(crate) url_style: UrlStyle,
    pub(crate) schemes: Schemes,
    /// The user of a constant URL.
    pub(crate) userinfo: Option<Box<str>>,
}

impl Compiler<'_> {
    fn text(&mut self, written: &str, scan: Scan, place: Place) -> Option<Expr> {
        match compile_text(written, scan, place, self.scope) {
            Ok(expr) => Some(expr),
            Err(error) => {
                self.report.expression(&error, self.scope, code::UNDEFINED);
                None
            }
        }
    }

    pub(crate) fn value(&mut self, node: &Node) -> Option<Expr> {
        match compile_value(node, self.scope) {
            Ok(expr) => Some(expr),
            Err(error) => {
                self.report.expression(&error, self.scope, code::UNDEFINED);
                None
            }
        }
    }

    pub(crate) fn target(&mut self, url: &str, place: Place, has_params: bool) -> Option<TargetProgram> {
        let url = self.text(url, Scan::Verbatim, place)?;
        let style = TargetStyle { style: self.url_style, has_params, schemes: self.schemes };
        let base = self.scope.resolve("base_url").unwrap_or_else(|| Expr::constant(Value::text("")));
        let known = TargetProgram::known_origin(&base, &url, self.schemes);
        let (Some(base_text), Some(url_text)) = (base.const_text(), url.const_text()) else {
            return Some(TargetProgram::Rendered { base, url, known, style });
        };
        let mut target = String::new();
        let parts = build_target(&base_text, &url_text, style, &mut target);
        self.userinfo = parts.ok().and_then(|parts| parts.userinfo).map(Box::from);
        match parts.and_then(crate::request::OriginParts::to_origin) {
            Ok(origin) => Some(TargetProgram::Fixed { origin, target: target.into() }),
            Err(reason) => {
                let message = format!("request url: {reason}");
                self.report.step_error(place, code::INVALID_CASE, message.clone(), &message);
                None
            }
        }
    }

    pub(crate) fn params_written<'n>(&mut self, request: &Fields<'n>) -> &'n [(Key, Node)] {
        let params = request.get("params").and_then(|node| map(node, "request.params", self.report));
        params.unwrap_or_default()
    }

    pub(crate) fn params(&mut self, written: &[(Key, Node)]) -> Option<Vec<ParamProgram>> {
        let mut params = Vec::new();
        for (key, value) in written {
            params.push(ParamProgram {
                key: self.text(&key.text, Scan::Verbatim, key.place)?,
                value: self.value(value)?,
            });
        }
        params.sort_by_key(|param| param.key.const_text());
        Some(params)
    }

    /// The step's headers over the config's, names compared without regard to case (hrp spec 11.4).
    pub(crate) fn headers(&mut self, config: &[(Key, Node)], request: &Fields<'_>) -> Option<Vec<HeaderProgram>> {
        let own = match request.get("headers") {
            Some(node) => map(node, "request.headers", self.report)?,
            None => &[],
        };
        let mut headers = Vec::new();
        for (key, value) in config.iter().chain(own) {
            let value_text = text(value, "a header's value", self.report)?;
            if is_content_type_call(value_text) {
                // The upload brings its own.
                continue;
            }
            let Some(name) = self.header_name(key)? else { continue };
            let value_expr = self.text(value_text, Scan::Trimmed, value.place)?;
            if value_expr.const_text().is_some_and(|value| !is_header_value(&value)) {
                let message = "the header's value holds a control character";
                self.report.step_error(value.place, code::INVALID_CASE, message, message);
                return None;
            }
            put_header(&mut headers, HeaderProgram { name, value: value_expr });
        }
        Some(headers)
    }

    /// The name; none inside where the header is not sent.
    #[allow(clippy::option_option)] // The outer level is an error, the inner one a header to leave out.
    fn header_name(&mut self, key: &Key) -> Option<Option<HeaderName>> {
        if key.text.starts_with(':') {
            return Some(None);
        }
        let name = self.text(&key.text, Scan::Verbatim, key.place)?;
        let Some(written) = name.const_text() else { return Some(Some(HeaderName::Rendered(name))) };
        let canonical = canonical_name(&written);
        if is_ignored_header(&canonical) {
            if !canonical.starts_with(':') {
                self.report
                    .warn(key.place, format!("the header {canonical} is left out: it is computed for each request"));
            }
            return Some(None);
        }
        if !is_header_name(&canonical) {
            let message = format!("\"{written}\" is no header name: it holds a character that none has");
            self.report.step_error(key.place, code::INVALID_CASE, message.clone(), &message);
            return None;
        }
        Some(Some(HeaderName::Known(canonical.into())))
    }

    fn cookies(&mut self, request: &Fields<'_>) -> Option<Vec<CookieProgram>> {
        let Some(node) = request.get("cookies") else { return Some(Vec::new()) };
        let mut cookies = Vec::new();
        for (key, value) in map(node, "request.cookies", self.report)? {
            let value_text = text(value, "a cookie's value", self.report)?;
            cookies.push(CookieProgram {
                name: self.text(&key.text, Scan::Verbatim, key.place)?,
                value: self.text(value_text, Scan::Trimmed, value.place)?,
            });
        }
        cookies.sort_by_key(|cookie| cookie.name.const_text());
        Some(cookies)
    }

    /// The body and the content type that comes with it (hrp spec 4, 11.6).
    fn body(&mut self, request: &Fields<'_>, headers: &mut Vec<HeaderProgram>) -> Option<BodyProgram> {
        let mut given = ["body", "json", "data"].into_iter().filter_map(|name| request.entry(name));
        let Some((key, node)) = given.next() else { return Some(BodyProgram::None) };
        for (other, _) in given {
            self.report.warn(other.place, format!("\"{}\" is ignored: the request has \"{}\"", other.text, key.text));
        }
        if key.text.eq_ignore_ascii_case("json") {
            put_header(headers, json_type());
        }
        let expr = self.value(node)?;
        let is_form = match content_type(headers) {
            ContentType::Known(kind) => kind.map(|kind| kind.starts_with(FORM_TYPE)),
            // Only text is the same bytes under every content type.
            ContentType::Rendered if is_text(&expr) => None,
            ContentType::Rendered => return Some(BodyProgram::ByValue(expr)),
        };
        let with_json_type = |headers: &mut Vec<HeaderProgram>| {
            if is_form.is_none() {
                put_header(headers, json_type());
            }
        };
        Some(match expr {
            Expr::Const(value) => match &*value {
                Value::Text(text) => BodyProgram::Fixed(text.as_bytes().into()),
                Value::Bytes(bytes) => BodyProgram::Fixed(bytes.clone()),
                Value::Map(map) if is_form == Some(true) => {
                    let mut bytes = Vec::new();
                    push_form_map(map, &mut bytes);
                    BodyProgram::Fixed(bytes.into())
                }
                Value::List(_) | Value::Map(_) => {
                    with_json_type(headers);
                    let mut bytes = Vec::new();
                    value.operand().push_json(&mut bytes);
                    BodyProgram::Fixed(bytes.into())
                }
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                    let kind = match &*value {
                        Value::Null => "null",
                        Value::Bool(_) => "a boolean",
                        _ => "a number",
                    };
                    let help = match node.kind_name() {
                        "text" => "a body is text, a list or a map",
                        _ => "quote it to send it as text",
                    };
                    self.report.warn(node.place, format!("a body cannot be {kind}: the step will fail")).help =
                        Some(help.into());
                    BodyProgram::ByValue(Expr::Const(value))
                }
            },
            text @ Expr::Text(_) => BodyProgram::Text(text),
            variable @ Expr::Variable(_) => BodyProgram::ByValue(variable),
            Expr::Map(entries) if is_form == Some(true) && entries.iter().all(|e| e.key.as_const().is_some()) => {
                BodyProgram::Form(entries)
            }
            map @ Expr::Map(_) if is_form == Some(true) => BodyProgram::ByValue(map),
            list_or_map @ (Expr::List(_) | Expr::Map(_)) => {
                with_json_type(headers);
                BodyProgram::Json(list_or_map)
            }
        })
    }
}

fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::Text(_) => true,
        Expr::Const(value) => matches!(**value, Value::Text(_)),
        Expr::Variable(_) | Expr::List(_) | Expr::Map(_) => false,
    }
}

fn json_type() -> HeaderProgram {
    content_type_header(JSON_TYPE)
}

fn content_type_header(kind: &str) -> HeaderProgram {
    HeaderProgram { name: HeaderName::Known("Content-Type".into()), value: Expr::constant(Value::text(kind)) }
}

/// Puts a header at its sorted place, over one of the same name. Names known only later stand at the end, in order, and are
/// sorted in when they are rendered.
fn put_header(headers: &mut Vec<HeaderProgram>, header: HeaderProgram) {
    let HeaderName::Known(name) = &header.name else {
        headers.push(header);
        return;
    };
    let known_name = |other: &HeaderProgram| match &other.name {
        HeaderName::Known(name) => Some(name.clone()),
        HeaderName::Rendered(_) => None,
    };
    let at = headers.partition_point(|other| known_name(other).is_some_and(|other| *other < **name));
    match headers.get_mut(at) {
        Some(same) if known_name(same).as_deref() == Some(name) => *same = header,
        _ => headers.insert(at, header),
    }
}

/// What is known of a request's content type at load.
enum ContentType {
    /// Its text, or that there is none.
    Known(Option<String>),
    /// It depends on a variable.
    Rendered,
}

fn content_type(headers: &[HeaderProgram]) -> ContentType {
    if !headers.iter().all(|header| header.name.is_known()) {
        return ContentType::Rendered;
    }
    let named = |header: &&HeaderProgram| matches!(&header.name, HeaderName::Known(name) if &**name == "Content-Type");
    match headers.iter().find(named).map(|header| header.value.const_text()) {
        None => ContentType::Known(None),
        Some(None) => ContentType::Rendered,
        Some(Some(kind)) => ContentType::Known(Some(kind)),
    }
}
