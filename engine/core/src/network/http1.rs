//! HTTP/1.1 on a connection: one response at a time.

use pummel_http::{Keep, Limits, Progress, ProtocolError, Response, ResponseParser};
use pummel_ring::{now_ns, Flow};

/// The state of one connection that speaks HTTP/1.1.
pub(crate) struct Http1 {
    parser: ResponseParser,
    /// The response being read, or the last one.
    pub(crate) response: Response,
    state: State,
    /// Bytes came that no request asked for, or a request was not sent whole: the connection must not be used again.
    surplus: bool,
    /// A byte of the present response has arrived.
    pub(crate) answered: bool,
    /// The first byte of the present response is to be stamped.
    timed: bool,
    /// When it arrived, if it was to be stamped; 0 until it has.
    pub(crate) first_byte_ns: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Reading,
    Complete,
    Failed(ProtocolError),
}

/// How far the present response is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    Unfinished,
    Complete,
    Failed(ProtocolError),
}

impl Http1 {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            parser: ResponseParser::new(limits),
            response: Response::default(),
            state: State::Idle,
            surplus: false,
            answered: false,
            timed: false,
            first_byte_ns: 0,
        }
    }

    /// Makes ready for the response of a request about to be sent. `timed` stamps its first byte.
    #[inline]
    pub(crate) fn begin(&mut self, head_request: bool, keep: Keep, timed: bool) {
        self.parser.begin(head_request, keep);
        self.response.reset();
        self.state = State::Reading;
        self.answered = false;
        self.timed = timed;
        self.first_byte_ns = 0;
    }

    /// Makes ready for a proxy's answer to CONNECT.
    pub(crate) fn begin_connect(&mut self) {
        self.begin(false, Keep::NOTHING, false);
        self.parser.begin_connect();
    }

    /// How far the response is.
    #[inline]
    pub(crate) fn reading(&self) -> Reading {
        match self.state {
            State::Complete => Reading::Complete,
            State::Failed(error) => Reading::Failed(error),
            State::Idle | State::Reading => Reading::Unfinished,
        }
    }

    /// The peer closed its side: that completes a body which ends with the connection (RFC 9112 section 6.3), and breaks
    /// every other response.
    pub(crate) fn end_of_stream(&mut self) -> Reading {
        if self.state == State::Reading {
            self.state = match self.parser.end_of_stream(&mut self.response) {
                Ok(Progress::Complete { .. }) => State::Complete,
                Ok(Progress::NeedMore) => State::Reading,
                Err(error) => State::Failed(error),
            };
            self.surplus = true;
        }
        self.reading()
    }

    /// True when the next request may go out on this connection.
    #[inline]
    pub(crate) fn reusable(&self) -> bool {
        !self.surplus && self.response.keep_alive && self.state == State::Complete
    }

    /// The request was not sent to its end, so no other may follow it.
    pub(crate) fn spoil(&mut self) {
        self.surplus = true;
    }

    /// True while nothing has arrived on the idle connection.
    #[inline]
    pub(crate) fn quiet(&self) -> bool {
        !self.surplus
    }

    /// Takes bytes that arrived, TLS taken off.
    #[inline]
    pub(crate) fn on_data(&mut self, bytes: &[u8]) -> Flow {
        if self.state != State::Reading {
            self.surplus = true;
            return Flow::More;
        }
        self.answered = true;
        if self.timed && self.first_byte_ns == 0 {
            self.first_byte_ns = now_ns();
        }
        match self.parser.feed(bytes, &mut self.response) {
            Ok(Progress::NeedMore) => Flow::More,
            Ok(Progress::Complete { consumed }) => {
                self.surplus |= consumed < bytes.len();
                self.state = State::Complete;
                Flow::Wake
            }
            Err(error) => {
                self.state = State::Failed(error);
                self.surplus = true;
                Flow::Wake
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pummel_http::{Keep, Limits};
    use pummel_ring::{now_ns, Flow};

    use super::{Http1, Reading};

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    fn reading(head: bool) -> Http1 {
        let mut connection = Http1::new(Limits::default());
        connection.begin(head, Keep::default(), false);
        connection
    }

    #[test]
    fn a_whole_response_wakes_and_leaves_the_connection_reusable() {
        let mut connection = reading(false);
        assert_eq!(connection.on_data(OK), Flow::Wake);
        assert_eq!(connection.reading(), Reading::Complete);
        assert_eq!(connection.response.status, 200);
        assert!(connection.reusable());
    }

    #[test]
    fn the_first_byte_is_stamped_where_asked_and_once() {
        let mut connection = reading(false);
        connection.on_data(OK);
        assert_eq!(connection.first_byte_ns, 0, "nobody asked");
        connection.begin(false, Keep::default(), true);
        assert_eq!(connection.first_byte_ns, 0);
        let before = now_ns();
        connection.on_data(&OK[..1]);
        let stamp = connection.first_byte_ns;
        assert!(before <= stamp && stamp <= now_ns());
        connection.on_data(&OK[1..]);
        assert_eq!((connection.first_byte_ns, connection.reading()), (stamp, Reading::Complete));
    }

    #[test]
    fn bytes_after_the_response_spoil_the_connection_and_are_never_a_second_response() {
        let mut connection = reading(false);
        assert_eq!(connection.on_data(&[OK, OK].concat()), Flow::Wake);
        assert_eq!(connection.reading(), Reading::Complete);
        assert!(!connection.reusable());
    }

    #[test]
    fn unasked_bytes_on_an_idle_connection_spoil_it_without_a_wake() {
        let mut connection = reading(false);
        connection.on_data(OK);
        assert_eq!(connection.on_data(b"HTTP/1.1 408 Request Timeout\r\n\r\n"), Flow::More);
        assert!(!connection.quiet());
    }

    #[test]
    fn a_close_completes_only_what_the_close_delimits() {
        let mut open_ended = reading(false);
        open_ended.on_data(b"HTTP/1.1 200 OK\r\n\r\nsome");
        assert_eq!(open_ended.end_of_stream(), Reading::Complete);
        assert!(!open_ended.reusable());
        let mut counted = reading(false);
        counted.on_data(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsome");
        assert!(matches!(counted.end_of_stream(), Reading::Failed(_)));
    }
}
