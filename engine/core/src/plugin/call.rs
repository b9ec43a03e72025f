//! A call as one of a user's waits.

use std::{
    future::{poll_fn, Future},
    pin::pin,
    task::Poll,
};

use pummel_case::{CallOutcome, PluginCall, Progress};
use pummel_ring::now_ns;
use pummel_stats::{PluginCaller, RowId};

use super::{calls::Standing, pending::fill};
use crate::{
    iteration::{Ended, Part, IDLE_ITERATION_NS},
    shard::Shard,
    user::User,
};

/// The largest arguments of a call: as large as its result may be, and as any variable.
const ARGUMENTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// On whose behalf a user waits: a request's, or that of what stands before them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitOf {
    caller: PluginCaller,
    /// Its response is there: the stop of the load lets a call go on, as it does with requests under way.
    answered: bool,
}

impl WaitOf {
    /// A request that is being built.
    pub(crate) fn request(row: RowId) -> Self {
        Self { caller: PluginCaller::Row(row), answered: false }
    }

    /// A request whose response is there.
    pub(crate) fn response(row: RowId) -> Self {
        Self { caller: PluginCaller::Row(row), answered: true }
    }

    /// What stands before the requests of these steps.
    pub(crate) fn part(part: Part) -> Self {
        let caller = match part {
            Part::Setup => PluginCaller::Setup,
            Part::Load => PluginCaller::Iteration,
        };
        Self { caller, answered: false }
    }

    /// True once a call is to be given up.
    fn is_over(self, shard: &Shard) -> bool {
        if self.answered {
            shard.aborted()
        } else {
            shard.stopping()
        }
    }
}

impl User<'_> {
    /// Makes a call and gives it back to the step that asked for it. The user then stands at the call's end, so that no request holds
    /// its time.
    pub(crate) async fn call_plugin(&mut self, call: Box<PluginCall>, progress: &mut Progress, wait: WaitOf) -> Ended {
        let (shard, begin_ns) = (self.shard, now_ns());
        let Some(call) = shard.call_plugin(call, begin_ns, wait).await else { return Ended::Cut };
        self.now_ns = now_ns();
        let took_ns = self.now_ns.saturating_sub(begin_ns);
        // A call that ends at once need not have yielded.
        self.waited |= took_ns >= IDLE_ITERATION_NS;
        let failed = call.outcome != CallOutcome::Returned;
        shard.recorder.borrow_mut().plugin_call(wait.caller, took_ns / 1000, failed);
        progress.resume(call);
        // The step would go on with its request.
        if wait.is_over(shard) {
            Ended::Cut
        } else {
            Ended::Passed
        }
    }
}

impl Shard {
    /// Makes a call that began at a time, and gives it back with how it ended; none where it was given up.
    async fn call_plugin(&self, mut call: Box<PluginCall>, begin_ns: u64, wait: WaitOf) -> Option<Box<PluginCall>> {
        let Some(calls) = &self.plugin_calls else {
            fill(&mut call, CallOutcome::Lost, "no plugin is running");
            return Some(call);
        };
        if call.arguments.len() > ARGUMENTS_BYTES_MAX {
            fill(&mut call, CallOutcome::Failed, "its arguments are larger than 16 MiB");
            return Some(call);
        }
        if wait.is_over(self) {
            return None;
        }
        let deadline_ns = begin_ns.saturating_add(calls.timeout_ns());
        let mut limit = pin!(self.ring.sleep_until(deadline_ns));
        let waiting = calls.begin(call, deadline_ns);
        self.recorder.borrow_mut().plugin_in_flight(calls.in_flight());
        poll_fn(|cx| match waiting.poll(cx) {
            Standing::Ended(call) => Poll::Ready(Some(call)),
            _ if wait.is_over(self) => Poll::Ready(None),
            // Its link looks after its time.
            Standing::UnderWay => Poll::Pending,
            Standing::NoWorker => limit.as_mut().poll(cx).map(|()| waiting.give_up()),
        })
        .await
    }
}
