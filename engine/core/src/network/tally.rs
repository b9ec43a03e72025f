//! What one request did on the wire.

use pummel_ring::now_ns;
use pummel_stats::{Exchanges, RequestPhases};

use super::{
    connection::{Connection, Counted},
    phases::{Phases, Stamps},
};
use crate::ExchangeRecord;

/// What went over the wire for one request, filled as it happens so that it is right however the request ends.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) exchanges: Exchanges,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// When the first byte was handed to the kernel, of the first request where redirects were followed; 0 if none was.
    pub(crate) sent_ns: u64,
    /// When the last body byte arrived, or the failure was seen.
    pub(crate) done_ns: u64,
    /// What passed between due and the first byte sent without being the engine's: waiting for a connection where they are bounded,
    /// on a dead one, and opening a new one.
    pub(crate) network_ns: u64,
    /// Where its time went, where that is asked for. Few runs do: a box keeps the user's future small.
    pub(crate) phases: Option<Box<Phases>>,
    /// What a functional run wants to know besides; a load run has none.
    pub(crate) record: Option<Box<ExchangeRecord>>,
}

impl Tally {
    /// Of a request that is about to be sent; `watched` in a functional run, which is told of each with its phases.
    pub(crate) fn new(watched: bool, request_phases: bool) -> Self {
        Self {
            phases: (watched || request_phases).then(Box::default),
            record: watched.then(Box::default),
            ..Self::default()
        }
    }

    /// How long a request that was sent had waited in the engine.
    pub(crate) fn lateness_ns(&self, due_ns: u64) -> u64 {
        self.sent_ns.saturating_sub(due_ns).saturating_sub(self.network_ns)
    }

    /// Enters a request that ended before there was a connection to send it on, or words to send.
    pub(crate) fn never_sent(&mut self) {
        self.exchanges.unsent += 1;
        self.done_ns = now_ns();
    }

    /// What a functional run is told, once all is over.
    pub(crate) fn take_record(&mut self, due_ns: u64) -> Option<Box<ExchangeRecord>> {
        let mut record = self.record.take()?;
        record.redirects = self.exchanges.redirects;
        let RequestPhases { send_us, wait_us, receive_us } =
            self.phases.as_deref().copied().unwrap_or_default().in_us();
        (record.phases.send_us, record.phases.wait_us, record.phases.receive_us) = (send_us, wait_us, receive_us);
        record.phases.total_us = self.done_ns.saturating_sub(due_ns) / 1000;
        Some(record)
    }

    /// Enters when an exchange came how far, where the phases of requests are asked for.
    pub(crate) fn attempted(&mut self, stamps: Stamps) {
        if let Some(phases) = &mut self.phases {
            phases.add(stamps);
        }
    }

    /// Enters what a connection did for this request; gives where it counts by address, unless nothing was sent.
    #[inline]
    pub(super) fn settle(
        &mut self,
        connection: &Connection,
        sent_ns: u64,
        sent_bytes: u64,
        done_ns: u64,
    ) -> Option<Counted> {
        self.done_ns = done_ns;
        let (wire_bytes, counted) = connection.with(|wire| {
            let response = &wire.http().response;
            let (bytes, keep_alive) = (response.wire_bytes, response.directives.keep_alive);
            wire.usage.answered(done_ns, keep_alive);
            (bytes, wire.counted)
        });
        self.bytes_received += wire_bytes;
        if sent_ns == 0 {
            self.exchanges.unsent += 1;
            return None;
        }
        self.exchanges.sent += 1;
        self.bytes_sent += sent_bytes;
        if self.sent_ns == 0 {
            self.sent_ns = sent_ns;
        }
        Some(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn opening_a_connection_is_not_the_engines_lateness() {
        let tally = Tally { sent_ns: 5_000, network_ns: 3_000, ..Tally::default() };
        assert_eq!(tally.lateness_ns(1_000), 1_000);
        assert_eq!(tally.lateness_ns(4_000), 0, "a stamp taken before the send is never negative");
    }
}
