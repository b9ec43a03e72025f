//! What an unquoted scalar means (hrp spec 1.7): YAML 1.2 with the leftovers of 1.1 that yaml.v3 keeps.

use std::borrow::Cow;

use crate::value::Value;

/// A scalar as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: Box<str>,
    pub(crate) kind: ScalarKind,
}

/// How it was written, which decides what it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    /// Unquoted YAML: its text says what it is.
    Plain,
    /// Quoted, a block, or a JSON string: text, whatever it looks like.
    Quoted,
    /// A number, `true`, `false` or `null` of a JSON file.
    JsonLiteral,
}

impl Scalar {
    /// The value, where nothing declares a type.
    pub(crate) fn resolve(&self) -> Value {
        match self.kind {
            ScalarKind::Quoted => Value::Text(self.text.clone()),
            ScalarKind::Plain => resolve_plain(&self.text),
            ScalarKind::JsonLiteral => resolve_json(&self.text),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        match self.kind {
            ScalarKind::Quoted => false,
            ScalarKind::Plain => is_plain_null(&self.text),
            ScalarKind::JsonLiteral => &*self.text == "null",
        }
    }

    /// The value where a boolean is declared: there `yes`, `no`, `on` and `off` are booleans too.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        if self.kind == ScalarKind::Quoted {
            return None;
        }
        match &*self.text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if self.kind == ScalarKind::Plain => Some(true),
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if self.kind == ScalarKind::Plain => Some(false),
            _ => match self.resolve() {
                Value::Bool(b) => Some(b),
                _ => None,
            },
        }
    }

    pub(crate) fn kind_name(&self) -> &'static str {
        match self.resolve() {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            _ => "text",
        }
    }
}

fn is_plain_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn resolve_plain(text: &str) -> Value {
    if is_plain_null(text) {
        return Value::Null;
    }
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    // Only what begins like a number can be one: `_1` is text.
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Value::text(text);
    }
    let digits: Cow<'_, str> = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    if let Some(n) = parse_int(&digits) {
        return Value::Int(n);
    }
    match parse_float(&digits) {
        Some(n) => Value::Float(n),
        None => Value::text(text),
    }
}

/// Decimal, `0x`, `0o`, `0b`, and a leading zero for octal; i64, or u64 above it.
fn parse_int(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|b| (b as char).is_digit(radix)) {
        return None;
    }
    let size = i128::from_str_radix(digits, radix).ok()?;
    let n = if negative { -size } else { size };
    (n >= i128::from(i64::MIN) && n <= i128::from(u64::MAX)).then_some(n)
}

/// Digits with an optional point and exponent; a float like `1.` or `.5` too.
fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let valid = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|e| !e.is_empty() && digits(e));
    if valid {
        text.parse().ok()
    } else {
        None
    }
}

/// A number with a point or an exponent is a float, any other an int (hrp spec 6.9).
fn resolve_json(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match text.parse::<i128>() {
            Ok(n) if n >= i128::from(i64::MIN) && n <= i128::from(u64::MAX) => Value::Int(n),
            _ => Value::Float(text.parse().unwrap_or(f64::NAN)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Value {
        Scalar { text: text.into(), kind: ScalarKind::Plain }.resolve()
    }

    #[test]
    fn plain_scalars() {
        for text in
            ["yes", "no", "on", "off", "12:30", "_1", "1.2.3", "0x", "-", ".", "1e", "2024-01-01", "0o8", "+", "--1"]
        {
            assert_eq!(plain(text), Value::text(text), "{text}");
        }
        for (text, n) in [
            ("0777", 511),
            ("0x1F", 31),
            ("0o17", 15),
            ("0b101", 5),
            ("1_000", 1000),
            ("-12", -12),
            ("+7", 7),
            ("0", 0),
        ] {
            assert_eq!(plain(text), Value::Int(n), "{text}");
        }
        for (text, n) in
            [("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("-2.5e-1", -0.25), ("08", 8.0), ("1_0.5", 10.5)]
        {
            assert_eq!(plain(text), Value::Float(n), "{text}");
        }
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(plain(text), Value::Null, "{text}");
        }
        assert_eq!(plain("True"), Value::Bool(true));
        assert_eq!(plain("18446744073709551615"), Value::Int(i128::from(u64::MAX)));
        assert_eq!(plain("18446744073709551616"), Value::Float(18_446_744_073_709_551_616.0));
        assert_eq!(plain(".inf"), Value::Float(f64::INFINITY));
    }

    #[test]
    fn declared_booleans_know_yes_and_no() {
        let scalar = |text: &str, kind| Scalar { text: text.into(), kind };
        assert_eq!(scalar("yes", ScalarKind::Plain).as_bool(), Some(true));
        assert_eq!(scalar("Off", ScalarKind::Plain).as_bool(), Some(false));
        assert_eq!(scalar("yes", ScalarKind::Quoted).as_bool(), None);
        assert_eq!(scalar("1", ScalarKind::Plain).as_bool(), None);
    }

    #[test]
    fn json_numbers() {
        let json = |text: &str| Scalar { text: text.into(), kind: ScalarKind::JsonLiteral }.resolve();
        assert_eq!(json("1"), Value::Int(1));
        assert_eq!(json("2.50"), Value::Float(2.5));
        assert_eq!(json("1e5"), Value::Float(100_000.0));
        assert_eq!(json("9007199254740993"), Value::Int(9_007_199_254_740_993));
    }
}
