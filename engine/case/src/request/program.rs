//! A request step compiled: the order of work of hrp spec 11.2.

use super::{
    build_target,
    cookies::render_cookies,
    form::FormEncoded,
    headers::render_headers,
    origin::{OriginParts, Schemes},
    rendered::RenderedRequest,
    target::{push_query_separator, TargetStyle, UrlParts},
    AuthPrograms, BodyProgram, CookieProgram, HeaderProgram, Origin,
};
use crate::{
    error::StepError,
    expression::{Expr, Piece},
    operation::{self, Operation},
    session::Session,
    value::{Operand, Sink, Value},
    Prepared, Progress,
};

/// Everything that is done to send a step's request.
#[derive(Debug, Clone)]
pub(crate) struct RequestProgram {
    /// Done first and in this order, which their references allow: variables and calls.
    pub(crate) operations: Box<[Operation]>,
    pub(crate) target: TargetProgram,
    pub(crate) params: Box<[ParamProgram]>,
    /// Sorted by name where all names are known.
    pub(crate) headers: Box<[HeaderProgram]>,
    pub(crate) cookies: Box<[CookieProgram]>,
    pub(crate) auth: AuthPrograms,
    pub(crate) body: BodyProgram,
}

/// Where it goes.
#[derive(Debug, Clone)]
pub(crate) enum TargetProgram {
    /// The same every time; the query may still grow by parameters.
    Fixed { origin: Origin, target: Box<str> },
    Rendered {
        base: Expr,
        url: Expr,
        /// Where it goes unless a variable says otherwise; a request that goes there needs no origin of its own.
        known: Option<Origin>,
        style: TargetStyle,
    },
}

impl TargetProgram {
    /// The origin, where the constant beginning of the URL already settles it; a variable behind the host does not matter.
    pub(crate) fn known_origin(base: &Expr, url: &Expr, schemes: Schemes) -> Option<Origin> {
        let (start, whole) = match url {
            Expr::Const(_) => (url.const_text()?, true),
            Expr::Text(pieces) => match pieces.first()? {
                Piece::Literal(text) => (text.to_string(), false),
                Piece::Variable(_) => return None,
            },
            Expr::Variable(_) | Expr::List(_) | Expr::Map(_) => return None,
        };
        let base = base.const_text().unwrap_or_default();
        let parts = UrlParts::split(&start);
        // Until a `/`, `?` or `#` has come, a variable could still continue the host or be part of a scheme.
        let settled = |text: &str| whole || text.contains(['/', '?', '#']);
        let (scheme, authority) = match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority)) => {
                let behind_scheme = start.split_once("//").map_or("", |(_, rest)| rest);
                settled(behind_scheme).then_some((scheme, authority))?
            }
            (None, None) => {
                let base = UrlParts::split(&base);
                settled(&start).then_some((base.scheme?, base.authority?))?
            }
            _ => return None,
        };
        OriginParts::parse(scheme, authority, schemes).ok()?.to_origin().ok()
    }
}

/// A parameter of the query.
#[derive(Debug, Clone)]
pub(crate) struct ParamProgram {
    pub(crate) key: Expr,
    pub(crate) value: Expr,
}

impl RequestProgram {
    /// Whether it renders the same request every time.
    pub(crate) fn is_constant(&self) -> bool {
        let constant = |expr: &Expr| expr.as_const().is_some();
        self.operations.is_empty()
            && matches!(self.target, TargetProgram::Fixed { .. })
            && self.params.iter().all(|param| constant(&param.key) && constant(&param.value))
            && self.headers.iter().all(|header| header.name.is_known() && constant(&header.value))
            && self.cookies.iter().all(|cookie| constant(&cookie.name) && constant(&cookie.value))
            && self.auth.is_constant()
            && matches!(self.body, BodyProgram::None | BodyProgram::Fixed(_))
    }

    /// Renders the whole request.
    pub(crate) fn render(
        &self,
        session: &mut Session,
        out: &mut RenderedRequest,
        progress: &mut Progress,
    ) -> Result<Prepared, StepError> {
        if let wait @ Prepared::Wait(_) = self.run_operations(session, progress)? {
            return Ok(wait);
        }
        out.clear();
        let session = &*session;
        let userinfo = self.render_target(session, out)?;
        render_params(&self.params, session, &mut out.target)?;
        render_headers(&self.headers, session, out)?;
        self.auth.render(userinfo.as_deref(), session, out)?;
        render_cookies(&self.cookies, session, out)?;
        self.body.render(session, out)?;
        Ok(Prepared::Done)
    }

    /// Behind them the setup hooks of the step go on with the same progress.
    fn run_operations(&self, session: &mut Session, progress: &mut Progress) -> Result<Prepared, StepError> {
        if progress.done > self.operations.len() {
            return Ok(Prepared::Done);
        }
        operation::run(&self.operations, 0, session, progress)
    }

    /// Gives the user a rendered URL holds.
    fn render_target(&self, session: &Session, out: &mut RenderedRequest) -> Result<Option<String>, StepError> {
        match &self.target {
            TargetProgram::Fixed { origin, target } => {
                if out.origin != *origin {
                    out.origin = origin.clone();
                }
                out.target.push_str(target);
                Ok(None)
            }
            TargetProgram::Rendered { base, url, known, style } => {
                let mut text = std::mem::take(&mut out.scratch);
                text.clear();
                let rendered = base.push_text(session, &mut text).and_then(|()| {
                    let base_len = text.len();
                    url.push_text(session, &mut text)?;
                    let (base, url) = text.split_at(base_len);
                    set_target(base, url, known.as_ref(), *style, out)
                });
                out.scratch = text;
                rendered
            }
        }
    }
}

fn set_target(
    base: &str,
    url: &str,
    known: Option<&Origin>,
    style: TargetStyle,
    out: &mut RenderedRequest,
) -> Result<Option<String>, StepError> {
    let error = |reason| StepError::request("request url", reason);
    let parts = build_target(base, url, style, &mut out.target).map_err(error)?;
    if !out.origin.matches(&parts) {
        out.origin = match known {
            Some(known) if known.matches(&parts) => known.clone(),
            _ => parts.to_origin().map_err(error)?,
        };
    }
    Ok(parts.userinfo.map(str::to_owned))
}

/// Appends parameters to the query: sorted by key, form-encoded, a list as its key repeated (hrp spec 11.1).
pub(crate) fn render_params(params: &[ParamProgram], session: &Session, target: &mut String) -> Result<(), StepError> {
    // At load they were sorted if all keys were known; keys known only now are sorted here.
    if params.iter().all(|param| param.key.as_const().is_some()) {
        for param in params {
            render_param(param, session, target)?;
        }
        return Ok(());
    }
    let mut sorted = Vec::with_capacity(params.len());
    for param in params {
        let mut key = String::new();
        param.key.push_text(session, &mut key)?;
        sorted.push((key, param));
    }
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    for (_, param) in sorted {
        render_param(param, session, target)?;
    }
    Ok(())
}

fn render_param(param: &ParamProgram, session: &Session, target: &mut String) -> Result<(), StepError> {
    let push = |value: Operand<'_>, target: &mut String| {
        push_query_separator(target);
        param.key.push_text(session, &mut FormEncoded(target))?;
        target.push('=');
        value.push_text(&mut FormEncoded(target));
        Ok(())
    };
    let push_each = |value: Operand<'_>, target: &mut String| match value {
        Operand::List(list) => list.iter().try_for_each(|item| push(Value::operand(item), target)),
        single => push(single, target),
    };
    match param.value.borrowed(session) {
        Some(value) => push_each(value?, target),
        None if matches!(param.value, Expr::Text(_)) => {
            push_query_separator(target);
            param.key.push_text(session, &mut FormEncoded(target))?;
            Sink::push(target, '=');
            param.value.push_text(session, &mut FormEncoded(target))
        }
        None => push_each(param.value.evaluate(session)?.operand(), target),
    }
}
