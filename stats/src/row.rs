//! What a figure belongs to, and what one finished request brings.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    /// Network steps.
    Request,
    /// Transactions: named stretches of a case, timed as a whole.
    Transaction,
    /// Network steps that each user does once, before its load. They stand beside the load: in no total, no second and no rate.
    Setup,
}

/// The type of a row that is a transaction of the case's own. Other rows of [`RowKind::Transaction`] are timed as one, and no
/// transactions in the sense of hrp's `Accumulated Transactions` (hrp spec 15.1).
pub const TRANSACTION: &str = "transaction";

/// The identity of a row: case, type and name. Two cores that name the same key feed the same row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKey {
    /// Name of the test case.
    pub case: Arc<str>,
    /// What the row counts.
    pub kind: RowKind,
    /// The type shown in tables, such as `request-GET`, `transaction`, or `testcase` for a referenced case timed as a whole.
    pub label: Arc<str>,
    /// The step's or the transaction's name.
    pub name: Arc<str>,
}

/// A row's place in the recorder that interned it. Good for that recorder only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowId(pub(crate) u32);

/// What a request that succeeded brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// From the first byte handed to the kernel to the last body byte, microseconds.
    pub service_us: u64,
    /// From the time the schedule intended to the last body byte, microseconds.
    pub response_us: u64,
    /// Bytes read from the socket, heads included.
    pub bytes_received: u64,
    /// Bytes handed to the socket, heads included.
    pub bytes_sent: u64,
}

/// What one request did on the wire. The recorder adds these up per row.
///
/// A stale attempt counts in `stale_retries` alone; its retry counts in `sent`. So over a run
/// `started + redirects + auth_rounds = sent + unsent`, and `answered <= sent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchanges {
    /// Requests of which at least one byte was handed to the kernel.
    pub sent: u32,
    /// Responses read to their end.
    pub answered: u32,
    /// Further exchanges made because of a redirect.
    pub redirects: u32,
    /// Exchanges repeated because a reused idle connection turned out to be dead.
    pub stale_retries: u32,
    /// Further exchanges made because of an authentication challenge.
    pub auth_rounds: u32,
    /// Exchanges that ended before a byte was sent, such as a refused connection.
    pub unsent: u32,
}

/// [`Exchanges`] added up, as they stand in the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExchangeCounts {
    /// See [`Exchanges::sent`].
    pub sent: u64,
    /// See [`Exchanges::answered`].
    pub answered: u64,
    /// See [`Exchanges::redirects`].
    pub redirects: u64,
    /// See [`Exchanges::stale_retries`].
    pub stale_retries: u64,
    /// See [`Exchanges::auth_rounds`].
    pub auth_rounds: u64,
    /// See [`Exchanges::unsent`].
    pub unsent: u64,
}

impl ExchangeCounts {
    /// Adds one request's exchanges.
    #[inline]
    pub(crate) fn add(&mut self, one: Exchanges) {
        self.sent += u64::from(one.sent);
        self.answered += u64::from(one.answered);
        self.redirects += u64::from(one.redirects);
        self.stale_retries += u64::from(one.stale_retries);
        self.auth_rounds += u64::from(one.auth_rounds);
        self.unsent += u64::from(one.unsent);
    }

    /// Adds what another part counted.
    pub(crate) fn merge(&mut self, part: &ExchangeCounts) {
        self.sent += part.sent;
        self.answered += part.answered;
        self.redirects += part.redirects;
        self.stale_retries += part.stale_retries;
        self.auth_rounds += part.auth_rounds;
        self.unsent += part.unsent;
    }
}
