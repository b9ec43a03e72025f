//! What a step does with a user's WebSocket connections, and within which time.

use std::{
    borrow::Cow,
    future::{poll_fn, Future},
    pin::pin,
    task::{Context, Poll},
};

use pummel_case::{RenderedRequest, WebSocketAction, WebSocketStep};
use pummel_http::{Keep, Limits, Progress, Response, ResponseParser};
use pummel_ring::{now_ns, Event};
use tungstenite::{protocol::frame::coding::CloseCode, Bytes, Message, Utf8Bytes};

use super::{
    conversation::{lost, Conversation, Incoming},
    handshake::Handshake,
};
use crate::{
    error::Kind,
    network::client::Client,
    network::exchange::{broken, Hop, Unanswered},
    network::origins::OriginId,
    network::phases::Stamps,
    network::stream::RingStream,
    network::tally::Tally,
    program::Extra,
    shard::Shard,
};

/// What is read at once of the answer to a handshake.
const HANDSHAKE_READ_BYTES: usize = 4 * 1024;

/// One step's dealings with one connection.
pub(crate) struct Call<'a> {
    pub(crate) step: &'a WebSocketStep,
    /// The URL, the headers of the handshake and the message.
    pub(crate) request: &'a RenderedRequest,
    pub(crate) origin: OriginId,
    /// How long it may take, from its begin.
    pub(crate) timeout_ns: u64,
    /// When it was due.
    pub(crate) due_ns: u64,
}

impl Shard {
    /// Does what a step asks for. Gives what is to be looked at: the answer to a handshake, a message as the body of a response
    /// without status, or the server's close with its code as the status (hrp spec 10.7); nothing where nothing is waited for.
    ///
    /// Each call counts as one exchange. It is sent once something was handed to the kernel, for `r` once the connection is
    /// waited at; it is answered once what the step waits for has come, and never where it waits for nothing (`w`, `ping`).
    pub(crate) async fn call(
        &self,
        client: &mut Client,
        call: &Call<'_>,
        tally: &mut Tally,
    ) -> Result<Option<Response>, Unanswered> {
        let target = call.request.target();
        let begin_ns = now_ns().max(call.due_ns);
        let until_ns = begin_ns.saturating_add(call.timeout_ns);
        if call.step.action == WebSocketAction::Open {
            if client.websockets.as_ref().is_some_and(|open| open.has(call.origin, target)) {
                tally.never_sent();
                return Ok(None);
            }
            return self.open_websocket(client, call, until_ns, tally).await.map(Some);
        }
        if let Some(record) = &mut tally.record {
            record.asks(
                call.step.action.name(),
                self.origins.borrow().origin(call.origin),
                call.request,
                Extra::default(),
            );
            record.is_websocket();
        }
        let open = client.websockets.as_mut();
        let Some(mut conversation) = open.and_then(|open| open.take(call.origin, target)) else {
            tally.never_sent();
            let reason = "no websocket with this URL is open: a step of the type open comes first";
            return Err(Unanswered::Failed(Kind::WebSocket, Cow::Borrowed(reason)));
        };
        let ended = self.talk(&mut conversation, call, until_ns, tally).await;
        let (read_bytes, written_bytes) = conversation.take_counts();
        tally.bytes_received += read_bytes;
        tally.bytes_sent += written_bytes;
        if ended.is_err() {
            tally.done_ns = now_ns();
        }
        let waits = !matches!(call.step.action, WebSocketAction::Ping | WebSocketAction::Write);
        // What is waited for may begin before anything was sent; what is not waited for takes as long as sending it.
        let sent_ns = if call.step.action == WebSocketAction::Read { begin_ns } else { tally.sent_ns };
        let taken_ns = if waits { sent_ns } else { 0 };
        tally.attempted(Stamps { sent_ns, taken_ns, first_byte_ns: 0, done_ns: tally.done_ns });
        if call.step.action == WebSocketAction::Read || tally.sent_ns != 0 {
            tally.exchanges.sent += 1;
            tally.exchanges.answered += u32::from(waits && ended.is_ok());
        } else {
            tally.exchanges.unsent += 1;
        }
        if tally.exchanges.unsent == 0 {
            let counted = conversation.connection().with(|wire| wire.counted);
            let failed = matches!(ended, Err(Unanswered::Failed(..)));
            let mut recorder = self.recorder.borrow_mut();
            counted.each(|id| recorder.endpoint_request(id, failed));
        }
        if let Some(record) = &mut tally.record {
            record.address = Some(conversation.connection().with(|wire| wire.peer.clone()));
            if let Ok(Some(response)) = &ended {
                record.heard(response);
            }
        }
        match &ended {
            Ok(_) if call.step.action != WebSocketAction::Close => {
                client.websockets.get_or_insert_default().put(call.origin, target, conversation);
            }
            Ok(_) => self.part(*conversation, CloseCode::Normal),
            Err(unanswered) => self.part(*conversation, code_of(unanswered)),
        }
        ended
    }

    /// Closes every connection of a user; none is waited for.
    pub(crate) fn close_websockets(&self, client: &mut Client) {
        while let Some(conversation) = client.websockets.as_mut().and_then(|open| open.pop()) {
            self.part(*conversation, CloseCode::Normal);
        }
    }

    /// Gives a connection up. The server closes it first where it does so soon.
    fn part(&self, conversation: Conversation, code: CloseCode) {
        self.recorder.borrow_mut().connection_closed();
        let connection = conversation.part(code);
        if connection.ended().is_none() {
            self.lingering.borrow_mut().add(connection);
        }
    }

    /// Everything but `open`.
    async fn talk(
        &self,
        conversation: &mut Conversation,
        call: &Call<'_>,
        until_ns: u64,
        tally: &mut Tally,
    ) -> Result<Option<Response>, Unanswered> {
        let action = call.step.action;
        let mut to_send = match action {
            WebSocketAction::Ping => Some(Message::Ping(Bytes::new())),
            action if action.writes() => Some(message(call)?),
            _ => None,
        };
        if to_send.is_some() {
            let sent = self.within(until_ns, |cx| conversation.poll_send(cx, &mut to_send)).await;
            // Before this one nothing was due, so an older stamp is that of an older message.
            tally.sent_ns = Some(conversation.sent_ns()).filter(|sent_ns| *sent_ns >= call.due_ns).unwrap_or(0);
            sent?;
            tally.done_ns = now_ns().max(call.due_ns);
        }
        let mut response = Response::default();
        match action {
            WebSocketAction::Read | WebSocketAction::WriteRead => {
                let next = self.within(until_ns, |cx| {
                    let next = conversation.poll_next(cx);
                    next.map(|next| next.map(|incoming| (incoming, conversation.arrived_ns(cx))))
                });
                let (incoming, arrived_ns) = next.await?;
                tally.done_ns = arrived_ns.max(tally.sent_ns).max(call.due_ns);
                match incoming {
                    Incoming::Message(message) => response.body = message.into(),
                    Incoming::Closed(_) => return Err(conversation.closed_before("a message came")),
                }
            }
            WebSocketAction::Close => {
                let code = call.step.close_status;
                let closed = self.within(until_ns, |cx| {
                    let closed = conversation.poll_close(cx, code);
                    closed.map(|closed| closed.map(|closed| (closed, conversation.arrived_ns(cx))))
                });
                let closed = closed.await;
                // A server that closed first had its answer before.
                tally.sent_ns = match conversation.sent_ns() {
                    0 => 0,
                    sent_ns => sent_ns.max(call.due_ns),
                };
                let (closed, arrived_ns) = closed?;
                tally.done_ns = arrived_ns.max(tally.sent_ns);
                response.status = closed.code;
                response.body = closed.reason.as_bytes().to_vec();
            }
            WebSocketAction::Ping | WebSocketAction::Write | WebSocketAction::Open => return Ok(None),
        }
        Ok(Some(response))
    }

    /// Opens a connection and keeps it for the user.
    async fn open_websocket(
        &self,
        client: &mut Client,
        call: &Call<'_>,
        until_ns: u64,
        tally: &mut Tally,
    ) -> Result<Response, Unanswered> {
        let target = call.request.target();
        let cookies = client.cookies.line(&self.origins, call.origin, target, call.due_ns);
        let hop = Hop {
            request: call.request,
            method: &call.step.request.method,
            origin: call.origin,
            encoded: None,
            extra: Extra { cookies, authorization: None },
            http2: false,
            head_request: false,
            keep: Keep::ALL,
            retry_stale: false,
            timeout_ns: call.timeout_ns,
            begin_ns: call.due_ns,
            until_ns,
        };
        let handshake = {
            let origins = self.origins.borrow();
            if let Some(record) = &mut tally.record {
                record.asks(hop.method, origins.origin(hop.origin), hop.request, hop.extra);
                record.is_websocket();
            }
            Handshake::new(hop.request, origins.authority(hop.origin), hop.extra.cookies, &self.plan.network.user_agent)
        };
        let handshake = handshake.map_err(|error| {
            tally.never_sent();
            Unanswered::Failed(Kind::Request, Cow::Owned(error.to_string()))
        })?;
        let (connection, _) = self.fresh(&hop, None, false, tally).await?;
        connection.set_deadline(0);
        let (peer, counted) = connection.with(|wire| (wire.peer.clone(), wire.counted));
        let mut stream = RingStream::new(connection);
        let mut response = Response::default();
        let shaken = self.shake_hands(&mut stream, &handshake, &mut response, until_ns).await;
        let sent_ns = stream.connection.sent_ns();
        tally.done_ns = match &shaken {
            Ok((_, arrived_ns)) => (*arrived_ns).max(sent_ns),
            Err(_) => now_ns(),
        };
        tally.attempted(Stamps { sent_ns, taken_ns: sent_ns, first_byte_ns: 0, done_ns: tally.done_ns });
        tally.bytes_received += response.wire_bytes;
        if sent_ns == 0 {
            tally.exchanges.unsent += 1;
        } else {
            tally.sent_ns = sent_ns;
            tally.exchanges.sent += 1;
            tally.exchanges.answered += u32::from(response.status != 0);
            tally.bytes_sent += handshake.bytes.len() as u64;
            let mut recorder = self.recorder.borrow_mut();
            counted.each(|id| recorder.endpoint_request(id, shaken.is_err()));
        }
        if let Some(record) = &mut tally.record {
            record.address = Some(peer);
            if response.status != 0 {
                record.answered(&response);
            }
        }
        if response.directives.cookies {
            let origins = self.origins.borrow();
            client.cookies.store(&response, origins.origin(call.origin), target, tally.done_ns);
        }
        match shaken.and_then(|(early, _)| handshake.verify(&response).map(|()| early)) {
            Ok(early) => {
                let conversation = Box::new(Conversation::new(stream, early));
                client.websockets.get_or_insert_default().put(call.origin, target, conversation);
                Ok(response)
            }
            Err(unanswered) => {
                if self.samples_failures() && matches!(unanswered, Unanswered::Failed(..)) {
                    self.sample_broken(response, 0);
                }
                self.recorder.borrow_mut().connection_closed();
                Err(unanswered)
            }
        }
    }

    /// Sends the request for a connection and reads its answer; gives what came behind that, and when. Of an answer that refuses
    /// only what has come is read.
    async fn shake_hands(
        &self,
        stream: &mut RingStream,
        handshake: &Handshake,
        response: &mut Response,
        until_ns: u64,
    ) -> Result<(Vec<u8>, u64), Unanswered> {
        let mut unsent = Some(&handshake.bytes);
        let mut parser = ResponseParser::new(Limits::default());
        parser.begin(false, Keep::ALL);
        let mut buffer = vec![0; HANDSHAKE_READ_BYTES];
        let mut flushed = false;
        self.within(until_ns, |cx| {
            if let Some(bytes) = unsent.take() {
                // A stream takes what does not wait for more than itself.
                if let Poll::Ready(Err(error)) = stream.poll_write(cx, bytes) {
                    return Poll::Ready(Err(lost(&error)));
                }
            }
            if !flushed {
                match stream.poll_flush(cx) {
                    Poll::Ready(Ok(())) => flushed = true,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(&error))),
                    Poll::Pending => {}
                }
            }
            loop {
                let refused = response.status != 0 && response.status != 101;
                let arrived_ns = match stream.connection.poll_event(cx) {
                    Poll::Ready(Event::Data { at_ns }) => at_ns,
                    _ => now_ns(),
                };
                let count = match stream.poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(count)) => count,
                    Poll::Ready(Err(_)) | Poll::Pending if refused => 0,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(&error))),
                    Poll::Pending => return Poll::Pending,
                };
                if count == 0 && refused {
                    return Poll::Ready(Ok((Vec::new(), arrived_ns)));
                }
                let fed = match count {
                    0 => parser.end_of_stream(response),
                    _ => parser.feed(&buffer[..count], response),
                };
                match fed {
                    Ok(Progress::NeedMore) => {}
                    Ok(Progress::Complete { consumed }) => {
                        return Poll::Ready(Ok((buffer[consumed.min(count)..count].to_vec(), arrived_ns)));
                    }
                    Err(error) => return Poll::Ready(Err(broken(error))),
                }
            }
        })
        .await
    }

    /// Polls until it is ready, the time is up, or the run is cut off.
    async fn within<T>(
        &self,
        until_ns: u64,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<Result<T, Unanswered>>,
    ) -> Result<T, Unanswered> {
        let mut limit = pin!(self.ring.sleep_until(until_ns));
        poll_fn(|cx| match poll(cx) {
            Poll::Pending if self.aborted() => Poll::Ready(Err(Unanswered::Abandoned)),
            Poll::Pending => limit.as_mut().poll(cx).map(|()| Err(Kind::RequestTimeout.into())),
            ready @ Poll::Ready(_) => ready,
        })
        .await
    }
}

/// The message a step sends.
fn message(call: &Call<'_>) -> Result<Message, Unanswered> {
    let bytes = Bytes::copy_from_slice(call.request.body().unwrap_or_default());
    if !call.step.text {
        return Ok(Message::Binary(bytes));
    }
    Utf8Bytes::try_from(bytes).map(Message::Text).map_err(|_| {
        let reason = "the websocket's text is not UTF-8: send it as binary";
        Unanswered::Failed(Kind::Request, Cow::Borrowed(reason))
    })
}

/// What a server is told of why we give a connection up (RFC 6455 section 7.4.1).
fn code_of(unanswered: &Unanswered) -> CloseCode {
    match unanswered {
        Unanswered::Failed(Kind::WebSocket, _) => CloseCode::Protocol,
        Unanswered::Failed(..) | Unanswered::Abandoned => CloseCode::Away,
    }
}
