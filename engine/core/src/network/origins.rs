//! The origins one core talks to, and their addresses.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    task::{Context, Poll, Waker},
};

use pummel_case::Origin;

use super::proxy::{Forward, Route};
use crate::plan::Proxies;

/// Different origins of one core. A URL with a variable in its host may name any number; beyond this they fail.
const MAX_ORIGINS: usize = 1024;

/// How long a failed lookup stands before the next request tries again.
const RETRY_LOOKUP_NS: u64 = 5_000_000_000;

/// How long an address that took no connection is passed over. `localhost` is two addresses as a rule, and a server often
/// listens on one of them; a host that comes back must be found again.
const PASS_OVER_NS: u64 = 5_000_000_000;

/// What a lookup of an origin ends with.
pub(crate) type Found = io::Result<Vec<SocketAddr>>;

/// An origin's place in its core's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OriginId(u32);

impl OriginId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// How an origin is spoken to. Connections made in one manner serve no other: one whose certificate nobody looked at must not
/// carry a request that asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Manner {
    /// Its certificate is verified.
    pub(crate) verify: bool,
    /// Over HTTP/2.
    pub(crate) http2: bool,
    /// Through a tunnel where there is a proxy, though a plain request could be forwarded: what follows is not HTTP.
    pub(crate) tunnel: bool,
}

/// The origins of a core. Constant ones are there from the start, with their addresses; others come as they are rendered.
#[derive(Default)]
pub(crate) struct Origins {
    known: Vec<Known>,
    index: HashMap<(Origin, Manner), OriginId>,
    /// The one interned last: rendered requests mostly go where the one before went, which takes a comparison and no hash.
    last: Option<OriginId>,
    /// The addresses of every origin, however it is spoken to.
    addresses: Vec<AddressEntry>,
    by_origin: HashMap<Origin, usize>,
    proxies: Proxies,
}

struct Known {
    origin: Origin,
    manner: Manner,
    /// The `Host` header's value.
    authority: String,
    /// How requests get there.
    route: Route,
    /// Where connections go: to itself, or to its proxy.
    reached: Origin,
    /// The place of that among the addresses.
    place: usize,
}

struct AddressEntry {
    addresses: Addresses,
    waiting: Vec<Waker>,
}

enum Addresses {
    Unknown,
    LookingUp,
    /// Connections take them in turn.
    Found {
        all: Vec<Address>,
        next: usize,
    },
    Failed {
        at_ns: u64,
    },
}

struct Address {
    at: SocketAddr,
    /// Passed over until then, while others are not.
    passed_over_until_ns: u64,
}

/// What a request for an address gets.
pub(crate) enum Lookup {
    Found(SocketAddr),
    Failed,
    /// Nobody has looked yet: the caller starts it, then asks again.
    Start,
}

impl Origins {
    /// Origins of which some are reached through proxies.
    pub(crate) fn new(proxies: Proxies) -> Self {
        Self { proxies, ..Self::default() }
    }

    /// The place of an origin spoken to in one manner, new or known; none when there are too many.
    pub(crate) fn intern(&mut self, origin: &Origin, manner: Manner) -> Option<OriginId> {
        let same = |known: &Known| known.manner == manner && known.origin == *origin;
        if let Some(id) = self.last.filter(|id| same(&self.known[id.index()])) {
            return Some(id);
        }
        if let Some(&id) = self.index.get(&(origin.clone(), manner)) {
            self.last = Some(id);
            return Some(id);
        }
        if self.known.len() >= MAX_ORIGINS {
            return None;
        }
        let id = OriginId(self.known.len() as u32);
        let route = Route::to(origin, manner, &self.proxies);
        let reached = self.proxies.reached(origin);
        let place = self.place(&reached);
        let authority = origin.authority();
        self.known.push(Known { origin: origin.clone(), manner, authority, route, reached, place });
        self.index.insert((origin.clone(), manner), id);
        self.last = Some(id);
        Some(id)
    }

    /// Where the addresses of an origin stand.
    fn place(&mut self, origin: &Origin) -> usize {
        if let Some(&place) = self.by_origin.get(origin) {
            return place;
        }
        self.addresses.push(AddressEntry { addresses: Addresses::Unknown, waiting: Vec::new() });
        self.by_origin.insert(origin.clone(), self.addresses.len() - 1);
        self.addresses.len() - 1
    }

    pub(crate) fn origin(&self, id: OriginId) -> &Origin {
        &self.known[id.index()].origin
    }

    pub(crate) fn manner(&self, id: OriginId) -> Manner {
        self.known[id.index()].manner
    }

    pub(crate) fn authority(&self, id: OriginId) -> &str {
        &self.known[id.index()].authority
    }

    /// How requests to an origin travel.
    pub(crate) fn route(&self, id: OriginId) -> &Route {
        &self.known[id.index()].route
    }

    /// What a proxy that forwards to an origin is told with each request.
    #[inline]
    pub(crate) fn forward(&self, id: OriginId) -> Option<&Forward> {
        match self.route(id) {
            Route::Forwarded(forward) => Some(forward),
            Route::Direct | Route::Tunnelled { .. } => None,
        }
    }

    /// The CONNECT that opens a tunnel to an origin, where it takes one.
    pub(crate) fn tunnel_request(&self, id: OriginId) -> Option<Vec<u8>> {
        match self.route(id) {
            Route::Tunnelled { request } => Some(request.clone()),
            Route::Direct | Route::Forwarded(_) => None,
        }
    }

    /// Where connections to an origin go: to itself, or to its proxy. Its name is the one that is looked up.
    pub(crate) fn reached(&self, id: OriginId) -> &Origin {
        &self.known[id.index()].reached
    }

    fn entry(&mut self, id: OriginId) -> &mut AddressEntry {
        &mut self.addresses[self.known[id.index()].place]
    }

    /// Enters what a lookup found before anyone asked, of an origin or a proxy. `first` spreads the cores over the addresses.
    pub(crate) fn known_before(&mut self, origin: &Origin, found: Found, first: usize, now_ns: u64) {
        let place = self.place(origin);
        self.addresses[place].enter(found, first, now_ns);
    }

    /// Enters what a lookup found and wakes who waited for it. `first` spreads the cores over the addresses.
    pub(crate) fn resolved(&mut self, id: OriginId, found: Found, first: usize, now_ns: u64) {
        self.entry(id).enter(found, first, now_ns);
    }

    /// An address of an origin took no connection. True if there is another that is not passed over.
    pub(crate) fn unreachable(&mut self, id: OriginId, address: SocketAddr, now_ns: u64) -> bool {
        let Addresses::Found { all, .. } = &mut self.entry(id).addresses else { return false };
        if let Some(known) = all.iter_mut().find(|known| known.at == address) {
            known.passed_over_until_ns = now_ns + PASS_OVER_NS;
        }
        all.iter().any(|known| known.passed_over_until_ns <= now_ns)
    }

    /// The address of the origin's next connection.
    pub(crate) fn poll_address(&mut self, id: OriginId, now_ns: u64, cx: &Context<'_>) -> Poll<Lookup> {
        let entry = self.entry(id);
        match &mut entry.addresses {
            Addresses::Found { all, next } => {
                let in_turn = (0..all.len()).map(|step| (*next + step) % all.len());
                let place = in_turn.into_iter().find(|&at| all[at].passed_over_until_ns <= now_ns).unwrap_or(*next);
                *next = (place + 1) % all.len();
                Poll::Ready(Lookup::Found(all[place].at))
            }
            Addresses::LookingUp => {
                entry.waiting.push(cx.waker().clone());
                Poll::Pending
            }
            Addresses::Failed { at_ns } if now_ns < *at_ns + RETRY_LOOKUP_NS => Poll::Ready(Lookup::Failed),
            Addresses::Failed { .. } | Addresses::Unknown => {
                entry.addresses = Addresses::LookingUp;
                Poll::Ready(Lookup::Start)
            }
        }
    }
}

impl AddressEntry {
    fn enter(&mut self, found: Found, first: usize, now_ns: u64) {
        self.addresses = match found {
            Ok(all) if !all.is_empty() => Addresses::Found {
                next: first % all.len(),
                all: all.into_iter().map(|at| Address { at, passed_over_until_ns: 0 }).collect(),
            },
            _ => Addresses::Failed { at_ns: now_ns },
        };
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        net::SocketAddr,
        task::{Context, Poll, Waker},
    };

    use pummel_case::Origin;

    use super::{Lookup, Manner, Origins, Proxies, Route, MAX_ORIGINS, PASS_OVER_NS, RETRY_LOOKUP_NS};
    use crate::plan::Proxy;

    fn origin(port: u16) -> Origin {
        Origin { https: false, host: "h".into(), port }
    }

    #[test]
    fn addresses_are_taken_in_turn_from_the_cores_own_start() {
        let mut origins = Origins::default();
        let id = origins.intern(&origin(80), Manner::default()).unwrap();
        assert_eq!(origins.intern(&origin(80), Manner::default()), Some(id));
        let all: Vec<_> = ["1.0.0.1:80", "1.0.0.2:80"].iter().map(|a| a.parse().unwrap()).collect();
        origins.resolved(id, Ok(all.clone()), 3, 0);
        let cx = Context::from_waker(Waker::noop());
        for expected in [all[1], all[0], all[1]] {
            assert!(matches!(origins.poll_address(id, 0, &cx), Poll::Ready(Lookup::Found(a)) if a == expected));
        }
    }

    #[test]
    fn an_address_that_takes_no_connection_is_passed_over_while_another_does() {
        let mut origins = Origins::default();
        let id = origins.intern(&origin(80), Manner::default()).unwrap();
        let all: Vec<SocketAddr> = ["[::1]:80", "127.0.0.1:80"].iter().map(|a| a.parse().unwrap()).collect();
        origins.resolved(id, Ok(all.clone()), 0, 0);
        let cx = Context::from_waker(Waker::noop());
        let next = |origins: &mut Origins, now| match origins.poll_address(id, now, &cx) {
            Poll::Ready(Lookup::Found(address)) => address,
            _ => panic!("the name is resolved"),
        };
        assert_eq!(next(&mut origins, 0), all[0]);
        assert!(origins.unreachable(id, all[0], 0), "the other may do");
        assert_eq!([next(&mut origins, 1), next(&mut origins, 2)], [all[1], all[1]]);
        assert!(!origins.unreachable(id, all[1], 3), "none is left to try");
        assert_eq!([next(&mut origins, 4), next(&mut origins, 4)], [all[0], all[1]], "with none left, all in turn");
        assert_eq!(next(&mut origins, PASS_OVER_NS), all[0], "its time is over first");
        assert_eq!(next(&mut origins, PASS_OVER_NS), all[0]);
    }

    #[test]
    fn a_failed_lookup_is_tried_again_later() {
        let mut origins = Origins::default();
        let id = origins.intern(&origin(80), Manner::default()).unwrap();
        let cx = Context::from_waker(Waker::noop());
        assert!(matches!(origins.poll_address(id, 0, &cx), Poll::Ready(Lookup::Start)));
        assert!(origins.poll_address(id, 0, &cx).is_pending());
        origins.resolved(id, Err(io::ErrorKind::NotFound.into()), 0, 10);
        assert!(matches!(origins.poll_address(id, 11, &cx), Poll::Ready(Lookup::Failed)));
        assert!(matches!(origins.poll_address(id, 10 + RETRY_LOOKUP_NS, &cx), Poll::Ready(Lookup::Start)));
    }

    #[test]
    fn an_origin_keeps_its_place_whichever_was_asked_for_last() {
        let mut origins = Origins::default();
        let (a, b) = (
            origins.intern(&origin(1), Manner::default()).unwrap(),
            origins.intern(&origin(2), Manner::default()).unwrap(),
        );
        assert_ne!(a, b);
        for (port, id) in [(2, b), (1, a), (1, a), (2, b)] {
            assert_eq!(origins.intern(&origin(port), Manner::default()), Some(id));
        }
    }

    #[test]
    fn an_origin_has_the_same_addresses_in_every_manner() {
        let mut origins = Origins::default();
        let address: SocketAddr = "1.0.0.1:80".parse().unwrap();
        origins.known_before(&origin(80), Ok(vec![address]), 0, 0);
        let plain = origins.intern(&origin(80), Manner::default()).unwrap();
        let verified = origins.intern(&origin(80), Manner { verify: true, ..Manner::default() }).unwrap();
        assert_ne!(plain, verified);
        let cx = Context::from_waker(Waker::noop());
        for id in [plain, verified] {
            assert!(matches!(origins.poll_address(id, 0, &cx), Poll::Ready(Lookup::Found(a)) if a == address));
        }
    }

    #[test]
    fn origins_behind_one_proxy_have_its_addresses() {
        let proxy = Proxy { https: false, host: "proxy".into(), port: 3128, credentials: None };
        let proxies = Proxies { http: Some(proxy.clone()), https: None, none_for: vec!["direct".into()] };
        let mut origins = Origins::new(proxies);
        let address: SocketAddr = "1.0.0.1:3128".parse().unwrap();
        origins.known_before(&proxy.place(), Ok(vec![address]), 0, 0);
        let cx = Context::from_waker(Waker::noop());
        for port in [80, 81] {
            let id = origins.intern(&origin(port), Manner::default()).unwrap();
            assert!(origins.forward(id).is_some());
            assert!(matches!(origins.poll_address(id, 0, &cx), Poll::Ready(Lookup::Found(at)) if at == address));
        }
        let direct = Origin { host: "direct".into(), ..origin(80) };
        let id = origins.intern(&direct, Manner::default()).unwrap();
        assert_eq!((origins.route(id), origins.reached(id)), (&Route::Direct, &direct));
        assert!(matches!(origins.poll_address(id, 0, &cx), Poll::Ready(Lookup::Start)));
    }

    #[test]
    fn origins_are_bounded() {
        let mut origins = Origins::default();
        for port in 0..MAX_ORIGINS {
            assert!(origins.intern(&origin(port as u16), Manner::default()).is_some());
        }
        assert_eq!(origins.intern(&origin(60_000), Manner::default()), None);
    }
}
