//! The origins one core talks to, and their addresses.

use std::{
    collections::HashMap,
    io, mem,
    net::IpAddr,
    task::{Context, Poll, Waker},
};

use pummel_case::Origin;
use pummel_ring::Address;

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
pub(crate) type Found = io::Result<Vec<Address>>;

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
    /// How old addresses may become; none: as old as the run.
    ttl_ns: Option<u64>,
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
    /// How old they may become; none for a host that is an address itself.
    ttl_ns: Option<u64>,
    waiting: Vec<Waker>,
}

enum Addresses {
    Unknown,
    LookingUp,
    /// Connections take them in turn.
    Found {
        all: Vec<Place>,
        next: usize,
        /// When they are too old; they go on serving until a lookup has given others.
        until_ns: u64,
        /// That lookup is under way.
        asked: bool,
    },
    Failed {
        at_ns: u64,
    },
}

struct Place {
    at: Address,
    /// Passed over until then, while others are not.
    passed_over_until_ns: u64,
}

/// What a request for an address gets.
pub(crate) enum Lookup {
    Found(Chosen),
    Failed,
    /// Nobody has looked yet: the caller starts it, then asks again.
    Start,
}

/// An address for one attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) address: Address,
    /// How many addresses may be tried, this one included, before all were found dead.
    pub(crate) choices: u32,
    /// They are too old: the caller starts a lookup, and uses this one meanwhile.
    pub(crate) outdated: bool,
}

impl Origins {
    /// Origins of which some are reached through proxies. Addresses become `ttl_ns` old at most before they are looked up again.
    pub(crate) fn new(proxies: Proxies, ttl_ns: Option<u64>) -> Self {
        Self { proxies, ttl_ns, ..Self::default() }
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
        let is_address = origin.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let ttl_ns = self.ttl_ns.filter(|_| !is_address);
        self.addresses.push(AddressEntry { addresses: Addresses::Unknown, ttl_ns, waiting: Vec::new() });
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
    pub(crate) fn unreachable(&mut self, id: OriginId, address: &Address, now_ns: u64) -> bool {
        let Addresses::Found { all, .. } = &mut self.entry(id).addresses else { return false };
        if let Some(known) = all.iter_mut().find(|known| known.at == *address) {
            known.passed_over_until_ns = now_ns + PASS_OVER_NS;
        }
        all.iter().any(|known| known.passed_over_until_ns <= now_ns)
    }

    /// The address of the origin's next connection.
    pub(crate) fn poll_address(&mut self, id: OriginId, now_ns: u64, cx: &Context<'_>) -> Poll<Lookup> {
        let entry = self.entry(id);
        match &mut entry.addresses {
            Addresses::Found { all, next, until_ns, asked } => {
                let in_turn = (0..all.len()).map(|step| (*next + step) % all.len());
                let mut alive = in_turn.filter(|&at| all[at].passed_over_until_ns <= now_ns);
                let place = alive.next().unwrap_or(*next);
                let choices = 1 + alive.count() as u32;
                *next = (place + 1) % all.len();
                let outdated = now_ns >= *until_ns && !mem::replace(asked, true);
                Poll::Ready(Lookup::Found(Chosen { address: all[place].at.clone(), choices, outdated }))
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
        let until_ns = self.ttl_ns.map_or(u64::MAX, |ttl_ns| now_ns.saturating_add(ttl_ns));
        let before = mem::replace(&mut self.addresses, Addresses::Unknown);
        self.addresses = match (found.ok().filter(|all| !all.is_empty()), before) {
            (Some(all), Addresses::Found { all: known, next, .. }) => {
                let next = next % all.len();
                let keep = |at: Address| {
                    let known = known.iter().find(|known| known.at == at);
                    let passed_over_until_ns = known.map_or(0, |known| known.passed_over_until_ns);
                    Place { at, passed_over_until_ns }
                };
                Addresses::Found { all: all.into_iter().map(keep).collect(), next, until_ns, asked: false }
            }
            (Some(all), _) => Addresses::Found {
                next: first % all.len(),
                all: all.into_iter().map(|at| Place { at, passed_over_until_ns: 0 }).collect(),
                until_ns,
                asked: false,
            },
            // Old addresses are better than none; the name is asked for again soon.
            (None, Addresses::Found { all, next, .. }) => {
                let until_ns = until_ns.min(now_ns.saturating_add(RETRY_LOOKUP_NS));
                Addresses::Found { all, next, until_ns, asked: false }
            }
            (None, _) => Addresses::Failed { at_ns: now_ns },
        };
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        task::{Context, Poll, Waker},
    };

    use pummel_case::Origin;
    use pummel_ring::Address;

    use super::{
        Chosen, Lookup, Manner, OriginId, Origins, Proxies, Route, MAX_ORIGINS, PASS_OVER_NS, RETRY_LOOKUP_NS,
    };
    use crate::plan::Proxy;

    fn origin(port: u16) -> Origin {
        Origin { https: false, host: "h".into(), port }
    }

    fn addresses(all: &[&str]) -> Vec<Address> {
        all.iter().map(|address| Address::Inet(address.parse().unwrap())).collect()
    }

    /// The next address of a name that is resolved.
    fn next(origins: &mut Origins, id: OriginId, now_ns: u64) -> Chosen {
        match origins.poll_address(id, now_ns, &Context::from_waker(Waker::noop())) {
            Poll::Ready(Lookup::Found(chosen)) => chosen,
            _ => panic!("the name is resolved"),
        }
    }

    #[test]
    fn addresses_are_taken_in_turn_from_the_cores_own_start() {
        let mut origins = Origins::default();
        let id = origins.intern(&origin(80), Manner::default()).unwrap();
        assert_eq!(origins.intern(&origin(80), Manner::default()), Some(id));
        let all = addresses(&["1.0.0.1:80", "1.0.0.2:80"]);
        origins.resolved(id, Ok(all.clone()), 3, 0);
        for expected in [&all[1], &all[0], &all[1]] {
            let chosen = next(&mut origins, id, 0);
            assert_eq!((&chosen.address, chosen.choices, chosen.outdated), (expected, 2, false));
        }
    }

    #[test]
    fn an_address_that_takes_no_connection_is_passed_over_while_another_does() {
        let mut origins = Origins::default();
        let id = origins.intern(&origin(80), Manner::default()).unwrap();
        let all = addresses(&["[::1]:80", "127.0.0.1:80"]);
        origins.resolved(id, Ok(all.clone()), 0, 0);
        let next = |origins: &mut Origins, now_ns| {
            let chosen = next(origins, id, now_ns);
            (chosen.address, chosen.choices)
        };
        assert_eq!(next(&mut origins, 0), (all[0].clone(), 2));
        assert!(origins.unreachable(id, &all[0], 0), "the other may do");
        assert_eq!([next(&mut origins, 1), next(&mut origins, 2)], [(all[1].clone(), 1), (all[1].clone(), 1)]);
        assert!(!origins.unreachable(id, &all[1], 3), "none is left to try");
        let (first, second) = (next(&mut origins, 4), next(&mut origins, 4));
        assert_eq!([first, second], [(all[0].clone(), 1), (all[1].clone(), 1)], "with none left, all in turn");
        assert_eq!(next(&mut origins, PASS_OVER_NS).0, all[0], "its time is over first");
        assert_eq!(next(&mut origins, PASS_OVER_NS).0, all[0]);
    }

    #[test]
    fn old_addresses_serve_while_one_lookup_brings_new_ones() {
        let mut origins = Origins::new(Proxies::default(), Some(100));
        let id = origins.intern(&origin(80), Manner::default()).unwrap();
        let (old, new) = (addresses(&["1.0.0.1:80", "1.0.0.2:80"]), addresses(&["1.0.0.2:80", "1.0.0.3:80"]));
        origins.resolved(id, Ok(old.clone()), 0, 1_000);
        assert!(!next(&mut origins, id, 1_099).outdated);
        assert!(origins.unreachable(id, &old[1], 1_099));
        let outdated = next(&mut origins, id, 1_100);
        assert_eq!((outdated.address, outdated.outdated), (old[0].clone(), true));
        let again = next(&mut origins, id, 1_101);
        assert_eq!((again.address, again.outdated), (old[0].clone(), false), "one lookup at a time");
        origins.resolved(id, Ok(new.clone()), 0, 1_110);
        for _ in 0..2 {
            let chosen = next(&mut origins, id, 1_111);
            assert_eq!(
                (chosen.address, chosen.outdated),
                (new[1].clone(), false),
                "what was dead is dead under new names"
            );
        }
        assert!(next(&mut origins, id, 1_210).outdated);
    }

    #[test]
    fn a_lookup_that_fails_leaves_the_old_addresses_and_is_tried_again() {
        let mut origins = Origins::new(Proxies::default(), Some(10 * RETRY_LOOKUP_NS));
        let id = origins.intern(&origin(80), Manner::default()).unwrap();
        let old = addresses(&["1.0.0.1:80"]);
        origins.resolved(id, Ok(old.clone()), 0, 0);
        let late = 10 * RETRY_LOOKUP_NS;
        assert!(next(&mut origins, id, late).outdated);
        origins.resolved(id, Err(io::ErrorKind::NotFound.into()), 0, late);
        let chosen = next(&mut origins, id, late + 1);
        assert_eq!((chosen.address, chosen.outdated), (old[0].clone(), false));
        assert!(next(&mut origins, id, late + RETRY_LOOKUP_NS).outdated);
    }

    #[test]
    fn a_host_that_is_an_address_is_never_looked_up_again() {
        let mut origins = Origins::new(Proxies::default(), Some(1));
        let literal = Origin { https: false, host: "[::1]".into(), port: 80 };
        let id = origins.intern(&literal, Manner::default()).unwrap();
        origins.resolved(id, Ok(addresses(&["[::1]:80"])), 0, 0);
        assert!(!next(&mut origins, id, u64::MAX - 1).outdated);
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
        let all = addresses(&["1.0.0.1:80"]);
        origins.known_before(&origin(80), Ok(all.clone()), 0, 0);
        let plain = origins.intern(&origin(80), Manner::default()).unwrap();
        let verified = origins.intern(&origin(80), Manner { verify: true, ..Manner::default() }).unwrap();
        assert_ne!(plain, verified);
        for id in [plain, verified] {
            assert_eq!(next(&mut origins, id, 0).address, all[0]);
        }
    }

    #[test]
    fn origins_behind_one_proxy_have_its_addresses() {
        let proxy = Proxy { https: false, host: "proxy".into(), port: 3128, credentials: None };
        let proxies = Proxies { http: Some(proxy.clone()), https: None, none_for: vec!["direct".into()] };
        let mut origins = Origins::new(proxies, None);
        let all = addresses(&["1.0.0.1:3128"]);
        origins.known_before(&proxy.place(), Ok(all.clone()), 0, 0);
        let cx = Context::from_waker(Waker::noop());
        for port in [80, 81] {
            let id = origins.intern(&origin(port), Manner::default()).unwrap();
            assert!(origins.forward(id).is_some());
            assert_eq!(next(&mut origins, id, 0).address, all[0]);
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
