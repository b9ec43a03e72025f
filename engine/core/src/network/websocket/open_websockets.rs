//! Which connections a user has open.

use super::conversation::Conversation;
use crate::network::origins::OriginId;

/// A user's connections by the URL they were opened with (hrp spec 12.6). There are few, so they are looked through.
#[derive(Default)]
pub(crate) struct OpenWebSockets {
    open: Vec<OpenWebSocket>,
}

struct OpenWebSocket {
    origin: OriginId,
    target: Box<str>,
    /// Boxed, so that moving it in and out costs nothing.
    conversation: Box<Conversation>,
}

impl OpenWebSockets {
    /// True where a connection to a URL is open, as far as is known.
    pub(super) fn has(&self, origin: OriginId, target: &str) -> bool {
        self.position(origin, target).is_some()
    }

    /// Takes out the connection to a URL, if one is open.
    pub(super) fn take(&mut self, origin: OriginId, target: &str) -> Option<Box<Conversation>> {
        let at = self.position(origin, target)?;
        Some(self.open.swap_remove(at).conversation)
    }

    /// Puts one in.
    pub(super) fn put(&mut self, origin: OriginId, target: &str, conversation: Box<Conversation>) {
        self.open.push(OpenWebSocket { origin, target: target.into(), conversation });
    }

    /// Takes out any.
    pub(super) fn pop(&mut self) -> Option<Box<Conversation>> {
        self.open.pop().map(|one| one.conversation)
    }

    fn position(&self, origin: OriginId, target: &str) -> Option<usize> {
        self.open.iter().position(|one| one.origin == origin && *one.target == *target)
    }
}
