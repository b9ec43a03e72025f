//! Percent encoding of paths and queries, and form encoding.

use crate::value::Sink;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `byte` as `%XX`.
fn push_percent(byte: u8, out: &mut impl Sink) {
    out.push('%');
    out.push(HEX[usize::from(byte >> 4)] as char);
    out.push(HEX[usize::from(byte & 15)] as char);
}

/// Form encoding of a name or value as `url.QueryEscape` has it: letters, digits and `-_.~` stay, space becomes `+`.
pub(crate) fn push_form(text: &str, out: &mut impl Sink) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            b' ' => out.push('+'),
            _ => push_percent(byte, out),
        }
    }
}

/// Which part of a URL a text stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UrlPart {
    Path,
    Query,
}

/// Keeps what the author wrote and encodes only bytes that may not stand in a request line (RFC 3986 sections 3.3 and 3.4).
///
/// # Errors
/// A control character, or in a path a `%` without two hexadecimal digits.
pub(crate) fn push_url(text: &str, part: UrlPart, out: &mut impl Sink) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let keep = match byte {
            0..=0x1f | 0x7f => return Err("the URL holds a control character"),
            b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => false,
            b'%' if part == UrlPart::Path => {
                if !bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) {
                    return Err("a % in the path is not followed by two hexadecimal digits");
                }
                true
            }
            _ => true,
        };
        if !keep {
            // `done` and `at` lie at character boundaries or next to bytes already encoded one by one.
            if let Some(kept) = text.get(done..at) {
                out.push_str(kept);
            }
            push_percent(byte, out);
            done = at + 1;
        }
    }
    if let Some(kept) = text.get(done..) {
        out.push_str(kept);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_encode_all_but_the_unreserved() {
        let mut out = String::new();
        push_form("x y&z=1/中~", &mut out);
        assert_eq!(out, "x+y%26z%3D1%2F%E4%B8%AD~");
    }

    #[test]
    fn urls_keep_what_may_stand() {
        let mut out = String::new();
        push_url("/中 文/%2F!'()*", UrlPart::Path, &mut out).unwrap();
        assert_eq!(out, "/%E4%B8%AD%20%E6%96%87/%2F!'()*");
        assert!(push_url("/%zz", UrlPart::Path, &mut out).is_err());
        assert!(push_url("/a\r\nHost: x", UrlPart::Path, &mut out).is_err());
        let mut query = String::new();
        push_url("a=%zz&b=x y", UrlPart::Query, &mut query).unwrap();
        assert_eq!(query, "a=%zz&b=x%20y");
    }
}
