//! One network step, from its slot in the schedule to its record.

use std::borrow::Cow;

use pummel_case::{
    Headers, Journal, Prepared, Progress, RenderedRequest, RequestStep, ResponseView, Session, StepError,
};
use pummel_http::Response;
use pummel_stats::{RowId, Sample};

use crate::{
    exchange::{too_many_hosts, Answered, Outgoing, Tally, Unanswered},
    functional_run::Watch,
    iteration::{Ended, Part},
    plan::PacingUnit,
    program::{Exchange, Row},
    shard::Shard,
    user::User,
};

/// Why a step has no answer that passed, and what a functional run ends with then (hrp spec 13.6).
struct Failure {
    why: Unanswered,
    exit_code: u8,
}

impl From<Unanswered> for Failure {
    fn from(why: Unanswered) -> Self {
        Self { why, exit_code: 1 }
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        let why = Unanswered::Failed(error.kind.into(), Cow::Owned(error.message.to_string()));
        Self { why, exit_code: error.exit_code }
    }
}

impl User<'_> {
    /// Renders, sends, checks and records. A functional run looks on through `watch`.
    pub(crate) async fn request(
        &mut self,
        case: usize,
        part: Part,
        step: &RequestStep,
        exchange: &Exchange,
        mut watch: Option<&mut Watch>,
    ) -> Ended {
        let shard = self.shard;
        let counted = part == Part::Load;
        // The bound first: who has no request left to send must not wait for a slot that may be far away.
        if shard.stopping() || (counted && !shard.take_request()) {
            return Ended::Cut;
        }
        if counted && shard.paces(PacingUnit::Request) {
            let Some(slot_ns) = shard.pace(self.now_ns).await else { return Ended::Cut };
            self.now_ns = slot_ns;
        }
        let row = self.row(case, step, exchange);
        let rendered = match exchange.constant {
            Some(_) => Ok(()),
            None => match self.render(case, step).await {
                Ok(Ended::Cut) => return Ended::Cut,
                Ok(_) => Ok(()),
                Err(error) => Err(Failure::from(error)),
            },
        };
        // What a function waited for is over: the request is due now.
        let due_ns = self.now_ns;
        if counted {
            shard.recorder.borrow_mut().started();
        }
        let mut tally = Tally::default();
        let outgoing = rendered.and_then(|()| outgoing(shard, &self.rendered, step, exchange).map_err(Failure::from));
        let answered = match outgoing {
            Ok(outgoing) => {
                let record = watch.as_deref_mut().map(|watch| &mut **watch.exchange.get_or_insert_default());
                let answered = shard.exchange(&mut self.client, &outgoing, due_ns, &mut tally, record).await;
                answered.map_err(Failure::from)
            }
            Err(failure) => {
                tally.never_sent();
                Err(failure)
            }
        };
        self.waited |= tally.exchanges.unsent == 0;
        self.now_ns = tally.done_ns.max(due_ns);
        let failure = match answered {
            Ok(answered) => {
                let checked = if exchange.checks {
                    self.check(case, step, &answered, watch.as_deref_mut()).await
                } else {
                    Ok(())
                };
                shard.release(&self.client.idle, answered);
                checked.err()
            }
            Err(failure) => Some(failure),
        };
        if let (Some(watch), Some(Failure { why: Unanswered::Failed(kind, message), exit_code })) = (watch, &failure) {
            watch.fails(kind.label(), message, *exit_code);
        }
        self.account(part, row, due_ns, &tally, failure.map(|failure| failure.why))
    }

    /// The row this execution is recorded in.
    #[inline]
    fn row(&mut self, case: usize, step: &RequestStep, exchange: &Exchange) -> RowId {
        match &exchange.row {
            Row::Fixed(row) => *row,
            Row::Named(names) => {
                let shard = self.shard;
                names.row(self.step_name(case, step), &mut shard.recorder.borrow_mut())
            }
        }
    }

    /// The name of this execution (hrp spec section 3).
    pub(crate) fn step_name<'n>(&'n mut self, case: usize, step: &'n RequestStep) -> &'n str {
        let mut name = std::mem::take(&mut self.name);
        let rendered = step.render_name(self.session(case), &mut name);
        self.name = name;
        if rendered {
            &self.name
        } else {
            &step.name
        }
    }

    /// Builds the request, with the waits its functions ask for; those are no part of the request's time.
    async fn render(&mut self, case: usize, step: &RequestStep) -> Result<Ended, StepError> {
        let mut progress = Progress::default();
        loop {
            let mut rendered = std::mem::take(&mut self.rendered);
            let prepared = step.render(self.session(case), &mut rendered, &mut progress);
            self.rendered = rendered;
            match prepared? {
                Prepared::Done => return Ok(Ended::Passed),
                Prepared::Wait(wait) => {
                    if self.wait_for(wait).await == Ended::Cut {
                        return Ok(Ended::Cut);
                    }
                }
            }
        }
    }

    /// Extracts and validates. While a function waits, the response stays with the connection and the connection with the user.
    async fn check(
        &mut self,
        case: usize,
        step: &RequestStep,
        Answered { connection, .. }: &Answered,
        mut watch: Option<&mut Watch>,
    ) -> Result<(), Failure> {
        let mut progress = Progress::default();
        loop {
            let journal = watch.as_deref_mut().map(|watch| &mut watch.journal);
            let session = self.session(case);
            let checked = connection.with(|http| check(step, session, &mut http.response, &mut progress, journal));
            match checked? {
                Prepared::Done => return Ok(()),
                Prepared::Wait(wait) => {
                    // The time limit was that of the response, and this is here.
                    connection.set_deadline(0);
                    if self.wait_for(wait).await == Ended::Cut {
                        return Err(Unanswered::Abandoned.into());
                    }
                }
            }
        }
    }

    /// Enters a finished request: exactly one of succeeded, failed and abandoned for each started.
    fn account(&self, part: Part, row: RowId, due_ns: u64, tally: &Tally, failure: Option<Unanswered>) -> Ended {
        let mut recorder = self.shard.recorder.borrow_mut();
        recorder.exchanges(row, tally.exchanges);
        if tally.sent_ns != 0 && part == Part::Load {
            recorder.lateness(tally.lateness_ns(due_ns) / 1000);
        }
        let begun_ns = if tally.sent_ns == 0 { due_ns } else { tally.sent_ns };
        let service_us = tally.done_ns.saturating_sub(begun_ns) / 1000;
        let (bytes_received, bytes_sent) = (tally.bytes_received, tally.bytes_sent);
        match failure {
            None => {
                let response_us = tally.done_ns.saturating_sub(due_ns) / 1000;
                let sample = Sample { service_us, response_us, bytes_received, bytes_sent };
                match part {
                    Part::Load => recorder.succeeded(row, sample),
                    Part::Setup => recorder.setup_succeeded(row, sample),
                }
                Ended::Passed
            }
            Some(Unanswered::Failed(kind, message)) => {
                let (kind, received, sent) = (kind.label(), bytes_received, bytes_sent);
                match part {
                    Part::Load => recorder.failed(row, service_us, received, sent, kind, &message),
                    Part::Setup => recorder.setup_failed(row, service_us, received, sent, kind, &message),
                }
                Ended::Failed
            }
            Some(Unanswered::Abandoned) => {
                match part {
                    Part::Load => recorder.abandoned(row),
                    Part::Setup => recorder.setup_abandoned(row),
                }
                Ended::Cut
            }
        }
    }
}

/// What is to be sent: a constant, or what was rendered.
fn outgoing<'a>(
    shard: &Shard,
    rendered: &'a RenderedRequest,
    step: &'a RequestStep,
    exchange: &'a Exchange,
) -> Result<Outgoing<'a>, Unanswered> {
    if let (Some((encoded, origin)), Some(request)) = (exchange.constant, step.constant()) {
        return Ok(Outgoing { exchange, step, origin, request, encoded: Some(encoded) });
    }
    let origin = shard.origins.borrow_mut().intern(rendered.origin()).ok_or_else(too_many_hosts)?;
    Ok(Outgoing { exchange, step, origin, request: rendered, encoded: None })
}

/// Extracts and validates, up to the next wait.
fn check(
    step: &RequestStep,
    session: &mut Session,
    response: &mut Response,
    progress: &mut Progress,
    journal: Option<&mut Journal>,
) -> Result<Prepared, StepError> {
    let mut body = std::mem::take(&mut response.body);
    let version = version(response);
    let view = &mut ResponseView { status: response.status, version, headers: &Head(response), body: &mut body };
    let checked = step.check(session, view, progress, journal);
    response.body = body;
    checked
}

/// The protocol as the status line has it.
fn version(response: &Response) -> &'static str {
    if response.version_minor == 0 {
        "HTTP/1.0"
    } else {
        "HTTP/1.1"
    }
}

/// A response's headers as extraction and validation see them.
struct Head<'a>(&'a Response);

impl Headers for Head<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.header(name)
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        self.0.headers().for_each(|(name, value)| f(name, value));
    }
}
