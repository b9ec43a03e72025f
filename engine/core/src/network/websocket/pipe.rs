//! A stream of the ring as tungstenite reads and writes it: what would wait says so.

use std::{
    io::{self, Read, Write},
    task::{Context, Poll, Waker},
};

use crate::network::stream::RingStream;

/// The bytes below the frames, counted.
pub(super) struct Pipe {
    pub(super) stream: RingStream,
    /// Who is woken when the stream goes on: the task that was last here.
    pub(super) waker: Waker,
    read_bytes: u64,
    written_bytes: u64,
}

impl Pipe {
    /// `read_bytes` were read from the stream before.
    pub(super) fn new(stream: RingStream, read_bytes: u64) -> Self {
        Self { stream, waker: Waker::noop().clone(), read_bytes, written_bytes: 0 }
    }

    /// Bytes read since [`take_counts`](Self::take_counts) was last called.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Bytes read and written since this was last called.
    pub(super) fn take_counts(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.read_bytes), std::mem::take(&mut self.written_bytes))
    }
}

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = or_would_block(self.stream.poll_read(&Context::from_waker(&self.waker), out))?;
        self.read_bytes += count as u64;
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = or_would_block(self.stream.poll_write(&Context::from_waker(&self.waker), bytes))?;
        self.written_bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        or_would_block(self.stream.poll_flush(&Context::from_waker(&self.waker)))
    }
}

fn or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(done) => done,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
