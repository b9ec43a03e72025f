//! Whom a run speaks to as far as its cases tell, and how many connections that takes.

use pummel_case::{Origin, Step};

use crate::{
    network::origins::Manner,
    plan::Proxies,
    program::{manner, websocket_manner},
    Plan,
};

/// The hosts of a plan's cases, each once for every manner it is spoken to in. A connection to one serves no other: not where the
/// manner differs, and not where one proxy stands before several hosts and would forward the requests to all of them.
pub(crate) struct Ways(Vec<(Origin, Manner)>);

impl Ways {
    /// Those of the steps whose host is known before the start.
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut ways = Vec::new();
        for step in plan.cases.iter().flat_map(|case| case.setup.iter().chain(&case.steps)) {
            let (request, manner) = match step {
                Step::Request(step) => (&**step, manner(step, &plan.network)),
                Step::WebSocket(step) => (&step.request, websocket_manner(&step.request, &plan.network)),
                _ => continue,
            };
            if let Some(way) = request.constant_origin().map(|origin| (origin, manner)) {
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
        }
        Self(ways)
    }

    /// How many there are; 1 where all hosts are rendered, which go somewhere.
    pub(crate) fn count(&self) -> u64 {
        self.0.len().max(1) as u64
    }

    /// Connections the plan keeps open at most, over all hosts and cores.
    pub(crate) fn connections(&self, plan: &Plan) -> u64 {
        if self.0.is_empty() {
            return plan.connections_per_origin().into();
        }
        self.0.iter().map(|(_, manner)| u64::from(plan.connections_in(*manner))).sum()
    }

    /// The same towards one place: a host, or the proxy of several.
    pub(crate) fn connections_to(&self, place: &Origin, plan: &Plan) -> u64 {
        let proxies: &Proxies = &plan.network.proxies;
        let there = self.0.iter().filter(|(origin, _)| proxies.reached(origin) == *place);
        there.map(|(_, manner)| u64::from(plan.connections_in(*manner))).sum()
    }
}

#[cfg(test)]
mod tests {
    use pummel_case::Origin;

    use super::Ways;
    use crate::{ports::tests::plan_to, Connections, Http2, Network, Plan, Proxies, Proxy};

    /// 10 users on two CPUs.
    fn plan(urls: &[&str], network: Network) -> Plan {
        let mut plan = plan_to(urls);
        (plan.load.users, plan.cpus, plan.network) = (10, vec![0, 1], network);
        plan
    }

    fn connections(urls: &[&str], network: Network) -> u64 {
        let plan = plan(urls, network);
        Ways::of(&plan).connections(&plan)
    }

    #[test]
    fn each_host_takes_connections_of_its_own_though_one_proxy_stands_before_them() {
        let proxy = Some(Proxy { https: false, host: "p".into(), port: 3128, credentials: None });
        let proxies = Proxies { http: proxy, https: None, none_for: Vec::new() };
        let plan = plan(
            &["http://a/", "http://b/", "http://a/again", "https://c/"],
            Network { proxies, ..Network::default() },
        );
        let ways = Ways::of(&plan);
        assert_eq!((ways.count(), ways.connections(&plan)), (3, 30));
        let place = |https, host: &str, port| Origin { https, host: host.into(), port };
        assert_eq!(ways.connections_to(&place(false, "p", 3128), &plan), 20);
        assert_eq!(ways.connections_to(&place(true, "c", 443), &plan), 10);
        assert_eq!(ways.connections_to(&place(false, "a", 80), &plan), 0);
    }

    #[test]
    fn hosts_nobody_knows_yet_are_one_at_least() {
        assert_eq!(connections(&[], Network::default()), 10);
        let connections = |most| connections(&["http://a/"], Network { connections: most, ..Network::default() });
        assert_eq!(connections(Connections::Shared { most: Some(4) }), 4);
        assert_eq!(connections(Connections::Shared { most: Some(11) }), 10);
    }

    #[test]
    fn users_of_a_core_share_http2_connections_as_far_as_those_carry_requests() {
        let of = |streams, max_requests_per_connection, keepalive| {
            let http2 = Http2 { all: true, streams };
            let network = Network { keepalive, max_requests_per_connection, http2, ..Network::default() };
            connections(&["http://a/"], network)
        };
        assert_eq!(of(1, None, true), 10);
        // 8 users on one core, 2 on the other.
        assert_eq!(of(8, None, true), 2);
        assert_eq!(of(8, Some(3), true), 3 + 1);
        assert_eq!(of(8, None, false), 10);
    }
}
