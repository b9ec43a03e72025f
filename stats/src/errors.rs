//! The distinct errors of one core, of which there are no more than a bound whatever a server says.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::interval::ErrorKey;
use crate::row::RowId;

/// Distinct (row, kind, message) a core tells apart. A message may hold what a server sent, so their number is the
/// server's to choose; what goes over the limit counts by kind alone.
pub const MAX_ERRORS: usize = 200;

/// Longest error message kept, bytes. A sentence fits; a response body does not.
pub const MAX_MESSAGE_BYTES: usize = 300;

/// The message of the entry that gathers, by kind, the errors over [`MAX_ERRORS`].
pub const OTHER_MESSAGES: &str = "other messages";

/// An error with a given message. `row` is `None` for those over the limit.
struct KnownError {
    row: Option<u32>,
    kind: &'static str,
    id: u32,
}

/// Those a core has met so far.
#[derive(Default)]
pub(crate) struct Errors {
    /// By message, so that a known one is found without making a key.
    by_message: HashMap<Box<str>, Vec<KnownError>>,
    known: usize,
    distinct: usize,
    /// What is made of a message of some kind before anybody sees it.
    mask: Option<fn(&str, &str) -> String>,
}

impl Errors {
    pub(crate) fn mask_with(&mut self, mask: fn(&str, &str) -> String) {
        self.mask = Some(mask);
    }

    /// How many ids there are.
    pub(crate) fn known(&self) -> usize {
        self.known
    }

    /// The id of an error; on its first use with its key.
    pub(crate) fn id(&mut self, row: RowId, kind: &'static str, message: &str) -> (u32, Option<ErrorKey>) {
        let message = cut(message);
        if let Some(id) = self.find(Some(row.0), kind, message) {
            return (id, None);
        }
        let (row, message) = if self.distinct < MAX_ERRORS {
            self.distinct += 1;
            (Some(row.0), message)
        } else {
            if let Some(id) = self.find(None, kind, OTHER_MESSAGES) {
                return (id, None);
            }
            (None, OTHER_MESSAGES)
        };
        let id = self.known as u32;
        self.known += 1;
        self.by_message.entry(message.into()).or_default().push(KnownError { row, kind, id });
        // A known message is found as it came, so that each is masked once.
        let shown = self.mask.map_or(Cow::Borrowed(message), |mask| Cow::Owned(mask(kind, message)));
        (id, Some(ErrorKey { kind, row, message: cut(&shown).into() }))
    }

    fn find(&self, row: Option<u32>, kind: &str, message: &str) -> Option<u32> {
        let same_message = self.by_message.get(message)?;
        same_message.iter().find(|known| known.row == row && known.kind == kind).map(|known| known.id)
    }
}

/// The message's first [`MAX_MESSAGE_BYTES`], cut between characters.
fn cut(message: &str) -> &str {
    if message.len() <= MAX_MESSAGE_BYTES {
        return message;
    }
    &message[..message.floor_char_boundary(MAX_MESSAGE_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_masked_once() {
        let mut errors = Errors::default();
        errors.mask_with(|kind, message| message.replace("hunter2", kind));
        let (id, key) = errors.id(RowId(0), "assertion", "it was hunter2");
        assert_eq!((id, &*key.unwrap().message), (0, "it was assertion"));
        assert!(matches!(errors.id(RowId(0), "assertion", "it was hunter2"), (0, None)));
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"a".repeat(1000)).len(), MAX_MESSAGE_BYTES);
        // Three bytes each: 100 characters fill 300 bytes, and one byte before shifts the cut.
        assert_eq!(cut(&"\u{20ac}".repeat(101)), "\u{20ac}".repeat(100));
        assert_eq!(cut(&format!("a{}", "\u{20ac}".repeat(100))), format!("a{}", "\u{20ac}".repeat(99)));
    }
}
