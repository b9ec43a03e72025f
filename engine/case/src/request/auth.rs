//! Credentials of a request: of the step, of its URL, of the config, of the command line.
//!
//! The nearest counts, and an `Authorization` the case writes itself stands above them all. Basic and bearer become that header,
//! so that whatever treats it with care (a redirect to another host) treats them the same; what digest sends depends on what the
//! server asks, so the request carries user and password.

use base64::{engine::general_purpose::STANDARD, Engine};

use super::{
    headers::{is_header_value, HeaderProgram},
    RenderedRequest,
};
use crate::{error::StepError, expression::Expr, session::Session};

pub(crate) const AUTHORIZATION: &str = "Authorization";

/// Credentials as a command line gives them: nothing in them is an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// RFC 7617.
    Basic {
        /// The user's name, without a colon.
        user: String,
        /// Its password.
        password: String,
    },
    /// RFC 6750.
    Bearer {
        /// The token as it is sent.
        token: String,
    },
    /// RFC 7616, MD5, SHA-256 and SHA-512/256.
    Digest {
        /// The user's name.
        user: String,
        /// Its password.
        password: String,
    },
}

impl Credentials {
    /// Gives them to a request that has none.
    pub(crate) fn apply(&self, out: &mut RenderedRequest) -> Result<(), StepError> {
        match self {
            Self::Basic { user, password } => set_basic(user, password, out),
            Self::Bearer { token } => return set_bearer(token, out),
            Self::Digest { user, password } => out.set_digest(user, password),
        }
        Ok(())
    }
}

/// How a step's credentials are made.
#[derive(Debug, Clone)]
pub(crate) enum AuthProgram {
    /// None, whatever the config and the command line say.
    Nothing,
    Basic {
        user: Expr,
        password: Expr,
    },
    Bearer {
        token: Expr,
    },
    Digest {
        user: Expr,
        password: Expr,
    },
    Given(Credentials),
}

impl AuthProgram {
    pub(crate) fn is_constant(&self) -> bool {
        match self {
            Self::Nothing | Self::Given(_) => true,
            Self::Bearer { token } => token.as_const().is_some(),
            Self::Basic { user, password } | Self::Digest { user, password } => {
                user.as_const().is_some() && password.as_const().is_some()
            }
        }
    }

    pub(crate) fn is_digest(&self) -> bool {
        matches!(self, Self::Digest { .. } | Self::Given(Credentials::Digest { .. }))
    }

    fn apply(&self, session: &Session, out: &mut RenderedRequest) -> Result<(), StepError> {
        let text = |expr: &Expr| {
            let mut text = String::new();
            expr.push_text(session, &mut text).map(|()| text)
        };
        match self {
            Self::Nothing => {}
            Self::Basic { user, password } => set_basic(&text(user)?, &text(password)?, out),
            Self::Bearer { token } => set_bearer(&text(token)?, out)?,
            Self::Digest { user, password } => out.set_digest(&text(user)?, &text(password)?),
            Self::Given(credentials) => credentials.apply(out)?,
        }
        Ok(())
    }
}

/// A step's credentials, and those it has where neither it nor its URL gives any.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuthPrograms {
    pub(crate) own: Option<AuthProgram>,
    /// Of the URL, where that is known at load; percent-encoded as it stands there.
    pub(crate) of_url: Option<Box<str>>,
    pub(crate) common: Option<AuthProgram>,
}

impl AuthPrograms {
    pub(crate) fn is_constant(&self) -> bool {
        [&self.own, &self.common].into_iter().flatten().all(AuthProgram::is_constant)
    }

    /// Whether the request may have credentials for a digest challenge.
    pub(crate) fn may_digest(&self) -> bool {
        [&self.own, &self.common].into_iter().flatten().any(AuthProgram::is_digest)
    }

    /// Gives a request whose URL and headers are rendered its credentials. `of_url` are those of a URL that was rendered too.
    pub(crate) fn render(
        &self,
        of_url: Option<&str>,
        session: &Session,
        out: &mut RenderedRequest,
    ) -> Result<(), StepError> {
        let of_url = of_url.or(self.of_url.as_deref());
        if (self.own.is_none() && of_url.is_none() && self.common.is_none()) || out.header(AUTHORIZATION).is_some() {
            return Ok(());
        }
        match (&self.own, of_url, &self.common) {
            (Some(own), _, _) => own.apply(session, out),
            (None, Some(userinfo), _) => {
                set_userinfo(userinfo, out);
                Ok(())
            }
            (None, None, Some(common)) => common.apply(session, out),
            (None, None, None) => Ok(()),
        }
    }
}

/// `user:password` of a URL as Basic credentials, as curl and Go send them; without a password it is empty.
pub(crate) fn set_userinfo(userinfo: &str, out: &mut RenderedRequest) {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut credentials = percent_decoded(user);
    credentials.push(b':');
    credentials.extend(percent_decoded(password));
    insert(&format!("Basic {}", STANDARD.encode(credentials)), out);
}

fn set_basic(user: &str, password: &str, out: &mut RenderedRequest) {
    insert(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))), out);
}

fn set_bearer(token: &str, out: &mut RenderedRequest) -> Result<(), StepError> {
    if !is_header_value(token) {
        return Err(StepError::request("request auth", "the token holds a control character"));
    }
    insert(&format!("Bearer {token}"), out);
    Ok(())
}

fn insert(value: &str, out: &mut RenderedRequest) {
    out.insert_header(AUTHORIZATION, value);
}

/// RFC 3986 section 2.1; a `%` without two digits behind it stands for itself.
fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits =
            bytes.get(at + 1..at + 3).filter(|digits| bytes[at] == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let byte =
            digits.and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|d| u8::from_str_radix(d, 16).ok());
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    decoded
}

/// Whether these headers hold an `Authorization` at load already, so that no other credentials count.
pub(crate) fn writes_authorization(headers: &[HeaderProgram]) -> bool {
    use super::headers::HeaderName;
    headers.iter().any(|header| matches!(&header.name, HeaderName::Known(name) if **name == *AUTHORIZATION))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(userinfo: &str) -> String {
        let mut request = RenderedRequest::default();
        set_userinfo(userinfo, &mut request);
        let value = request.header(AUTHORIZATION).unwrap().strip_prefix("Basic ").unwrap().to_owned();
        String::from_utf8(STANDARD.decode(value).unwrap()).unwrap()
    }

    #[test]
    fn a_urls_user_is_decoded() {
        assert_eq!(sent("Aladdin:open%20sesame"), "Aladdin:open sesame");
        assert_eq!(sent("u"), "u:");
        assert_eq!(sent("a%3Ab:c:d%"), "a:b:c:d%");
        assert_eq!(sent("%zz:%4"), "%zz:%4");
    }

    #[test]
    fn credentials_of_a_command_line() {
        let sent = |credentials: Credentials| {
            let mut request = RenderedRequest::default();
            credentials.apply(&mut request).unwrap();
            (request.header(AUTHORIZATION).map(str::to_owned), request.digest().map(|(u, p)| format!("{u} {p}")))
        };
        let (user, password) = ("Aladdin".to_owned(), "open sesame".to_owned());
        // RFC 7617 section 2.
        let basic = Credentials::Basic { user: user.clone(), password: password.clone() };
        assert_eq!(sent(basic), (Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".into()), None));
        assert_eq!(sent(Credentials::Bearer { token: "t.1".into() }), (Some("Bearer t.1".into()), None));
        assert_eq!(sent(Credentials::Digest { user, password }), (None, Some("Aladdin open sesame".into())));
        let broken = Credentials::Bearer { token: "a\r\nX: y".into() };
        assert!(broken.apply(&mut RenderedRequest::default()).is_err());
    }
}
