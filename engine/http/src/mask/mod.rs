//! Secrets taken out of the text of an exchange that somebody is going to read: a report travels further than the run it is of.
//!
//! What is a secret is told by its name ([`is_secret`]): a header, a query parameter, a field of a form, of JSON or of a
//! multipart body. The text may be cut anywhere, may be broken, and need not be what its `Content-Type` says, so nothing is
//! parsed: each way to write a name and its value is looked for wherever it stands. Where it is unclear how far a value goes,
//! more is masked rather than less. All of it takes time in proportion to the text.
//!
//! Guarantees:
//! - a text in which no name is that of a secret stays as it is;
//! - a value that was masked in one place of an exchange and has at least [`SECRET_BYTES_MIN`] bytes stands in no other place of
//!   it, the message about the failure included; this holds for the first [`SECRETS_MAX`] values.
//!
//! Reading order: this file, `names`, `exchange`, then `scan` and the ways it knows: `quoted`, `pairs`, `lines`, `parts`.

mod exchange;
mod lines;
mod names;
mod pairs;
mod parts;
mod quoted;
mod scan;
mod secrets;

pub use exchange::{mask_exchange, mask_text, mask_url, ExchangeText, MessageText};
pub use names::is_secret;
pub use secrets::{SECRETS_MAX, SECRET_BYTES_MIN};

/// What stands in place of a secret.
pub const MASK: &str = "***";
