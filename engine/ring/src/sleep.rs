//! Sleeping until a time.

use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    ring::{Shared, SleepSlot, SLEEP_KEY},
    slot::Sink,
};

/// A sleep of [`Ring::sleep_until`]; dropping it forgets it.
pub struct Sleep<S: Sink> {
    pub(crate) shared: Rc<Shared<S>>,
    pub(crate) deadline_ns: u64,
    pub(crate) key: Option<u32>,
}

impl<S: Sink> Future for Sleep<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = Rc::clone(&self.shared);
        let mut inner = shared.inner.borrow_mut();
        let key = match self.key {
            Some(key) => key,
            None if crate::now_ns() >= self.deadline_ns => return Poll::Ready(()),
            None => {
                let key = inner.free_sleeps.pop().unwrap_or_else(|| {
                    inner.sleeps.push(SleepSlot::default());
                    inner.sleeps.len() as u32 - 1
                });
                let generation = inner.sleeps[key as usize].generation;
                inner.timers.add(self.deadline_ns, key | SLEEP_KEY, generation);
                self.key = Some(key);
                key
            }
        };
        let sleep = &mut inner.sleeps[key as usize];
        if sleep.fired {
            return Poll::Ready(());
        }
        match &mut sleep.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl<S: Sink> Drop for Sleep<S> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        if let Ok(mut inner) = self.shared.inner.try_borrow_mut() {
            let sleep = &mut inner.sleeps[key as usize];
            sleep.generation = sleep.generation.wrapping_add(1);
            sleep.waker = None;
            sleep.fired = false;
            inner.free_sleeps.push(key);
        }
    }
}
