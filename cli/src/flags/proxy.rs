//! Proxies.

use clap::Args;

/// Proxies: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct ProxyFlags {
    // Read when the plan is made, not here: what clap refuses it repeats, and this may hold a password.
    /// Proxy for all hosts: http://[USER:PASSWORD@]HOST[:PORT]; https goes through a tunnel (CONNECT)
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,

    /// Take proxies from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, which are ignored otherwise
    #[arg(long)]
    pub(crate) proxy_from_env: bool,

    /// Hosts to reach without a proxy, separated by commas: NAME, .SUFFIX, ADDRESS, NETWORK/BITS, each with :PORT, or *
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) no_proxy: Vec<String>,
}
