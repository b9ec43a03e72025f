//! Reading files through the ring, so that a slow disk holds up one task and not its core.

use std::{
    fs::File,
    future::Future,
    io,
    os::fd::AsRawFd,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use io_uring::{opcode, types};

use crate::{
    ring::{Inner, Shared},
    slot::{Op, Sink, GENERATION_MASK},
    Ring,
};

/// A read's place in the ring. Buffer and file stay here until the kernel is done with them, whatever becomes of who asked.
#[derive(Default)]
pub(crate) struct ReadSlot {
    generation: u32,
    buffer: Vec<u8>,
    file: Option<Arc<File>>,
    waker: Option<Waker>,
    /// What the kernel said.
    result: Option<i32>,
    /// Nobody waits for it any more.
    abandoned: bool,
}

/// A read of [`Ring::read_at`]. Dropping it cancels the read.
pub struct FileRead<S: Sink> {
    shared: Rc<Shared<S>>,
    /// None once it has given its result.
    key: Option<u32>,
}

impl<S: Sink> Ring<S> {
    /// Reads a file from `offset` on into the whole of `buffer`, and gives the buffer back with how many bytes were read: fewer
    /// than fit only at the end of the file or where the kernel chose to, and 0 only at the end.
    pub fn read_at(&self, file: &Arc<File>, offset: u64, buffer: Vec<u8>) -> FileRead<S> {
        let mut inner = self.shared.inner.borrow_mut();
        let key = inner.free_reads.pop().unwrap_or_else(|| {
            inner.reads.push(ReadSlot::default());
            inner.reads.len() as u32 - 1
        });
        let read = &mut inner.reads[key as usize];
        read.buffer = buffer;
        read.file = Some(Arc::clone(file));
        read.result = None;
        read.abandoned = false;
        let length = u32::try_from(read.buffer.len()).unwrap_or(u32::MAX);
        let entry = opcode::Read::new(types::Fd(file.as_raw_fd()), read.buffer.as_mut_ptr(), length)
            .offset(offset)
            .build()
            .user_data(Op::Read.user_data(key, read.generation));
        inner.begin(entry);
        drop(inner);
        FileRead { shared: Rc::clone(&self.shared), key: Some(key) }
    }
}

impl<S: Sink> Future for FileRead<S> {
    type Output = io::Result<(Vec<u8>, usize)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let key = self.key.expect("a read gives its result once");
        let shared = Rc::clone(&self.shared);
        let mut inner = shared.inner.borrow_mut();
        let read = &mut inner.reads[key as usize];
        let Some(result) = read.result else {
            read.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let buffer = std::mem::take(&mut read.buffer);
        inner.free_read(key);
        self.key = None;
        Poll::Ready(if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok((buffer, result as usize)) })
    }
}

impl<S: Sink> Drop for FileRead<S> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        // During a panic the ring may be borrowed; its teardown then waits for the read.
        let Ok(mut inner) = self.shared.inner.try_borrow_mut() else { return };
        let read = &mut inner.reads[key as usize];
        if read.result.is_some() {
            inner.free_read(key);
            return;
        }
        read.abandoned = true;
        read.waker = None;
        let read_data = Op::Read.user_data(key, read.generation);
        let cancel = opcode::AsyncCancel::new(read_data).build();
        inner.begin(cancel.user_data(Op::Cancel.user_data(0, 0)));
    }
}

impl<S> Inner<S> {
    /// Takes the completion of a read.
    pub(crate) fn read_done(&mut self, key: u32, generation: u32, result: i32) {
        let read = &mut self.reads[key as usize];
        debug_assert_eq!(read.generation, generation, "a read's place outlives it");
        read.result = Some(result);
        if read.abandoned {
            self.free_read(key);
        } else if let Some(waker) = read.waker.take() {
            waker.wake();
        }
    }

    fn free_read(&mut self, key: u32) {
        let generation = self.reads[key as usize].generation.wrapping_add(1) & GENERATION_MASK;
        self.reads[key as usize] = ReadSlot { generation, ..ReadSlot::default() };
        self.free_reads.push(key);
    }
}
