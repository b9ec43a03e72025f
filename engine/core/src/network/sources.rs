//! The source addresses of one core's connections (`--source-ip`), taken in turn.

use std::net::IpAddr;

use pummel_ring::Address;
use pummel_stats::{EndpointId, EndpointKind, Recorder};

/// How long a source without a free port is passed over while another has one. Short, as ports come free all the time; long
/// enough that not every connection of a busy core searches thousands of ports for nothing.
const PASS_OVER_NS: u64 = 100_000_000;

/// Where connections may come from. Empty where the kernel chooses.
#[derive(Default)]
pub(crate) struct Sources {
    all: Vec<Source>,
    next: usize,
}

struct Source {
    at: IpAddr,
    counted: EndpointId,
    /// It had no free port: passed over until then, while others are not.
    passed_over_until_ns: u64,
}

/// A source for one attempt to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChosenSource {
    pub(crate) at: IpAddr,
    pub(crate) counted: EndpointId,
    place: usize,
}

impl Sources {
    /// The sources of a plan. `first` spreads the cores over them.
    pub(crate) fn new(plan: &[IpAddr], first: usize, recorder: &mut Recorder) -> Self {
        let entry = |&at: &IpAddr| Source {
            at,
            counted: recorder.endpoint(EndpointKind::Source, &at.to_string()),
            passed_over_until_ns: 0,
        };
        Self { all: plan.iter().map(entry).collect(), next: first }
    }

    /// The next one for a connection to an address; none where the kernel chooses.
    pub(crate) fn choose(&mut self, to: &Address, now_ns: u64) -> Option<ChosenSource> {
        let Address::Inet(to) = to else { return None };
        let count = self.all.len();
        let fits = |&at: &usize| self.all[at].at.is_ipv4() == to.is_ipv4();
        let mut in_turn = (0..count).map(|step| (self.next + step) % count).filter(fits);
        let first = in_turn.clone().next()?;
        let place = in_turn.find(|&at| self.all[at].passed_over_until_ns <= now_ns).unwrap_or(first);
        self.next = place + 1;
        let Source { at, counted, .. } = self.all[place];
        Some(ChosenSource { at, counted, place })
    }

    /// A source had no free port. True if there is another for the address that is not passed over.
    pub(crate) fn exhausted(&mut self, chosen: ChosenSource, now_ns: u64) -> bool {
        self.all[chosen.place].passed_over_until_ns = now_ns + PASS_OVER_NS;
        let same_family = |source: &&Source| source.at.is_ipv4() == chosen.at.is_ipv4();
        self.all.iter().filter(same_family).any(|source| source.passed_over_until_ns <= now_ns)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use pummel_ring::Address;
    use pummel_stats::{threshold::Watch, Collector, CollectorSpec, Model, RunFacts};

    use super::{Sources, PASS_OVER_NS};

    fn sources(all: &[&str], first: usize) -> Sources {
        let all: Vec<IpAddr> = all.iter().map(|ip| ip.parse().unwrap()).collect();
        let start = std::time::Instant::now();
        let spec = CollectorSpec {
            cores: 1,
            model: Model::Closed,
            start,
            run: RunFacts::default(),
            outputs: Vec::new(),
            thresholds: Watch::default(),
            warmup: None,
            samples_per_sort: 0,
        };
        let (_collector, mut recorders) = Collector::start(spec).unwrap();
        Sources::new(&all, first, &mut recorders[0])
    }

    fn to(address: &str) -> Address {
        Address::Inet(address.parse().unwrap())
    }

    #[test]
    fn sources_of_the_destinations_kind_are_taken_in_turn() {
        let mut sources = sources(&["127.0.0.2", "::1", "127.0.0.3"], 1);
        let mut next = |address: &str| sources.choose(&to(address), 0).unwrap().at.to_string();
        assert_eq!([next("1.1.1.1:1"), next("1.1.1.1:1"), next("1.1.1.1:1")], ["127.0.0.3", "127.0.0.2", "127.0.0.3"]);
        assert_eq!([next("[::2]:1"), next("[::2]:1"), next("1.1.1.1:1")], ["::1", "::1", "127.0.0.3"]);
    }

    #[test]
    fn without_a_source_the_kernel_chooses() {
        assert_eq!(sources(&[], 3).choose(&to("1.1.1.1:1"), 0), None);
        let mut v4 = sources(&["127.0.0.2"], 0);
        assert_eq!(v4.choose(&to("[::1]:1"), 0), None);
        assert_eq!(v4.choose(&Address::Unix(std::path::Path::new("/a").into()), 0), None);
    }

    #[test]
    fn a_source_without_a_port_is_passed_over_while_another_has_one() {
        let mut sources = sources(&["127.0.0.2", "127.0.0.3", "::1"], 0);
        let first = sources.choose(&to("1.1.1.1:1"), 0).unwrap();
        assert!(sources.exhausted(first, 0));
        let second = sources.choose(&to("1.1.1.1:1"), 0).unwrap();
        assert_eq!(second.at.to_string(), "127.0.0.3");
        assert_eq!(sources.choose(&to("1.1.1.1:1"), 1), Some(second));
        assert!(!sources.exhausted(second, 1), "::1 is of no use here");
        assert!(sources.choose(&to("1.1.1.1:1"), 2).is_some(), "with none left, all in turn");
        assert_eq!(sources.choose(&to("1.1.1.1:1"), PASS_OVER_NS), Some(first));
    }
}
