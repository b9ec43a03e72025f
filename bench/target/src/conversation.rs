//! The quick way: requests are parsed and answered where they arrive, in the ring's walk over completions.

use std::rc::Rc;

use pummel_http::{Limits, RequestParser, RequestProgress};
use pummel_ring::{Flow, Sink};

use crate::{
    admission::Own,
    answer::{answer, refuse},
    work::Work,
};

/// The longest request body: `/echo` keeps it in memory to send it back.
const REQUEST_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Answers that a client has not fetched; above it, requests wait. Pipelining clients stay far below.
const ANSWERS_BYTES_MAX: usize = 256 * 1024;

/// Bytes kept of requests behind one that takes its time; above it the connection stops receiving.
const BACKLOG_BYTES_MAX: usize = 256 * 1024;

/// Buffers above this size are not kept from answer to answer: kept ones are multiplied by the number of connections.
const RETAINED_BYTES: usize = 64 * 1024;

/// One connection's requests and answers.
pub(crate) struct Conversation {
    parser: RequestParser,
    own: Rc<Own>,
    /// Answers that the ring has not yet fetched.
    answers: Vec<u8>,
    /// Complete requests so far.
    requests: u64,
    state: State,
    /// What arrived while a request takes its time.
    backlog: Vec<u8>,
    paused: bool,
}

enum State {
    /// Requests are answered as they come.
    Quick,
    /// The task has work to begin with.
    Waiting(Work),
    /// The task is at work; requests queue up.
    Working,
    /// What arrives is of no interest any more.
    Over,
}

/// What the task does after a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GoOn {
    /// The connection had stopped receiving and must be resumed.
    pub(crate) resume: bool,
}

impl Conversation {
    pub(crate) fn new(own: Rc<Own>) -> Self {
        let limits = Limits { kept_body_bytes: REQUEST_BODY_BYTES_MAX, ..Limits::default() };
        Self {
            parser: RequestParser::new(limits, true),
            own,
            answers: Vec::new(),
            requests: 0,
            state: State::Quick,
            backlog: Vec::new(),
            paused: false,
        }
    }

    /// Takes the work there is to do, if any; requests queue up until [`go_on`](Self::go_on).
    pub(crate) fn begin_work(&mut self) -> Option<Work> {
        match std::mem::replace(&mut self.state, State::Working) {
            State::Waiting(work) => Some(work),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Takes the answers to the requests before the work, or those that [`go_on`](Self::go_on) gave.
    pub(crate) fn take_answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answers)
    }

    /// The work is done: answers what queued up behind it, until there is work again.
    pub(crate) fn go_on(&mut self) -> GoOn {
        self.state = State::Quick;
        let backlog = std::mem::take(&mut self.backlog);
        self.take(&backlog);
        GoOn { resume: std::mem::take(&mut self.paused) }
    }

    /// Nothing more is read from this connection.
    pub(crate) fn end(&mut self) {
        self.state = State::Over;
        self.backlog = Vec::new();
    }

    /// Answers what can be answered at once; keeps the rest, if something cannot.
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.answers.len() > ANSWERS_BYTES_MAX {
                return self.hold(Work::NONE, bytes);
            }
            match self.parser.feed(bytes) {
                Ok(RequestProgress::NeedMore { send_continue }) => {
                    if send_continue {
                        self.answers.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    return;
                }
                Ok(RequestProgress::Complete { request, consumed }) => {
                    self.requests += 1;
                    let work = answer(&request, self.requests, &self.own, &mut self.answers);
                    bytes = &bytes[consumed..];
                    if let Some(work) = work {
                        return self.hold(work, bytes);
                    }
                }
                Err(error) => {
                    self.own.counts.refused();
                    let work = refuse(error, &mut self.answers);
                    return self.hold(work, &[]);
                }
            }
        }
    }

    fn hold(&mut self, work: Work, rest: &[u8]) {
        self.state = State::Waiting(work);
        self.backlog.extend_from_slice(rest);
    }
}

impl Sink for Conversation {
    #[inline]
    fn on_data(&mut self, bytes: &mut [u8]) -> Flow {
        match self.state {
            State::Quick => {
                self.take(bytes);
                match self.state {
                    State::Quick if self.answers.is_empty() => Flow::More,
                    State::Quick => Flow::Reply,
                    _ => Flow::Wake,
                }
            }
            State::Waiting(_) | State::Working => {
                self.backlog.extend_from_slice(bytes);
                if self.backlog.len() <= BACKLOG_BYTES_MAX {
                    return Flow::More;
                }
                self.paused = true;
                Flow::Pause
            }
            State::Over => Flow::More,
        }
    }

    #[inline]
    fn reply(&mut self, spare: Vec<u8>) -> Vec<u8> {
        let next = if spare.capacity() > RETAINED_BYTES { Vec::new() } else { spare };
        std::mem::replace(&mut self.answers, next)
    }
}
