//! TLS.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// TLS: flags of every command that sends requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsFlags {
    /// Verify the servers' certificates; `hit` does so by itself
    #[arg(long, overrides_with = "insecure")]
    pub(crate) verify: bool,

    /// Accept any certificate; `boom`, `run` and `demo` do so by themselves, as hrp does
    #[arg(short = 'k', long, overrides_with = "verify")]
    pub(crate) insecure: bool,

    /// Trust the certificates of a PEM file too, and verify; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Vec<PathBuf>,

    /// Certificate to show where a server asks for one, a PEM file that may hold the key too
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// Private key of --cert, a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// Name to ask servers for (SNI) and to verify, in place of the URL's host
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,

    /// Oldest version of TLS to speak
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = LeastTls::V1_2)]
    pub(crate) tls_min: LeastTls,

    /// Whether connections resume earlier TLS sessions; off makes every handshake a full one
    #[arg(long, value_enum, value_name = "on|off", default_value_t = Switch::On, hide_possible_values = true)]
    pub(crate) tls_resumption: Switch,
}

/// Versions of TLS to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeastTls {
    /// RFC 5246
    #[value(name = "1.2", help = None)]
    V1_2,
    /// RFC 8446
    #[value(name = "1.3", help = None)]
    V1_3,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Yes.
    #[value(help = None)]
    On,
    /// No.
    #[value(help = None)]
    Off,
}
