//! Case files as YAML that our own reader, and any other, reads back as it was written.
//!
//! Emitters of other crates know the scalars of YAML 1.2; case files are read with the leftovers of 1.1 (hrp spec 1.7: `0777` and
//! `1_000` are numbers, `yes` is a boolean where one is declared). So a text stands unquoted only where it is plainly a word.

use std::fmt::Write;

use serde_json::Value;

use super::problem::ConvertError;
use crate::{
    document::{Scalar, ScalarKind},
    value::Value as CaseValue,
};

/// The longest key written as `key: value`; YAML 1.2 (section 7.4.2) allows 1,024 characters.
const MAX_SIMPLE_KEY_BYTES: usize = 512;

/// Text where a boolean may be declared, and there would be one.
const SWITCHES: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// The text of a case.
///
/// # Errors
/// A key that YAML reads as a merge.
pub(super) fn write(case: &Value) -> Result<String, ConvertError> {
    let mut out = String::new();
    block(case, 0, &mut out)?;
    Ok(out)
}

/// Writes a value whose first line begins where `out` ends; its further lines are indented by `indent`.
fn block(value: &Value, indent: usize, out: &mut String) -> Result<(), ConvertError> {
    match value {
        Value::Array(items) if !items.is_empty() => {
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    pad(indent, out);
                }
                out.push_str("- ");
                block(item, indent + 2, out)?;
            }
        }
        Value::Object(entries) if !entries.is_empty() => {
            for (n, (key, value)) in entries.iter().enumerate() {
                if n > 0 {
                    pad(indent, out);
                }
                if key == "<<" {
                    let error =
                        ConvertError::new(None, "the key \"<<\" cannot be written in YAML: it means a merge there");
                    return Err(error.with_help("write the case as JSON"));
                }
                let is_long = key.len() > MAX_SIMPLE_KEY_BYTES;
                if is_long {
                    out.push_str("? ");
                }
                text(key, out);
                if is_long {
                    out.push('\n');
                    pad(indent, out);
                }
                out.push(':');
                let nested = match value {
                    Value::Array(items) => !items.is_empty(),
                    Value::Object(entries) => !entries.is_empty(),
                    _ => false,
                };
                if nested {
                    out.push('\n');
                    pad(indent + 2, out);
                } else {
                    out.push(' ');
                }
                block(value, indent + 2, out)?;
            }
        }
        Value::Array(_) => out.push_str("[]\n"),
        Value::Object(_) => out.push_str("{}\n"),
        Value::String(string) => {
            text(string, out);
            out.push('\n');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = writeln!(out, "{value}");
        }
    }
    Ok(())
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if is_printable(c) => out.push(c),
            _ => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
        }
    }
    out.push('"');
}

/// YAML 1.2 section 5.1, less line breaks of other scripts. All that are not printable lie below U+10000.
fn is_printable(c: char) -> bool {
    !(c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'))
}

/// A word or words that nothing reads as anything else.
fn is_plain(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_alphabetic() || "/$_".contains(c));
    let inner = |c: char| c.is_alphanumeric() || "/$_-.:;=&?+*%@()'\"{}~ ".contains(c);
    let words = || Scalar { text: text.into(), kind: ScalarKind::Plain };
    first
        && chars.all(inner)
        && !text.contains(": ")
        && !text.contains("  ")
        && !text.ends_with([' ', ':'])
        && !SWITCHES.contains(&&*text.to_lowercase())
        && matches!(words().resolve(), CaseValue::Text(_))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_are_indented() {
        let case = json!({"config": {"name": "a b"}, "empty": {}, "none": [], "teststeps": [
            {"name": "", "request": {"url": "http://h/a?b=c&d", "body": [[1, 2.5], {"k": null}, true]}},
            "x",
        ]});
        assert_eq!(
            write(&case).unwrap(),
            "config:\n  name: a b\nempty: {}\nnone: []\nteststeps:\n  - name: \"\"\n    request:\n      url: \
             http://h/a?b=c&d\n      body:\n        - - 1\n          - 2.5\n        - k: null\n        - true\n  - x\n"
        );
    }

    #[test]
    fn texts_that_could_be_read_as_something_else_are_quoted() {
        for (written, expected) in [
            ("word", "word"),
            ("$var", "$var"),
            ("中文", "中文"),
            ("", "\"\""),
            ("null", "\"null\""),
            ("True", "\"True\""),
            ("yes", "\"yes\""),
            ("12", "\"12\""),
            ("0x1F", "\"0x1F\""),
            (".inf", "\".inf\""),
            ("~", "\"~\""),
            ("- a", "\"- a\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("a:", "\"a:\""),
            ("{a}", "\"{a}\""),
            ("@a", "\"@a\""),
            ("a\n\"b\\", "\"a\\n\\\"b\\\\\""),
            ("a\u{7f}\u{2028}", "\"a\\u007F\\u2028\""),
        ] {
            let mut out = String::new();
            text(written, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_key_that_merges_is_refused() {
        assert!(write(&json!({"<<": 1})).is_err());
    }
}
