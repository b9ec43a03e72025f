//! Requests without a test case: what `hit` sends.

use std::sync::Arc;

use crate::{
    check::{Action, Checks, Validator, ValidatorKind, WrittenValidator},
    request::{
        build_target, canonical_name, is_header_name, is_header_value, is_ignored_header, set_userinfo, Credentials,
        TargetStyle,
    },
    step::{Needs, Program},
    Case, RenderedRequest, RequestStep, Step, StepError,
};

/// A request as given on a command line. Nothing in it is an expression: `$` is a dollar sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainRequest {
    /// The name it is recorded under.
    pub name: String,
    /// The method; sent in upper case.
    pub method: String,
    /// A URL with scheme and host.
    pub url: String,
    /// Header fields; of several with one name the last is sent.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Option<Vec<u8>>,
}

/// A plain request that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} {value:?}: {reason}")]
pub struct PlainRequestError {
    /// Its position in the list.
    pub index: usize,
    /// Which part: `method`, `URL` or `header`.
    pub part: &'static str,
    /// That part as given.
    pub value: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Case {
    /// A case of constant requests, one after the other, with types `request-METHOD`. Nothing is checked in their responses.
    ///
    /// # Errors
    /// [`PlainRequestError`] for the first that cannot be sent: a URL without host, a header or
    /// method with characters that none has.
    pub fn from_requests(name: &str, requests: Vec<PlainRequest>) -> Result<Case, PlainRequestError> {
        let steps = requests
            .into_iter()
            .enumerate()
            .map(|(index, request)| step(index, request).map(|step| Step::Request(Box::new(step))))
            .collect::<Result<_, _>>()?;
        Ok(Case {
            name: Arc::from(name),
            path: None,
            project_root: std::path::PathBuf::new(),
            plugin_file: None,
            weight: 0,
            request_timeout: None,
            steps,
            transactions: Box::default(),
            setup: Vec::new(),
            parameters: None,
            case_timeout: None,
            references: Box::default(),
            rendezvous: 0,
            loops: 0,
            exports: Box::default(),
            config_variables: Arc::default(),
            kept_slots: 0,
            lasting_slots: 0,
            step_slots: 0,
        })
    }
}

impl Case {
    /// Gives credentials to the constant requests of a case that have none: those of a command line, for
    /// [`from_requests`](Self::from_requests).
    ///
    /// # Errors
    /// They hold a control character.
    pub fn authenticate(&mut self, credentials: &Credentials) -> Result<(), StepError> {
        self.steps.iter_mut().try_for_each(|step| match step {
            Step::Request(step) => step.authenticate(credentials),
            _ => Ok(()),
        })
    }
}

/// Statuses from here on say that the request was not served (RFC 9110 section 15): by the client's fault or the server's.
const NOT_SERVED: u16 = 400;

impl Case {
    /// Lets requests without checks fail where the response says that they were not served: with a status of 400 or more.
    pub fn require_success(&mut self) {
        for step in &mut self.steps {
            let Step::Request(step) = step else { continue };
            if !step.checks.is_empty() {
                continue;
            }
            let written =
                WrittenValidator { check: "status_code".into(), assertion: "less_than".into(), message: "".into() };
            let validator = Validator {
                kind: ValidatorKind::StatusBelow(NOT_SERVED),
                message: Arc::from("status_code is 400 or more: the request was not served"),
                written: Box::new(written),
            };
            step.checks = Checks { actions: Box::new([Action::Validate(validator)]) };
        }
    }
}

fn step(index: usize, request: PlainRequest) -> Result<RequestStep, PlainRequestError> {
    let error = |part, value: &str, reason| PlainRequestError { index, part, value: value.into(), reason };
    if !is_header_name(&request.method) {
        return Err(error("method", &request.method, "it must be a single word such as GET"));
    }
    let mut rendered = RenderedRequest::default();
    let parts = build_target("", &request.url, TargetStyle::default(), &mut rendered.target)
        .map_err(|r| error("URL", &request.url, r))?;
    rendered.origin = parts.to_origin().map_err(|reason| error("URL", &request.url, reason))?;
    for (name, value) in &request.headers {
        let canonical = canonical_name(name);
        if !is_header_name(&canonical) {
            return Err(error("header", name, "the name holds a character no header name has"));
        }
        if !is_header_value(value) {
            return Err(error("header", name, "the value holds a control character"));
        }
        if !is_ignored_header(&canonical) {
            rendered.push_header(&canonical, value.trim_matches([' ', '\t']));
        }
    }
    rendered.sort_headers();
    if let (Some(userinfo), None) = (parts.userinfo, rendered.header("Authorization")) {
        set_userinfo(userinfo, &mut rendered);
    }
    rendered.has_body = request.body.is_some();
    rendered.body = request.body.unwrap_or_default();
    let label = format!("request-{}", request.method);
    Ok(RequestStep {
        name: Arc::from(request.name),
        label: Arc::from(label),
        method: Arc::from(request.method.to_ascii_uppercase()),
        timeout: None,
        allow_redirects: None,
        verify: None,
        http2: None,
        needs: Needs::default(),
        name_template: None,
        setup: Box::default(),
        request: Program::Constant(Box::new(rendered)),
        checks: Checks::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(url: &str) -> PlainRequest {
        PlainRequest { name: "n".into(), method: "post".into(), url: url.into(), headers: Vec::new(), body: None }
    }

    #[test]
    fn nothing_in_a_plain_request_is_an_expression() {
        let request = PlainRequest {
            headers: vec![("x-a".into(), "$b".into()), ("X-A".into(), "${c}".into())],
            body: Some(b"$d".to_vec()),
            ..plain("http://h:81/p?q=$x")
        };
        let case = Case::from_requests("hit", vec![request, plain("http://h:81/2")]).unwrap();
        let Step::Request(step) = &case.steps[0] else { panic!("a request") };
        let sent = step.constant().unwrap();
        assert_eq!((&*step.method, &*step.label), ("POST", "request-post"));
        assert_eq!(sent.target(), "/p?q=$x");
        assert_eq!(sent.headers().collect::<Vec<_>>(), [("X-A", "${c}")]);
        assert_eq!(sent.body(), Some(&b"$d"[..]));
        assert_eq!(case.origins().iter().map(ToString::to_string).collect::<Vec<_>>(), ["http://h:81"]);
        assert!(step.checks_nothing());
    }

    #[test]
    fn errors_name_the_part() {
        let error = |request| Case::from_requests("hit", vec![request]).unwrap_err().to_string();
        assert_eq!(error(plain("/x")), "URL \"/x\": the URL has no host and there is no base_url");
        assert_eq!(error(plain("ftp://h/")), "URL \"ftp://h/\": the scheme must be http or https");
        let bad = PlainRequest { method: "GE T".into(), ..plain("http://h") };
        assert_eq!(error(bad), "method \"GE T\": it must be a single word such as GET");
    }
}
