//! Header fields of a request (hrp spec 11.4).

use super::rendered::{HeaderSpan, RenderedRequest};
use crate::{error::StepError, expression::Expr, session::Session};

/// A header of a step: name and value as expressions.
#[derive(Debug, Clone)]
pub(crate) struct HeaderProgram {
    pub(crate) name: HeaderName,
    pub(crate) value: Expr,
}

/// A header's name.
#[derive(Debug, Clone)]
pub(crate) enum HeaderName {
    /// Checked and in canonical form.
    Known(Box<str>),
    /// Put together when the step runs.
    Rendered(Expr),
}

/// `x-lower` as `X-Lower`: the form hrp sends and reports. A name with characters no field name has stays as it is.
pub(crate) fn canonical_name(name: &str) -> String {
    if !is_header_name(name) {
        return name.to_owned();
    }
    let mut upper = true;
    name.chars()
        .map(|c| {
            let c = if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            upper = c == '-';
            c
        })
        .collect()
}

/// RFC 9110 section 5.1: a token.
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// RFC 9110 section 5.5: no control characters but tab. A line break would begin another field.
pub(crate) fn is_header_value(value: &str) -> bool {
    value.bytes().all(|b| b == b'\t' || (b >= 0x20 && b != 0x7f))
}

/// Pseudo fields and those the connection itself writes (hrp spec 11.4).
pub(crate) fn is_ignored_header(canonical: &str) -> bool {
    canonical.starts_with(':') || matches!(canonical, "Content-Length" | "Transfer-Encoding" | "Trailer")
}

/// Renders all headers; they come out sorted by name.
pub(crate) fn render_headers(
    programs: &[HeaderProgram],
    session: &Session,
    out: &mut RenderedRequest,
) -> Result<(), StepError> {
    let mut sorted = true;
    for header in programs {
        let name_start = out.head.len();
        match &header.name {
            HeaderName::Known(name) => out.head.push_str(name),
            HeaderName::Rendered(name) => {
                sorted = false;
                let mut text = String::new();
                name.push_text(session, &mut text)?;
                let canonical = canonical_name(&text);
                if is_ignored_header(&canonical) {
                    continue;
                }
                if !is_header_name(&canonical) {
                    return Err(StepError::request("request headers", "a name holds a character no header name has"));
                }
                out.head.push_str(&canonical);
            }
        }
        let value_start = out.head.len();
        header.value.push_text(session, &mut out.head)?;
        let value = &out.head[value_start..];
        if !is_header_value(value) {
            return Err(StepError::request("request headers", "a value holds a control character"));
        }
        let trimmed = value.trim_matches([' ', '\t']);
        let from = value_start + (value.len() - value.trim_start_matches([' ', '\t']).len());
        let to = from + trimmed.len();
        out.headers.push(HeaderSpan { name: name_start as u32..value_start as u32, value: from as u32..to as u32 });
    }
    if !sorted {
        out.sort_headers();
    }
    Ok(())
}

impl HeaderName {
    /// Whether the name is known at load.
    pub(crate) fn is_known(&self) -> bool {
        matches!(self, HeaderName::Known(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_canonical() {
        assert_eq!(canonical_name("x-lower"), "X-Lower");
        assert_eq!(canonical_name("CONTENT-type"), "Content-Type");
        assert_eq!(canonical_name("a b"), "a b");
        assert_eq!(canonical_name(""), "");
    }

    #[test]
    fn values_cannot_break_out_of_their_line() {
        assert!(is_header_value("a\tb 中"));
        assert!(!is_header_value("a\r\nX: y"));
        assert!(!is_header_value("a\0"));
    }
}
