//! The `Cookie` field of a request (hrp spec 11.1).

use super::rendered::RenderedRequest;
use crate::{error::StepError, expression::Expr, session::Session};

/// A cookie of a step.
#[derive(Debug, Clone)]
pub(crate) struct CookieProgram {
    pub(crate) name: Expr,
    pub(crate) value: Expr,
}

/// Adds the cookies to the `Cookie` header, behind what the step's own header of that name holds.
pub(crate) fn render_cookies(
    cookies: &[CookieProgram],
    session: &Session,
    out: &mut RenderedRequest,
) -> Result<(), StepError> {
    if cookies.is_empty() {
        return Ok(());
    }
    let mut line = std::mem::take(&mut out.scratch);
    line.clear();
    let at = out.headers.iter().position(|span| out.slice(&span.name) == "Cookie");
    if let Some(at) = at {
        let own = out.headers.remove(at);
        line.push_str(out.slice(&own.value));
    }
    let rendered = push_cookies(cookies, session, &mut line);
    if rendered.is_ok() {
        out.insert_header("Cookie", &line);
    }
    out.scratch = line;
    rendered
}

fn push_cookies(cookies: &[CookieProgram], session: &Session, line: &mut String) -> Result<(), StepError> {
    for cookie in cookies {
        if !line.is_empty() {
            line.push_str("; ");
        }
        let start = line.len();
        cookie.name.push_text(session, line)?;
        if line[start..].is_empty() || line[start..].bytes().any(|b| b <= b' ' || b == 0x7f || b"=;,\"".contains(&b)) {
            return Err(StepError::request(
                "request cookies",
                "a name is empty or holds a character no cookie name has",
            ));
        }
        line.push('=');
        let start = line.len();
        cookie.value.push_text(session, line)?;
        tidy_value(line, start);
    }
    Ok(())
}

/// As Go writes a value: bytes that cannot stand in one are dropped, and one with a space or comma is quoted.
fn tidy_value(line: &mut String, start: usize) {
    let plain = |b: u8| (0x21..0x7f).contains(&b) && !b"\",;\\".contains(&b);
    if line[start..].bytes().all(plain) {
        return;
    }
    let value: String =
        line[start..].chars().filter(|c| (' '..'\u{7f}').contains(c) && !matches!(c, '"' | ';' | '\\')).collect();
    line.truncate(start);
    if value.contains([' ', ',']) {
        line.push('"');
        line.push_str(&value);
        line.push('"');
    } else {
        line.push_str(&value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn line(pairs: &[(&str, &str)], own: Option<&str>) -> Result<String, StepError> {
        let expr = |text: &str| Expr::constant(Value::text(text));
        let cookies: Vec<_> =
            pairs.iter().map(|(name, value)| CookieProgram { name: expr(name), value: expr(value) }).collect();
        let mut out = RenderedRequest::default();
        out.push_header("Accept", "x");
        if let Some(own) = own {
            out.push_header("Cookie", own);
        }
        render_cookies(&cookies, &Session::new(), &mut out)?;
        Ok(out.header("Cookie").unwrap_or_default().to_owned())
    }

    #[test]
    fn cookies_join_behind_the_header() {
        assert_eq!(line(&[("a", "1"), ("b", "x y")], None).unwrap(), "a=1; b=\"x y\"");
        assert_eq!(line(&[("a", "1")], Some("z=0")).unwrap(), "z=0; a=1");
        assert_eq!(line(&[("a", "1;2\r\n")], None).unwrap(), "a=12");
        assert!(line(&[("a=b", "1")], None).is_err());
    }
}
