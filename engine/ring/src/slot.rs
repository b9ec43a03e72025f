//! A socket's place in the ring: what is under way on it and what its owner waits for.

use std::{
    io,
    os::fd::OwnedFd,
    task::{Context, Waker},
};

use socket2::SockAddr;

/// What a socket's bytes are given to, on the pass in which they arrive. Called by the driver: it must be quick, must not
/// call the ring, and must copy what it wants to keep.
pub trait Sink: 'static {
    /// Takes bytes that arrived, in order, and says what to do next. The buffer may be written to: a cipher is taken off in place.
    fn on_data(&mut self, bytes: &mut [u8]) -> Flow;

    /// Gives the bytes to send after [`Flow::Reply`], in `spare` or a buffer of its own. Empty: nothing to send.
    fn reply(&mut self, spare: Vec<u8>) -> Vec<u8> {
        spare
    }
}

/// What the driver does after a sink has taken bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Nothing: more bytes are needed.
    More,
    /// Wakes the socket's owner with [`Event::Data`].
    Wake,
    /// Wakes the owner and stops receiving until [`Socket::resume`](crate::Socket::resume): the reader lags. Bytes already
    /// received by the kernel's operation still arrive, at most the ring's buffers.
    Pause,
    /// Sends what [`Sink::reply`] gives, without waking anyone: the way of a server that answers at once.
    Reply,
    /// As [`Reply`](Self::Reply), and wakes the owner with [`Event::Data`].
    ReplyAndWake,
}

/// Why a socket's stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The peer closed its side.
    Eof,
    /// A connect, send or receive failed with this `errno`.
    Error(i32),
}

impl End {
    /// The end as an error of the standard library.
    pub fn to_io(self) -> io::Error {
        match self {
            Self::Eof => io::ErrorKind::UnexpectedEof.into(),
            Self::Error(errno) => io::Error::from_raw_os_error(errno),
        }
    }
}

/// What a socket's owner is woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The connection is open.
    Connected,
    /// The sink returned [`Flow::Wake`] or [`Flow::Pause`]; when, in nanoseconds of [`now_ns`](crate::now_ns).
    Data {
        /// When the pass began that brought the bytes.
        at_ns: u64,
    },
    /// The stream ended. All bytes received before were given to the sink.
    End(End),
    /// The deadline set by [`Socket::set_deadline`](crate::Socket::set_deadline) passed.
    Timeout,
}

/// Bytes that live as long as the ring: made by [`Ring::keep`](crate::Ring::keep), sent without a copy, any number of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunBytes {
    pub(crate) index: u32,
    pub(crate) len: u32,
}

impl RunBytes {
    /// How many bytes they are.
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// True for no bytes.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// What [`Socket::send`](crate::Socket::send) sends.
#[derive(Debug)]
pub enum Payload {
    /// Bytes of the whole run.
    Run(RunBytes),
    /// A buffer of the sender's; comes back through [`Socket::take_buffer`](crate::Socket::take_buffer).
    Owned(Vec<u8>),
}

impl Payload {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Run(bytes) => bytes.len(),
            Self::Owned(bytes) => bytes.len(),
        }
    }
}

/// Operations under way on a slot, one bit each.
pub(crate) const CONNECTING: u8 = 1;
pub(crate) const RECEIVING: u8 = 2;
/// A send that asked for its completion.
pub(crate) const SENDING: u8 = 4;

pub(crate) struct Slot<S> {
    /// Raised each time the slot is freed; part of every operation's user data.
    pub(crate) generation: u32,
    /// Gone while the slot is free or closing.
    pub(crate) sink: Option<S>,
    /// Kept only where the ring has no registered files.
    pub(crate) fd: Option<OwnedFd>,
    /// The address of a connect under way; the kernel reads it.
    pub(crate) address: Option<Box<SockAddr>>,
    pub(crate) waker: Option<Waker>,
    /// Bits of operations under way.
    pub(crate) pending: u8,
    pub(crate) connected: bool,
    pub(crate) connect_seen: bool,
    pub(crate) data: bool,
    pub(crate) paused: bool,
    pub(crate) timed_out: bool,
    pub(crate) closing: bool,
    pub(crate) reply_waits: bool,
    pub(crate) end: Option<End>,
    /// 0: none.
    pub(crate) deadline_ns: u64,
    /// The deadline of the entry in the timers, 0 if there is none: at most one per slot.
    pub(crate) timer_ns: u64,
    pub(crate) sent_ns: u64,
    /// When the last send that reported its end was taken whole.
    pub(crate) taken_ns: u64,
    pub(crate) data_ns: u64,
    /// Being sent, or waiting to be.
    pub(crate) out: Option<Payload>,
    /// How much of `out` is sent.
    pub(crate) out_sent: usize,
    /// The last quiet send, in case it fails.
    pub(crate) quiet: Option<RunBytes>,
    /// `out` must report its end, although it would be small enough for a quiet send.
    pub(crate) reports: bool,
    pub(crate) send_queued: bool,
    /// The owner waits for the end of its send.
    pub(crate) flush_waits: bool,
    /// A buffer of an earlier send, for the next.
    pub(crate) spare: Vec<u8>,
}

impl<S> Slot<S> {
    pub(crate) fn new() -> Self {
        Self {
            generation: 0,
            sink: None,
            fd: None,
            address: None,
            waker: None,
            pending: 0,
            connected: false,
            connect_seen: false,
            data: false,
            paused: false,
            timed_out: false,
            closing: false,
            reply_waits: false,
            end: None,
            deadline_ns: 0,
            timer_ns: 0,
            sent_ns: 0,
            taken_ns: 0,
            data_ns: 0,
            out: None,
            out_sent: 0,
            quiet: None,
            reports: false,
            send_queued: false,
            flush_waits: false,
            spare: Vec::new(),
        }
    }

    /// Makes the slot ready for its next socket; the generation goes on.
    pub(crate) fn clear(&mut self) {
        let generation = self.generation.wrapping_add(1) & GENERATION_MASK;
        *self = Self { generation, ..Self::new() };
    }

    /// Notes whom to wake.
    pub(crate) fn wake_with(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Wakes an owner that waits for the end of its send; owners that do not are left alone.
    pub(crate) fn wake_flushed(&mut self) {
        if std::mem::take(&mut self.flush_waits) {
            self.wake();
        }
    }

    pub(crate) fn finish(&mut self, end: End) {
        if self.end.is_none() {
            self.end = Some(end);
        }
        self.wake();
    }
}

/// Generations have 24 bits in the user data; a slot is not reused 16 million times while one operation is under way.
pub(crate) const GENERATION_MASK: u32 = 0x00ff_ffff;

/// What an operation is, the top byte of its user data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    Receive = 0,
    Send = 1,
    /// A send of run-long bytes that reports only failure.
    SendQuiet = 2,
    Connect = 3,
    Cancel = 4,
    Accept = 5,
    Doorbell = 6,
    /// Of a file; its number stands in the place of a slot.
    Read = 7,
}

impl Op {
    pub(crate) fn user_data(self, slot: u32, generation: u32) -> u64 {
        (self as u64) << 56 | u64::from(generation) << 32 | u64::from(slot)
    }

    pub(crate) fn parse(user_data: u64) -> Option<(Self, u32, u32)> {
        let op = match user_data >> 56 {
            0 => Self::Receive,
            1 => Self::Send,
            2 => Self::SendQuiet,
            3 => Self::Connect,
            4 => Self::Cancel,
            5 => Self::Accept,
            6 => Self::Doorbell,
            7 => Self::Read,
            _ => return None,
        };
        Some((op, user_data as u32, (user_data >> 32) as u32 & GENERATION_MASK))
    }
}

#[cfg(test)]
mod tests {
    use super::{Op, Slot};

    #[test]
    fn user_data_round_trips() {
        let packed = Op::Connect.user_data(70_000, 0x00ab_cdef);
        assert_eq!(Op::parse(packed), Some((Op::Connect, 70_000, 0x00ab_cdef)));
        assert_eq!(Op::parse(u64::MAX), None);
    }

    #[test]
    fn clearing_raises_the_generation_and_wraps_within_24_bits() {
        let mut slot = Slot::<()>::new();
        slot.clear();
        assert_eq!(slot.generation, 1);
        slot.generation = 0x00ff_ffff;
        slot.clear();
        assert_eq!(slot.generation, 0);
    }
}
