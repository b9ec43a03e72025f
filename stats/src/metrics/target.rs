//! Where metrics are pushed to.

use std::fmt;

use base64::prelude::{Engine, BASE64_STANDARD};
use url::Url;

/// How a receiver wants its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A Prometheus Pushgateway, with hrp's metrics; the URL is the gateway's own.
    Pushgateway,
    /// Prometheus remote write 1.0; the URL is the one to write to.
    RemoteWrite,
    /// InfluxDB's line protocol; the URL is the one to write to, with its query.
    Influx,
    /// OpenTelemetry over HTTP; the URL is the one to write to, and one without a path is the collector's own.
    Otlp,
}

impl TargetKind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pushgateway => "pushgateway",
            Self::RemoteWrite => "remote write",
            Self::Influx => "InfluxDB",
            Self::Otlp => "OTLP",
        }
    }

    /// Seconds between two pushes.
    pub(super) fn every_s(self) -> u64 {
        match self {
            Self::Pushgateway => super::hrp::INTERVAL_S,
            // Its percentiles are those of a second.
            Self::Influx => 1,
            Self::RemoteWrite | Self::Otlp => 5,
        }
    }
}

/// A receiver that metrics are pushed to.
#[derive(Clone)]
pub struct Target {
    pub(super) kind: TargetKind,
    url: Url,
    /// The value of the header `Authorization`.
    pub(super) authorization: Option<String>,
}

/// Why a text is not the URL of a receiver. Never holds the text: there may be a password in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no URL.
    #[error("not a URL: {0}")]
    NotAUrl(String),
    /// Neither `http` nor `https`.
    #[error("{0}: is not http:// or https://")]
    Scheme(String),
    /// A token cannot stand in a header.
    #[error("the token holds a character that cannot stand in a header")]
    Token,
}

impl Target {
    /// Reads a URL; one that does not say how begins with `http://`, as hrp has it. A user and password in it are sent as basic
    /// authentication, and those of the user `bearer` as a bearer token.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(kind: TargetKind, text: &str) -> Result<Self, TargetError> {
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mut url = Url::parse(&whole).map_err(|error| TargetError::NotAUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme(url.scheme().to_owned()));
        }
        let authorization = authorization(&url)?;
        // Neither can fail where there is a host, and a URL of http has one.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        Ok(Self { kind, url, authorization })
    }

    /// The same with a token as InfluxDB takes it, where the URL has no user.
    ///
    /// # Errors
    /// [`TargetError::Token`].
    pub fn with_influx_token(mut self, token: &str) -> Result<Self, TargetError> {
        if self.authorization.is_none() {
            self.authorization = Some(format!("Token {}", in_header(token)?));
        }
        Ok(self)
    }

    /// Whether it is spoken to through TLS.
    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The URL to send to.
    pub(super) fn url(&self, instance: &str) -> String {
        let mut url = self.url.clone();
        match self.kind {
            // hrp's grouping key (spec 16).
            TargetKind::Pushgateway => {
                let path =
                    format!("{}/metrics/job/hrp/instance/{instance}/mode/standalone", url.path().trim_end_matches('/'));
                url.set_path(&path);
            }
            TargetKind::Otlp if url.path() == "/" => url.set_path("/v1/metrics"),
            TargetKind::Otlp | TargetKind::RemoteWrite | TargetKind::Influx => {}
        }
        url.into()
    }
}

/// Its kind and its URL without what may be secret: user, password and query.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        url.set_query(None);
        let shown = url.as_str();
        write!(f, "{} {}", self.kind.name(), shown.strip_suffix('/').unwrap_or(shown))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn authorization(url: &Url) -> Result<Option<String>, TargetError> {
    let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    if user.is_empty() && password.is_empty() {
        return Ok(None);
    }
    if user == b"bearer" && !password.is_empty() {
        let token = String::from_utf8(password).map_err(|_| TargetError::Token)?;
        return Ok(Some(format!("Bearer {}", in_header(&token)?)));
    }
    let both = [user.as_slice(), b":", password.as_slice()].concat();
    Ok(Some(format!("Basic {}", BASE64_STANDARD.encode(both))))
}

fn in_header(text: &str) -> Result<&str, TargetError> {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte)).then_some(text).ok_or(TargetError::Token)
}

/// A part of a URL with its percent encoding (RFC 3986 section 2.1) taken off.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if let Some(byte) = hex.filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kind: TargetKind, text: &str) -> Target {
        Target::parse(kind, text).unwrap()
    }

    #[test]
    fn urls_to_send_to() {
        for (kind, text, expected) in [
            (TargetKind::Pushgateway, "gw:9091", "http://gw:9091/metrics/job/hrp/instance/id/mode/standalone"),
            (
                TargetKind::Pushgateway,
                "https://gw/push/",
                "https://gw/push/metrics/job/hrp/instance/id/mode/standalone",
            ),
            (TargetKind::RemoteWrite, "http://p:9090/api/v1/write", "http://p:9090/api/v1/write"),
            (TargetKind::Influx, "http://i:8086/write?db=load#x", "http://i:8086/write?db=load"),
            (TargetKind::Influx, "http://i/api/v2/write?org=o&bucket=b", "http://i/api/v2/write?org=o&bucket=b"),
            (TargetKind::Otlp, "http://c:4318", "http://c:4318/v1/metrics"),
            (TargetKind::Otlp, "http://c:4318/otlp/v1/metrics", "http://c:4318/otlp/v1/metrics"),
        ] {
            assert_eq!(target(kind, text).url("id"), expected);
        }
    }

    #[test]
    fn who_we_are_is_sent_and_never_shown() {
        for (text, expected) in [
            ("http://anna:s3cret@gw:9091/?p=s3cret", "Basic YW5uYTpzM2NyZXQ="),
            ("http://an%40na:@gw:9091", "Basic YW5AbmE6"),
            ("http://bearer:s3cret%2B1@gw:9091", "Bearer s3cret+1"),
        ] {
            let target = target(TargetKind::Pushgateway, text);
            assert_eq!(target.authorization.as_deref(), Some(expected));
            assert_eq!(target.to_string(), "pushgateway http://gw:9091");
            assert_eq!(format!("{target:?}"), "pushgateway http://gw:9091");
            assert!(!target.url("id").contains("s3cret@"), "{}", target.url("id"));
        }
        let influx = target(TargetKind::Influx, "http://i:8086/write").with_influx_token("t=1").unwrap();
        assert_eq!(influx.authorization.as_deref(), Some("Token t=1"));
        let influx = target(TargetKind::Influx, "http://a:b@i:8086/write").with_influx_token("t").unwrap();
        assert_eq!(influx.authorization.as_deref(), Some("Basic YTpi"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_text() {
        for text in ["ftp://u:s3cret@h/", "http://", "http://u:s3cret@h:99999", "http://bearer:s3cret%0a@h"] {
            let error = Target::parse(TargetKind::Influx, text).unwrap_err().to_string();
            assert!(!error.contains("s3cret") && !error.is_empty(), "{error}");
        }
        assert_eq!(target(TargetKind::Influx, "http://h").with_influx_token("a\nb").unwrap_err(), TargetError::Token);
    }
}
