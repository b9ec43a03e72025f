//! Phases: what the time of a connection's opening and of a request is made of.
//!
//! Those of connections are recorded in every run, for few are opened; those of requests only where they are asked for
//! (`--http-stat`), for each costs the request path stamps and histograms.

use hdrhistogram::Counter;

use crate::latency::{Latency, Recorded};
use crate::summary::StepPhases;

/// How a connection was opened. A handshake on it is told of apart, by [`Recorder::handshake`](crate::Recorder::handshake).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// What it waited for a lookup of the server's name, microseconds; `None` where the address was known.
    pub dns_us: Option<u64>,
    /// From the call to the open connection, microseconds.
    pub connect_us: u64,
}

/// Where the time of a request went, over all its exchanges where it had more than one. Opening a connection is no part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestPhases {
    /// From the first byte handed to the kernel until it had taken the last, microseconds.
    pub send_us: u64,
    /// From then to the first byte of the response, microseconds; 0 where a server answers before it has read all.
    pub wait_us: u64,
    /// From then to the last byte of the response, microseconds.
    pub receive_us: u64,
}

/// The phases of connections, added up.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCells<C: Counter> {
    pub(crate) dns: Recorded<C>,
    pub(crate) connect: Recorded<C>,
    pub(crate) tls: Recorded<C>,
}

impl<C: Counter> ConnectionCells<C> {
    pub(crate) fn held_bytes(&self) -> u64 {
        self.dns.held_bytes() + self.connect.held_bytes() + self.tls.held_bytes()
    }
}

impl ConnectionCells<u32> {
    pub(crate) fn clear(&mut self) {
        self.dns.clear();
        self.connect.clear();
        self.tls.clear();
    }
}

impl ConnectionCells<u64> {
    pub(crate) fn merge(&mut self, part: &ConnectionCells<u32>) {
        self.dns.merge(&part.dns.to_distribution());
        self.connect.merge(&part.connect.to_distribution());
        self.tls.merge(&part.tls.to_distribution());
    }
}

/// The phases of requests, added up.
#[derive(Debug, Default)]
pub(crate) struct RequestCells<C: Counter> {
    send: Recorded<C>,
    wait: Recorded<C>,
    receive: Recorded<C>,
}

impl<C: Counter> RequestCells<C> {
    pub(crate) fn held_bytes(&self) -> u64 {
        self.send.held_bytes() + self.wait.held_bytes() + self.receive.held_bytes()
    }
}

impl RequestCells<u32> {
    pub(crate) fn record(&mut self, phases: RequestPhases) {
        self.send.record(phases.send_us);
        self.wait.record(phases.wait_us);
        self.receive.record(phases.receive_us);
    }

    pub(crate) fn clear(&mut self) {
        self.send.clear();
        self.wait.clear();
        self.receive.clear();
    }
}

impl RequestCells<u64> {
    pub(crate) fn merge(&mut self, part: &RequestCells<u32>) {
        self.send.merge(&part.send.to_distribution());
        self.wait.merge(&part.wait.to_distribution());
        self.receive.merge(&part.receive.to_distribution());
    }

    /// As they stand in the summary.
    pub(crate) fn summed_up(&self) -> StepPhases {
        StepPhases {
            send_us: Latency::from(&self.send),
            wait_us: Latency::from(&self.wait),
            receive_us: Latency::from(&self.receive),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_requests_add_up_and_a_cleared_cell_holds_nothing() {
        let mut cells = RequestCells::<u32>::default();
        cells.record(RequestPhases { send_us: 1, wait_us: 20, receive_us: 3 });
        cells.record(RequestPhases { send_us: 3, wait_us: 40, receive_us: 5 });
        let mut total = RequestCells::<u64>::default();
        total.merge(&cells);
        cells.clear();
        total.merge(&cells);
        cells.record(RequestPhases { send_us: 5, wait_us: 0, receive_us: 1 });
        total.merge(&cells);
        let phases = total.summed_up();
        assert_eq!([&phases.send_us, &phases.wait_us, &phases.receive_us].map(|phase| phase.count), [3, 3, 3]);
        assert_eq!(
            (phases.send_us.mean, phases.wait_us.mean, phases.receive_us.mean),
            (Some(3.0), Some(20.0), Some(3.0))
        );
        assert_eq!((phases.wait_us.min, phases.wait_us.max), (Some(0), Some(40)));
    }
}
