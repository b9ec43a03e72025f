//! A request that is given on the command line.

use clap::Args;

use crate::values::{parse_header, parse_method, Header};

/// Flags of every command that takes a URL to load.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestFlags {
    /// Method of the request [default: GET, or POST with a body]
    #[arg(short, long, value_name = "METHOD", value_parser = parse_method)]
    pub(crate) method: Option<String>,

    /// Header of the request, 'Name: value'; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = parse_header)]
    pub(crate) headers: Vec<Header>,

    /// Body of the request; @FILE reads it from a file, @- from stdin
    #[arg(short, long, value_name = "TEXT|@FILE", allow_hyphen_values = true)]
    pub(crate) body: Option<String>,
}
