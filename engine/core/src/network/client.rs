//! What of the network stays with a user between its requests: connections, cookies, challenges.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use pummel_case::{Origin, RenderedRequest};
use pummel_http::{CookieJar, Response};
use pummel_ring::now_ns;

use crate::{
    network::auth::Challenges,
    network::origins::{OriginId, Origins},
    network::pool::IdleConnections,
    network::websocket::OpenWebSockets,
    plan::Cookies,
};

/// A user's side of the network. No other user sees its cookies; its connections are its own unless the plan shares them.
pub(crate) struct Client {
    pub(crate) idle: Rc<RefCell<IdleConnections>>,
    pub(crate) cookies: UserCookies,
    /// Digest challenges it has met; made with the first.
    pub(crate) challenges: Option<Box<Challenges>>,
    /// The request a redirect asks for; made with the user's first redirect.
    pub(crate) redirected: Option<Box<Redirected>>,
    /// Its WebSocket connections, which last no longer than the iteration; made with its first.
    pub(crate) websockets: Option<Box<OpenWebSockets>>,
}

/// A request on its way to where a redirect leads.
#[derive(Default)]
pub(crate) struct Redirected {
    pub(crate) method: Arc<str>,
    pub(crate) request: RenderedRequest,
}

impl Client {
    /// A client without a cookie. `shared` are the connections of all users of the core, where they are shared.
    pub(crate) fn new(shared: Option<Rc<RefCell<IdleConnections>>>, cookies: Cookies) -> Self {
        Self {
            idle: shared.unwrap_or_default(),
            cookies: UserCookies::new(cookies),
            challenges: None,
            redirected: None,
            websockets: None,
        }
    }

    /// A case of a functional run begins: cookies last no longer than one.
    pub(crate) fn begin_case(&mut self) {
        self.cookies.jar = CookieJar::default();
    }

    /// An iteration begins: where cookies last for one, those of the last are forgotten.
    #[inline]
    pub(crate) fn begin_iteration(&mut self) {
        if self.cookies.policy == Cookies::PerIteration {
            self.cookies.jar.clear();
        }
    }
}

/// A user's cookies with what it takes to send them.
pub(crate) struct UserCookies {
    policy: Cookies,
    /// Empty for ever where no cookies are kept.
    pub(crate) jar: CookieJar,
    /// The `Cookie` field of the request being sent.
    line: Vec<u8>,
    /// What the time since 1970 is ahead of the ring's clock, in seconds. That clock is read for each request anyway, and a
    /// second's difference does not matter to a cookie.
    epoch_s: i64,
}

impl UserCookies {
    fn new(policy: Cookies) -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch_s = since_1970.as_secs() as i64 - seconds(now_ns());
        Self { policy, jar: CookieJar::default(), line: Vec::new(), epoch_s }
    }

    /// The cookies for a request, as they stand in its `Cookie` field; empty where there are none.
    #[inline]
    pub(crate) fn line(&mut self, origins: &RefCell<Origins>, to: OriginId, target: &str, at_ns: u64) -> &[u8] {
        self.line.clear();
        if self.jar.is_empty() {
            return &[];
        }
        let origins = origins.borrow();
        let origin = origins.origin(to);
        let now_s = self.epoch_s + seconds(at_ns);
        self.jar.push_matching(&origin.host, target, origin.https, now_s, &mut self.line);
        &self.line
    }

    /// What [`line`](Self::line) gave last.
    pub(crate) fn last_line(&self) -> &[u8] {
        &self.line
    }

    /// Takes the cookies a response sets.
    pub(crate) fn store(&mut self, response: &Response, origin: &Origin, target: &str, at_ns: u64) {
        if self.policy == Cookies::Off {
            return;
        }
        let now_s = self.epoch_s + seconds(at_ns);
        for (name, value) in response.headers() {
            if name.eq_ignore_ascii_case("set-cookie") {
                self.jar.store(value, &origin.host, target, origin.https, now_s);
            }
        }
    }
}

fn seconds(ns: u64) -> i64 {
    (ns / 1_000_000_000) as i64
}
