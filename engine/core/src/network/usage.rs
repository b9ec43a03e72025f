//! How long a connection serves: requests it may still carry, until when it may be used.

use pummel_http::KeepAlive;

use crate::plan::{nanos, Network};

/// A connection is not used in the last part of the idle time its server grants: the server's clock started earlier than ours, and
/// a request takes half a round trip to get there. A quarter of a second is a round trip to the other side of the earth.
const IDLE_MARGIN_NS: u64 = 250_000_000;

/// What a connection has carried and may still carry, by the plan and by what its server said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Requests put on it.
    carried: u64,
    /// Requests it carries at most.
    most: u64,
    /// From then on it is too old.
    old_ns: u64,
    /// From then on its server may close it at any time.
    idle_until_ns: u64,
    /// It was too old when its last response was complete.
    old: bool,
}

impl Default for Usage {
    /// Without any bound.
    fn default() -> Self {
        Self { carried: 0, most: u64::MAX, old_ns: u64::MAX, idle_until_ns: u64::MAX, old: false }
    }
}

impl Usage {
    /// Of a connection opened at a time.
    pub(crate) fn new(opened_ns: u64, network: &Network) -> Self {
        Self {
            most: network.max_requests_per_connection.unwrap_or(u64::MAX),
            old_ns: network.max_connection_age.map_or(u64::MAX, |age| opened_ns.saturating_add(nanos(age))),
            ..Self::default()
        }
    }

    /// True where the next request is the last the connection carries, as far as is known: the server is told.
    #[inline]
    pub(crate) fn next_is_last(&self) -> bool {
        self.carried + 1 >= self.most
    }

    /// A request is put on the connection.
    #[inline]
    pub(crate) fn carry(&mut self) {
        self.carried += 1;
    }

    /// A response is complete, and its server said this of the connection.
    ///
    /// `max` means two things. Some servers count down what is left and say 0 with the last response; others say with each how
    /// many they take in all. The first response's number fits both: one that counts down loses a request at most.
    #[inline]
    pub(crate) fn answered(&mut self, done_ns: u64, server: KeepAlive) {
        self.old = done_ns >= self.old_ns;
        self.idle_until_ns = server.timeout_s.map_or(u64::MAX, |timeout_s| {
            done_ns.saturating_add((u64::from(timeout_s) * 1_000_000_000).saturating_sub(IDLE_MARGIN_NS))
        });
        match server.max {
            Some(0) => self.most = self.carried,
            Some(max) if self.carried == 1 => self.most = self.most.min(max.into()),
            _ => {}
        }
    }

    /// True when the connection is too old after the response just taken, and its server has not been told that it ends.
    #[inline]
    pub(crate) fn ends_untold(&self) -> bool {
        self.old && self.carried < self.most
    }

    /// True when no request may be put on the connection any more.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.old || self.carried >= self.most
    }

    /// True while a request may be put on the idle connection.
    #[inline]
    pub(crate) fn may_carry(&self, now_ns: u64) -> bool {
        now_ns < self.old_ns.min(self.idle_until_ns) && self.carried < self.most
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pummel_http::KeepAlive;

    use super::{Usage, IDLE_MARGIN_NS};
    use crate::Network;

    const SECOND_NS: u64 = 1_000_000_000;

    fn told(timeout_s: Option<u32>, max: Option<u32>) -> KeepAlive {
        KeepAlive { timeout_s, max }
    }

    /// How many requests a connection carries whose server says this with its nth response.
    fn carries(mut usage: Usage, says: impl Fn(u64) -> Option<u32>) -> u64 {
        for number in 1..1_000 {
            usage.carry();
            usage.answered(0, told(None, says(number)));
            if usage.is_over() {
                assert!(!usage.may_carry(0));
                return number;
            }
        }
        u64::MAX
    }

    #[test]
    fn a_connection_carries_as_many_requests_as_the_plan_and_the_server_allow() {
        let bounded = |most| {
            let network = Network { max_requests_per_connection: Some(most), ..Network::default() };
            Usage::new(0, &network)
        };
        assert_eq!(carries(Usage::default(), |_| None), u64::MAX);
        assert_eq!(carries(bounded(1), |_| None), 1);
        assert_eq!(carries(bounded(5), |_| None), 5);
        assert_eq!(carries(bounded(5), |_| Some(3)), 3, "in all, as the server says each time");
        assert_eq!(carries(bounded(5), |number| Some(100 - number as u32)), 5);
        assert_eq!(carries(Usage::default(), |number| Some(10 - number as u32)), 9, "counted down from 10");
        assert_eq!(carries(Usage::default(), |number| (number == 4).then_some(0)), 4);
        assert_eq!(carries(Usage::default(), |_| Some(0)), 1);
        assert!(bounded(1).next_is_last() && !bounded(2).next_is_last());
    }

    #[test]
    fn an_idle_connection_is_left_alone_before_its_server_closes_it() {
        let mut usage = Usage::default();
        usage.carry();
        usage.answered(10 * SECOND_NS, told(Some(5), None));
        let until_ns = 15 * SECOND_NS - IDLE_MARGIN_NS;
        assert!(usage.may_carry(until_ns - 1) && !usage.may_carry(until_ns));
        assert!(!usage.is_over(), "time has yet to pass");
        usage.answered(20 * SECOND_NS, told(None, None));
        assert!(usage.may_carry(u64::MAX - 1), "a response that says nothing leaves no bound");
        usage.answered(20 * SECOND_NS, told(Some(0), None));
        assert!(!usage.may_carry(20 * SECOND_NS));
    }

    #[test]
    fn an_old_connection_ends_with_its_response_or_before_the_next_request() {
        let network = Network { max_connection_age: Some(Duration::from_secs(2)), ..Network::default() };
        let mut usage = Usage::new(SECOND_NS, &network);
        assert!(usage.may_carry(3 * SECOND_NS - 1) && !usage.may_carry(3 * SECOND_NS));
        usage.carry();
        usage.answered(3 * SECOND_NS - 1, KeepAlive::default());
        assert!(!usage.is_over());
        usage.answered(3 * SECOND_NS, KeepAlive::default());
        assert!(usage.is_over() && usage.ends_untold());
    }
}
