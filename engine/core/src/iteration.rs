//! One iteration of a case in a load run: the walk over its flat list of steps (hrp spec 14.7, 14.8).

use std::{future::Future, pin::Pin, time::Duration};

use pummel_case::{
    EnterStep, EvaluateStep, Prepared, Progress, RendezvousStep, Repeat, Session, Step, StepError, TransactionEdge,
    Wait,
};
use pummel_ring::now_ns;
use pummel_stats::{Exchanges, RowId};

use crate::{
    cursor::Cursor,
    error::Kind,
    plan::nanos,
    plugin::WaitOf,
    program::{Compiled, Program},
    user::User,
};

/// An iteration in which nothing went over the wire and no think time came near this (transactions only, a step that cannot
/// be rendered, a refused connection) ends with this sleep, so that its user does not keep the core from everything else.
pub(crate) const IDLE_ITERATION_NS: u64 = 1_000_000;

/// After so many rounds of its loops a user lets the others run: a loop in which nothing waits would keep the core for itself, and
/// loops in loops for ever.
const REPEATS_PER_YIELD: u32 = 256;

#[derive(Clone, Copy, Default)]
pub(crate) struct Transaction {
    pub(crate) open: bool,
    failed: bool,
    pub(crate) start_ns: u64,
}

/// A referenced case that has begun.
#[derive(Clone, Copy)]
pub(crate) struct Entered {
    index: usize,
    start_ns: u64,
}

/// Which steps of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those each user does once, beside the counted load.
    Setup,
    /// Those of every iteration.
    Load,
}

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Passed,
    Failed,
    /// The run ended before the step did, or before it began.
    Cut,
}

impl<'a> User<'a> {
    /// One iteration of a case: steps in order until one fails (hrp spec 14.7). Cut also when no case has a row left.
    pub(crate) async fn iterate(&mut self) -> Ended {
        let shard = self.shard;
        let Some((program, position)) = self.pick() else { return Ended::Cut };
        self.take_row(program.case, position);
        self.begin(program.case);
        self.waited = false;
        let start_ns = self.now_ns;
        let ended = self.walk(program.case, Part::Load).await;
        self.end_visit();
        if ended == Ended::Cut {
            return ended;
        }
        self.close(program, start_ns, ended == Ended::Passed);
        shard.close_websockets(&mut self.client);
        if !self.waited {
            self.now_ns = now_ns() + IDLE_ITERATION_NS;
            shard.sleep_until(self.now_ns).await;
        }
        ended
    }

    /// The case of the next iteration, and its position in the sequence of the case's rows. A case whose rows are all used is
    /// passed over; none when no other is left.
    fn pick(&mut self) -> Option<(&'a Program, u64)> {
        let shard = self.shard;
        let exhausted = |case: usize| shard.programs[case].cursor.as_ref().is_some_and(Cursor::exhausted);
        let mut case = shard.choice.pick(&mut self.random);
        loop {
            let program = &shard.programs[case];
            let Some(cursor) = &program.cursor else { return Some((program, 0)) };
            if let Some(position) = cursor.take() {
                return Some((program, position));
            }
            case = shard.choice.pick_among(&mut self.random, |case| !exhausted(case))?;
        }
    }

    /// Goes through the steps of a case up to the first that fails.
    pub(crate) async fn walk(&mut self, case: usize, part: Part) -> Ended {
        let shard = self.shard;
        let program = &shard.programs[case];
        let (steps, compiled) = match part {
            Part::Setup => (&shard.plan.cases[case].setup, &program.setup),
            Part::Load => (&shard.plan.cases[case].steps, &program.steps),
        };
        let start_ns = self.now_ns;
        let mut at = 0;
        while let (Some(step), Some(compiled)) = (steps.get(at), compiled.get(at)) {
            at += 1;
            let ended = match (step, compiled) {
                (Step::Request(step), Compiled::Request(exchange)) => {
                    self.request(case, part, step, exchange, None).await
                }
                (Step::WebSocket(step), Compiled::WebSocket(exchange)) => {
                    // Boxed, as few cases have any.
                    Box::pin(self.websocket(case, part, step, exchange, None)).await
                }
                (Step::Transaction(transaction), _) => {
                    self.transaction(program, transaction.index, transaction.edge, start_ns);
                    Ended::Passed
                }
                (Step::ThinkTime(think_time), _) => {
                    let pause = think_time.time.pick(&mut self.random);
                    self.pause_from(self.now_ns, pause).await
                }
                (Step::Rendezvous(step), _) if part == Part::Load => self.meet(case, step).await,
                (Step::Evaluate(step), _) => self.evaluate(program, part, step).await,
                (Step::Enter(step), _) => self.enter(program, part, step).await,
                (Step::Leave(step), _) => {
                    step.leave(self.session(case));
                    self.leave(program, part, true);
                    Ended::Passed
                }
                (Step::Repeat(repeat), _) => {
                    if self.goes_back(*repeat) {
                        at = repeat.first;
                        self.let_others_run().await;
                    }
                    self.unless_stopped()
                }
                (Step::Broken(step), Compiled::Broken(row)) => self.broken(part, *row, &step.error),
                (Step::Request(_) | Step::WebSocket(_) | Step::Broken(_), _) => unreachable!("requests are compiled"),
                (Step::Rendezvous(_), _) => Ended::Passed,
            };
            match ended {
                Ended::Passed => {}
                Ended::Failed => {
                    self.fail(program, part);
                    return ended;
                }
                Ended::Cut => return ended,
            }
        }
        Ended::Passed
    }

    fn unless_stopped(&self) -> Ended {
        if self.shard.stopping() {
            Ended::Cut
        } else {
            Ended::Passed
        }
    }

    /// Sleeps; the user then stands at the end of the pause. Cut when the run stopped.
    pub(crate) async fn pause_from(&mut self, from_ns: u64, pause: Duration) -> Ended {
        let pause_ns = nanos(pause);
        self.now_ns = from_ns.saturating_add(pause_ns);
        // A shorter one may lie in the past already, and then nothing yields.
        self.waited |= pause_ns >= IDLE_ITERATION_NS;
        self.shard.sleep_until(self.now_ns).await;
        self.unless_stopped()
    }

    /// Waits for other users, if that is what a rendezvous asks for. In an open run nobody does, and who came late is as late
    /// afterwards.
    async fn meet(&mut self, case: usize, step: &RendezvousStep) -> Ended {
        if self.shard.open.is_some() {
            return self.unless_stopped();
        }
        let left_ns = self.shard.meet(case, step).await.max(self.now_ns);
        // Who is let through at once has not waited, and nothing yields.
        self.waited |= left_ns - self.now_ns >= IDLE_ITERATION_NS;
        self.now_ns = left_ns;
        self.unless_stopped()
    }

    /// What a function of a step asks for before it goes on. Boxed, as few steps have any, and a user's future would be larger for
    /// each.
    pub(crate) fn wait_for<'w>(
        &'w mut self,
        wait: Wait,
        progress: &'w mut Progress,
        of: WaitOf,
    ) -> Pin<Box<dyn Future<Output = Ended> + 'w>> {
        match wait {
            Wait::Sleep(time) => Box::pin(self.pause_from(now_ns(), time)),
            Wait::Call(call) => Box::pin(self.call_plugin(call, progress, of)),
        }
    }

    /// True when a loop has not run as often as it is to.
    pub(crate) fn goes_back(&mut self, repeat: Repeat) -> bool {
        let done = &mut self.loops[repeat.index];
        *done += 1;
        let again = *done < repeat.times;
        if !again {
            *done = 0;
        }
        again
    }

    pub(crate) async fn let_others_run(&mut self) {
        self.repeats = self.repeats.wrapping_add(1);
        if self.repeats.is_multiple_of(REPEATS_PER_YIELD) {
            self.shard.yield_now().await;
        }
    }

    /// Starts or ends a transaction. An end without a start counts from the iteration's (hrp spec 12.4).
    fn transaction(&mut self, program: &Program, index: usize, edge: TransactionEdge, iteration_ns: u64) {
        let transaction = &mut self.transactions[index];
        match edge {
            TransactionEdge::Start => *transaction = Transaction { open: true, failed: false, start_ns: self.now_ns },
            TransactionEdge::End => {
                let start_ns = if transaction.open { transaction.start_ns } else { iteration_ns };
                let passed = !transaction.failed;
                *transaction = Transaction::default();
                self.record(program.transaction_rows[index], passed, start_ns);
            }
        }
    }

    /// Begins a referenced case.
    async fn enter(&mut self, program: &Program, part: Part, step: &EnterStep) -> Ended {
        self.entered.push(Entered { index: step.index, start_ns: self.now_ns });
        match self.prepare(program.case, part, |session, progress| step.enter(session, progress)).await {
            Ok(ended) => ended,
            Err(error) => {
                if part == Part::Load {
                    let row = program.reference_rows[step.index];
                    self.shard.recorder.borrow_mut().count_error(row, Kind::from(error.kind).label(), &error.message);
                }
                Ended::Failed
            }
        }
    }

    /// Evaluates the variables of this iteration.
    async fn evaluate(&mut self, program: &Program, part: Part, step: &EvaluateStep) -> Ended {
        match self.prepare(program.case, part, |session, progress| step.evaluate(session, progress)).await {
            Ok(ended) => ended,
            Err(error) => {
                if let (Part::Load, Some(row)) = (part, program.action_row) {
                    self.shard.recorder.borrow_mut().count_error(row, Kind::from(error.kind).label(), &error.message);
                }
                Ended::Failed
            }
        }
    }

    /// Does what has to be done before the next step, with the waits it asks for.
    pub(crate) async fn prepare(
        &mut self,
        case: usize,
        part: Part,
        run: impl Fn(&mut Session, &mut Progress) -> Result<Prepared, StepError>,
    ) -> Result<Ended, StepError> {
        let mut progress = Progress::default();
        while let Prepared::Wait(wait) = run(self.session(case), &mut progress)? {
            if self.wait_for(wait, &mut progress, WaitOf::part(part)).await == Ended::Cut {
                return Ok(Ended::Cut);
            }
        }
        Ok(Ended::Passed)
    }

    /// Ends the innermost referenced case. One of the once-per-user steps has no row.
    fn leave(&mut self, program: &Program, part: Part, passed: bool) {
        let Some(entered) = self.entered.pop() else { return };
        if part == Part::Load {
            self.record(program.reference_rows[entered.index], passed, entered.start_ns);
        }
    }

    /// Counts a step that could not be compiled as a request that failed unsent.
    fn broken(&self, part: Part, row: RowId, error: &StepError) -> Ended {
        let mut recorder = self.shard.recorder.borrow_mut();
        let kind = Kind::from(error.kind).label();
        recorder.exchanges(row, Exchanges { unsent: 1, ..Exchanges::default() });
        match part {
            Part::Setup => recorder.setup_failed(row, 0, 0, 0, kind, &error.message),
            Part::Load => {
                recorder.started();
                recorder.failed(row, 0, 0, 0, kind, &error.message);
            }
        }
        Ended::Failed
    }

    /// A step failed: so have the referenced cases it is in, and the open transactions.
    fn fail(&mut self, program: &Program, part: Part) {
        while !self.entered.is_empty() {
            self.leave(program, part, false);
        }
        self.transactions.iter_mut().for_each(|transaction| transaction.failed |= transaction.open);
    }

    /// Records what an iteration leaves open, and the iteration itself as `Action` (hrp spec 14.8).
    fn close(&mut self, program: &Program, start_ns: u64, passed: bool) {
        for (transaction, row) in self.transactions.iter().zip(&program.transaction_rows) {
            if transaction.open {
                self.record(*row, !transaction.failed, transaction.start_ns);
            }
        }
        if let Some(row) = program.action_row {
            self.record(row, passed, start_ns);
        }
        self.shard.recorder.borrow_mut().iteration((self.now_ns - start_ns) / 1000);
    }

    fn record(&self, row: RowId, passed: bool, start_ns: u64) {
        self.shard.recorder.borrow_mut().transaction(row, passed, self.now_ns.saturating_sub(start_ns) / 1000);
    }
}
