//! A request as h2 takes it.

use std::str::FromStr;

use bytes::Bytes;
use http::{
    header::{self, HeaderName, HeaderValue},
    uri::{Authority, PathAndQuery, Scheme},
    HeaderMap, Method, Request, Uri,
};
use pummel_case::{Origin, RenderedRequest};

use crate::{
    plan::Network,
    program::{asked_for_gzip, Extra},
};

/// Fields that speak of one HTTP/1.1 connection, which HTTP/2 forbids (RFC 9113 section 8.2.2), with those that are computed.
/// `Host` becomes the authority.
const LEFT_OUT: [&str; 8] = [
    "connection",
    "transfer-encoding",
    "upgrade",
    "host",
    "trailer",
    "content-length",
    "keep-alive",
    "proxy-connection",
];

/// A request without what changes each time it is sent. Its parts share their bytes with their copies.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    method: Method,
    uri: Uri,
    fields: HeaderMap,
    /// None where the request has none, which is not the same as an empty one. Where files are part of it: what stands before
    /// the first.
    pub(crate) body: Option<Bytes>,
}

/// Why a request cannot be sent: a sentence.
pub(crate) type Unsendable = String;

impl Prepared {
    /// Makes one. As in HTTP/1.1, the length stands with every body, and as 0 where POST, PUT or PATCH has none (RFC 9110 section
    /// 8.6); the request's own `Host` and `User-Agent` take the place of the others, the first of each counting.
    ///
    /// # Errors
    /// A part that HTTP/2 cannot carry.
    pub(crate) fn new(
        method: &str,
        request: &RenderedRequest,
        origin: &Origin,
        authority: &str,
        network: &Network,
    ) -> Result<Self, Unsendable> {
        let unsendable = |part: &str, value: &str| format!("HTTP/2 cannot carry the {part} {value:?}");
        let mut fields = HeaderMap::with_capacity(request.headers().size_hint().0 + 2);
        let user_agent = &*network.user_agent;
        let mut host = None;
        for (name, value) in request.headers() {
            let known = HeaderName::from_str(name).map_err(|_| unsendable("header name", name))?;
            if known == header::HOST {
                host = host.or(Some(value));
            }
            if is_left_out(&known, value) || (known == header::USER_AGENT && fields.contains_key(&known)) {
                continue;
            }
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unsendable("value of header", name))?;
            fields.append(known, value);
        }
        if !user_agent.is_empty() && !fields.contains_key(header::USER_AGENT) {
            let value = HeaderValue::from_str(user_agent).map_err(|_| unsendable("user agent", user_agent))?;
            fields.insert(header::USER_AGENT, value);
        }
        if asked_for_gzip(method, request, network) {
            fields.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let body = request.first_piece().map(Bytes::copy_from_slice);
        let length = match (&body, request.body_bytes()) {
            (_, Some(bytes)) => Some(bytes),
            (Some(body), None) => Some(body.len() as u64),
            (None, None) => matches!(method, "POST" | "PUT" | "PATCH").then_some(0),
        };
        if let Some(length) = length {
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        let authority = host.unwrap_or(authority);
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if origin.https { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(Authority::from_str(authority).map_err(|_| unsendable("host", authority))?);
        parts.path_and_query =
            Some(PathAndQuery::from_str(request.target()).map_err(|_| unsendable("target", request.target()))?);
        Ok(Self {
            method: Method::from_str(method).map_err(|_| unsendable("method", method))?,
            uri: Uri::from_parts(parts).map_err(|_| unsendable("URL", request.target()))?,
            fields,
            body,
        })
    }

    /// The request to be sent, with the user's cookies behind its own (RFC 6265 section 5.4: one field for all).
    ///
    /// # Errors
    /// A cookie or credentials with a control character.
    pub(crate) fn request(&self, extra: Extra<'_>) -> Result<Request<()>, Unsendable> {
        let Extra { cookies, authorization } = extra;
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        let fields = request.headers_mut();
        *fields = self.fields.clone();
        if !cookies.is_empty() {
            let mut own = self.fields.get(header::COOKIE).map(HeaderValue::as_bytes).unwrap_or_default();
            while let [rest @ .., b' ' | b'\t' | b';'] = own {
                own = rest;
            }
            let all = if own.is_empty() { cookies.to_vec() } else { [own, b"; ", cookies].concat() };
            let all = HeaderValue::from_maybe_shared(Bytes::from(all))
                .map_err(|_| "a cookie holds a control character; remove or encode it".to_owned())?;
            fields.insert(header::COOKIE, all);
        }
        if let Some(authorization) = authorization.filter(|_| !fields.contains_key(header::AUTHORIZATION)) {
            let value = HeaderValue::from_str(authorization)
                .map_err(|_| "the credentials hold a control character; remove it".to_owned())?;
            fields.insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }
}

/// `TE` may say that trailers are welcome, and nothing else.
fn is_left_out(name: &HeaderName, value: &str) -> bool {
    LEFT_OUT.contains(&name.as_str()) || (name == header::TE && !value.eq_ignore_ascii_case("trailers"))
}

#[cfg(test)]
mod tests {
    use pummel_case::{Case, PlainRequest, Step};

    use super::*;

    fn prepared(method: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Prepared {
        let request = PlainRequest {
            name: "n".into(),
            method: method.into(),
            url: "http://h:81/p?q=1".into(),
            headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            body: body.map(<[u8]>::to_vec),
        };
        let case = Case::from_requests("c", vec![request]).unwrap();
        let Step::Request(step) = &case.steps[0] else { panic!("a request") };
        let request = step.constant().unwrap();
        let network = Network { user_agent: "pummel/1".into(), ..Network::default() };
        Prepared::new(method, request, request.origin(), "h:81", &network).unwrap()
    }

    #[test]
    fn what_speaks_of_one_connection_is_left_out_and_the_host_is_the_authority() {
        let headers = [
            ("Connection", "close"),
            ("Keep-Alive", "timeout=5"),
            ("Upgrade", "x"),
            ("Proxy-Connection", "close"),
            ("Te", "gzip"),
            ("Host", "other"),
            ("X-A", "b"),
        ];
        let request = prepared("GET", &headers, None).request(Extra::default()).unwrap();
        assert_eq!(request.uri(), "http://other/p?q=1");
        let mut fields: Vec<_> = request.headers().iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        fields.sort_unstable();
        assert_eq!(fields, [("user-agent", "pummel/1"), ("x-a", "b")]);
        assert_eq!(prepared("GET", &[("Te", "trailers")], None).fields["te"], "trailers");
        assert_eq!(prepared("GET", &[("User-Agent", "own")], None).fields["user-agent"], "own");
    }

    #[test]
    fn lengths_stand_where_http_1_has_them() {
        let length = |method, body| {
            let prepared = prepared(method, &[], body);
            prepared.fields.get("content-length").map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(length("GET", None), None);
        assert_eq!(length("POST", None).as_deref(), Some("0"));
        assert_eq!(length("DELETE", Some(b"abc")).as_deref(), Some("3"));
    }

    #[test]
    fn cookies_stand_behind_the_requests_own() {
        let cookie = |own: &[(&str, &str)], jar: &[u8]| {
            let request = prepared("GET", own, None).request(Extra { cookies: jar, ..Extra::default() }).unwrap();
            request.headers().get("cookie").map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(cookie(&[], b""), None);
        assert_eq!(cookie(&[], b"a=1").as_deref(), Some("a=1"));
        assert_eq!(cookie(&[("Cookie", "own=0; ")], b"a=1; b=2").as_deref(), Some("own=0; a=1; b=2"));
        assert!(prepared("GET", &[], None).request(Extra { cookies: b"a=\n", ..Extra::default() }).is_err());
    }

    #[test]
    fn an_answer_to_a_challenge_stands_where_the_request_says_nothing_itself() {
        let answer = "Digest x".to_owned();
        let extra = Extra { authorization: Some(&answer), ..Extra::default() };
        let sent = |own: &[(&str, &str)]| {
            let request = prepared("GET", own, None).request(extra).unwrap();
            request.headers()["authorization"].to_str().unwrap().to_owned()
        };
        assert_eq!([sent(&[]), sent(&[("Authorization", "own")])], ["Digest x", "own"]);
    }
}
