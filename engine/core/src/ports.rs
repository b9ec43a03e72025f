//! How many connections the ports of this machine allow, at once and per second.

use std::{collections::HashMap, fs, ops::RangeInclusive};

use pummel_case::{Case, Origin, Step};
use pummel_ring::Address;
use serde_json::{json, Value};

use crate::{
    network::origins::Found,
    plan::{Close, Connections, PacingUnit},
    ways::Ways,
    Plan,
};

/// Seconds a port rests after this side closed its connection (`TCP_TIMEWAIT_LEN` in the kernel).
const TIME_WAIT_S: u64 = 60;

/// Seconds it rests where `net.ipv4.tcp_tw_reuse` lets it be taken again: until the clock of TCP timestamps has gone on
/// (`tcp_twsk_unique` in the kernel).
const REUSED_AFTER_S: u64 = 1;

/// What the system says of its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SystemPorts {
    /// Ports between one source and one destination.
    count: u64,
    reuse: Reuse,
}

/// When a port at rest may be taken for a new connection (ip-sysctl, `tcp_tw_reuse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reuse {
    Never,
    Always,
    LoopbackOnly,
}

impl SystemPorts {
    fn read() -> Option<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap_or_default();
        let count = ports_in(&read("ip_local_port_range"), &read("ip_local_reserved_ports"))?;
        // Without timestamps the kernel cannot tell an old segment from a new one, and reuses nothing.
        let timestamps = read("tcp_timestamps").trim() != "0";
        let reuse = match read("tcp_tw_reuse").trim() {
            "1" if timestamps => Reuse::Always,
            "2" if timestamps => Reuse::LoopbackOnly,
            _ => Reuse::Never,
        };
        Some(Self { count, reuse })
    }
}

/// Why a plan closes connections and opens others as it goes. Each opens for an exchange, so exchanges bound them all.
struct Renewal {
    /// Connections open at a time at most.
    connections: u64,
    /// Exchanges a second and in all, where they are bounded.
    exchanges_per_s: Option<f64>,
    exchanges: Option<u64>,
    /// A connection may end after any exchange: none is kept, or each only to the end of its iteration.
    at_any: bool,
    /// It ends after so many requests.
    requests: Option<u64>,
    /// It ends when it is so old.
    age_s: Option<f64>,
}

impl Renewal {
    fn of(plan: &Plan, connections: u64) -> Self {
        let network = &plan.network;
        // Each redirect is one more exchange.
        let of_one = 1 + u64::from(network.max_redirects);
        let ceiling = plan.pacing.filter(|pacing| pacing.unit == PacingUnit::Request).map(|pacing| pacing.per_second);
        Self {
            connections,
            exchanges_per_s: ceiling.or_else(|| requests_that_arrive(plan)).map(|per_s| per_s * of_one as f64),
            exchanges: plan.load.total_requests.map(|total| total.saturating_mul(of_one)),
            at_any: !network.keepalive || network.connections == Connections::PerIteration,
            requests: network.max_requests_per_connection,
            age_s: network.max_connection_age.map(|age| age.as_secs_f64()),
        }
    }

    fn renews(&self) -> bool {
        self.at_any || self.requests.is_some() || self.age_s.is_some()
    }

    /// New connections a second at most; none where nothing bounds them.
    fn per_second(&self) -> Option<f64> {
        let exchanges = self.exchanges_per_s.unwrap_or(f64::INFINITY);
        let by_requests = self.requests.map_or(0.0, |most| exchanges / most as f64);
        // Each of those open is replaced once in the time of an age.
        let by_age = self.age_s.map_or(0.0, |age_s| self.connections as f64 / age_s);
        let wanted = if self.at_any { exchanges } else { exchanges.min(by_requests + by_age) };
        wanted.is_finite().then_some(wanted)
    }

    /// New connections in all at most; none where nothing bounds them.
    fn in_all(&self) -> Option<u64> {
        let exchanges = self.exchanges?;
        Some(match self.requests {
            Some(most) if !self.at_any && self.age_s.is_none() => {
                // The last of each user need not be used up.
                exchanges.min((exchanges / most).saturating_add(self.connections))
            }
            _ => exchanges,
        })
    }
}

/// Requests a second an open run makes at most when it keeps up; none of a closed run, nor where loops make more of them.
fn requests_that_arrive(plan: &Plan) -> Option<f64> {
    let open = plan.load.open()?;
    let rate = open.stages.iter().map(|stage| stage.target).fold(open.rate, f64::max);
    let requests = |case: &Case| {
        let steps = case.steps.iter().filter(|step| matches!(step, Step::Request(_) | Step::WebSocket(_)));
        (case.loops() == 0).then(|| steps.count())
    };
    let most = plan.cases.iter().map(requests).collect::<Option<Vec<_>>>()?.into_iter().max()?;
    Some(rate * most as f64)
}

/// The ports of a run: those there are for each pair of source and destination, and what that allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PortBudget {
    /// Connections the plan keeps open towards one destination at most. A proxy is one, whatever number of hosts is behind it.
    pub needed: u64,
    /// Ports between one source and one destination: the range less the reserved ones.
    pub ports: u64,
    /// Source addresses.
    pub sources: u64,
    /// Destinations: addresses with their port. Those of names that are rendered are not known. 0 where only Unix sockets are
    /// spoken to.
    pub destinations: u64,
    /// The plan closes connections and opens others as it goes.
    pub renews: bool,
    /// New connections a second that never run out of ports where each rests after this side closed first; none where no
    /// port rests (`--close rst`).
    pub sustainable_connections_per_s: Option<u64>,
    /// New connections a second the plan makes at most; none for as many as go.
    pub wanted_connections_per_s: Option<f64>,
    /// New connections the plan makes in all at most, where it has a bound.
    pub wanted_connections: Option<u64>,
}

impl PortBudget {
    /// What the plan needs whose hosts are spoken to in these ways, with the addresses of those or of their proxies; none where
    /// the system does not tell.
    pub(crate) fn of(plan: &Plan, ways: &Ways, addresses: &[(Origin, Found)]) -> Option<Self> {
        Some(Self::with(SystemPorts::read()?, plan, ways, addresses))
    }

    fn with(system: SystemPorts, plan: &Plan, ways: &Ways, addresses: &[(Origin, Found)]) -> Self {
        // The connections to one place are spread over its addresses.
        let mut needed: HashMap<&Address, u64> = HashMap::new();
        let (mut loopback, mut local) = (true, false);
        for (place, found) in addresses {
            let connections = ways.connections_to(place, plan);
            let all = found.as_deref().unwrap_or_default();
            for address in all {
                if let Address::Inet(inet) = address {
                    *needed.entry(address).or_default() += connections.div_ceil(all.len() as u64);
                    loopback &= inet.ip().is_loopback();
                } else {
                    local = true;
                }
            }
        }
        // Names that are rendered stand for one destination at least.
        let unknown = u64::from(!local);
        let destinations = (needed.len() as u64).max(unknown);
        let network = &plan.network;
        let sources = network.addresses.sources.len().max(1) as u64;
        let rests_s = match system.reuse {
            Reuse::Always => REUSED_AFTER_S,
            Reuse::LoopbackOnly if loopback => REUSED_AFTER_S,
            Reuse::LoopbackOnly | Reuse::Never => TIME_WAIT_S,
        };
        let renewal = Renewal::of(plan, ways.connections(plan));
        Self {
            needed: needed.values().copied().max().unwrap_or(u64::from(plan.connections_per_origin()) * unknown),
            ports: system.count,
            sources,
            destinations,
            renews: renewal.renews(),
            sustainable_connections_per_s: (network.tcp.close == Close::Fin)
                .then_some(system.count * sources * destinations / rests_s),
            wanted_connections_per_s: renewal.per_second(),
            wanted_connections: renewal.in_all(),
        }
    }

    /// Ports towards one destination, from all sources.
    pub fn available(&self) -> u64 {
        self.ports * self.sources
    }

    /// True where the plan may need more ports than rest, and so may run out of them where servers leave closing to this side.
    pub fn may_run_out(&self) -> bool {
        let renews = self.renews && self.destinations > 0;
        let Some(sustainable) = self.sustainable_connections_per_s.filter(|_| renews) else { return false };
        let slow = self.wanted_connections_per_s.is_some_and(|wanted| wanted <= sustainable as f64);
        let few = self.wanted_connections.is_some_and(|wanted| wanted <= self.available());
        !slow && !few
    }

    /// As it stands in a summary.
    pub(crate) fn describe(&self) -> Value {
        json!({
            "needed": self.needed,
            "available": self.ports,
            "sources": self.sources,
            "destinations": self.destinations,
            "sustainable_connections_per_s": self.sustainable_connections_per_s,
        })
    }
}

/// The ports the kernel chooses from for a connect: `ip_local_port_range` less `ip_local_reserved_ports` within it.
fn ports_in(range: &str, reserved: &str) -> Option<u64> {
    let (low, high) = range.trim().split_once(char::is_whitespace)?;
    let (low, mut high) = (low.trim().parse::<u64>().ok()?, high.trim().parse::<u64>().ok()?);
    if low > high {
        return None;
    }
    // It takes even and odd ones in turn, and of an odd number leaves the last out (`__inet_hash_connect`).
    let count = high - low + 1;
    if count > 1 && count % 2 == 1 {
        high -= 1;
    }
    let taken: u64 = reserved.split(',').filter_map(part).map(|part| overlap(&part, low, high)).sum();
    Some((high - low + 1).saturating_sub(taken))
}

/// `8080` or `9000-9010`. The kernel merges what overlaps.
fn part(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.trim().split_once('-').unwrap_or((text.trim(), text.trim()));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

fn overlap(part: &RangeInclusive<u64>, low: u64, high: u64) -> u64 {
    let (first, last) = (low.max(*part.start()), high.min(*part.end()));
    (last + 1).saturating_sub(first)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use pummel_case::{Case, Origin, PlainRequest};
    use pummel_ring::Address;

    use super::{ports_in, PortBudget, Reuse, SystemPorts};
    use crate::{
        network::origins::Found,
        plan::{Close, Connections},
        ways::Ways,
        CatchUp, Http2, Load, LoadModel, Network, OpenLoad, Pacing, PacingUnit, Plan, Proxies, Proxy, Spacing,
    };

    #[test]
    fn the_range_counts_both_ends_and_pairs() {
        assert_eq!(ports_in("32768\t60999\n", ""), Some(28_232));
        assert_eq!(ports_in("5\t5", "\n"), Some(1));
        assert_eq!(ports_in("10 20", ""), Some(10));
        assert_eq!(ports_in("9 5", ""), None);
        assert_eq!(ports_in("", ""), None);
    }

    #[test]
    fn reserved_ports_are_not_there() {
        assert_eq!(ports_in("40000 40099", "80,40000,40010-40019,40090-50000\n"), Some(100 - 1 - 10 - 10));
        assert_eq!(ports_in("40000 40099", "1-65535"), Some(0));
        assert_eq!(ports_in("40000 40099", "nonsense"), Some(100));
    }

    /// Of one host.
    fn plan() -> Plan {
        plan_to(&["http://a/"])
    }

    /// 100 users of one case with requests to these URLs.
    pub(crate) fn plan_to(urls: &[&str]) -> Plan {
        let request = |url: &&str| PlainRequest {
            name: "one".into(),
            method: "GET".into(),
            url: (*url).to_owned(),
            headers: Vec::new(),
            body: None,
        };
        Plan {
            command: "test",
            name: "a test".into(),
            cases: vec![Case::from_requests("a case", urls.iter().map(request).collect()).unwrap()],
            load: Load::closed(100),
            pacing: None,
            cpus: vec![0],
            network: Network::default(),
            stop_timeout: Duration::from_secs(1),
            record_action: false,
            plugins: None,
            thresholds: pummel_stats::Thresholds::default(),
            warmup: None,
            failure_samples: crate::FailureSampling::default(),
            functional: None,
        }
    }

    fn origin(host: &str, all: &[&str]) -> (Origin, Found) {
        let found = all.iter().map(|address| Address::Inet(address.parse().unwrap())).collect();
        (Origin { https: false, host: host.into(), port: 80 }, Ok(found))
    }

    fn budget(plan: &Plan, addresses: &[(Origin, Found)]) -> PortBudget {
        PortBudget::with(SYSTEM, plan, &Ways::of(plan), addresses)
    }

    const SYSTEM: SystemPorts = SystemPorts { count: 6_000, reuse: Reuse::LoopbackOnly };

    #[test]
    fn connections_spread_over_addresses_and_origins_add_up_on_one() {
        let addresses = [origin("a", &["10.0.0.1:80", "10.0.0.2:80", "[::1]:80"]), origin("b", &["10.0.0.1:80"])];
        let both = budget(&plan_to(&["http://a/", "http://b/", "http://a/again"]), &addresses);
        assert_eq!((both.needed, both.destinations, both.available()), (34 + 100, 3, 6_000));
        let unix = (addresses[0].0.clone(), Ok(vec![Address::Unix(std::path::Path::new("/a").into())]));
        let local = budget(&plan(), &[unix]);
        assert_eq!((local.needed, local.destinations), (0, 0), "a Unix socket takes no port");
        let rendered = budget(&plan_to(&[]), &[]);
        assert_eq!((rendered.needed, rendered.destinations), (100, 1), "rendered names go somewhere");
    }

    #[test]
    fn connections_that_users_share_are_counted_once() {
        let addresses = [origin("a", &["10.0.0.1:80"])];
        let needed = |change: &dyn Fn(&mut Network)| {
            let mut plan = plan();
            change(&mut plan.network);
            assert_eq!(budget(&plan, &[]).needed, budget(&plan, &addresses).needed);
            budget(&plan, &addresses).needed
        };
        assert_eq!(needed(&|network| network.connections = Connections::Shared { most: Some(7) }), 7);
        assert_eq!(needed(&|network| network.connections = Connections::Shared { most: None }), 100);
        assert_eq!(needed(&|network| network.http2 = Http2 { all: true, streams: 40 }), 3);
        assert_eq!(needed(&|network| network.http2 = Http2 { all: false, streams: 40 }), 100);
    }

    #[test]
    fn hosts_behind_a_proxy_add_up_on_it() {
        let mut plan = plan_to(&["http://a/", "http://b/", "https://a/", "http://direct/"]);
        let proxy = Some(Proxy { https: false, host: "proxy".into(), port: 80, credentials: None });
        plan.network.proxies = Proxies { http: proxy.clone(), https: proxy, none_for: vec!["direct".into()] };
        let addresses = [origin("proxy", &["10.0.0.9:80", "10.0.0.10:80"]), origin("direct", &["10.0.0.1:80"])];
        let behind = budget(&plan, &addresses);
        assert_eq!((behind.needed, behind.destinations), (3 * 100 / 2, 3));
        plan.network.connections = Connections::Shared { most: Some(10) };
        assert_eq!(budget(&plan, &addresses).needed, 3 * 10 / 2);
    }

    #[test]
    fn the_sustainable_rate_is_ports_by_sources_by_destinations_over_their_rest() {
        let addresses = [origin("a", &["10.0.0.1:80", "10.0.0.2:80"])];
        let rate = |reuse, close, sources: u8, addresses: &[(Origin, Found)]| {
            let mut plan = plan();
            plan.network.tcp.close = close;
            plan.network.addresses.sources = (0..sources).map(|last| [127, 0, 0, last].into()).collect();
            let system = SystemPorts { reuse, ..SYSTEM };
            PortBudget::with(system, &plan, &Ways::of(&plan), addresses).sustainable_connections_per_s
        };
        assert_eq!(rate(Reuse::Never, Close::Fin, 0, &addresses), Some(6_000 * 2 / 60));
        assert_eq!(rate(Reuse::Never, Close::Fin, 8, &addresses), Some(6_000 * 2 * 8 / 60));
        assert_eq!(rate(Reuse::LoopbackOnly, Close::Fin, 0, &addresses), Some(200));
        assert_eq!(rate(Reuse::Always, Close::Fin, 0, &addresses), Some(12_000));
        assert_eq!(rate(Reuse::LoopbackOnly, Close::Fin, 0, &[origin("b", &["127.0.0.1:80"])]), Some(6_000));
        assert_eq!(rate(Reuse::Never, Close::Rst, 0, &addresses), None);
    }

    #[test]
    fn ports_may_run_out_where_connections_are_renewed_without_bound() {
        let addresses = [origin("a", &["10.0.0.1:80"])];
        let may = |change: &dyn Fn(&mut Plan)| {
            let mut plan = plan();
            change(&mut plan);
            budget(&plan, &addresses).may_run_out()
        };
        let paced = |per_second| Some(Pacing { per_second, unit: PacingUnit::Request });
        assert!(!may(&|_| ()));
        assert!(may(&|plan| plan.network.keepalive = false));
        assert!(may(&|plan| plan.network.max_requests_per_connection = Some(10)));
        assert!(may(&|plan| plan.network.connections = Connections::PerIteration));
        assert!(!may(&|plan| (plan.network.keepalive, plan.network.tcp.close) = (false, Close::Rst)));
        // 6,000 ports that rest for a minute: 100 a second.
        assert!(!may(&|plan| (plan.network.keepalive, plan.pacing) = (false, paced(100.0))));
        assert!(may(&|plan| (plan.network.keepalive, plan.pacing) = (false, paced(101.0))));
        assert!(!may(&|plan| (plan.network.max_requests_per_connection, plan.pacing) = (Some(10), paced(1_000.0))));
        // The plan's case has one step: each arrival is a request.
        let arriving = |rate| {
            let open = OpenLoad { rate, stages: Vec::new(), spacing: Spacing::Even, catch_up: CatchUp::Burst };
            Load { model: LoadModel::Open(open), ..Load::closed(100) }
        };
        assert!(!may(&|plan| (plan.network.keepalive, plan.load) = (false, arriving(100.0))));
        assert!(may(&|plan| (plan.network.keepalive, plan.load) = (false, arriving(101.0))));
        // 100 connections of an age: as many in that time, and never more than requests.
        let old = |seconds| Some(Duration::from_secs_f64(seconds));
        assert!(!may(&|plan| plan.network.max_connection_age = old(1.0)));
        assert!(may(&|plan| plan.network.max_connection_age = old(0.99)));
        assert!(!may(&|plan| (plan.network.max_connection_age, plan.pacing) = (old(0.1), paced(100.0))));
        let both = |per_second| {
            move |plan: &mut Plan| {
                (plan.network.max_connection_age, plan.network.max_requests_per_connection) = (old(2.0), Some(10));
                plan.pacing = paced(per_second);
            }
        };
        // 50 a second are of that age, and a tenth of the requests is the last of its connection.
        assert!(!may(&both(500.0)));
        assert!(may(&both(501.0)));
        assert!(!may(&|plan| (plan.network.keepalive, plan.load.total_requests) = (false, Some(6_000))));
        assert!(may(&|plan| (plan.network.keepalive, plan.load.total_requests) = (false, Some(6_001))));
        let redirected = |total| {
            move |plan: &mut Plan| {
                (plan.network.keepalive, plan.network.max_redirects, plan.load.total_requests) =
                    (false, 2, Some(total));
            }
        };
        assert!(!may(&redirected(2_000)));
        assert!(may(&redirected(2_001)));
        let tenths = |total| {
            move |plan: &mut Plan| {
                (plan.network.max_requests_per_connection, plan.load.total_requests) = (Some(10), Some(total));
            }
        };
        assert!(!may(&tenths(59_000)), "the last connection of each of 100 users need not be used up");
        assert!(may(&tenths(59_010)));
    }
}
