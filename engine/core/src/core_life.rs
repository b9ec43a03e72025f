//! The life of one core's load, from the first user to the last hand-over.

use std::{
    future::{poll_fn, Future},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use pummel_ring::{now_ns, Mailbox};

use crate::{
    closed_load,
    core_thread::News,
    network::connection::Wire,
    open_load,
    plan::{nanos, LoadModel},
    shard::{Message, Shard},
    warmup,
};

/// How long the end of a run waits for servers to close what is over: long enough for a round trip, too short to be noticed.
const LAST_LINGER_NS: u64 = 100_000_000;

/// The whole life of a core's load: users start, run and end; the interval is handed over each second.
pub(crate) async fn live(shard: Rc<Shard>, mailbox: Mailbox<Message, Wire>) {
    let ring = shard.ring.clone();
    let ticker = ring.spawn(tick(Rc::clone(&shard)));
    let reader = ring.spawn(read_mail(Rc::clone(&shard), mailbox));
    let clock = ring.spawn(end_load(Rc::clone(&shard)));
    let warmup = ring.spawn(warmup::end_warmup(Rc::clone(&shard)));
    let starter = match &shard.plan.load.model {
        LoadModel::Closed(_) => ring.spawn(closed_load::run(Rc::clone(&shard))),
        LoadModel::Open(_) => ring.spawn(open_load::run(Rc::clone(&shard))),
    };
    wait_for_the_end(&shard).await;
    shard.stop();
    starter.await;
    shard.until(|| shard.live.get() == 0).await;
    for task in [ticker, reader, clock, warmup] {
        task.cancel().await;
    }
    linger(&shard).await;
    if let Some(idle) = &shard.shared_idle {
        idle.borrow_mut().close(|| shard.recorder.borrow_mut().connection_closed());
    }
    shard.links.closed().await;
    if let Some(calls) = &shard.plugin_calls {
        calls.closed().await;
    }
    shard.lingering.borrow_mut().clear();
}

/// Waits until the load is stopped. A core that has nothing left to do says so, and the load ends when all have: until then somebody
/// may ask for more users, and each core is to have its part of them.
async fn wait_for_the_end(shard: &Shard) {
    let mut told = None;
    loop {
        let has_news = || shard.settled() && told != Some(shard.changes.get());
        shard.until(|| shard.stopped() || has_news()).await;
        if shard.stopped() {
            return;
        }
        let changes = shard.changes.get();
        told = Some(changes);
        let _ = shard.news.send(News::Settled { core: shard.core, changes });
    }
}

/// Hands the interval over at each second of the run clock.
async fn tick(shard: Rc<Shard>) {
    for second in 1.. {
        shard.ring.sleep_until(shard.start_ns + second * 1_000_000_000).await;
        if !shard.stopped() {
            shard.note_arrivals(second * 1_000_000_000, false);
        }
        shard.recorder.borrow_mut().hand_over(second);
    }
}

/// Stops the load when the run time is over, and gives up what is still under way after the grace.
async fn end_load(shard: Rc<Shard>) {
    shard.wake_at_stop(shard.users + 1).await;
    let run_ns = shard.plan.load.run_time.map_or(u64::MAX, nanos);
    // The end of a functional case is not that of the load.
    shard.sleep_unless(shard.start_ns.saturating_add(run_ns), Shard::stopped).await;
    shard.stop();
    shard.ring.sleep_until(now_ns().saturating_add(nanos(shard.plan.stop_timeout))).await;
    shard.abort();
}

async fn read_mail(shard: Rc<Shard>, mailbox: Mailbox<Message, Wire>) {
    while let Some(message) = mailbox.receive().await {
        match message {
            Message::Stop => shard.stop(),
            Message::Abort => shard.abort(),
            Message::Change { at_ns, command } => shard.change(at_ns, command),
            Message::UsedUp => shard.bound_is_used_up(),
            Message::Released { gate, epoch, at_ns } => shard.gates.borrow_mut()[gate].released(epoch, at_ns),
            Message::Resolved(id, found) => {
                shard.origins.borrow_mut().resolved(id, found, shard.core, now_ns());
            }
            Message::PluginsChanged => {
                if let Some(calls) = &shard.plugin_calls {
                    calls.refresh();
                }
            }
            Message::PluginAnswered { id, ended } => {
                if let Some(calls) = &shard.plugin_calls {
                    calls.answered(id, ended);
                }
            }
        }
    }
}

/// Gives the servers of the last connections a moment to close them, then drops them: what was last said on one, a
/// websocket's close above all, may not be out yet.
async fn linger(shard: &Shard) {
    let mut limit = pin!(shard.ring.sleep_until(now_ns() + LAST_LINGER_NS));
    poll_fn(|cx| match shard.lingering.borrow_mut().poll_closed(cx) {
        Poll::Pending => limit.as_mut().poll(cx),
        closed @ Poll::Ready(()) => closed,
    })
    .await;
    shard.lingering.borrow_mut().clear();
}
