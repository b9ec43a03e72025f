//! Where the answer to a request sends it on to.

use std::{borrow::Cow, sync::Arc};

use pummel_case::{RenderedRequest, RequestStep};
use pummel_stats::RowId;

use crate::{
    error::Kind,
    network::client::{Client, Redirected, UserCookies},
    network::exchange::{too_many_hosts, Answered, Hop, Unanswered},
    network::origins::OriginId,
    network::tally::Tally,
    program::{may_retry, Exchange, Extra},
    shard::Shard,
};

/// Where a redirect leads; the words of its request stand in the client.
struct Onward {
    method: Arc<str>,
    origin: OriginId,
}

impl Shard {
    /// Keeps the cookies of a response to a request for `target`; true where the response may be a redirect.
    #[inline]
    pub(crate) fn take_in(
        &self,
        cookies: &mut UserCookies,
        answered: &mut Answered,
        target: &str,
        tally: &Tally,
    ) -> bool {
        let directives = answered.with(|response| response.directives);
        if directives.cookies {
            let origins = self.origins.borrow();
            let origin = origins.origin(answered.origin());
            answered.with(|response| cookies.store(response, origin, target, tally.done_ns));
        }
        directives.redirect
    }

    /// Goes where the answer to a step's `first` request sends it on to, and on from there, as the step allows; gives the last
    /// response. Cookies of every response on the way are kept, and each redirect's
    /// connection is put back before the next request takes one.
    ///
    /// The time limit counts from the first byte of the first request.
    pub(crate) async fn follow(
        &self,
        client: &mut Client,
        (step, first, row): (&RequestStep, &RenderedRequest, RowId),
        exchange: &Exchange,
        mut answered: Answered,
        tally: &mut Tally,
    ) -> Result<Answered, Unanswered> {
        let until_ns = tally.sent_ns.saturating_add(exchange.timeout_ns);
        let mut redirected = client.redirected.take().unwrap_or_default();
        let Redirected { method, request } = &mut *redirected;
        method.clone_from(&step.method);
        request.copy_from(first);
        let ended = loop {
            let followed = tally.exchanges.redirects;
            // Where the next redirect is one too many, a sample shows the request before it.
            let sent = (followed >= exchange.redirects_max && self.samples_failures()).then(|| request.clone());
            let onward = match self.next(request, method, &mut answered, followed, exchange) {
                Ok(Some(onward)) => onward,
                Ok(None) => break Ok(answered),
                Err(unanswered) => {
                    self.sample_answer(&unanswered, &mut answered, true, row);
                    self.sample_sent(&unanswered, client, (method, sent.as_ref().unwrap_or(request)), row);
                    self.release(&client.idle, answered);
                    break Err(unanswered);
                }
            };
            self.release(&client.idle, answered);
            tally.exchanges.redirects += 1;
            *method = onward.method;
            let target = request.target();
            let mut hop = Hop {
                request,
                method,
                origin: onward.origin,
                http2: exchange.manner.http2,
                encoded: None,
                extra: Extra::default(),
                head_request: &**method == "HEAD",
                keep: exchange.keep,
                retry_stale: may_retry(method, self.plan.network.retry_stale),
                timeout_ns: exchange.timeout_ns,
                begin_ns: tally.done_ns,
                until_ns,
            };
            let sent = if hop.request.digest().is_none() {
                hop.extra.cookies = client.cookies.line(&self.origins, onward.origin, target, tally.done_ns);
                self.hop(&client.idle, &hop, tally).await
            } else {
                Box::pin(self.hop_with_digest(client, &hop, row, tally)).await
            };
            answered = match sent {
                Ok(answered) => answered,
                Err(unanswered) => {
                    self.sample_hop(&unanswered, &hop, row);
                    break Err(unanswered);
                }
            };
            if !self.take_in(&mut client.cookies, &mut answered, target, tally) {
                break Ok(answered);
            }
        };
        client.redirected = Some(redirected);
        ended
    }

    /// Makes of a request the one that its response sends on to; none where that is no redirect to follow, and so the answer
    /// itself.
    fn next(
        &self,
        request: &mut RenderedRequest,
        method: &Arc<str>,
        answered: &mut Answered,
        followed: u32,
        exchange: &Exchange,
    ) -> Result<Option<Onward>, Unanswered> {
        let next = answered.with(|response| {
            let location = response.header("location").unwrap_or_default();
            request.redirect(response.status, location, method)
        });
        let method = match next {
            Ok(Some(method)) => method,
            Ok(None) => return Ok(None),
            Err(error) => return Err(Unanswered::Failed(Kind::Redirect, Cow::Owned(error.message.to_string()))),
        };
        let most = exchange.redirects_max;
        if followed >= most {
            let message = format!("stopped after {most} redirects");
            return Err(Unanswered::Failed(Kind::Redirect, Cow::Owned(message)));
        }
        let origin = self.origins.borrow_mut().intern(request.origin(), exchange.manner).ok_or_else(too_many_hosts)?;
        Ok(Some(Onward { method, origin }))
    }
}
