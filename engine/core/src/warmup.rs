//! The end of the warm-up: what has ended by then is kept apart from what is measured.

use std::rc::Rc;

use crate::{plan::nanos, shard::Shard};

/// Parts this core's figures when the warm-up is over; there is nothing to do in a run without one.
pub(crate) async fn end_warmup(shard: Rc<Shard>) {
    let Some(warmup) = shard.plan.warmup else { return };
    shard.ring.sleep_until(shard.start_ns.saturating_add(nanos(warmup))).await;
    if !shard.stopped() {
        shard.note_arrivals(shard.clock_ns(), false);
        if let Some(open) = &shard.open {
            open.warmup_ended();
        }
    }
    shard.recorder.borrow_mut().warmup_ended(shard.clock_ns());
}
