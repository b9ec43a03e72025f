//! A bound on connections: who finds none free waits for one, first come, first served.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{poll_fn, Future},
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use pummel_ring::now_ns;

use super::{
    exchange::{Hop, Unanswered},
    origins::OriginId,
    tally::Tally,
};
use crate::{error::Kind, shard::Shard};

/// As many permits for each origin as a core may have connections to it (`--connections shared:N`). Whoever uses a connection
/// holds one. A connection is opened only by a holder that finds none idle, so those in use and those idle are never more than the
/// permits together.
pub(crate) struct ConnectionLimit {
    most: u64,
    queues: RefCell<Vec<Queue>>,
}

struct Queue {
    /// Permits nobody holds; none while somebody waits.
    free: u64,
    /// The number of the first that waits. Those with a smaller one have been given their permit.
    first: u64,
    waiting: VecDeque<Waiter>,
}

enum Waiter {
    Waits(Option<Waker>),
    Gone,
}

/// The right to use one connection to an origin. Dropping it gives it to the one that has waited longest.
pub(crate) struct Permit {
    limit: Rc<ConnectionLimit>,
    origin: OriginId,
}

/// A place in the queue. Dropping it leaves the queue; a permit that came meanwhile goes to the next.
pub(crate) struct Waiting {
    limit: Rc<ConnectionLimit>,
    origin: OriginId,
    number: u64,
    served: bool,
}

impl ConnectionLimit {
    /// So many connections to each origin, at least 1.
    pub(crate) fn new(most: u64) -> Rc<Self> {
        Rc::new(Self { most: most.max(1), queues: RefCell::default() })
    }

    /// A permit, where one is free.
    pub(crate) fn try_take(self: &Rc<Self>, origin: OriginId) -> Option<Permit> {
        self.with(origin, |queue| {
            let free = queue.free > 0;
            queue.free -= u64::from(free);
            free
        })
        .then(|| Permit { limit: Rc::clone(self), origin })
    }

    /// The last place in the queue. Take it only where [`try_take`](Self::try_take) gave nothing.
    pub(crate) fn wait(self: &Rc<Self>, origin: OriginId) -> Waiting {
        let number = self.with(origin, |queue| {
            queue.waiting.push_back(Waiter::Waits(None));
            queue.first + queue.waiting.len() as u64 - 1
        });
        Waiting { limit: Rc::clone(self), origin, number, served: false }
    }

    fn with<T>(&self, origin: OriginId, f: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queues = self.queues.borrow_mut();
        if queues.len() <= origin.index() {
            let new = || Queue { free: self.most, first: 0, waiting: VecDeque::new() };
            queues.resize_with(origin.index() + 1, new);
        }
        f(&mut queues[origin.index()])
    }

    fn give_back(&self, origin: OriginId) {
        let waker = self.with(origin, Queue::pass_on);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Queue {
    /// Gives a permit to the first that still waits; gives whom to wake.
    fn pass_on(&mut self) -> Option<Waker> {
        while let Some(waiter) = self.waiting.pop_front() {
            self.first += 1;
            if let Waiter::Waits(waker) = waiter {
                return waker;
            }
        }
        self.free += 1;
        None
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limit.give_back(self.origin);
    }
}

impl Waiting {
    /// Polls for the permit.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Permit> {
        let number = self.number;
        let waits = self.limit.with(self.origin, |queue| {
            let Some(place) = number.checked_sub(queue.first) else { return false };
            queue.waiting[place as usize] = Waiter::Waits(Some(cx.waker().clone()));
            true
        });
        if waits {
            return Poll::Pending;
        }
        self.served = true;
        Poll::Ready(Permit { limit: Rc::clone(&self.limit), origin: self.origin })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.served {
            return;
        }
        let number = self.number;
        let granted = self.limit.with(self.origin, |queue| match number.checked_sub(queue.first) {
            Some(place) => {
                queue.waiting[place as usize] = Waiter::Gone;
                false
            }
            None => true,
        });
        if granted {
            self.limit.give_back(self.origin);
        }
    }
}

impl Shard {
    /// Waits until a connection to the origin may be used, behind those that wait already. That ends with the load, and the request
    /// is then abandoned: it was never sent.
    ///
    /// The wait is the server's doing as much as the bound's, and the plan's wish: it is part of the response time, not of the
    /// service time, and no lateness of the engine. The request's own time limit begins with its first byte, as always. Gives
    /// when the wait was over, too.
    pub(super) async fn wait_for_connection(
        &self,
        limit: &Rc<ConnectionLimit>,
        hop: &Hop<'_>,
        tally: &mut Tally,
    ) -> Result<(Option<Permit>, u64), Unanswered> {
        let from_ns = now_ns();
        let mut waiting = limit.wait(hop.origin);
        let mut over = pin!(self.ring.sleep_until(hop.until_ns));
        let waited = poll_fn(|cx| {
            if self.stopping() {
                return Poll::Ready(Err(Unanswered::Abandoned));
            }
            match waiting.poll(cx) {
                Poll::Ready(permit) => Poll::Ready(Ok(permit)),
                Poll::Pending if hop.until_ns == u64::MAX => Poll::Pending,
                Poll::Pending => over.as_mut().poll(cx).map(|()| Err(Kind::RequestTimeout.into())),
            }
        });
        let waited = waited.await;
        let over_ns = now_ns();
        match waited {
            Ok(permit) => {
                if tally.sent_ns == 0 {
                    tally.network_ns += over_ns.saturating_sub(from_ns);
                }
                Ok((Some(permit), over_ns))
            }
            Err(unanswered) => {
                tally.never_sent();
                Err(unanswered)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering},
            Arc,
        },
        task::{Context, Poll, Wake, Waker},
    };

    use super::{ConnectionLimit, Permit, Waiting};
    use crate::network::origins::{Manner, OriginId, Origins};

    fn origins() -> [OriginId; 2] {
        let mut origins = Origins::default();
        let mut origin = |port| {
            let origin = pummel_case::Origin { https: false, host: "h".into(), port };
            origins.intern(&origin, Manner::default()).unwrap()
        };
        [origin(1), origin(2)]
    }

    fn poll(waiting: &mut Waiting) -> Option<Permit> {
        match waiting.poll(&Context::from_waker(Waker::noop())) {
            Poll::Ready(permit) => Some(permit),
            Poll::Pending => None,
        }
    }

    #[test]
    fn each_origin_has_its_own_permits() {
        let (limit, [a, b]) = (ConnectionLimit::new(2), origins());
        let held = [limit.try_take(a), limit.try_take(a), limit.try_take(b)];
        assert!(held.iter().all(Option::is_some));
        assert!(limit.try_take(a).is_none() && limit.try_take(b).is_some());
        drop(held);
        assert!(limit.try_take(a).is_some());
    }

    #[test]
    fn who_waits_longest_is_served_first_and_nobody_slips_in() {
        let (limit, [a, _]) = (ConnectionLimit::new(1), origins());
        let held = limit.try_take(a);
        let [mut first, mut second] = [limit.wait(a), limit.wait(a)];
        assert!(poll(&mut first).is_none() && poll(&mut second).is_none());
        drop(held);
        assert!(limit.try_take(a).is_none(), "the permit has an owner, who has yet to fetch it");
        assert!(poll(&mut second).is_none());
        let held = poll(&mut first);
        assert!(held.is_some());
        drop((first, held));
        assert!(poll(&mut second).is_some());
        drop(second);
        assert!(limit.try_take(a).is_some());
    }

    #[test]
    fn who_leaves_the_queue_loses_no_permit() {
        let (limit, [a, _]) = (ConnectionLimit::new(1), origins());
        let held = limit.try_take(a);
        let [gone, granted, mut last] = [limit.wait(a), limit.wait(a), limit.wait(a)];
        drop(gone);
        drop(held);
        assert!(poll(&mut last).is_none());
        drop(granted);
        let held = poll(&mut last);
        assert!(held.is_some() && limit.try_take(a).is_none());
        drop((last, held));
        assert!(limit.try_take(a).is_some() && limit.try_take(a).is_some_and(|_| true));
    }

    #[test]
    fn the_one_that_is_served_is_woken() {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (limit, [a, _]) = (ConnectionLimit::new(1), origins());
        let held = limit.try_take(a);
        let [mut first, mut second] = [limit.wait(a), limit.wait(a)];
        let counts = [Arc::new(Count(AtomicUsize::new(0))), Arc::new(Count(AtomicUsize::new(0)))];
        for (waiting, count) in [&mut first, &mut second].into_iter().zip(&counts) {
            let waker = Waker::from(Arc::clone(count));
            assert!(waiting.poll(&Context::from_waker(&waker)).is_pending());
        }
        drop(held);
        assert_eq!(counts.map(|count| count.0.load(Ordering::Relaxed)), [1, 0]);
    }
}
