//! Tasks that wake each other while nothing is pending on the ring: the driver must not sleep on them.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use crate::core::{on_ring, small, Collect};

/// A ball that two tasks throw to each other.
#[derive(Default)]
struct Table {
    /// Whose turn it is.
    turn: Cell<usize>,
    wakers: [RefCell<Option<Waker>>; 2],
}

impl Table {
    async fn my_turn(&self, me: usize) {
        poll_fn(|cx| {
            if self.turn.get() == me {
                return Poll::Ready(());
            }
            *self.wakers[me].borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn hand_over(&self, me: usize) {
        self.turn.set(1 - me);
        if let Some(waker) = self.wakers[1 - me].take() {
            waker.wake();
        }
    }
}

#[test]
fn two_tasks_wake_each_other_with_nothing_pending() {
    const ROUND_TRIPS: usize = 10_000;
    on_ring::<Collect, _>(small(), |ring| async move {
        let table = Rc::new(Table::default());
        let players = [0, 1].map(|me| {
            let table = Rc::clone(&table);
            ring.spawn(async move {
                for _ in 0..ROUND_TRIPS {
                    table.my_turn(me).await;
                    table.hand_over(me);
                }
                ROUND_TRIPS
            })
        });
        for player in players {
            assert_eq!(player.await, ROUND_TRIPS);
        }
    });
}

#[test]
fn a_long_chain_of_wakes_reaches_its_end() {
    const TASKS: usize = 200;
    on_ring::<Collect, _>(small(), |ring| async move {
        // Each task waits for the one before it, and the first for none: no two become ready in the same yield.
        let mut last = ring.spawn(async { 1 });
        for _ in 1..TASKS {
            last = ring.spawn(async move { last.await + 1 });
        }
        assert_eq!(last.await, TASKS);
    });
}

#[test]
fn a_cancelled_task_wakes_who_waits_for_its_end() {
    on_ring::<Collect, _>(small(), |ring| async move {
        for _ in 0..100 {
            let forever = ring.spawn(std::future::pending::<()>());
            assert_eq!(forever.cancel().await, None);
        }
    });
}
