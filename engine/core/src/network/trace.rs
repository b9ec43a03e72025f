//! What a functional run is told of an exchange. In a load run nothing of this is done.

use pummel_case::{Origin, RenderedRequest};
use pummel_http::Response;

use crate::{functional::ResponseRecord, program::Extra, ExchangeRecord};

/// The name of the field cookies stand in, as requests have it.
const COOKIE: &str = "Cookie";

/// That of an answer to a challenge.
const AUTHORIZATION: &str = "Authorization";

impl ExchangeRecord {
    /// A request is about to be sent; after a redirect it takes the place of the one before.
    pub(crate) fn asks(&mut self, method: &str, origin: &Origin, request: &RenderedRequest, extra: Extra<'_>) {
        let scheme = if origin.https { "https" } else { "http" };
        method.clone_into(&mut self.method);
        self.url = format!("{scheme}://{}{}", origin.authority(), request.target());
        self.request_headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if !extra.cookies.is_empty() {
            self.add_cookies(&String::from_utf8_lossy(extra.cookies));
        }
        if let Some(authorization) = extra.authorization {
            let at = self.request_headers.partition_point(|(name, _)| name.as_str() < AUTHORIZATION);
            self.request_headers.insert(at, (AUTHORIZATION.to_owned(), authorization.clone()));
        }
        self.request_body = request.body_shown().into_owned();
        self.address = None;
        self.response = None;
    }

    /// What is asked for goes over a WebSocket connection, or for one.
    pub(crate) fn is_websocket(&mut self) {
        if let Some(rest) = self.url.strip_prefix("http") {
            self.url = format!("ws{rest}");
        }
    }

    /// Something came on a WebSocket connection: a message, which has no status, or a close.
    pub(crate) fn heard(&mut self, response: &Response) {
        self.response = Some(ResponseRecord {
            version: "websocket".to_owned(),
            status: response.status,
            headers: Vec::new(),
            body: response.body.clone(),
            content_bytes: response.body.len() as u64,
        });
    }

    /// As they are sent: behind the request's own, or in a field of their own at its sorted place.
    fn add_cookies(&mut self, cookies: &str) {
        match self.request_headers.iter_mut().find(|(name, _)| name == COOKIE) {
            Some((_, own)) if !own.is_empty() => *own = format!("{own}; {cookies}"),
            Some((_, own)) => cookies.clone_into(own),
            None => {
                let at = self.request_headers.partition_point(|(name, _)| name.as_str() < COOKIE);
                self.request_headers.insert(at, (COOKIE.to_owned(), cookies.to_owned()));
            }
        }
    }

    /// A name was looked up and a connection opened, or could not be.
    pub(crate) fn opened(&mut self, dns_ns: u64, connect_ns: u64) {
        self.phases.dns_us += dns_ns / 1000;
        self.phases.connect_us += connect_ns / 1000;
    }

    /// A connection's TLS handshake has ended, well or not.
    pub(crate) fn secured(&mut self, tls_ns: u64) {
        self.phases.tls_us += tls_ns / 1000;
    }

    /// The response is complete.
    pub(crate) fn answered(&mut self, response: &Response) {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.response = Some(ResponseRecord {
            version: response.version.as_str().to_owned(),
            status: response.status,
            headers: response.headers().map(|(name, value)| (name.to_owned(), text(value))).collect(),
            body: response.body.clone(),
            content_bytes: response.body_bytes,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_join_the_requests_own() {
        let with = |headers: &[(&str, &str)]| {
            let request_headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let mut record = ExchangeRecord { request_headers, ..ExchangeRecord::default() };
            record.add_cookies("a=1");
            let all = record.request_headers;
            all.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(with(&[]), "Cookie: a=1");
        assert_eq!(with(&[("Accept", "x"), ("X-A", "y")]), "Accept: x, Cookie: a=1, X-A: y");
        assert_eq!(with(&[("Cookie", "own=0")]), "Cookie: own=0; a=1");
    }
}
