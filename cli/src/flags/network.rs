//! Connections and the limits on their time.

use std::time::Duration;

use clap::{builder::BoolishValueParser, ArgAction, Args, ValueEnum};
use pummel_engine::Connections;

use super::{AddressFlags, AuthFlags, Http2Flags, ProxyFlags, TlsFlags};
use crate::values::{parse_connections, parse_positive_duration, parse_whole_at_least_one};

/// The most redirects `--max-redirects` takes: browsers give up after 20, and more is a loop.
pub(super) const REDIRECTS_MAX: i64 = 100;

/// Flags of `boom` and `demo`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkFlags {
    /// Longest time of a request, unless its step or case says otherwise
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = parse_positive_duration)]
    pub(crate) request_timeout: Duration,

    /// Whose connections are whose: per-user, per-iteration, shared or shared:N
    ///
    /// per-user: each user keeps its own, as real clients do. per-iteration: and closes them at the end of each iteration, as a
    /// visitor who leaves. shared: the users of a core share them, as few as there are requests in flight. shared:N: at most N to
    /// one host over all cores; who finds none free waits, first come, first served, which counts as response time.
    #[arg(long, value_name = "MODE", default_value = "per-user", value_parser = parse_connections)]
    pub(crate) connections: Connections,

    /// How many redirects of one request are followed; 0 follows none
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(0..=REDIRECTS_MAX))]
    pub(crate) max_redirects: u32,

    /// How long a user's cookies stay
    #[arg(long, value_enum, value_name = "HOW", default_value_t = CookieLife::PerIteration)]
    pub(crate) cookies: CookieLife,

    /// What `hit` takes too.
    #[command(flatten)]
    pub(crate) transport: TransportFlags,
}

/// How hosts are reached and spoken to: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReachFlags {
    /// TLS.
    #[command(flatten)]
    pub(crate) tls: TlsFlags,
    /// HTTP/2.
    #[command(flatten)]
    pub(crate) http2: Http2Flags,
    /// Where connections go and come from.
    #[command(flatten)]
    pub(crate) addresses: AddressFlags,
    /// What stands between.
    #[command(flatten)]
    pub(crate) proxy: ProxyFlags,
    /// Credentials of requests.
    #[command(flatten)]
    pub(crate) auth: AuthFlags,
}

/// Flags of every command that makes load.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct TransportFlags {
    /// Longest time a connection may take to open
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_positive_duration)]
    pub(crate) connect_timeout: Duration,

    /// How long requests in flight may go on once the load has stopped
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = crate::values::parse_duration)]
    pub(crate) stop_timeout: Duration,

    /// Which requests are sent once more when a kept connection turns out to be closed
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = StaleRetry::Idempotent)]
    pub(crate) retry_stale: StaleRetry,

    // hrp's switches also take a value (--disable-keepalive=false), as all Go flags do.
    /// Close each connection after one response
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) disable_keepalive: bool,

    /// Close a connection after so many requests, or sooner where its server says so (Keep-Alive: max)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_whole_at_least_one)]
    pub(crate) max_requests_per_connection: Option<u64>,

    /// Put no request on a connection that is older, and close one that has become so after its response
    #[arg(long, value_name = "TIME", value_parser = parse_positive_duration)]
    pub(crate) max_connection_age: Option<Duration>,

    /// Do not ask for compressed responses; test cases ask for gzip unless a step says otherwise
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) disable_compression: bool,

    /// How hosts are reached and spoken to.
    #[command(flatten)]
    pub(crate) reach: ReachFlags,
}

/// Which requests are retried on a fresh connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StaleRetry {
    /// GET, HEAD, PUT, DELETE and OPTIONS
    Idempotent,
    /// Every method, POST and PATCH too
    All,
}

/// How long cookies stay (hrp spec 11.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CookieLife {
    /// To the end of the iteration: each begins as a new visitor
    PerIteration,
    /// As long as the user
    PerUser,
    /// None are kept
    Off,
}
