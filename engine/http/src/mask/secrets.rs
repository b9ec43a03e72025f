//! The secrets of one exchange, as far as they have been found.

use super::names::{json_unescaped, percent_decoded};
use super::MASK;

/// The shortest value that is looked for in the other parts of an exchange, bytes. Shorter ones are masked where they stand, and
/// would be found in words and numbers that have nothing to do with them.
pub const SECRET_BYTES_MIN: usize = 4;

/// The most values of one exchange that are looked for elsewhere. Each costs a search through all of its text; a request has
/// three or four.
pub const SECRETS_MAX: usize = 256;

/// Values that were masked, without repetition.
#[derive(Default)]
pub(super) struct Secrets {
    values: Vec<String>,
}

impl Secrets {
    /// Takes note of a value as it was written, and of what it means where it is escaped or encoded.
    pub(super) fn learn(&mut self, written: &str) {
        let value = written.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'));
        self.add(value);
        self.add(&json_unescaped(value));
        self.add(&percent_decoded(value));
    }

    fn add(&mut self, value: &str) {
        let is_word = matches!(value, "true" | "false" | "null" | "None" | "True" | "False");
        let counts = value.len() >= SECRET_BYTES_MIN && value != MASK && !is_word;
        if counts && self.values.len() < SECRETS_MAX && !self.values.iter().any(|known| known == value) {
            self.values.push(value.to_owned());
        }
    }

    /// The longest first: one may be part of another, which then goes as a whole.
    pub(super) fn sort(&mut self) {
        self.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// Takes all of them out of a text.
    pub(super) fn take_out(&self, text: &mut String) {
        for value in &self.values {
            if memchr::memmem::find(text.as_bytes(), value.as_bytes()).is_some() {
                *text = text.replace(value.as_str(), MASK);
            }
        }
    }
}
