//! What a run says once, however often it happens.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    Arc,
};

/// A warning that all users of a process give once among them. Copies of it are the same warning.
#[derive(Debug, Clone)]
pub(crate) struct Notice(Arc<Told>);

#[derive(Debug)]
struct Told {
    text: Box<str>,
    given: AtomicBool,
}

impl Notice {
    pub(crate) fn new(text: String) -> Self {
        Notice(Arc::new(Told { text: text.into(), given: AtomicBool::new(false) }))
    }

    /// Gives it where nobody has and `applies` says so. Once given it is only read, so cores do not wait for each other.
    pub(crate) fn give_if(&self, applies: impl FnOnce() -> bool) {
        let Told { text, given } = &*self.0;
        if !given.load(Ordering::Relaxed) && applies() && !given.swap(true, Ordering::Relaxed) {
            tracing::warn!("{text}");
        }
    }

    /// Whether it has been given.
    #[cfg(test)]
    pub(crate) fn is_given(&self) -> bool {
        self.0.given.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_once_by_all_copies() {
        let notice = Notice::new("seen".into());
        let copy = notice.clone();
        notice.give_if(|| false);
        assert!(!copy.is_given());
        notice.give_if(|| true);
        assert!(copy.is_given());
        copy.give_if(|| panic!("nothing is looked at any more"));
    }
}
