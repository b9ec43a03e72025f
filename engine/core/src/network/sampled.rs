//! A failed exchange written down for the report (`--sample-failures`).
//!
//! Nothing of it is done for a request that succeeds, and nothing is kept beside it for the case that it fails: what was sent is
//! written from the request and the user's cookies once it has failed, while they are still there. Only the head and the start of
//! a response are kept for each request where samples are asked for.

use std::borrow::Cow;
use std::fmt::Write;

use pummel_case::RenderedRequest;
use pummel_http::{
    encode_request, is_secret, mask_exchange, mask_text, EncodeOptions, ExchangeText, MessageText, Response,
    BODY_START_BYTES, MASK,
};
use pummel_stats::{FailureSample, Recorder, RowId, SampleTiming, SampledMessage};

use super::{
    client::Client,
    exchange::{Answered, Hop, Unanswered},
    tally::Tally,
};
use crate::{error::Kind, plan::Network, program::Extra, shard::Shard};

/// How much of a head is written down: what servers accept by default is half of it.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How long a coded body may be, and become, to be decoded for a look at its start: it is done on the core that makes load.
const DECODED_START_BYTES_MAX: usize = 1024 * 1024;

/// How much of a message about a failure is looked at, and how much of it is kept once its secrets are masked. What a plugin says
/// may be of any length.
const MESSAGE_READ_BYTES_MAX: usize = 16 * 1024;
const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// What a message about a validator begins with; then its check, its assertion and what was expected.
const VALIDATION_FAILED: &str = "step validation failed: ";

/// A body that stays unread.
const STILL_CODED: &str = "(what was kept of the body could not be decoded)";

/// A request that fails at this moment, as far as it was written down. Between the first word of it and its being kept no other
/// task runs, so a core has one for all its users.
#[derive(Default)]
pub(crate) struct Sampled {
    request: Option<SampledMessage>,
    response: Option<SampledMessage>,
    /// What had come of a response when the exchange broke off.
    broken: Option<Response>,
    /// When the first byte of the response arrived; 0 if none did, or nobody knows.
    first_byte_ns: u64,
}

/// How a request is written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    WebSocket,
}

impl Shard {
    /// Whether a failure is among the first of its kind in its row.
    fn wants_sample(&self, failed: &Unanswered, row: RowId) -> bool {
        matches!(failed, Unanswered::Failed(kind, _) if self.recorder.borrow().wants_sample(row, kind.label()))
    }

    /// An exchange broke off in a response. Who knows the row says whether it is to be written down.
    #[cold]
    pub(super) fn sample_broken(&self, response: Response, first_byte_ns: u64) {
        let mut sampled = self.sampled.borrow_mut();
        (sampled.broken, sampled.first_byte_ns) = (Some(response), first_byte_ns);
    }

    /// Writes down the request of a hop that ended without an answer.
    #[cold]
    pub(crate) fn sample_hop(&self, failed: &Unanswered, hop: &Hop<'_>, row: RowId) {
        self.sample_request(failed, (hop.method, hop.request, hop.extra), Scheme::Http, row);
    }

    /// Writes down the request a client sent last, of those that a step's `first` request has led to.
    #[cold]
    pub(crate) fn sample_last(
        &self,
        failed: &Unanswered,
        client: &Client,
        (method, first): (&str, &RenderedRequest),
        redirects: u32,
        row: RowId,
    ) {
        let (method, request) = match &client.redirected {
            Some(redirected) if redirects > 0 => (&*redirected.method, &redirected.request),
            _ => (method, first),
        };
        self.sample_sent(failed, client, (method, request), row);
    }

    /// Writes down a request with what its client added to it.
    #[cold]
    pub(super) fn sample_sent(
        &self,
        failed: &Unanswered,
        client: &Client,
        (method, request): (&str, &RenderedRequest),
        row: RowId,
    ) {
        let authorization = client.challenges.as_ref().and_then(|challenges| challenges.sent());
        let extra = Extra {
            cookies: client.cookies.last_line(),
            authorization: authorization.filter(|_| request.digest().is_some()),
        };
        self.sample_request(failed, (method, request, extra), Scheme::Http, row);
    }

    /// Writes down what a step asked of a websocket connection; `opens` where it asked for one.
    #[cold]
    pub(crate) fn sample_websocket(
        &self,
        failed: &Unanswered,
        client: &Client,
        (method, request): (&str, &RenderedRequest),
        opens: bool,
        row: RowId,
    ) {
        let cookies = if opens { client.cookies.last_line() } else { &[] };
        self.sample_request(failed, (method, request, Extra { cookies, authorization: None }), Scheme::WebSocket, row);
    }

    /// Writes down a request and what was left of its response, unless that was done nearer to the wire, where more is known.
    fn sample_request(
        &self,
        failed: &Unanswered,
        (method, request, extra): (&str, &RenderedRequest, Extra<'_>),
        scheme: Scheme,
        row: RowId,
    ) {
        let mut sampled = self.sampled.borrow_mut();
        let broken = sampled.broken.take();
        if sampled.request.is_some() || !self.wants_sample(failed, row) {
            return;
        }
        sampled.request = Some(request_of(method, request, extra, scheme, &self.plan.network));
        if let Some(broken) = broken.filter(|broken| broken.status != 0) {
            sampled.response = Some(self.response_of(&broken, true));
        }
    }

    /// Writes down a response that was not what it should be; `coded` where its content codings are still on, if it has any.
    #[cold]
    pub(crate) fn sample_answer(&self, failed: &Unanswered, answered: &mut Answered, coded: bool, row: RowId) {
        self.sampled.borrow_mut().first_byte_ns = answered.first_byte_ns();
        answered.with(|response| self.sample_response(failed, response, coded, row));
    }

    /// As [`sample_answer`](Self::sample_answer), of a response that is no answer to HTTP, such as a message.
    #[cold]
    pub(crate) fn sample_response(&self, failed: &Unanswered, response: &Response, coded: bool, row: RowId) {
        if self.wants_sample(failed, row) {
            self.sampled.borrow_mut().response = Some(self.response_of(response, coded));
        }
    }

    fn response_of(&self, response: &Response, coded: bool) -> SampledMessage {
        let status;
        let head = match response.raw_head() {
            [] => {
                status = format!("{} {}", response.version.as_str(), response.status);
                status.as_bytes()
            }
            head => head,
        };
        let mut sampled = SampledMessage { body_bytes: response.body_bytes, ..SampledMessage::default() };
        (sampled.head, sampled.head_truncated) = start_of(head, HEAD_BYTES_MAX);
        trim_end(&mut sampled.head);
        if coded && response.directives.codings.any() && !response.body.is_empty() {
            let decoded = self.decoded_start(response);
            (sampled.body, sampled.body_truncated) =
                decoded.map_or_else(|| (STILL_CODED.to_owned(), true), |start| start_of(&start, BODY_START_BYTES));
        } else {
            (sampled.body, sampled.body_truncated) = start_of(&response.body, BODY_START_BYTES);
            sampled.body_truncated |= coded && response.body_bytes > response.body.len() as u64;
        }
        sampled
    }

    /// What was kept of a coded body without its codings; none where it is cut, broken or large.
    fn decoded_start(&self, response: &Response) -> Option<Vec<u8>> {
        let mut start = (response.body.len() <= DECODED_START_BYTES_MAX).then(|| response.body.clone())?;
        let codings = response.directives.codings;
        self.decoder.borrow_mut().decode(codings, &mut start, DECODED_START_BYTES_MAX).ok()?;
        Some(start)
    }

    /// Keeps what was written down of a failed request, its secrets masked unless they are to be shown. It was due at `due_ns` of the
    /// ring's clock.
    #[cold]
    pub(crate) fn keep_sample(
        &self,
        recorder: &mut Recorder,
        (row, kind): (RowId, &'static str),
        message: &str,
        due_ns: u64,
        tally: &Tally,
    ) {
        let Sampled { request, response, first_byte_ns, .. } = self.sampled.take();
        let Some(request) = request else {
            return recorder.leave_out_sample(row, kind);
        };
        let message = start_of(message.as_bytes(), MESSAGE_READ_BYTES_MAX).0;
        let reached = |at_ns: u64| (at_ns != 0).then(|| self.on_clock_us(at_ns));
        let done_ns = tally.done_ns.max(due_ns);
        let served_from_ns = if tally.sent_ns == 0 { due_ns } else { tally.sent_ns };
        let timing = SampleTiming {
            due_us: self.on_clock_us(due_ns),
            sent_us: reached(tally.sent_ns),
            first_byte_us: reached(first_byte_ns),
            done_us: self.on_clock_us(done_ns),
            service_us: done_ns.saturating_sub(served_from_ns) / 1000,
            response_us: (done_ns - due_ns) / 1000,
        };
        let at_s = timing.done_us as f64 / 1e6;
        let mut sample = FailureSample {
            kind: kind.to_owned(),
            message,
            at_s,
            request,
            response,
            timing,
            ..FailureSample::default()
        };
        if !self.plan.failure_samples.show_secrets {
            mask_sample(&mut sample);
        }
        sample.message.truncate(sample.message.floor_char_boundary(MESSAGE_BYTES_MAX));
        recorder.sample(row, kind, Box::new(sample));
    }
}

/// Masks the secrets of a failed exchange. One that is masked already stays as it is.
pub fn mask_sample(sample: &mut FailureSample) {
    let text = |sampled: &mut SampledMessage| MessageText {
        head: std::mem::take(&mut sampled.head),
        body: std::mem::take(&mut sampled.body),
    };
    let mut exchange = ExchangeText {
        request: text(&mut sample.request),
        response: sample.response.as_mut().map(text),
        message: without_expected(&sample.message).into_owned(),
    };
    mask_exchange(&mut exchange);
    (sample.request.head, sample.request.body) = (exchange.request.head, exchange.request.body);
    if let (Some(sampled), Some(masked)) = (&mut sample.response, exchange.response) {
        (sampled.head, sampled.body) = (masked.head, masked.body);
    }
    sample.message = exchange.message;
}

/// A message about a failure of some kind without the secrets it names.
pub(crate) fn mask_message(kind: &str, message: &str) -> String {
    // These are words of our own, and show how a password is given.
    if kind == Kind::Proxy.label() {
        return message.to_owned();
    }
    mask_text(&without_expected(message))
}

/// A message about a validator whose check is of a secret without what it had to be: `body.token eq "abcd"` says what a token is.
fn without_expected(message: &str) -> Cow<'_, str> {
    let said = message.strip_prefix(VALIDATION_FAILED);
    let Some((check, (assertion, _))) = said.and_then(|said| {
        let (check, rest) = said.split_once(' ')?;
        Some((check, rest.split_once(' ')?))
    }) else {
        return Cow::Borrowed(message);
    };
    let is_of_a_secret = check.split(['.', '"', '[', ']']).any(|name| is_secret(name) || name == "cookies");
    if is_of_a_secret {
        Cow::Owned(format!("{VALIDATION_FAILED}{check} {assertion} {MASK}"))
    } else {
        Cow::Borrowed(message)
    }
}

/// A request as it went out, or would have: its method and whole URL, then its fields as HTTP/1.1 has them.
fn request_of(
    method: &str,
    request: &RenderedRequest,
    extra: Extra<'_>,
    scheme: Scheme,
    network: &Network,
) -> SampledMessage {
    let origin = request.origin();
    let written = match scheme {
        Scheme::Http => "http",
        Scheme::WebSocket => "ws",
    };
    let secure = if origin.https { "s" } else { "" };
    let authority = origin.authority();
    let mut head = format!("{method} {written}{secure}://{authority}{}\n", request.target());
    let mut fields = Vec::new();
    let options = EncodeOptions {
        close: !network.keepalive,
        user_agent: &network.user_agent,
        cookies: extra.cookies,
        authorization: extra.authorization.map_or("", String::as_str),
        accept_gzip: network.ask_for_gzip,
        // The length without the bytes, which may be many.
        body_bytes: request.body_bytes().or(request.body().map(|body| body.len() as u64)),
        proxy: None,
    };
    let body = request.body().map(|_| &[][..]);
    let encoded = scheme == Scheme::Http
        && encode_request(&mut fields, method, request.target(), &authority, request.headers(), body, options).is_ok();
    if encoded {
        let line_end = fields.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        head.push_str(&String::from_utf8_lossy(&fields[line_end..]));
    } else {
        for (name, value) in request.headers() {
            let _ = writeln!(head, "{name}: {value}");
        }
        if !extra.cookies.is_empty() {
            let _ = writeln!(head, "Cookie: {}", String::from_utf8_lossy(extra.cookies));
        }
    }
    let body = request.body_shown();
    let mut sampled =
        SampledMessage { body_bytes: request.body_bytes().unwrap_or(body.len() as u64), ..SampledMessage::default() };
    (sampled.head, sampled.head_truncated) = start_of(head.as_bytes(), HEAD_BYTES_MAX);
    trim_end(&mut sampled.head);
    (sampled.body, sampled.body_truncated) = start_of(&body, BODY_START_BYTES);
    sampled
}

fn trim_end(head: &mut String) {
    head.truncate(head.trim_end().len());
}

/// The start of some bytes as text, and whether there is more. Line ends become those of Unix; every other control character, and
/// what turns the reading direction (UAX 9 section 2), becomes `\u{1b}`, a byte that is no text `\xff`.
fn start_of(bytes: &[u8], bytes_max: usize) -> (String, bool) {
    let cut = bytes.len() > bytes_max;
    let mut start = &bytes[..bytes.len().min(bytes_max)];
    if cut {
        // A character that is cut in two is no character.
        let end = start.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
        if std::str::from_utf8(end).is_err_and(|error| error.error_len().is_none()) {
            start = &start[..start.len() - end.len()];
        }
    }
    let mut text = String::with_capacity(start.len());
    for chunk in start.utf8_chunks() {
        let mut chars = chunk.valid().chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\r' if chars.peek() == Some(&'\n') => {}
                '\n' | '\t' => text.push(c),
                c if c.is_control() || turns_direction(c) => text.extend(c.escape_unicode()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    (text, cut)
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        start_of(bytes, 100).0
    }

    #[test]
    fn what_could_steer_a_terminal_is_written_out() {
        assert_eq!(text(b"a\r\nb\tc\rd\n"), "a\nb\tc\\u{d}d\n");
        assert_eq!(text("\x1b[2J\u{9b}\0 \u{202e}größer".as_bytes()), "\\u{1b}[2J\\u{9b}\\u{0} \\u{202e}größer");
        assert_eq!(text(b"\xff\xfeok\xc3"), "\\xff\\xfeok\\xc3");
    }

    #[test]
    fn messages_lose_the_secrets_they_name() {
        let masked = |said: &str| {
            mask_message("assertion", &format!("step validation failed: {said}"))["step validation failed: ".len()..]
                .to_owned()
        };
        assert_eq!(masked("body.login.password eq \"hunter2\" (it is hunter2)"), "body.login.password eq ***");
        assert_eq!(masked("headers.\"Set-Cookie\" contains \"sid\""), "headers.\"Set-Cookie\" contains ***");
        assert_eq!(masked("cookies.sid eq \"abcd\""), "cookies.sid eq ***");
        for plain in ["status_code eq 200", "body.n eq 8 (eight)", "body.a", ""] {
            assert_eq!(masked(plain), plain);
        }
        let advice = "give them as --proxy http://USER:PASSWORD@HOST:PORT";
        assert_eq!(mask_message("proxy", advice), advice);
        assert_eq!(mask_message("function", "ValueError: no login, token=hunter2"), "ValueError: no login, token=***");
    }

    #[test]
    fn a_masked_sample_stays_as_it_is() {
        let message = |head: &str, body: &str| SampledMessage {
            head: head.into(),
            body: body.into(),
            ..SampledMessage::default()
        };
        let mut sample = FailureSample {
            message: "step validation failed: body.token eq \"hunter2\"".into(),
            request: message("GET http://h/?token=hunter2", "{\"password\": \"hunter3\"}"),
            response: Some(message("HTTP/1.1 200 OK\nSet-Cookie: a=hunter4", "hunter3")),
            ..FailureSample::default()
        };
        mask_sample(&mut sample);
        assert_eq!(sample.message, "step validation failed: body.token eq ***");
        assert_eq!(sample.request, message("GET http://h/?token=***", "{\"password\": \"***\"}"));
        assert_eq!(sample.response, Some(message("HTTP/1.1 200 OK\nSet-Cookie: ***", "***")));
        let once = sample.clone();
        mask_sample(&mut sample);
        assert_eq!(sample, once);
    }

    #[test]
    fn a_start_ends_between_characters() {
        assert_eq!(start_of("aé".as_bytes(), 3), ("aé".into(), false));
        assert_eq!(start_of("aéb".as_bytes(), 2), ("a".into(), true));
        assert_eq!(start_of(b"\xff\xff\xff", 2), ("\\xff\\xff".into(), true));
    }
}
