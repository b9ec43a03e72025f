//! One network step, from its slot in the schedule to its record.

use pummel_case::{
    Headers, Journal, Prepared, Progress, RenderedRequest, RequestStep, ResponseView, Session, StepError,
};
use pummel_http::Response;
use pummel_stats::{RowId, Sample};

use crate::{
    functional_run::Watch,
    iteration::{Ended, Part},
    network::exchange::{too_many_hosts, Answered, Hop, Unanswered},
    network::tally::Tally,
    plan::PacingUnit,
    plugin::WaitOf,
    program::{Exchange, Extra, Row},
    shard::Shard,
    user::User,
};

/// The exit code of a functional run in which a request failed and nothing says more (hrp spec 13.6).
pub(crate) const GENERAL: u8 = 1;

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
        if !self.turn(part).await {
            return Ended::Cut;
        }
        let row = self.row(case, step, &exchange.row);
        if exchange.constant.is_none() {
            match self.render(case, step, row).await {
                Ok(Ended::Cut) => return Ended::Cut,
                Ok(_) => {}
                Err(error) => return self.unsendable(part, row, watch, error.exit_code, error.into()),
            }
        }
        // What a function waited for is over: the request is due now.
        let due_ns = self.now_ns;
        let request = request(step, exchange, self.rendered.as_deref());
        let mut first = match first_hop(shard, request, step, exchange, due_ns) {
            Ok(first) => first,
            Err(failed) => return self.unsendable(part, row, watch, GENERAL, failed),
        };
        if counted {
            shard.recorder.borrow_mut().started();
        }
        let mut tally = Tally::new(watch.is_some(), shard.plan.network.request_phases);
        let sent = if request.digest().is_none() {
            first.extra.cookies = self.client.cookies.line(&shard.origins, first.origin, request.target(), due_ns);
            shard.hop(&self.client.idle, &first, &mut tally).await
        } else {
            Box::pin(shard.hop_with_digest(&mut self.client, &first, row, &mut tally)).await
        };
        if let Err(failed) = &sent {
            shard.sample_hop(failed, &first, row);
        }
        let answered = match sent {
            Ok(mut answered) => {
                let redirect = shard.take_in(&mut self.client.cookies, &mut answered, request.target(), &tally);
                if redirect && exchange.redirects_max > 0 {
                    // Few requests come here, and a user's future is as large as the largest state it may be in.
                    Box::pin(shard.follow(&mut self.client, (step, request, row), exchange, answered, &mut tally)).await
                } else {
                    Ok(answered)
                }
            }
            Err(failed) => Err(failed),
        };
        let answered = match answered {
            Ok(answered) if exchange.keep.body => {
                shard.as_meant(&self.client.idle, answered, (&step.method, request), row, &mut tally)
            }
            other => other,
        };
        self.done(&tally, due_ns);
        let mut exit_code = GENERAL;
        let failed = match answered {
            Ok(mut answered) => {
                let failed = if exchange.checks {
                    self.check(case, step, row, &mut answered, watch.as_deref_mut(), &mut exit_code).await
                } else {
                    None
                };
                if let Some(failed) = &failed {
                    shard.sample_answer(failed, &mut answered, !exchange.keep.body, row);
                }
                shard.release(&self.client.idle, answered);
                failed
            }
            Err(failed) => Some(failed),
        };
        if let Some(failed) = &failed {
            let request = self::request(step, exchange, self.rendered.as_deref());
            let redirects = tally.exchanges.redirects;
            shard.sample_last(failed, &self.client, (&step.method, request), redirects, row);
        }
        if let Some(watch) = watch {
            watch.exchange = tally.take_record(due_ns);
            watch.ends(failed.as_ref(), exit_code);
        }
        self.account(part, row, due_ns, &tally, failed)
    }

    /// Waits until a step that counts as a request may begin; false where it may not any more.
    pub(crate) async fn turn(&mut self, part: Part) -> bool {
        let shard = self.shard;
        let counted = part == Part::Load;
        // The bound first: who has no request left to send must not wait for a slot that may be far away.
        if shard.stopping() || (counted && !shard.take_request()) {
            return false;
        }
        if counted && shard.paces(PacingUnit::Request) {
            let Some(slot_ns) = shard.pace(self.now_ns).await else { return false };
            self.now_ns = slot_ns;
        }
        true
    }

    /// Counts a request that failed before there was anything to send.
    pub(crate) fn unsendable(
        &mut self,
        part: Part,
        row: RowId,
        watch: Option<&mut Watch>,
        exit_code: u8,
        failed: Unanswered,
    ) -> Ended {
        let due_ns = self.now_ns;
        if part == Part::Load {
            self.shard.recorder.borrow_mut().started();
        }
        let mut tally = Tally::default();
        tally.never_sent();
        self.done(&tally, due_ns);
        if let Some(watch) = watch {
            watch.ends(Some(&failed), exit_code);
        }
        self.account(part, row, due_ns, &tally, Some(failed))
    }

    /// The request is over as far as the network goes: the user stands at its end.
    #[inline]
    pub(crate) fn done(&mut self, tally: &Tally, due_ns: u64) {
        self.waited |= tally.exchanges.unsent == 0;
        self.now_ns = tally.done_ns.max(due_ns);
    }

    /// The row this execution is recorded in.
    #[inline]
    pub(crate) fn row(&mut self, case: usize, step: &RequestStep, row: &Row) -> RowId {
        match row {
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
    pub(crate) async fn render(&mut self, case: usize, step: &RequestStep, row: RowId) -> Result<Ended, StepError> {
        let mut progress = Progress::default();
        loop {
            let rendered = self.rendered.get_or_insert_default();
            let prepared = step.render(&mut self.sessions[case], rendered, &mut progress);
            match prepared? {
                Prepared::Done => return Ok(Ended::Passed),
                Prepared::Wait(wait) => {
                    if self.wait_for(wait, &mut progress, WaitOf::request(row)).await == Ended::Cut {
                        return Ok(Ended::Cut);
                    }
                }
            }
        }
    }

    /// Extracts and validates; gives what failed. While a function waits, the response stays with the connection and the
    /// connection with the user.
    async fn check(
        &mut self,
        case: usize,
        step: &RequestStep,
        row: RowId,
        answered: &mut Answered,
        mut watch: Option<&mut Watch>,
        exit_code: &mut u8,
    ) -> Option<Unanswered> {
        let mut progress = Progress::default();
        loop {
            let journal = watch.as_deref_mut().map(|watch| &mut watch.journal);
            let session = self.session(case);
            let checked = answered.with(|response| check(step, session, response, &mut progress, journal));
            match checked {
                Ok(Prepared::Done) => return None,
                Ok(Prepared::Wait(wait)) => {
                    // The time limit was that of the response, and this is here.
                    answered.unlimit();
                    if self.wait_for(wait, &mut progress, WaitOf::response(row)).await == Ended::Cut {
                        return Some(Unanswered::Abandoned);
                    }
                }
                Err(error) => {
                    *exit_code = error.exit_code;
                    return Some(error.into());
                }
            }
        }
    }

    /// Enters a finished request: exactly one of succeeded, failed and abandoned for each started.
    pub(crate) fn account(
        &self,
        part: Part,
        row: RowId,
        due_ns: u64,
        tally: &Tally,
        failed: Option<Unanswered>,
    ) -> Ended {
        let mut recorder = self.shard.recorder.borrow_mut();
        recorder.exchanges(row, tally.exchanges);
        if tally.sent_ns != 0 && part == Part::Load {
            recorder.lateness(tally.lateness_ns(due_ns) / 1000);
        }
        let begun_ns = if tally.sent_ns == 0 { due_ns } else { tally.sent_ns };
        let service_us = tally.done_ns.saturating_sub(begun_ns) / 1000;
        let (bytes_received, bytes_sent) = (tally.bytes_received, tally.bytes_sent);
        match failed {
            None => {
                let response_us = tally.done_ns.saturating_sub(due_ns) / 1000;
                let sample = Sample { service_us, response_us, bytes_received, bytes_sent };
                if let Some(phases) = &tally.phases {
                    recorder.request_phases(row, phases.in_us());
                }
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
                if self.shard.samples_failures() {
                    self.shard.keep_sample(&mut recorder, (row, kind), &message, due_ns, tally);
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
#[inline]
fn request<'r>(
    step: &'r RequestStep,
    exchange: &Exchange,
    rendered: Option<&'r RenderedRequest>,
) -> &'r RenderedRequest {
    let constant = if exchange.constant.is_some() { step.constant() } else { None };
    constant.or(rendered).expect("what is no constant has just been rendered")
}

/// The request on its way to its own origin, without cookies as yet.
#[inline]
fn first_hop<'a>(
    shard: &Shard,
    request: &'a RenderedRequest,
    step: &'a RequestStep,
    exchange: &'a Exchange,
    due_ns: u64,
) -> Result<Hop<'a>, Unanswered> {
    let (origin, encoded) = if let Some((encoded, origin)) = &exchange.constant {
        (*origin, Some(encoded))
    } else {
        (shard.origins.borrow_mut().intern(request.origin(), exchange.manner).ok_or_else(too_many_hosts)?, None)
    };
    Ok(Hop {
        request,
        method: &step.method,
        origin,
        http2: exchange.manner.http2,
        encoded,
        extra: Extra::default(),
        head_request: exchange.head_request,
        keep: exchange.keep,
        retry_stale: exchange.retry_stale,
        timeout_ns: exchange.timeout_ns,
        begin_ns: due_ns,
        until_ns: u64::MAX,
    })
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
    let version = response.version.as_str();
    let view = &mut ResponseView { status: response.status, version, headers: &Head(response), body: &mut body };
    let checked = step.check(session, view, progress, journal);
    response.body = body;
    checked
}

/// A response's headers as extraction and validation see them.
pub(crate) struct Head<'a>(pub(crate) &'a Response);

impl Headers for Head<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.header(name)
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        self.0.headers().for_each(|(name, value)| f(name, value));
    }
}
