//! `pummel convert`: the flags of `hrp convert` (hrp spec section 18).

use std::path::PathBuf;

use clap::Args;
use pummel_case::convert::{CaseFormat, Source};

/// Make test cases of curl commands, HAR files and Postman collections
///
/// A test case in YAML becomes one in JSON, with --to-yaml the other way round. The result stands beside each file as
/// NAME_test.json. What a file is, is told by its extension and contents, unless a --from flag says it. Of a folder, the
/// files in it are converted, not those of its sub-folders.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ConvertFlags {
    /// Files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// What the files are.
    #[command(flatten)]
    pub(crate) from: FromFlags,
    /// What is written.
    #[command(flatten)]
    pub(crate) to: ToFlags,

    /// Folder for the results [default: that of each file]
    #[arg(short = 'd', long, value_name = "DIR", help_heading = "To")]
    pub(crate) output_dir: Option<PathBuf>,

    /// File of headers and cookies to put over those of every request; `override: true` in it drops the requests' own
    #[arg(short, long, value_name = "FILE", help_heading = "To")]
    pub(crate) profile: Option<PathBuf>,
}

/// What the files are; at most one.
#[derive(Debug, Args)]
#[group(multiple = false)]
#[command(next_help_heading = "From")]
pub(crate) struct FromFlags {
    /// Test cases in JSON
    #[arg(long)]
    pub(crate) from_json: bool,
    /// Test cases in YAML
    #[arg(long)]
    pub(crate) from_yaml: bool,
    /// HTTP Archives, as browsers save them
    #[arg(long)]
    pub(crate) from_har: bool,
    /// Postman collections 2.0 or 2.1
    #[arg(long)]
    pub(crate) from_postman: bool,
    /// curl commands, one or several a file
    #[arg(long)]
    pub(crate) from_curl: bool,
}

/// What is written; at most one.
#[derive(Debug, Args)]
#[group(multiple = false)]
#[command(next_help_heading = "To")]
pub(crate) struct ToFlags {
    /// Write JSON, which is the default
    #[arg(long)]
    pub(crate) to_json: bool,
    /// Write YAML
    #[arg(long)]
    pub(crate) to_yaml: bool,
    /// hrp's Python scripts, which are not written here.
    #[arg(long, hide = true)]
    pub(crate) to_pytest: bool,
}

impl FromFlags {
    /// The form that was asked for.
    pub(crate) fn source(&self) -> Option<Source> {
        [
            (self.from_json, Source::Json),
            (self.from_yaml, Source::Yaml),
            (self.from_har, Source::Har),
            (self.from_postman, Source::Postman),
            (self.from_curl, Source::Curl),
        ]
        .into_iter()
        .find_map(|(asked, source)| asked.then_some(source))
    }
}

impl ToFlags {
    /// The form that is written.
    pub(crate) fn format(&self) -> CaseFormat {
        if self.to_yaml {
            CaseFormat::Yaml
        } else {
            CaseFormat::Json
        }
    }
}

const EXAMPLES: &str = "\
EXAMPLES:
  What a browser recorded:
    pummel convert shop.har

  Commands from a text file, as YAML in another folder:
    pummel convert --from-curl commands.txt --to-yaml -d cases

  A Postman collection, with a header for all its requests:
    echo 'headers: {X-Run: load}' > profile.yml
    pummel convert collection.json -p profile.yml";
