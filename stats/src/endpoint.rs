//! Where connections go and where they come from: what each address did.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Addresses of one kind a core tells apart. How many a name has is the resolver's to choose; what goes over the limit counts
/// as [`OTHER_ENDPOINTS`].
pub const MAX_ENDPOINTS: usize = 64;

/// The name of the entry that gathers the addresses over [`MAX_ENDPOINTS`].
pub const OTHER_ENDPOINTS: &str = "others";

/// Which end of a connection an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndpointKind {
    /// A server's address and port, or its Unix socket.
    Address,
    /// An address of this machine that connections were told to come from.
    Source,
}

/// An address's place in the recorder that interned it. Good for that recorder only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndpointId(pub(crate) u32);

impl EndpointId {
    /// No entry of any recorder: what is counted for it counts nowhere.
    pub const NONE: Self = Self(u32::MAX);
}

/// The identity of an address. Two cores that name the same feed the same entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EndpointKey {
    pub(crate) kind: EndpointKind,
    pub(crate) name: Arc<str>,
}

/// What one address did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EndpointCounts {
    pub(crate) connections: u64,
    pub(crate) connect_errors: u64,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
}

impl EndpointCounts {
    pub(crate) fn merge(&mut self, part: &Self) {
        self.connections += part.connections;
        self.connect_errors += part.connect_errors;
        self.requests += part.requests;
        self.failures += part.failures;
    }
}

/// What one address did, as it stands in the summary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// The server's `host:port` or `unix:/path`, or the source's address; `others` for those beyond the first 64.
    pub address: String,
    /// Connections established.
    pub connections: u64,
    /// Attempts to connect that failed, those included after which another address took the connection.
    pub connect_errors: u64,
    /// Requests of which at least one byte was sent, once-per-user steps and each redirect included.
    pub requests: u64,
    /// Those of them to which no complete response came.
    pub failures: u64,
}
