//! Credentials as they are typed.

use pummel_case::Credentials;

/// Parses `basic:USER:PASSWORD`, `digest:USER:PASSWORD` or `bearer:TOKEN`. The password is everything behind the colon that ends
/// the user's name, more colons included (RFC 7617 section 2).
///
/// # Errors
/// What is wrong, without repeating the text.
pub(crate) fn parse_credentials(text: &str) -> Result<Credentials, String> {
    if text.chars().any(char::is_control) {
        return Err("holds a control character (a line break, for instance)".into());
    }
    let (kind, rest) = text.split_once(':').ok_or("says not how: it begins with basic:, digest: or bearer:")?;
    let user_and_password = || {
        let (user, password) = rest.split_once(':').ok_or("has no password")?;
        Ok::<_, String>((user.to_owned(), password.to_owned()))
    };
    match kind.to_ascii_lowercase().as_str() {
        "basic" => user_and_password().map(|(user, password)| Credentials::Basic { user, password }),
        "digest" => user_and_password().map(|(user, password)| Credentials::Digest { user, password }),
        "bearer" if rest.is_empty() => Err("has no token".into()),
        "bearer" => Ok(Credentials::Bearer { token: rest.to_owned() }),
        _ => Err("begins with none of basic:, digest: and bearer:".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_then_who() {
        let (user, password) = ("anna".to_owned(), "a:b".to_owned());
        assert_eq!(
            parse_credentials("basic:anna:a:b"),
            Ok(Credentials::Basic { user: user.clone(), password: password.clone() })
        );
        assert_eq!(parse_credentials("Digest:anna:a:b"), Ok(Credentials::Digest { user, password }));
        assert_eq!(parse_credentials("bearer:t:1"), Ok(Credentials::Bearer { token: "t:1".into() }));
        assert!(parse_credentials("basic::").is_ok());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for bad in ["s3cret", "anna:s3cret", "basic:s3cret", "bearer:", "basic:a:s3cret\n"] {
            let sentence = parse_credentials(bad).unwrap_err();
            assert!(!sentence.contains("s3cret") && !sentence.is_empty(), "{sentence}");
        }
    }
}
