//! HTTP/2.

use clap::Args;

/// The most `--streams` takes: beyond it one connection, which one core drives, is the limit. Servers allow 100 to 256 as a rule.
const STREAMS_MAX: i64 = 10_000;

/// HTTP/2: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Http2Flags {
    /// Send requests over HTTP/2, unless their step says otherwise: chosen by ALPN with https, spoken at once with http
    #[arg(long)]
    pub(crate) http2: bool,

    /// Users that share an HTTP/2 connection, each with a stream of its own; with hit: streams of each connection
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=STREAMS_MAX))]
    pub(crate) streams: u32,
}
