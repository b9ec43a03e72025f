//! `name: value` on a line of its own: header fields, also where a body repeats them, and YAML.

use base64::{engine::general_purpose::STANDARD_NO_PAD, Engine};

use super::names::{is_secret, NAME_BYTES_MAX};
use super::scan::Edited;
use super::secrets::Secrets;
use super::MASK;

/// Masks the values of such lines, with the lines that go on with them: those that stand further right, and in YAML the entries of
/// a list, which may begin where the name does (YAML 1.2.2 section 8.2.2).
pub(super) fn masked(text: String, secrets: &mut Secrets) -> String {
    let mut edited = Edited::new(&text);
    // How far to the right the name of the value stands that may go on.
    let mut continued: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let indent = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
        if let Some(left) = continued {
            let white = line.len() - line.trim_start_matches([' ', '\t']).len();
            if white > left && white < line.len() {
                edited.mask(start + white, start + line.len(), secrets);
                continue;
            }
            if let Some(entry) = entry(&line[white..]).filter(|_| white == left) {
                if !entry.is_empty() {
                    edited.mask(start + line.len() - entry.len(), start + line.len(), secrets);
                }
                continue;
            }
        }
        continued = None;
        let Some((name, value)) = line[indent..].split_once(':') else { continue };
        let is_name = name.len() <= NAME_BYTES_MAX
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        // In YAML a blank stands behind the colon, in a header mostly; without, `a:b` may be anything.
        if !is_name || !is_secret(name) {
            continue;
        }
        continued = Some(indent);
        let value_at = start + line.len() - value.trim_start().len();
        let value = value.trim();
        if matches!(value, "" | MASK | "null" | "true" | "false" | "\"***\"" | "{" | "[") {
            continue;
        }
        learn(name, value, secrets);
        edited.mask(value_at, value_at + value.len(), secrets);
    }
    edited.done().unwrap_or(text)
}

/// What stands behind the dash of a list's entry; a boundary of parts begins with more of them.
fn entry(line: &str) -> Option<&str> {
    let entry = line.strip_prefix('-')?;
    (entry.is_empty() || entry.starts_with([' ', '\t'])).then(|| entry.trim_start())
}

/// Learns what is secret in the value of a header field: credentials behind their scheme, the values of cookies.
fn learn(name: &str, value: &str, secrets: &mut Secrets) {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("set-cookie") {
        // The attributes behind are no secrets (RFC 6265 section 4.1.1).
        learn_cookie(value.split(';').next().unwrap_or_default(), secrets);
    } else if is("cookie") {
        value.split(';').for_each(|cookie| learn_cookie(cookie, secrets));
    } else if let Some((scheme, credentials)) = value.split_once(' ') {
        secrets.learn(credentials);
        if scheme.eq_ignore_ascii_case("basic") {
            learn_basic(credentials.trim(), secrets);
        }
    }
}

/// Learns the password of `user:password` in base64 (RFC 7617 section 2). The user's name is no secret.
fn learn_basic(credentials: &str, secrets: &mut Secrets) {
    // Some leave out what fills the last group.
    let decoded = STANDARD_NO_PAD.decode(credentials.trim_end_matches('=')).unwrap_or_default();
    if let Some((_, password)) = String::from_utf8_lossy(&decoded).split_once(':') {
        secrets.learn(password);
    }
}

fn learn_cookie(cookie: &str, secrets: &mut Secrets) {
    if let Some((_, value)) = cookie.split_once('=') {
        secrets.learn(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        masked(text.to_owned(), &mut Secrets::default())
    }

    #[test]
    fn header_fields() {
        assert_eq!(
            of("GET / HTTP/1.1\r\nAuthorization: Bearer x\r\nAccept: a\r\nCOOKIE:a=b; c=d\r\n\r\n"),
            "GET / HTTP/1.1\r\nAuthorization: ***\r\nAccept: a\r\nCOOKIE:***\r\n\r\n"
        );
        assert_eq!(of("X-Api-Key: a\n b\nB: c"), "X-Api-Key: ***\n ***\nB: c", "a folded field");
    }

    #[test]
    fn the_password_of_basic_credentials_is_learnt() {
        // anna:pa:ss, with what fills the last group and without.
        for credentials in ["YW5uYTpwYTpzcw==", "YW5uYTpwYTpzcw"] {
            let mut secrets = Secrets::default();
            masked(format!("Authorization: Basic {credentials}\r\n"), &mut secrets);
            let mut said = "pa:ss is wrong, anna".to_owned();
            secrets.take_out(&mut said);
            assert_eq!(said, "*** is wrong, anna", "{credentials}");
        }
        assert_eq!(of("Authorization: Basic no base64!"), "Authorization: ***");
    }

    #[test]
    fn yaml() {
        assert_eq!(of("a:\n  - password: x y\n    b: 1\nc: 2"), "a:\n  - password: ***\n    b: 1\nc: 2");
        assert_eq!(of("token: |\n  one\n  two\nc: 2"), "token: ***\n  ***\n  ***\nc: 2");
        assert_eq!(of("secrets:\n  a: b\nc: 2"), "secrets:\n  ***\nc: 2");
        assert_eq!(of("a token: b\nthe token"), "a token: b\nthe token");
    }

    #[test]
    fn lists_in_yaml_may_begin_where_their_name_does() {
        assert_eq!(of("tokens:\n- s3cr3t\n-\tother\nc: 2"), "tokens:\n- ***\n-\t***\nc: 2");
        assert_eq!(
            of("a:\n- tokens: # two\n  - one\n  -\n    two\n- b"),
            "a:\n- tokens: ***\n  - ***\n  -\n    ***\n- b"
        );
        assert_eq!(of("tokens:\n- a: x\n  b: y\n- z\nc:\n- d"), "tokens:\n- ***\n  ***\n- ***\nc:\n- d");
        assert_eq!(of("X-Token: a\r\n--b\r\n-c"), "X-Token: ***\r\n--b\r\n-c");
    }
}
