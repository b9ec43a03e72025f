//! Sleeps and deadlines: never early, and none that was taken back.

use std::{future::Future, pin::pin, task::Poll};

use pummel_ring::{now_ns, Event};

use crate::{
    core::{on_ring, small, Collect},
    peer::listener,
};

const MS: u64 = 1_000_000;

/// Polls a future once, to the effect that it waits.
async fn begin(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[test]
fn sleeps_end_and_never_early() {
    on_ring::<Collect, _>(small(), |ring| async move {
        let start = now_ns();
        // 0 to 39 ms, set in no order.
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let deadline = start + (n * 77 % 200) * MS / 5;
                let ring = ring.clone();
                ring.clone().spawn(async move {
                    ring.sleep_until(deadline).await;
                    assert!(now_ns() >= deadline);
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert!(now_ns() >= start + 199 * MS / 5);
    });
}

#[test]
fn a_past_deadline_ends_at_once() {
    on_ring::<Collect, _>(small(), |ring| async move {
        let before = ring.enters();
        for _ in 0..1000 {
            ring.sleep_until(now_ns()).await;
            ring.sleep_until(0).await;
        }
        assert_eq!(ring.enters(), before, "no sleep went to the kernel");
    });
}

#[test]
fn a_dropped_sleep_does_not_wake_the_next_one_in_its_place() {
    on_ring::<Collect, _>(small(), |ring| async move {
        for _ in 0..10 {
            let start = now_ns();
            for _ in 0..100 {
                begin(ring.sleep_until(start + 600_000 * MS)).await;
            }
            // Its entry comes up while the place is in use again.
            begin(ring.sleep_until(start + 5 * MS)).await;
            ring.sleep_until(start + 20 * MS).await;
            assert!(now_ns() >= start + 20 * MS);
        }
    });
}

#[test]
fn deadlines_move_later_and_earlier_and_away() {
    let (listener, address) = listener(16);
    on_ring(small(), move |ring| async move {
        let socket = ring.connect(address, Collect::default()).unwrap();
        assert_eq!(socket.event().await, Event::Connected);
        // Later: the first time passes without an event.
        let start = now_ns();
        socket.set_deadline(start + 5 * MS);
        socket.set_deadline(start + 30 * MS);
        assert_eq!(socket.event().await, Event::Timeout);
        assert!(now_ns() >= start + 30 * MS);
        // Earlier: the watchdog would end the test otherwise.
        let start = now_ns();
        socket.set_deadline(start + 600_000 * MS);
        socket.set_deadline(start + 10 * MS);
        assert_eq!(socket.event().await, Event::Timeout);
        assert!(now_ns() >= start + 10 * MS);
        // Away, and set anew: one timeout, for the last.
        let start = now_ns();
        socket.set_deadline(start + 5 * MS);
        socket.set_deadline(0);
        ring.sleep_until(start + 15 * MS).await;
        socket.set_deadline(start + 30 * MS);
        assert_eq!(socket.event().await, Event::Timeout);
        assert!(now_ns() >= start + 30 * MS);
        // A deadline of one life is not the next one's.
        socket.set_deadline(now_ns() + 5 * MS);
        drop(socket);
        let next = ring.connect(address, Collect::default()).unwrap();
        assert_eq!(next.event().await, Event::Connected);
        let start = now_ns();
        next.set_deadline(start + 30 * MS);
        assert_eq!(next.event().await, Event::Timeout);
        assert!(now_ns() >= start + 30 * MS);
        drop(listener);
    });
}
