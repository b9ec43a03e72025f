//! What a request is answered with: bytes at once, and, where that is not all, work for the connection's task.

use pummel_http::{ProtocolError, Request};

use crate::{
    admission::{Own, Refusal},
    filler::fill,
    head::{write_chunk_size, Framing, Head, Persistence, LAST_CHUNK},
    route::{self, Order, What},
    work::{MadeBody, Then, Work},
};

const JSON: &[u8] = b"application/json";
const API: &[u8] = br#"{"code":0,"msg":"ok","data":{"id":12345,"items":[1,2,3,4,5],"name":"yangfan"}}"#;
const HELLO: (&[u8], &[u8]) = (br#"{"code":0,"msg":"hello "#, br#"","data":null}"#);
/// Ready-made: under twice its limit a target gives this half of the time.
const OVER_LIMIT: &[u8] = br#"{"code":429,"msg":"over the limit","data":null}"#;
/// Any bytes that no HTTP parser takes for the beginning of an answer.
const GARBAGE: &[u8] = b"\x16\x03\x01 this is not HTTP\r\n\r\n";

/// Bodies up to here are made at once; longer ones piece by piece, so that a thousand of them do not stand in memory.
const QUICK_BODY_BYTES: u64 = 16 * 1024;

/// Appends the answer to a connection's request number `ordinal` (from 1) as far as it can be given at once, and says
/// what is left to do.
pub(crate) fn answer(request: &Request<'_>, ordinal: u64, own: &Own, out: &mut Vec<u8>) -> Option<Work> {
    let order = route::order(request.target);
    if !matches!(order, Ok(Order { what: What::Stats | What::Stamps, .. })) {
        own.counts.request();
    }
    let (close_after, announce) = order.map_or((None, true), |order| (order.close_after, order.announce));
    let persistence = match (request.keep_alive, close_after.is_some_and(|answers| ordinal >= answers)) {
        (true, true) if !announce => Persistence::Closes,
        (_, true) | (false, _) => Persistence::ClosesSaid,
        (true, false) if request.version_minor == 0 => Persistence::StaysSaid,
        (true, false) => Persistence::Stays,
    };
    let admitted = order.map_err(Refusal::from).and_then(|order| Ok((order, own.admit(&order)?)));
    let (due_ns, delay_ms) = admitted.map_or((0, 0), |(order, due_ns)| (due_ns, order.delay_ms));
    let at_once = due_ns == 0 && delay_ms == 0;
    let mut later = Vec::new();
    let to = if at_once { out } else { &mut later };
    let mut answer = Answer { request, persistence, out: to, status: None, chunk: None, body: None };
    let then = match admitted {
        Ok((order, _)) => answer.give(&order, own),
        Err(refusal) => answer.refuse(refusal),
    };
    let mut body = answer.body;
    if let Some(made) = &mut body {
        if at_once && made.left() <= QUICK_BODY_BYTES {
            made.append_piece(answer.out);
            body = None;
        }
    }
    if at_once && body.is_none() && then == Then::Stay {
        return None;
    }
    Some(Work { due_ns, delay_ms, later, body, then })
}

/// Appends the answer to bytes that are no request. The connection is of no further use.
pub(crate) fn refuse(error: ProtocolError, out: &mut Vec<u8>) -> Work {
    let status = match error {
        ProtocolError::BodyTooLarge => 413,
        ProtocolError::HeadTooLarge | ProtocolError::TooManyHeaders => 431,
        _ => 400,
    };
    let body = message(status, &error.to_string());
    let framing = Framing::Length(body.len() as u64);
    Head { status, content_type: JSON, persistence: Persistence::ClosesSaid, framing }.write(out, |_| {});
    out.extend_from_slice(&body);
    Work { then: Then::Linger, ..Work::NONE }
}

/// One answer being put together.
struct Answer<'a> {
    request: &'a Request<'a>,
    persistence: Persistence,
    out: &'a mut Vec<u8>,
    /// The status asked for in place of the usual one.
    status: Option<u16>,
    chunk: Option<u64>,
    /// The body that follows, if it is made to order.
    body: Option<MadeBody>,
}

impl Answer<'_> {
    fn give(&mut self, order: &Order<'_>, own: &Own) -> Then {
        self.status = order.status;
        // HTTP/1.0 has no chunks (RFC 9112 section 7.1).
        self.chunk = order.chunk.filter(|_| self.request.version_minor > 0);
        match order.what {
            What::Reset => return Then::Reset,
            What::Drop => return Then::Close,
            What::Hang => return Then::Hang,
            What::Garbage => {
                self.out.extend_from_slice(GARBAGE);
                return Then::Close;
            }
            What::Half(bytes) => {
                self.head(Framing::Length(bytes), JSON, |_| {});
                self.body = Some(MadeBody::new(bytes / 2, None));
                return Then::Close;
            }
            _ => {}
        }
        if let Some(bytes) = order.bytes {
            return self.make(bytes);
        }
        match order.what {
            What::Hello(name) => self.hello(name),
            What::Api => self.tell_bytes(JSON, API),
            What::Echo => {
                let content_type = self.request.header("content-type").unwrap_or(b"application/octet-stream");
                self.tell_bytes(content_type, self.request.body)
            }
            What::Status => {
                let status = order.status.unwrap_or(200);
                self.tell(status, &format!("status {status}"))
            }
            What::Redirect(left) => {
                self.status.get_or_insert(302);
                self.tell_with(JSON, b"", |out| {
                    let location = match left {
                        0 => "/api/redirected".to_owned(),
                        left => format!("/redirect/{}", left - 1),
                    };
                    out.extend_from_slice(format!("Location: {location}\r\n").as_bytes());
                })
            }
            What::SetCookie(cookie) => {
                let (name, value) = cookie.split_once('/').unwrap_or(("session", "12345"));
                self.tell_with(JSON, API, |out| {
                    out.extend_from_slice(format!("Set-Cookie: {name}={value}; Path=/\r\n").as_bytes());
                })
            }
            What::BigHeader(bytes) => self.tell_with(JSON, API, |out| {
                out.extend_from_slice(b"X-Filler: ");
                fill(out, 0, bytes as usize);
                out.extend_from_slice(b"\r\n");
            }),
            What::Stats => self.tell_bytes(JSON, own.counts.total().to_json().as_bytes()),
            What::Stamps => self.tell_bytes(JSON, &own.take_stamps().to_json()),
            _ => self.tell(404, "not found"),
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Then {
        match refusal {
            Refusal::OverLimit => {
                self.status = Some(refusal.status());
                self.tell_with(JSON, OVER_LIMIT, |out| out.extend_from_slice(b"Retry-After: 1\r\n"))
            }
            other => self.tell(other.status(), &other.to_string()),
        }
    }

    /// The greeting, without a detour for names that need neither decoding nor escaping.
    fn hello(&mut self, name: &str) -> Then {
        let plain = name.bytes().all(|byte| !matches!(byte, b'%' | b'"' | b'\\' | 0x7f..));
        if !plain || self.chunk.is_some() || self.bodiless() {
            let text = serde_json::Value::from(format!("hello {}", decoded(name))).to_string();
            let body = format!(r#"{{"code":0,"msg":{text},"data":null}}"#);
            return self.tell_bytes(JSON, body.as_bytes());
        }
        self.head(Framing::Length((HELLO.0.len() + name.len() + HELLO.1.len()) as u64), JSON, |_| {});
        for part in [HELLO.0, name.as_bytes(), HELLO.1] {
            self.out.extend_from_slice(part);
        }
        self.then()
    }

    fn tell(&mut self, status: u16, text: &str) -> Then {
        self.status.get_or_insert(status);
        self.tell_bytes(JSON, &message(status, text))
    }

    fn tell_bytes(&mut self, content_type: &[u8], body: &[u8]) -> Then {
        self.tell_with(content_type, body, |_| {})
    }

    fn tell_with(&mut self, content_type: &[u8], body: &[u8], extra: impl FnOnce(&mut Vec<u8>)) -> Then {
        let framing = self.framing(body.len() as u64);
        self.head(framing, content_type, extra);
        if !self.bodiless() {
            match self.chunk {
                None => self.out.extend_from_slice(body),
                Some(size) => {
                    for chunk in body.chunks(size as usize) {
                        write_chunk_size(self.out, chunk.len());
                        self.out.extend_from_slice(chunk);
                        self.out.extend_from_slice(b"\r\n");
                    }
                    self.out.extend_from_slice(LAST_CHUNK);
                }
            }
        }
        self.then()
    }

    /// A body of so many bytes, made while it is sent.
    fn make(&mut self, bytes: u64) -> Then {
        self.head(self.framing(bytes), b"application/octet-stream", |_| {});
        if !self.bodiless() {
            self.body = Some(MadeBody::new(bytes, self.chunk));
        }
        self.then()
    }

    fn head(&mut self, framing: Framing, content_type: &[u8], extra: impl FnOnce(&mut Vec<u8>)) {
        let status = self.status.unwrap_or(200);
        Head { status, content_type, persistence: self.persistence, framing }.write(self.out, extra);
    }

    fn framing(&self, body_bytes: u64) -> Framing {
        match (self.status, self.chunk) {
            (Some(204 | 304), _) => Framing::NoBody,
            (_, Some(_)) => Framing::Chunked,
            (_, None) => Framing::Length(body_bytes),
        }
    }

    /// The answer ends with its head (RFC 9112 section 6.3).
    fn bodiless(&self) -> bool {
        self.request.method == "HEAD" || matches!(self.status, Some(204 | 304))
    }

    fn then(&self) -> Then {
        if self.persistence.closes() {
            Then::Close
        } else {
            Then::Stay
        }
    }
}

/// A JSON body that says what is the matter.
fn message(code: u16, text: &str) -> Vec<u8> {
    format!(r#"{{"code":{code},"msg":{},"data":null}}"#, serde_json::Value::from(text)).into_bytes()
}

/// A path segment with its percent-encoding undone; what is no valid encoding stays as it is.
fn decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let encoded = match bytes[at..] {
            [b'%', high, low, ..] => hex(high).zip(hex(low)),
            _ => None,
        };
        out.push(encoded.map_or(bytes[at], |(high, low)| high << 4 | low));
        at += if encoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn percent_encoding_is_undone_where_it_is_valid() {
        assert_eq!(decoded("a%20b%22"), "a b\"");
        assert_eq!(decoded("%E6%9D%A8"), "杨");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }
}
