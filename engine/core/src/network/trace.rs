//! What a functional run is told of an exchange. In a load run nothing of this is done.

use std::net::SocketAddr;

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

    /// An attempt on a connection has ended. Stamps that were not taken are 0.
    pub(crate) fn attempted(&mut self, address: SocketAddr, sent_ns: u64, first_byte_ns: u64, done_ns: u64) {
        self.address = Some(address);
        if sent_ns == 0 {
            return;
        }
        // The stamp of what ended the attempt is the driver's, which may be older than that of the byte within it.
        let first_byte_ns = if first_byte_ns == 0 { done_ns } else { first_byte_ns.min(done_ns) };
        self.phases.wait_us += first_byte_ns.saturating_sub(sent_ns) / 1000;
        self.phases.receive_us += done_ns.saturating_sub(first_byte_ns) / 1000;
    }

    /// The response is complete.
    pub(crate) fn answered(&mut self, response: &Response) {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.response = Some(ResponseRecord {
            version: if response.version_minor == 0 { "HTTP/1.0" } else { "HTTP/1.1" }.to_owned(),
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

    #[test]
    fn phases_add_up_over_attempts() {
        let address = "127.0.0.1:1".parse().unwrap();
        let mut record = ExchangeRecord::default();
        record.opened(1_000, 2_000);
        record.attempted(address, 10_000, 14_000, 19_000);
        record.attempted(address, 20_000, 0, 26_000);
        record.attempted(address, 0, 0, 90_000);
        let phases = record.phases;
        assert_eq!((phases.dns_us, phases.connect_us, phases.wait_us, phases.receive_us), (1, 2, 10, 5));
        assert_eq!(record.address, Some(address));
    }
}
