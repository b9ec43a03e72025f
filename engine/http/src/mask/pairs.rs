//! `name=value` of queries, forms, logs and messages, and passwords of URLs.

use std::ops::Range;

use memchr::{memchr2_iter, memmem};

use super::names::{is_secret_in_query, percent_decoded, NAME_BYTES_MAX};
use super::scan::{has_secrets, is_decoded, quote_at, string_end, Edited};
use super::secrets::Secrets;
use super::MASK;

/// Masks the values of such pairs; those behind a colon too, where they are quoted or stand directly behind it.
pub(super) fn masked(text: String, secrets: &mut Secrets, depth: u8) -> String {
    let bytes = text.as_bytes();
    let mut edited = Edited::new(&text);
    // Where the search for a name stops: behind the sign before.
    let mut floor = 0;
    for sign in memchr2_iter(b'=', b':', bytes) {
        if sign < floor {
            continue;
        }
        let equals = bytes[sign] == b'=';
        let name = name_before(bytes, floor, sign);
        floor = sign + 1;
        if name.is_empty() {
            continue;
        }
        let in_query = name.start == 0 || matches!(bytes[name.start - 1], b'?' | b'&');
        let from = if equals && (!in_query || name.start == 0) { behind_blanks(bytes, sign + 1) } else { sign + 1 };
        let quoted = quote_at(bytes, if equals { from } else { behind_blanks(bytes, from) });
        if is_secret_in_query(&text[name]) {
            let (from, end) = match quoted {
                Some(open) => {
                    let end = string_end(bytes, open);
                    (open.end, end - usize::from(end > open.end && bytes[end - 1] == open.mark))
                }
                None if equals || bytes.get(from).is_some_and(|byte| !byte.is_ascii_whitespace() && *byte != b'/') => {
                    (from, value_end(bytes, from, in_query))
                }
                None => continue,
            };
            // The escape of a closing mark is no part of what it closes.
            let value = text[from..end].trim_end_matches('\\');
            if !value.is_empty() && value != MASK {
                edited.mask(from, from + value.len(), secrets);
            }
            floor = floor.max(end);
        } else if equals && in_query && quoted.is_none() && is_decoded(depth) {
            let end = value_end(bytes, from, in_query);
            if bytes[from..end].contains(&b'%') {
                let decoded = percent_decoded(&text[from..end]);
                if has_secrets(&decoded, secrets, depth) {
                    edited.mask(from, end, secrets);
                }
                floor = floor.max(end);
            }
        }
    }
    edited.done().unwrap_or(text)
}

/// The name that ends before a sign and the blanks before that.
fn name_before(bytes: &[u8], floor: usize, sign: usize) -> Range<usize> {
    let blanks = bytes[floor..sign].iter().rev().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    let end = sign - blanks;
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.%[]+$*".contains(byte);
    let length = bytes[floor..end].iter().rev().take(NAME_BYTES_MAX).take_while(|byte| is_of_name(byte)).count();
    end - length..end
}

/// Behind a value that is not quoted. What may stand in a value of a query does not end one there.
fn value_end(bytes: &[u8], from: usize, in_query: bool) -> usize {
    let also: &[u8] = if in_query { b"#" } else { b";'\\" };
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"&\"<>".contains(byte) || also.contains(byte);
    from + bytes[from..].iter().position(ends).unwrap_or(bytes.len() - from)
}

fn behind_blanks(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count()
}

/// Masks the values of a form, whose names and values hold whatever does not end them.
pub(super) fn form_masked(text: String, secrets: &mut Secrets) -> String {
    let mut edited = Edited::new(&text);
    let mut at = 0;
    for pair in text.split('&') {
        let start = at;
        at += pair.len() + 1;
        let Some((name, value)) = pair.split_once('=') else { continue };
        let hides = |secrets: &mut Secrets| value.contains('%') && has_secrets(&percent_decoded(value), secrets, 0);
        if !value.is_empty() && value != MASK && (is_secret_in_query(name) || hides(secrets)) {
            edited.mask(start + name.len() + 1, start + pair.len(), secrets);
        }
    }
    edited.done().unwrap_or(text)
}

/// Masks `password` of `scheme://user:password@host`.
pub(super) fn passwords_of_urls_masked(text: String, secrets: &mut Secrets) -> String {
    let bytes = text.as_bytes();
    let mut edited = Edited::new(&text);
    for slashes in memmem::find_iter(bytes, b"://") {
        let from = slashes + 3;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"<>\\".contains(byte);
        let end = from + bytes[from..].iter().position(ends).unwrap_or(bytes.len() - from);
        let Some(at) = memchr::memrchr(b'@', &bytes[from..end]) else { continue };
        let Some(colon) = memchr::memchr(b':', &bytes[from..from + at]) else { continue };
        let (from, end) = (from + colon + 1, from + at);
        if from < end && &text[from..end] != MASK {
            edited.mask(from, end, secrets);
        }
    }
    edited.done().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        masked(text.to_owned(), &mut Secrets::default(), 0)
    }

    #[test]
    fn parameters_of_a_query() {
        assert_eq!(of("GET /a?x=1&access_token=a,b;c)&y=2 HTTP/1.1"), "GET /a?x=1&access_token=***&y=2 HTTP/1.1");
        assert_eq!(of("/a?pass%77ord=x#part"), "/a?pass%77ord=***#part");
        assert_eq!(of("/a?user[token]=x&b"), "/a?user[token]=***&b");
        assert_eq!(of("/a?token=&b=1"), "/a?token=&b=1");
        assert_eq!(of("/a?x=%7B%22password%22%3A%22p%22%7D&y=2"), "/a?x=***&y=2", "JSON in a value");
        assert_eq!(of("/a?next=/b?token=x"), "/a?next=/b?token=***");
        // Found by fuzzing: values within values, deeper than they are decoded.
        let deep = "ac=1?%ntt=et=x?%n=1%7D?api%5Fkey=x";
        assert_eq!(of(deep), "ac=***");
    }

    #[test]
    fn pairs_of_logs_and_messages() {
        assert_eq!(of("login failed: password=hunter2; user=a"), "login failed: password=***; user=a");
        assert_eq!(of("password = \"a b\" user = c"), "password = \"***\" user = c");
        assert_eq!(of("map[password:hunter2 user:x]"), "map[password:*** user:x]");
        assert_eq!(of(r#"{"q":"login(password: \"x y\", n: 1)"}"#), r#"{"q":"login(password: \"***\", n: 1)"}"#);
        assert_eq!(of("token: a sentence, token://x"), "token: a sentence, token://x");
    }

    #[test]
    fn fields_of_a_form_hold_what_does_not_end_them() {
        let of = |text: &str| form_masked(text.to_owned(), &mut Secrets::default());
        assert_eq!(of("a=1&password=x \"y;z&b=2"), "a=1&password=***&b=2");
        assert_eq!(of("my+password=x"), "my+password=***");
        assert_eq!(of("a=1&token&b=2"), "a=1&token&b=2");
        assert_eq!(of("payload=%7B%22token%22%3A1234%7D"), "payload=***");
        assert_eq!(of("payload=%7B%22name%22%3A1234%7D"), "payload=%7B%22name%22%3A1234%7D");
    }

    #[test]
    fn the_password_of_a_url() {
        let of = |text: &str| passwords_of_urls_masked(text.to_owned(), &mut Secrets::default());
        assert_eq!(of("see http://anna:pa:ss@w@host:80/a@b:c"), "see http://anna:***@host:80/a@b:c");
        assert_eq!(of("http://anna@host/ http://host:80/"), "http://anna@host/ http://host:80/");
    }
}
