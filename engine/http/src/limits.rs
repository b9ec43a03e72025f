//! How long anything a peer sends may become.

/// The longest head accepted unless told otherwise: four times what browsers accept, so that a service that works in one
/// works here, and small enough that a thousand connections sent such heads fit into memory.
pub const HEAD_BYTES_DEFAULT: usize = 256 * 1024;

/// The longest body kept unless told otherwise. A body is kept to be parsed, and 64 MiB of JSON already takes far longer
/// to parse than a request may last.
pub const KEPT_BODY_BYTES_DEFAULT: usize = 64 * 1024 * 1024;

/// How much of a body is kept where only its start is ([`Keep::body_start`](crate::Keep)): a message for people fits, and ten
/// thousand connections that hold one take 40 MiB.
pub const BODY_START_BYTES: usize = 4 * 1024;

/// The most header lines of one head. The table stands on the stack during a parse (32 bytes a line, 8 KiB); servers'
/// own limits are 100 to 200.
pub const HEADERS_MAX: usize = 256;

/// The most interim (1xx) responses before the final one. Real services send one or two (100, 103); an endless row of
/// them would keep a request alive for ever without an answer.
pub const INTERIM_RESPONSES_MAX: u32 = 16;

/// Buffers above this size are given back after use rather than kept for the next message: kept ones are multiplied by
/// the number of connections.
pub const RETAINED_BUFFER_BYTES: usize = 64 * 1024;

/// The longest line that announces a chunk, its extensions included. A size takes 16 digits; extensions in use
/// (signatures of object stores) stay below 200 bytes.
pub const CHUNK_LINE_BYTES_MAX: usize = 4 * 1024;

/// The longest trailer section: checksums and timings, far shorter than a head, and nothing here reads them.
pub const TRAILER_BYTES_MAX: usize = 32 * 1024;

/// A declared length is trusted for this much memory in advance; beyond it the buffer grows with what really arrives.
pub(crate) const BODY_RESERVE_BYTES_MAX: usize = 256 * 1024;

/// What a parser accepts before it gives up with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one head: status or request line and headers with their line ends.
    pub head_bytes: usize,
    /// Bytes of one body that is kept. Bodies that are only counted have no limit.
    pub kept_body_bytes: usize,
    /// Header lines of one head, at most [`HEADERS_MAX`].
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes: HEAD_BYTES_DEFAULT, kept_body_bytes: KEPT_BODY_BYTES_DEFAULT, headers: HEADERS_MAX }
    }
}
