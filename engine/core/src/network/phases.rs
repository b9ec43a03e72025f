//! Where the time of a request went, from stamps that are taken only where somebody wants to know.

use pummel_stats::RequestPhases;

/// The phases of all exchanges of a request so far, nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "units stand last in a name, also where they agree")]
pub(crate) struct Phases {
    send_ns: u64,
    wait_ns: u64,
    receive_ns: u64,
}

/// When an exchange came how far, nanoseconds of the ring's clock; 0 for what did not happen.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_field_names, reason = "units stand last in a name, also where they agree")]
pub(crate) struct Stamps {
    /// The first byte was handed to the kernel.
    pub(crate) sent_ns: u64,
    /// The kernel had taken the last byte. A server may answer before; where that cannot be told, the same as `sent_ns`.
    pub(crate) taken_ns: u64,
    /// The first byte of the response was there.
    pub(crate) first_byte_ns: u64,
    /// The exchange was over, well or not.
    pub(crate) done_ns: u64,
}

impl Phases {
    /// Adds an exchange. Its phases make up the whole time between its first stamp and its last.
    pub(crate) fn add(&mut self, stamps: Stamps) {
        let Stamps { sent_ns, taken_ns, first_byte_ns, done_ns } = stamps;
        if sent_ns == 0 {
            return;
        }
        // The stamp of what ended an exchange is that of the pass which brought it, and may be older than one taken within.
        let or_done = |at_ns: u64| if at_ns == 0 { done_ns } else { at_ns.min(done_ns) };
        let first_byte_ns = or_done(first_byte_ns);
        let taken_ns = or_done(taken_ns).min(first_byte_ns);
        self.send_ns += taken_ns.saturating_sub(sent_ns);
        self.wait_ns += first_byte_ns.saturating_sub(taken_ns.max(sent_ns));
        self.receive_ns += done_ns.saturating_sub(first_byte_ns);
    }

    /// As they are recorded.
    pub(crate) fn in_us(self) -> RequestPhases {
        RequestPhases { send_us: self.send_ns / 1000, wait_us: self.wait_ns / 1000, receive_us: self.receive_ns / 1000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stamps: &[[u64; 4]]) -> (u64, u64, u64) {
        let mut phases = Phases::default();
        for &[sent_ns, taken_ns, first_byte_ns, done_ns] in stamps {
            phases.add(Stamps { sent_ns, taken_ns, first_byte_ns, done_ns });
        }
        let RequestPhases { send_us, wait_us, receive_us } = phases.in_us();
        (send_us, wait_us, receive_us)
    }

    #[test]
    fn phases_add_up_over_exchanges() {
        assert_eq!(of(&[[10_000, 11_000, 14_000, 19_000]]), (1, 3, 5));
        assert_eq!(of(&[[10_000, 11_000, 14_000, 19_000], [20_000, 22_000, 22_500, 23_000]]), (3, 3, 5));
    }

    #[test]
    fn what_did_not_happen_takes_no_time_of_its_own() {
        assert_eq!(of(&[[0, 0, 0, 90_000]]), (0, 0, 0), "nothing was sent");
        assert_eq!(of(&[[20_000, 21_000, 0, 26_000]]), (1, 5, 0), "no byte came");
        assert_eq!(of(&[[20_000, 0, 0, 26_000]]), (6, 0, 0), "the kernel never took all");
        assert_eq!(of(&[[20_000, 0, 24_000, 26_000]]), (4, 0, 2), "an answer before the request was read");
        assert_eq!(of(&[[20_000, 25_000, 24_000, 26_000]]), (4, 0, 2));
    }

    #[test]
    fn a_stamp_taken_within_a_pass_is_no_later_than_its_end() {
        assert_eq!(of(&[[20_000, 21_000, 27_000, 26_000]]), (1, 5, 0));
    }
}
