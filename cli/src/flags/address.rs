//! Where connections go and come from, and how their sockets are set.

use std::{path::Path, sync::Arc};

use clap::{builder::BoolishValueParser, ArgAction, Args, ValueEnum};
use pummel_engine::Override;

use crate::values::{
    parse_connect_to, parse_resolve, parse_seconds_or_off, parse_sources, parse_unix_path, Sources, TimeOrOff,
};

/// Where connections go and come from: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Addresses")]
pub(crate) struct AddressFlags {
    /// Address of a host and port in place of a lookup, as in curl; may be repeated
    ///
    /// HOST:PORT:ADDRESS[,ADDRESS...]. * is any host without an entry of its own, IPv6 addresses may stand in brackets, and
    /// unix:/PATH is a Unix socket. Several addresses are used in turn; one that takes no connection is passed over.
    #[arg(long, value_name = "HOST:PORT:ADDR", value_parser = parse_resolve)]
    pub(crate) resolve: Vec<Override>,

    /// Another host and port to connect to, as in curl; may be repeated
    ///
    /// HOST1:PORT1:HOST2:PORT2. An empty HOST1 or PORT1 fits any, an empty HOST2 or PORT2 keeps the URL's; HOST2:PORT2 may be
    /// unix:/PATH. Requests still name the host of the URL.
    #[arg(long, value_name = "HOST1:PORT1:HOST2:PORT2", value_parser = parse_connect_to)]
    pub(crate) connect_to: Vec<Override>,

    /// Unix socket that every connection goes to
    #[arg(long, value_name = "PATH", value_parser = parse_unix_path)]
    pub(crate) unix_socket: Option<Arc<Path>>,

    /// Use IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,

    /// Use IPv6 addresses only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,

    /// How old the addresses of a name may be when a connection is opened; off looks names up once
    ///
    /// Then the name is looked up again beside the load, which goes on with the old addresses. If that fails they stay.
    #[arg(long, value_name = "TIME|off", default_value = "60s", value_parser = parse_seconds_or_off)]
    pub(crate) dns_ttl: TimeOrOff,

    /// Addresses of this machine that connections come from, in turn
    ///
    /// ADDRESS, FIRST-LAST or ADDRESS/BITS, several with commas; at most 1,024 addresses. Each has a range of ports of its own,
    /// so n addresses allow n times the connections.
    #[arg(long, value_name = "ADDR[,ADDR...]", value_delimiter = ',', value_parser = parse_sources)]
    pub(crate) source_ip: Vec<Sources>,

    /// Send small writes at once (TCP_NODELAY)
    #[arg(
        long, value_name = "BOOL", action = ArgAction::Set, default_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) tcp_nodelay: bool,

    /// Send TCP keep-alive probes on connections without traffic for so long
    #[arg(long, value_name = "TIME|off", default_value = "off", value_parser = parse_seconds_or_off)]
    pub(crate) tcp_keepalive: TimeOrOff,

    /// How connections are closed
    #[arg(long, value_enum, value_name = "HOW", default_value_t = CloseBy::Fin)]
    pub(crate) close: CloseBy,
}

/// How connections are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CloseBy {
    /// In order, as real clients do
    Fin,
    /// With a reset: no port rests in TIME_WAIT, and servers may log errors
    Rst,
}
