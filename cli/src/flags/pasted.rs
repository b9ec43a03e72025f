//! `curl ...` behind `boom` and `run`: a pasted command in place of test cases.

use clap::{Args, Subcommand};

/// What may stand in place of paths. Flags of pummel stand before it; everything behind it is the command's.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PastedCommand {
    Curl(CurlFlags),
}

/// Run a curl command in place of test cases
///
/// The command stands behind it as it is typed for curl, or as one text in quotes; pummel's own flags stand before the word
/// curl. What curl would send is sent.
#[derive(Debug, Clone, Args)]
pub(crate) struct CurlFlags {
    /// URL and options of curl
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CURL OPTIONS")]
    pub(crate) words: Vec<String>,
}
