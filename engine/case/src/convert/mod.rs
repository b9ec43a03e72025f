//! Converters: other people's requests, and the two forms of a case file, as test cases (hrp spec section 18).
//!
//! Read `run` for the way in, `problem` for what can go wrong, then one source after the other: `shell`, `curl_options` and
//! `curl`; `har`; `postman` with `postman_variables`; `case_file` with `shape`. They share `draft` (a step being put together),
//! `foreign` (JSON of other tools) and `payload` (which texts a case can say as a map). `overrides` is hrp's profile, `yaml` writes what `document` reads.
//!
//! What holds for every source:
//!
//! - The request a converted step sends means the same as the one it was made from. Where a map would lose something (a key
//!   twice, a number too long, blanks around a text) the text itself is kept.
//! - Foreign text is data: a `$` in it is written as `$$`.
//! - The result loads, except where it asks for a feature that is not built yet. What a case cannot say is left out with a note
//!   that names it, or refused.
//! - Input of any size and depth is refused or converted within bounded memory.

mod case_file;
mod curl;
mod curl_options;
mod draft;
mod foreign;
mod har;
mod overrides;
mod payload;
mod postman;
mod postman_variables;
mod problem;
mod run;
mod shape;
mod shell;
mod source;
mod yaml;

pub use overrides::Overrides;
pub use problem::{ConvertError, ConvertNote};
pub use run::{convert, convert_curl_words, ConvertOptions, Converted, ReadFile, StepNames};
pub use source::{CaseFormat, Source};
