//! What it means for an origin to be reached through a proxy.

use base64::{engine::general_purpose::STANDARD, Engine as _};
use pummel_case::Origin;
use pummel_http::ThroughProxy;

use crate::{
    network::origins::Manner,
    plan::{Proxies, Proxy},
};

/// How requests to an origin travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// Straight to the server.
    Direct,
    /// Each with its whole URL to a proxy, which asks the server.
    Forwarded(Forward),
    /// Through a tunnel that a proxy opens.
    Tunnelled {
        /// The CONNECT that asks for it.
        request: Vec<u8>,
    },
}

/// What a proxy is told with each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forward {
    origin: String,
    authorization: String,
}

impl Forward {
    /// As the encoder takes it.
    pub(crate) fn words(&self) -> ThroughProxy<'_> {
        ThroughProxy { origin: &self.origin, authorization: &self.authorization }
    }
}

impl Route {
    /// The way to an origin spoken to in a manner: only plain HTTP/1.1 requests can be forwarded.
    pub(crate) fn to(origin: &Origin, manner: Manner, proxies: &Proxies) -> Self {
        let Some(proxy) = proxies.of(origin) else { return Self::Direct };
        let authorization = authorization(proxy);
        if origin.https || manner.http2 || manner.tunnel {
            return Self::Tunnelled { request: connect(origin, &authorization) };
        }
        Self::Forwarded(Forward { origin: format!("http://{}", origin.authority()), authorization })
    }
}

/// The value of `Proxy-Authorization` (RFC 7617); empty where there are no credentials.
fn authorization(proxy: &Proxy) -> String {
    proxy.credentials.as_ref().map_or_else(String::new, |credentials| format!("Basic {}", STANDARD.encode(credentials)))
}

/// The request for a tunnel. Its target always has a port (RFC 9110 section 9.3.6).
fn connect(origin: &Origin, authorization: &str) -> Vec<u8> {
    let place = if origin.host.contains(':') {
        format!("[{}]:{}", origin.host, origin.port)
    } else {
        format!("{}:{}", origin.host, origin.port)
    };
    let credentials = match authorization {
        "" => String::new(),
        authorization => format!("Proxy-Authorization: {authorization}\r\n"),
    };
    format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{credentials}\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Manner, Origin, Proxies, Proxy, Route};

    fn route(https: bool, host: &str, port: u16, manner: Manner) -> Route {
        let credentials = Some("Aladdin:open sesame".to_owned());
        let proxy = Some(Proxy { https: false, host: "proxy".into(), port: 3128, credentials });
        let proxies = Proxies { http: proxy.clone(), https: proxy, none_for: vec!["direct".into()] };
        Route::to(&Origin { https, host: host.into(), port }, manner, &proxies)
    }

    #[test]
    fn plain_requests_are_forwarded_with_the_whole_url() {
        let Route::Forwarded(forward) = route(false, "h", 80, Manner::default()) else { panic!("not forwarded") };
        assert_eq!(forward.words().origin, "http://h");
        // The example of RFC 7617 section 2.
        assert_eq!(forward.words().authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(route(false, "direct", 80, Manner::default()), Route::Direct);
    }

    #[test]
    fn all_else_goes_through_a_tunnel() {
        let wanted = |place: &str| {
            let credentials = "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
            let request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{credentials}\r\n\r\n").into_bytes();
            Route::Tunnelled { request }
        };
        assert_eq!(route(true, "h", 443, Manner::default()), wanted("h:443"));
        assert_eq!(route(true, "::1", 8443, Manner::default()), wanted("[::1]:8443"));
        let http2 = Manner { http2: true, ..Manner::default() };
        assert_eq!(route(false, "h", 80, http2), wanted("h:80"));
        let tunnel = Manner { tunnel: true, ..Manner::default() };
        assert_eq!(route(false, "h", 80, tunnel), wanted("h:80"));
    }
}
