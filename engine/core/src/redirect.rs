//! A request with all that its answers send it on to.

use std::{borrow::Cow, sync::Arc};

use crate::{
    client::Client,
    error::Kind,
    exchange::{too_many_hosts, Answered, Hop, Outgoing, Tally, Unanswered},
    origins::OriginId,
    pool::Connection,
    program::may_retry,
    shard::Shard,
    ExchangeRecord,
};

/// The request a redirect asked for; its words stand in the client.
struct Onward {
    method: Arc<str>,
    origin: OriginId,
}

impl Shard {
    /// Sends a request, follows redirects as the step allows, and receives the last response, which then stands in the
    /// connection's sink. Cookies of every response on the way are kept, and each redirect's connection is put back before the
    /// next request takes one.
    ///
    /// The request's time limit counts from the first byte of the first request. A functional run hands in a `record`, which is
    /// filled however the request ends.
    pub(crate) async fn exchange(
        &self,
        client: &mut Client,
        outgoing: &Outgoing<'_>,
        from_ns: u64,
        tally: &mut Tally,
        mut record: Option<&mut ExchangeRecord>,
    ) -> Result<Answered, Unanswered> {
        let (exchange, policy) = (outgoing.exchange, self.plan.network.retry_stale);
        let mut begin_ns = from_ns;
        let mut until_ns = u64::MAX;
        let mut onward: Option<Onward> = None;
        let ended = loop {
            let (request, method, origin) = match (&onward, &client.redirected) {
                (Some(onward), Some(redirected)) => (&**redirected, &*onward.method, onward.origin),
                _ => (outgoing.request, &*outgoing.step.method, outgoing.origin),
            };
            let first = onward.is_none();
            let hop = Hop {
                request,
                method,
                origin,
                encoded: outgoing.encoded.filter(|_| first),
                cookies: client.cookies.line(self.origins.borrow().origin(origin), request.target(), begin_ns),
                // What follows from the method is known before, until a redirect changes it.
                head_request: if first { exchange.head_request } else { method == "HEAD" },
                retry_stale: if first { exchange.retry_stale } else { may_retry(method, policy) },
                keep: exchange.keep,
                timeout_ns: exchange.timeout_ns,
                begin_ns,
                until_ns,
            };
            let connection = match self.hop(&client.idle, &hop, tally, record.as_deref_mut()).await {
                Ok(connection) => connection,
                Err(unanswered) => break Err(unanswered),
            };
            let directives = connection.with(|http| http.response.directives);
            if directives.cookies {
                let origins = self.origins.borrow();
                let (origin, target) = (origins.origin(origin), request.target());
                connection.with(|http| client.cookies.store(&http.response, origin, target, tally.done_ns));
            }
            let answered = Answered { connection, origin };
            if !directives.redirect || exchange.redirects_max == 0 {
                break Ok(answered);
            }
            onward = match self.next(client, outgoing, onward, &answered.connection, tally.exchanges.redirects) {
                Ok(Some(next)) => Some(next),
                Ok(None) => break Ok(answered),
                Err(unanswered) => {
                    self.release(&client.idle, answered);
                    break Err(unanswered);
                }
            };
            self.release(&client.idle, answered);
            tally.exchanges.redirects += 1;
            begin_ns = tally.done_ns;
            until_ns = tally.sent_ns.saturating_add(exchange.timeout_ns);
        };
        if let Some(record) = record {
            record.redirects = tally.exchanges.redirects;
            record.phases.total_us = tally.done_ns.saturating_sub(from_ns) / 1000;
        }
        ended
    }

    /// The request that a response sends on to; none where it is no redirect to follow, and so the answer itself.
    fn next(
        &self,
        client: &mut Client,
        outgoing: &Outgoing<'_>,
        onward: Option<Onward>,
        connection: &Connection,
        followed: u32,
    ) -> Result<Option<Onward>, Unanswered> {
        let redirected = client.redirected.get_or_insert_default();
        let method = if let Some(onward) = onward {
            onward.method
        } else {
            redirected.copy_from(outgoing.request);
            Arc::clone(&outgoing.step.method)
        };
        let next = connection.with(|http| {
            let location = http.response.header("location").unwrap_or_default();
            redirected.redirect(http.response.status, location, &method)
        });
        let method = match next {
            Ok(Some(method)) => method,
            Ok(None) => return Ok(None),
            Err(error) => return Err(Unanswered::Failed(Kind::Redirect, Cow::Owned(error.message.to_string()))),
        };
        let most = outgoing.exchange.redirects_max;
        if followed >= most {
            let message = format!("stopped after {most} redirects");
            return Err(Unanswered::Failed(Kind::Redirect, Cow::Owned(message)));
        }
        let origin = self.origins.borrow_mut().intern(redirected.origin()).ok_or_else(too_many_hosts)?;
        Ok(Some(Onward { method, origin }))
    }
}
