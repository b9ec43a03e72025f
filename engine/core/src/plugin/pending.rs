//! The calls of one core that have not ended: each has a place, whose number is the call's on the wire.

use std::task::{Context, Waker};

use pummel_case::{CallOutcome, PluginCall};

/// Who has a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holder {
    /// The plugin's number.
    pub(super) plugin: usize,
    pub(super) worker: usize,
    /// Which process of the worker.
    pub(super) generation: u64,
    /// The link that carries it, by its number on this core, from 1; [`GRPC`] where there is none.
    pub(super) link: u64,
}

/// Stands for a link where a worker speaks gRPC.
pub(super) const GRPC: u64 = 0;

/// How far a call is. Its place is kept until no reply can come for its number any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No worker has it yet.
    Waits,
    /// It stands in the queue of its holder.
    Queued(Holder),
    /// Its holder was sent it.
    Sent(Holder),
    /// As the call says.
    Ended,
}

/// The places of one core.
#[derive(Debug, Default)]
pub(super) struct Pending {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    /// None where it is free.
    state: Option<State>,
    /// Gone where its user no longer waits.
    call: Option<Box<PluginCall>>,
    /// In nanoseconds of the ring's clock.
    deadline_ns: u64,
    waker: Option<Waker>,
}

/// A call at the front of a link's queue.
pub(super) enum Next<'a> {
    /// It is sent now.
    Call(&'a PluginCall),
    /// Its user has left, and its place is free now.
    Left,
}

impl Place {
    fn wake(&self) {
        self.waker.iter().for_each(Waker::wake_by_ref);
    }
}

impl State {
    fn holder(self) -> Option<Holder> {
        match self {
            Self::Queued(holder) | Self::Sent(holder) => Some(holder),
            Self::Waits | Self::Ended => None,
        }
    }
}

impl Pending {
    /// Takes a call in, which waits for a worker.
    pub(super) fn begin(&mut self, call: Box<PluginCall>, deadline_ns: u64) -> u32 {
        let id = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { state: None, call: None, deadline_ns: 0, waker: None });
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[id as usize];
        place.state = Some(State::Waits);
        place.call = Some(call);
        place.deadline_ns = deadline_ns;
        id
    }

    /// How far a call is.
    pub(super) fn state(&self, id: u32) -> State {
        self.places[id as usize].state.expect("a call has its place until its user leaves it")
    }

    /// Notes how far a call is.
    pub(super) fn set_state(&mut self, id: u32, state: State) {
        self.places[id as usize].state = Some(state);
    }

    /// A call whose user waits.
    pub(super) fn call(&mut self, id: u32) -> &mut PluginCall {
        self.places[id as usize].call.as_mut().expect("a call stays in its place while its user waits")
    }

    /// When a call's time is over.
    pub(super) fn deadline_ns(&self, id: u32) -> u64 {
        self.places[id as usize].deadline_ns
    }

    /// Notes whom to wake when a call is further.
    pub(super) fn note_waker(&mut self, id: u32, cx: &Context<'_>) {
        match &mut self.places[id as usize].waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// The user of a call leaves, with the call. The place of one that is on its way stays until its reply has come.
    pub(super) fn leave(&mut self, id: u32) -> Option<Box<PluginCall>> {
        let call = self.places[id as usize].call.take();
        if matches!(self.state(id), State::Waits | State::Ended) {
            self.release(id);
        }
        call
    }

    /// The call at the front of its link's queue.
    pub(super) fn send(&mut self, id: u32) -> Next<'_> {
        let place = &self.places[id as usize];
        if place.call.is_none() {
            self.release(id);
            return Next::Left;
        }
        if let State::Queued(holder) = self.state(id) {
            self.set_state(id, State::Sent(holder));
        }
        Next::Call(self.call(id))
    }

    /// A call that a link carries, or gRPC, has ended: `fill` says how, unless nobody wants to know. Gives who had it; none where no
    /// such call is under way there.
    pub(super) fn answer(&mut self, id: u32, link: u64, fill: impl FnOnce(&mut PluginCall)) -> Option<Holder> {
        match self.places.get(id as usize)?.state {
            Some(State::Sent(holder)) if holder.link == link => {
                self.end(id, fill);
                Some(holder)
            }
            _ => None,
        }
    }

    /// A link is over. What it had sent ends, as `fill` says, which is told whether the call's time was over; what it had not sent
    /// waits for another worker, unless there is to be none. Gives how many calls it had.
    pub(super) fn link_over(
        &mut self,
        link: u64,
        now_ns: u64,
        elsewhere: bool,
        mut fill: impl FnMut(&mut PluginCall, bool),
    ) -> u32 {
        let mut count = 0;
        for id in 0..self.places.len() as u32 {
            let place = &mut self.places[id as usize];
            let Some(state) = place.state.filter(|state| state.holder().is_some_and(|holder| holder.link == link))
            else {
                continue;
            };
            count += 1;
            let late = place.deadline_ns <= now_ns;
            if elsewhere && matches!(state, State::Queued(_)) && place.call.is_some() && !late {
                place.state = Some(State::Waits);
                place.wake();
            } else {
                self.end(id, |call| fill(call, late));
            }
        }
        count
    }

    /// The earliest deadline of a link's calls; none where it has none.
    pub(super) fn earliest_ns(&self, link: u64) -> Option<u64> {
        let of_link = |place: &&Place| place.state.and_then(State::holder).is_some_and(|holder| holder.link == link);
        self.places.iter().filter(of_link).map(|place| place.deadline_ns).min()
    }

    /// A worker may be there now.
    pub(super) fn wake_waiting(&self) {
        self.places.iter().filter(|place| place.state == Some(State::Waits)).for_each(Place::wake);
    }

    fn end(&mut self, id: u32, fill: impl FnOnce(&mut PluginCall)) {
        let place = &mut self.places[id as usize];
        match &mut place.call {
            None => self.release(id),
            Some(call) => {
                fill(call);
                place.state = Some(State::Ended);
                place.wake();
            }
        }
    }

    fn release(&mut self, id: u32) {
        self.places[id as usize].state = None;
        self.free.push(id);
    }
}

/// Says how a call ended.
pub(super) fn fill(call: &mut PluginCall, outcome: CallOutcome, answer: &str) {
    call.outcome = outcome;
    call.answer.clear();
    call.answer.push_str(answer);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pummel_case::PluginId;

    use super::*;

    const HOLDER: Holder = Holder { plugin: 0, worker: 1, generation: 2, link: 3 };

    fn call(function: &str) -> PluginCall {
        PluginCall {
            plugin: PluginId(0),
            function: Arc::from(function),
            arguments: "[]".into(),
            outcome: CallOutcome::Pending,
            answer: String::new(),
        }
    }

    fn returned(call: &mut PluginCall) {
        fill(call, CallOutcome::Returned, "7");
    }

    /// A call that its link has sent.
    fn sent(pending: &mut Pending, deadline_ns: u64) -> u32 {
        let id = pending.begin(call("f").into(), deadline_ns);
        pending.set_state(id, State::Queued(HOLDER));
        assert!(matches!(pending.send(id), Next::Call(_)));
        id
    }

    #[test]
    fn a_number_is_not_used_again_while_a_reply_may_come() {
        let mut pending = Pending::default();
        let id = sent(&mut pending, 10);
        assert!(pending.leave(id).is_some());
        assert_ne!(pending.begin(call("g").into(), 10), id);
        assert_eq!(pending.answer(id, HOLDER.link, |_| unreachable!("nobody wants to know")), Some(HOLDER));
        assert_eq!(pending.begin(call("h").into(), 10), id);
    }

    #[test]
    fn an_answer_counts_once_and_only_from_the_link_that_has_the_call() {
        let mut pending = Pending::default();
        let id = sent(&mut pending, 10);
        assert_eq!(pending.answer(id, GRPC, returned), None);
        assert_eq!(pending.answer(id + 1, HOLDER.link, returned), None);
        assert_eq!(pending.answer(id, HOLDER.link, returned), Some(HOLDER));
        assert_eq!(pending.answer(id, HOLDER.link, |_| unreachable!("it has ended")), None);
        assert_eq!(pending.leave(id).map(|call| call.answer.clone()).as_deref(), Some("7"));
    }

    #[test]
    fn with_its_link_what_was_sent_ends_and_what_was_not_waits_again() {
        let mut pending = Pending::default();
        let (late, early) = (sent(&mut pending, 10), sent(&mut pending, 11));
        let queued = pending.begin(call("q").into(), 12);
        let left = pending.begin(call("l").into(), 9);
        let elsewhere = pending.begin(call("e").into(), 1);
        for (id, link) in [(queued, HOLDER.link), (left, HOLDER.link), (elsewhere, GRPC)] {
            pending.set_state(id, State::Queued(Holder { link, ..HOLDER }));
        }
        assert!(pending.leave(left).is_some());
        assert_eq!(pending.earliest_ns(HOLDER.link), Some(9));
        let mut lates = Vec::new();
        assert_eq!(pending.link_over(HOLDER.link, 10, true, |_, late| lates.push(late)), 4);
        assert_eq!(lates, [true, false]);
        let states = [late, early, queued].map(|id| pending.state(id));
        assert_eq!(states, [State::Ended, State::Ended, State::Waits]);
        assert_eq!(pending.earliest_ns(HOLDER.link), None);
        assert_eq!(pending.earliest_ns(GRPC), Some(1));
    }
}
