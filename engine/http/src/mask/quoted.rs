//! Names in quotation marks before a colon: JSON, as it is or in a string of other JSON, and what Python and Ruby print.

use super::names::{is_secret_in_json, NAME_BYTES_MAX};
use super::scan::{behind_spaces, next_quote, quote_at, string_end, Edited, Quote};
use super::secrets::Secrets;
use super::MASK;

/// Values that give nothing away, and say something to who reads them.
const EMPTY: [&str; 7] = ["", "\"\"", "''", "null", "true", "false", "None"];

/// Masks what stands behind each such name: a string, a number, or an object or list as a whole.
///
/// Every mark with a colon behind it may end a name, whatever came before: a mark too many or too few somewhere in a broken text
/// hides nothing.
pub(super) fn masked(text: String, secrets: &mut Secrets) -> String {
    let bytes = text.as_bytes();
    let mut edited = Edited::new(&text);
    // Behind the last value: what stands there is no name.
    let mut floor = 0;
    let mut at = 0;
    while let Some(close) = next_quote(bytes, at, [b'"', b'\'']) {
        at = close.end;
        let Some(value_at) = behind_colon(bytes, close.end) else { continue };
        if !is_secret_in_json(name_before(&text, floor, close)) {
            continue;
        }
        let mut end = value_end(bytes, value_at, close.backslashes);
        let value = &text[value_at..end];
        if !EMPTY.contains(&value) {
            learn_all(value, secrets);
            // What is taken for the value may have been the next name, where the value itself is lost.
            loop {
                let outer = quote_at(bytes, end);
                let Some(next) = behind_colon(bytes, outer.map_or(end, |outer| outer.end)) else { break };
                end = value_end(bytes, next, outer.map_or(close.backslashes, |outer| outer.backslashes));
                learn_all(&text[next..end], secrets);
            }
            let mark = &text[close.at..close.end];
            edited.replace(value_at, end, &format!("{mark}{MASK}{mark}"));
        }
        (floor, at) = (end, end);
    }
    edited.done().unwrap_or(text)
}

/// What stands between a mark and the one before it, as far as that may be a name.
fn name_before(text: &str, floor: usize, close: Quote) -> &str {
    let from = text.ceil_char_boundary(floor.max(close.at.saturating_sub(NAME_BYTES_MAX)));
    let name = &text[from..close.at.max(from)];
    name.rfind(char::from(close.mark)).map_or(name, |open| &name[open + 1..])
}

/// Where the value behind a name begins; none where no colon follows.
fn behind_colon(bytes: &[u8], from: usize) -> Option<usize> {
    let at = behind_spaces(bytes, from);
    let sign = match bytes.get(at..)? {
        [b':', ..] => 1,
        [b'=', b'>', ..] => 2,
        _ => return None,
    };
    Some(behind_spaces(bytes, at + sign))
}

/// Behind a value; at the end of the text where it is cut.
fn value_end(bytes: &[u8], from: usize, backslashes: usize) -> usize {
    if let Some(open) = quote_at(bytes, from) {
        return if open.backslashes < backslashes { from } else { string_end(bytes, open) };
    }
    if matches!(bytes.get(from), Some(b'{' | b'[')) {
        return nested_end(bytes, from, backslashes);
    }
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b",}])\"'\\&<;".contains(byte);
    from + bytes[from..].iter().position(ends).unwrap_or(bytes.len() - from)
}

/// Behind an object or a list, whose strings have this many backslashes before their marks.
fn nested_end(bytes: &[u8], from: usize, backslashes: usize) -> usize {
    let (mut at, mut depth) = (from, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' | b'\'' | b'\\' => {
                let Some(open) = quote_at(bytes, at) else {
                    at += backslashes_at(bytes, at);
                    continue;
                };
                if open.backslashes < backslashes {
                    return at;
                }
                at = string_end(bytes, open);
                continue;
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// Learns a value, of an object or list each string and number in it that is no name.
fn learn_all(value: &str, secrets: &mut Secrets) {
    let bytes = value.as_bytes();
    if !matches!(bytes.first(), Some(b'{' | b'[')) {
        return secrets.learn(value);
    }
    let mut at = 0;
    while at < bytes.len() {
        if let Some(open) = quote_at(bytes, at) {
            let end = string_end(bytes, open);
            if behind_colon(bytes, end).is_none() {
                secrets.learn(&value[at..end]);
            }
            at = end;
        } else if bytes[at].is_ascii_alphanumeric() || bytes[at] == b'-' {
            let within = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
            let end = at + bytes[at..].iter().take_while(|byte| within(byte)).count();
            secrets.learn(&value[at..end]);
            at = end;
        } else {
            at += backslashes_at(bytes, at).max(1);
        }
    }
}

/// How many backslashes stand at a place. Without a mark behind them they are stepped over as a whole, or they would be counted
/// again and again.
fn backslashes_at(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().take_while(|&&byte| byte == b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        masked(text.to_owned(), &mut Secrets::default())
    }

    #[test]
    fn values_of_every_kind_at_any_depth() {
        assert_eq!(
            of(r#"{"a":1,"token" : "x\"y", "b":{"password":12.5e3},"c":[{"secrets":["a",{"b":"]"}]}],"d":2}"#),
            r#"{"a":1,"token" : "***", "b":{"password":"***"},"c":[{"secrets":"***"}],"d":2}"#
        );
        assert_eq!(of("{\n  \"sessionId\":\n    \"abc\"\n}"), "{\n  \"sessionId\":\n    \"***\"\n}");
    }

    #[test]
    fn what_gives_nothing_away_stays() {
        let text = r#"{"token":null,"secret":"","password":false,"apiKey":true,"name":"my token"}"#;
        assert_eq!(of(text), text);
    }

    #[test]
    fn cut_and_broken_texts() {
        assert_eq!(of(r#"{"token":"abc"#), r#"{"token":"***""#);
        assert_eq!(of(r#"{"token":{"a":["b"#), r#"{"token":"***""#);
        assert_eq!(of(r#"{"token":"#), r#"{"token":"#);
        assert_eq!(of(r#"he said "hi: {"password":"x"}"#), r#"he said "hi: {"password":"***"}"#);
        assert_eq!(of(r#"{"a":1}}"token":7"#), r#"{"a":1}}"token":"***""#);
        assert_eq!(of("{'token': 'it\\'s', 'n': 1}"), "{'token': '***', 'n': 1}");
        assert_eq!(of(r#"{"token"=>"x"}"#), r#"{"token"=>"***"}"#);
        assert_eq!(of(r#"token":"x","a":1"#), r#"token":"***","a":1"#, "the begin of the name is lost");
        assert_eq!(of(r#"{"token":"secret" : x}"#), r#"{"token":"***"}"#, "the first value is lost");
        assert_eq!(of(r#"{"token":\"secret" : x}"#), r#"{"token":"***"}"#);
        assert_eq!(of(r#"\"token": x}"#), r#"\"token": "***"}"#);
        assert_eq!(of(r#"{"secret":"{"password":"x"}"#), r#"{"secret":"***"password":"***"}"#);
    }

    #[test]
    fn json_in_a_string_of_json() {
        assert_eq!(
            of(r#"{"log":"{\"password\": \"a\\\"b\", \"n\": 1}","m":2}"#),
            r#"{"log":"{\"password\": \"***\", \"n\": 1}","m":2}"#
        );
        assert_eq!(of(r#"{"log":"{\"token\":{\"a\":1","m":2}"#), r#"{"log":"{\"token\":\"***\"","m":2}"#);
        assert_eq!(of(r#"{"log":"{\"token\":77}"}"#), r#"{"log":"{\"token\":\"***\"}"}"#);
    }
}
