//! What the cores of a run share. None of it is looked at for a request, but for a core's own part of a bound.

use std::sync::{atomic::AtomicU64, Arc, OnceLock};

use pummel_ring::MailboxSender;

use crate::{budget::Budget, rendezvous::Rendezvous, shard::Message, Plan};

/// Made before the cores start and handed to each.
pub(crate) struct Shared {
    /// The next row of the parameters, for each case.
    pub(crate) cursors: Vec<Arc<AtomicU64>>,
    pub(crate) rendezvous: Rendezvous,
    /// Iterations the users of a closed run may still begin, where they have a bound.
    pub(crate) iterations: Option<Budget>,
    /// Requests that may still start, where they have one.
    pub(crate) requests: Option<Budget>,
    mailboxes: OnceLock<Vec<MailboxSender<Message>>>,
}

impl Shared {
    pub(crate) fn new(plan: &Plan) -> Self {
        let budget = |total| Budget::new(total, plan.cpus.len());
        // Of an open run the arrivals have numbers.
        let iterations = plan.load.total_iterations.filter(|_| plan.load.open().is_none());
        Self {
            cursors: plan.cases.iter().map(|_| Arc::default()).collect(),
            rendezvous: Rendezvous::new(plan),
            iterations: iterations.map(budget),
            requests: plan.load.total_requests.map(budget),
            mailboxes: OnceLock::new(),
        }
    }

    /// Tells how the cores are reached. To be called before they start.
    pub(crate) fn connect(&self, mailboxes: Vec<MailboxSender<Message>>) {
        self.rendezvous.connect(mailboxes.clone());
        let _ = self.mailboxes.set(mailboxes);
    }

    /// Tells the other cores that a bound is used up: one of them may wait for what it need not do any more.
    pub(crate) fn tell_used_up(&self, core: usize) {
        let mailboxes = self.mailboxes.get().into_iter().flatten().enumerate();
        for (_, mailbox) in mailboxes.filter(|(other, _)| *other != core) {
            // A core that has ended waits for nothing.
            let _ = mailbox.send(Message::UsedUp);
        }
    }
}
