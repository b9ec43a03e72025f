//! How test cases are read, whatever is done with them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::values::{parse_http_url, parse_name_value};

/// Flags of `boom` and `run`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Test cases")]
pub(crate) struct CaseFileFlags {
    /// Host to use instead of the cases' own, such as http://staging:8080
    #[arg(long, value_name = "URL", value_parser = parse_http_url)]
    pub(crate) base_url: Option<String>,

    /// Variable for the cases; wins over their own; may be repeated
    #[arg(short = 'e', long = "env", value_name = "NAME=VALUE", value_parser = parse_name_value)]
    pub(crate) variables: Vec<(String, String)>,

    /// File of variables, one NAME=value a line, # for comments; -e wins over it
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,

    /// Root of the project, where paths in the cases begin [default: searched upwards from each case]
    #[arg(long, value_name = "DIR")]
    pub(crate) project_dir: Option<PathBuf>,

    /// Leave out broken cases found in a folder, with a warning for each
    #[arg(long)]
    pub(crate) skip_broken: bool,

    /// How a case's base_url and url are put together
    #[arg(long, value_enum, value_name = "HOW", default_value_t = UrlCompat::Exact)]
    pub(crate) url_compat: UrlCompat,
}

/// How URLs are put together (hrp spec 11.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UrlCompat {
    /// As they are written
    Exact,
    /// As hrp 4.3.6 sends them: a / at the end of a path without query, %2F decoded
    Hrp436,
}
