//! Which names are those of secrets.

use std::borrow::Cow;

/// A name that holds one of these is that of a secret.
const WORDS: [&[u8]; 17] = [
    b"token",
    b"secret",
    b"password",
    b"passwd",
    b"pwd",
    b"passphrase",
    b"apikey",
    b"api-key",
    b"api_key",
    b"privatekey",
    b"private-key",
    b"private_key",
    b"signature",
    b"jwt",
    b"session",
    b"credential",
    b"authorization",
];

/// So is one that is one of these.
const WHOLE: [&[u8]; 3] = [b"cookie", b"cookie2", b"set-cookie"];

/// The longest name looked at, bytes: those of headers and fields are far shorter, and what goes on for longer is no name.
pub(super) const NAME_BYTES_MAX: usize = 128;

/// Whether what has this name is a secret: `Authorization`, `Proxy-Authorization`, `Cookie`, `Set-Cookie`, and every name that
/// holds `token`, `secret`, `password`, `passwd`, `pwd`, `passphrase`, `apikey`, `privatekey` (these two also with `-` or `_`),
/// `signature`, `jwt`, `session` or `credential`, whatever the case of its letters.
pub fn is_secret(name: &str) -> bool {
    let name = name.as_bytes();
    let holds = |word: &[u8]| name.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    WORDS.into_iter().any(holds) || WHOLE.into_iter().any(|whole| name.eq_ignore_ascii_case(whole))
}

/// As [`is_secret`], of a name as it is written in JSON.
pub(super) fn is_secret_in_json(name: &str) -> bool {
    is_secret(&json_unescaped(name))
}

/// As [`is_secret`], of a name as it is written in a query or a form.
pub(super) fn is_secret_in_query(name: &str) -> bool {
    is_secret(&percent_decoded(name))
}

/// A JSON string's contents without their escapes. What is no escape stays.
pub(super) fn json_unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escaped) = rest.chars().next() else { break };
        // In JSON within JSON the backslashes of an escape are escaped themselves.
        if escaped == '\\' {
            let backslashes = rest.len() - rest.trim_start_matches('\\').len();
            let of_unicode = rest[backslashes..].starts_with('u');
            rest = &rest[if of_unicode { backslashes } else { 1 }..];
            if !of_unicode {
                plain.push('\\');
                continue;
            }
        }
        let (c, taken) = match rest.as_bytes().first() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'u') => {
                let digits = rest.get(1..5).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
                code.map_or(('u', 1), |c| (c, 5))
            }
            _ => (escaped, escaped.len_utf8()),
        };
        plain.push(c);
        rest = &rest[taken..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// A value of a query or a form without its encoding. What is no encoding stays; what is no text becomes a replacement character.
pub(super) fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'+', ..) => {
                plain.push(b' ');
                at += 1;
            }
            (byte, ..) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_whatever_their_case() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "COOKIE",
            "Set-Cookie",
            "access_token",
            "X-Auth-Token",
            "clientSecret",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["old password", "db_passwd", "X-Api-Key", "api_key", "apiKey", "JSESSIONID", "AWSCredentials"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["pwd", "userPwd", "Passphrase", "private_key", "privateKey", "Private-Key", "X-Signature", "jwt"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["", "Accept", "user", "api", "key", "cookies", "to-ken", "WWW-Authenticate", "author"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_meant() {
        assert!(is_secret_in_json(r"pass\u0077ord"));
        assert!(is_secret_in_json(r"pass\\u0077ord"), "in JSON within JSON");
        assert!(is_secret_in_query("pass%77ord"));
        assert!(is_secret_in_query("user%5Btoken%5D"));
        assert!(!is_secret_in_query("pass%7"));
        assert!(!is_secret_in_json("pass\\"));
    }

    #[test]
    fn escapes_and_encodings_are_undone() {
        assert_eq!(json_unescaped(r#"a\"b\\c\n\u00e9\uZ"#), "a\"b\\c\n\u{e9}uZ");
        assert_eq!(percent_decoded("a+b%20c%2"), "a b c%2");
        assert_eq!(percent_decoded("%ff"), "\u{fffd}");
    }
}
