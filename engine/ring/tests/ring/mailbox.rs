//! Messages from other threads.

use std::{thread, time::Duration};

use pummel_ring::MailboxClosed;

use crate::core::{on_ring, small, Collect};

#[test]
fn messages_arrive_in_order_and_end_with_the_last_sender() {
    const MESSAGES: u32 = 10_000;
    on_ring::<Collect, _>(small(), |ring| async move {
        let (sender, mailbox) = ring.mailbox();
        let second = sender.clone();
        let threads = [
            thread::spawn(move || (0..MESSAGES).for_each(|n| sender.send((0, n)).unwrap())),
            thread::spawn(move || (0..MESSAGES).for_each(|n| second.send((1, n)).unwrap())),
        ];
        let mut next = [0; 2];
        while let Some((thread, n)) = mailbox.receive().await {
            assert_eq!(n, next[thread]);
            next[thread] += 1;
        }
        assert_eq!(next, [MESSAGES; 2]);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_waiting_mailbox_sleeps() {
    const MESSAGES: u64 = 20;
    on_ring::<Collect, _>(small(), |ring| async move {
        let (sender, mailbox) = ring.mailbox();
        let before = ring.enters();
        let thread = thread::spawn(move || {
            for n in 0..MESSAGES {
                thread::sleep(Duration::from_millis(2));
                sender.send(n).unwrap();
            }
        });
        for n in 0..MESSAGES {
            assert_eq!(mailbox.receive().await, Some(n));
        }
        assert_eq!(mailbox.receive().await, None);
        // Each message takes one enter to wake and one to wait again; a busy wait would take thousands.
        assert!(ring.enters() - before <= 4 * (MESSAGES + 1), "{} enters", ring.enters() - before);
        thread.join().unwrap();
    });
}

#[test]
fn mailboxes_of_one_ring_do_not_mix() {
    on_ring::<Collect, _>(small(), |ring| async move {
        let (numbers, number_box) = ring.mailbox();
        let (words, word_box) = ring.mailbox();
        let thread = thread::spawn(move || {
            for n in 0..100 {
                words.send(n.to_string()).unwrap();
                numbers.send(n).unwrap();
            }
        });
        let counting = ring.spawn(async move {
            for n in 0..100 {
                assert_eq!(number_box.receive().await, Some(n));
            }
        });
        for n in 0..100 {
            assert_eq!(word_box.receive().await, Some(n.to_string()));
        }
        counting.await;
        thread.join().unwrap();
    });
}

#[test]
fn a_sender_learns_that_the_core_has_ended() {
    on_ring::<Collect, _>(small(), |ring| async move {
        let (sender, mailbox) = ring.mailbox();
        sender.send(1).unwrap();
        drop(mailbox);
        assert_eq!(sender.send(2), Err(MailboxClosed));
    });
}
