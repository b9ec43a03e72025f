//! One websocket step, from its slot in the schedule to its record (hrp spec 12.6).

use pummel_case::{Prepared, Progress, ResponseView, StepError, WebSocketAction, WebSocketStep};
use pummel_http::Response;
use pummel_stats::RowId;

use crate::{
    functional_run::Watch,
    iteration::{Ended, Part},
    network::exchange::{too_many_hosts, Unanswered},
    network::tally::Tally,
    network::websocket::Call,
    plugin::WaitOf,
    program::WebSocketExchange,
    request_step::{Head, GENERAL},
    user::User,
};

impl User<'_> {
    /// Renders, does what the step asks for, checks and records: a websocket step counts as a request. A functional run looks on
    /// through `watch`.
    ///
    /// Its latency: `open` from the first byte of the handshake to the server's; `w` and `ping` until the kernel has the
    /// message; `wr` from the message sent to the one that comes; `r` from its begin to the message; `close` from the close
    /// sent to the server's.
    pub(crate) async fn websocket(
        &mut self,
        case: usize,
        part: Part,
        step: &WebSocketStep,
        exchange: &WebSocketExchange,
        mut watch: Option<&mut Watch>,
    ) -> Ended {
        let shard = self.shard;
        let counted = part == Part::Load;
        if !self.turn(part).await {
            return Ended::Cut;
        }
        let row = self.row(case, &step.request, &exchange.row);
        match self.render(case, &step.request, row).await {
            Ok(Ended::Cut) => return Ended::Cut,
            Ok(_) => {}
            Err(error) => return self.unsendable(part, row, watch, error.exit_code, error.into()),
        }
        let due_ns = self.now_ns;
        let rendered = self.rendered.take().expect("it has just been rendered");
        let origin = shard.origins.borrow_mut().intern(rendered.origin(), exchange.manner);
        let Some(origin) = origin else {
            self.rendered = Some(rendered);
            return self.unsendable(part, row, watch, GENERAL, too_many_hosts());
        };
        if counted {
            shard.recorder.borrow_mut().started();
        }
        let mut tally = Tally::new(watch.is_some(), false);
        let call = Call { step, request: &rendered, origin, timeout_ns: exchange.timeout_ns, due_ns };
        let answered = shard.call(&mut self.client, &call, &mut tally).await;
        self.rendered = Some(rendered);
        self.done(&tally, due_ns);
        let mut exit_code = GENERAL;
        let failed = match answered {
            Ok(Some(mut response)) if exchange.checks => {
                let checked = self.check_websocket(case, step, row, &mut response, watch.as_deref_mut()).await;
                let failed = checked.unwrap_or_else(|error| {
                    exit_code = error.exit_code;
                    Some(error.into())
                });
                if let Some(failed) = &failed {
                    shard.sample_response(failed, &response, false, row);
                }
                failed
            }
            Ok(_) => None,
            Err(failed) => Some(failed),
        };
        if let (Some(failed), Some(rendered)) = (&failed, &self.rendered) {
            let opens = step.action == WebSocketAction::Open;
            let method = if opens { &*step.request.method } else { step.action.name() };
            shard.sample_websocket(failed, &self.client, (method, rendered), opens, row);
        }
        if let Some(watch) = watch {
            watch.exchange = tally.take_record(due_ns);
            watch.ends(failed.as_ref(), exit_code);
        }
        self.account(part, row, due_ns, &tally, failed)
    }

    /// Extracts and validates, with the waits its functions ask for.
    async fn check_websocket(
        &mut self,
        case: usize,
        step: &WebSocketStep,
        row: RowId,
        response: &mut Response,
        mut watch: Option<&mut Watch>,
    ) -> Result<Option<Unanswered>, StepError> {
        let mut progress = Progress::default();
        let mut body = std::mem::take(&mut response.body);
        // Only a handshake's answer has a protocol.
        let version = if response.status == 101 { "HTTP/1.1" } else { "" };
        loop {
            let journal = watch.as_deref_mut().map(|watch| &mut watch.journal);
            let headers = &Head(response);
            let view = &mut ResponseView { status: response.status, version, headers, body: &mut body };
            let Prepared::Wait(wait) = step.request.check(self.session(case), view, &mut progress, journal)? else {
                return Ok(None);
            };
            if self.wait_for(wait, &mut progress, WaitOf::response(row)).await == Ended::Cut {
                return Ok(Some(Unanswered::Abandoned));
            }
        }
    }
}
