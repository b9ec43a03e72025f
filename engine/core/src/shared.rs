//! What the cores of a run share. None of it is looked at for a request, but for a core's own part of a bound.

use std::sync::{atomic::AtomicU64, Arc, OnceLock};

use pummel_ring::MailboxSender;

use crate::{budget::Budget, plan::ClosedLoad, rendezvous::Rendezvous, shard::Message, split::users_of, Plan};

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
        let start_at_once: Vec<u64> = (0..plan.cpus.len()).map(|core| users_at_once(plan, core)).collect();
        let budget = |total| Budget::new(total, &start_at_once);
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

/// The users of a core that begin what a bound counts as soon as the run starts, all of them or none.
fn users_at_once(plan: &Plan, core: usize) -> u64 {
    let start_at_once = |closed: &ClosedLoad| closed.stages.is_empty() && closed.spawn_rate.is_infinite();
    // Who has to log in first may never come to it.
    let begin = plan.cases.iter().all(|case| case.setup.is_empty());
    if begin && plan.load.as_closed().is_some_and(start_at_once) {
        users_of(plan, core).into()
    } else {
        0
    }
}
