//! How the bytes of a body are shown to a person.

use std::fmt::Write;

use serde::de::IgnoredAny;
use serde_json::Value;

/// A body as text, or what is said of it instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShownBody {
    /// The text; empty where the body is, or is not shown.
    pub(super) text: String,
    /// What the text does not tell.
    pub(super) note: Option<String>,
}

/// The first value of a header field, whose name has no case (RFC 9110 section 5.1).
pub(super) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A body for a person: JSON indented, other text as it is, at most `bytes_max` of it; of anything else its size and type
/// (hrp spec 13.1). `cut_bytes` of it are already gone.
pub(super) fn shown(headers: &[(String, String)], body: &[u8], cut_bytes: u64, bytes_max: usize) -> ShownBody {
    let size = body.len() as u64 + cut_bytes;
    let media_type = media_type(headers);
    let text = match &media_type {
        // Without a type the bytes have to speak for themselves.
        None => std::str::from_utf8(body).ok().map(str::to_owned),
        Some(media_type) if is_text(media_type) => Some(String::from_utf8_lossy(body).into_owned()),
        Some(_) => None,
    };
    let Some(text) = text else {
        let what = media_type.as_deref().unwrap_or("no type");
        return ShownBody { text: String::new(), note: Some(format!("{size} bytes of {what}, not shown")) };
    };
    let mut text = if cut_bytes == 0 { indented_json(&text).unwrap_or(text) } else { text };
    let whole = text.len();
    text.truncate(text.floor_char_boundary(bytes_max));
    let hidden = (whole - text.len()) as u64 + cut_bytes;
    let note = (hidden > 0).then(|| format!("{hidden} more bytes, not shown"));
    ShownBody { text, note }
}

/// The media type of a message, in lower case, without parameters.
fn media_type(headers: &[(String, String)]) -> Option<String> {
    let value = header(headers, "content-type")?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Whether a message says of itself that it is JSON.
pub(super) fn is_json(headers: &[(String, String)]) -> bool {
    media_type(headers).is_some_and(|media_type| media_type == "application/json" || media_type.ends_with("+json"))
}

/// Text, JSON, XML and forms.
fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || ["json", "xml"].iter().any(|kind| {
            media_type.strip_suffix(kind).is_some_and(|before| before.ends_with('/') || before.ends_with('+'))
        })
        || matches!(
            media_type,
            "application/x-www-form-urlencoded"
                | "multipart/form-data"
                | "application/javascript"
                | "application/x-ndjson"
                | "application/graphql"
        )
}

/// JSON text with four blanks for each level; none where the text is not JSON. Numbers keep their digits, whatever their
/// size, keys their order; escaped characters of texts are shown as they are.
pub(super) fn indented_json(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let mut length = 1;
        match first {
            '{' | '[' => {
                out.push(first);
                let inner = rest[1..].trim_start();
                if let Some(close) = inner.chars().next().filter(|c| matches!(c, '}' | ']')) {
                    out.push(close);
                    length = rest.len() - inner.len() + 1;
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(first);
            }
            ',' => {
                out.push(first);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                length = string_length(rest);
                let string = serde_json::from_str::<String>(&rest[..length]).ok()?;
                out.push_str(&serde_json::to_string(&string).ok()?);
            }
            _ => {
                length = rest.find(|c: char| ",]}".contains(c) || c.is_ascii_whitespace()).unwrap_or(rest.len());
                out.push_str(&rest[..length]);
            }
        }
        rest = rest[length..].trim_start();
        if out.len() > INDENTED_BYTES_MAX {
            return None;
        }
    }
    Some(out)
}

/// A value as JSON, so that its type is to be seen (`"7"` is not `7`), at most about `bytes_max` of it.
pub(super) fn value_text(value: &Value, bytes_max: usize) -> String {
    let mut text = value.to_string();
    let kept = text.floor_char_boundary(bytes_max);
    let hidden = text.len() - kept;
    if hidden > 0 {
        text.truncate(kept);
        let _ = write!(text, "... ({hidden} more bytes)");
    }
    text
}

/// Indentation grows with depth times size; beyond this a text stays as it came.
const INDENTED_BYTES_MAX: usize = 8 << 20;

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("    ");
    }
}

/// The length of the JSON string a text begins with, quotes included.
fn string_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(content_type: &str, body: &[u8], bytes_max: usize) -> ShownBody {
        shown(&[("Content-Type".into(), content_type.into())], body, 0, bytes_max)
    }

    #[test]
    fn json_is_indented_and_keeps_its_digits() {
        let text = r#"{"b":[1,2.50,123456789012345678901234567890],"a":{},"c":[ ],"t":"\u4e2d \"q\", }","n":null}"#;
        let expected =
            "{\n    \"b\": [\n        1,\n        2.50,\n        123456789012345678901234567890\n    ],\n    \
                        \"a\": {},\n    \"c\": [],\n    \"t\": \"中 \\\"q\\\", }\",\n    \"n\": null\n}";
        assert_eq!(indented_json(text).unwrap(), expected);
        assert_eq!(indented_json(" 7 ").unwrap(), "7");
        for broken in ["", "{", "[1,]", "{\"a\" 1}", "nul", "\"a"] {
            assert_eq!(indented_json(broken), None, "{broken}");
        }
    }

    #[test]
    fn depth_does_not_multiply_without_bound() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(indented_json(&deep).is_none());
    }

    #[test]
    fn text_json_xml_and_forms_are_shown() {
        for media_type in [
            "text/html; charset=utf-8",
            "application/JSON",
            "application/problem+json",
            "application/xml",
            "image/svg+xml",
            "application/x-www-form-urlencoded",
        ] {
            assert_eq!(typed(media_type, b"a=b", 100), ShownBody { text: "a=b".into(), note: None }, "{media_type}");
        }
        for media_type in ["image/png", "application/octet-stream", "application/jsonx"] {
            let note = format!("3 bytes of {media_type}, not shown");
            assert_eq!(typed(media_type, b"a=b", 100), ShownBody { text: String::new(), note: Some(note) });
        }
    }

    #[test]
    fn without_a_type_the_bytes_decide() {
        assert_eq!(shown(&[], b"plain", 0, 100).text, "plain");
        assert_eq!(shown(&[], b"\xff\xfe", 0, 100).note.unwrap(), "2 bytes of no type, not shown");
    }

    #[test]
    fn long_bodies_end_with_a_note() {
        let cut = typed("text/plain", "aé".repeat(10).as_bytes(), 5);
        assert_eq!(cut, ShownBody { text: "aéa".into(), note: Some("26 more bytes, not shown".into()) });
        let kept = shown(&[], b"{\"a\"", 100, 50);
        assert_eq!(kept, ShownBody { text: "{\"a\"".into(), note: Some("100 more bytes, not shown".into()) });
    }

    #[test]
    fn large_values_are_cut() {
        assert_eq!(value_text(&Value::from("é".repeat(10)), 6), "\"éé... (17 more bytes)");
        assert_eq!(value_text(&serde_json::json!("7"), 100), "\"7\"");
        assert_eq!(value_text(&serde_json::json!([1, null]), 8), "[1,null]");
    }
}
