//! An executor with a driven ring for one test, and the sinks the tests use.

use std::{
    cell::RefCell,
    future::Future,
    panic::resume_unwind,
    process,
    rc::Rc,
    sync::mpsc::{channel, RecvTimeoutError},
    thread,
    time::Duration,
};

use glommio::{LocalExecutorBuilder, Placement};
use pummel_ring::{probe, Capabilities, Config, End, Event, Flow, Ring, Sink, Socket};

/// No test needs more than a fraction of this, however busy the machine; a test that does is stuck.
const WATCHDOG: Duration = Duration::from_mins(2);

/// Small enough for many executors at once under the default limit on locked memory.
const IO_MEMORY_BYTES: usize = 64 * 1024;

/// Everything this kernel can do.
pub(crate) fn capabilities() -> Capabilities {
    probe().expect("the tests need io_uring")
}

/// Sizes for a test of a few sockets.
pub(crate) fn small() -> Config {
    Config { max_sockets: 64, buffers: 64, buffer_bytes: 4096, capabilities: capabilities() }
}

/// Runs a test as a task of its own executor with a driven ring, takes the ring down after it, and checks that the kernel
/// is done with everything.
pub(crate) fn on_ring<S, F>(config: Config, test: impl FnOnce(Ring<S>) -> F + Send + 'static)
where
    S: Sink,
    F: Future<Output = ()> + 'static,
{
    let (done, finished) = channel();
    let core = LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(16)
        .spawn(move || async move {
            // Dropped when the thread ends, by a panic too.
            let _done = done;
            let ring = Ring::new(&config).expect("a ring");
            let driver = glommio::spawn_local({
                let ring = ring.clone();
                async move { ring.drive().await }
            });
            ring.spawn(test(ring.clone())).await;
            ring.stop();
            driver.await.expect("the kernel takes every enter");
            ring.shutdown();
            assert_eq!(ring.under_way(), 0, "the kernel is done with everything");
        })
        .expect("an executor");
    // Only the drop of the sender ends the wait, and nothing is ever sent.
    if finished.recv_timeout(WATCHDOG) == Err::<(), _>(RecvTimeoutError::Timeout) {
        eprintln!("test {:?} is stuck", thread::current().name());
        process::abort();
    }
    if let Err(error) = core.join() {
        resume_unwind(Box::new(error.to_string()));
    }
}

/// Keeps what arrives, and wakes its owner each time. Clones share it, so it can be looked at after the socket is gone.
#[derive(Clone, Default)]
pub(crate) struct Collect {
    bytes: Rc<RefCell<Vec<u8>>>,
}

impl Collect {
    pub(crate) fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    pub(crate) fn take(&self) -> Vec<u8> {
        self.bytes.take()
    }
}

impl Sink for Collect {
    fn on_data(&mut self, bytes: &mut [u8]) -> Flow {
        self.bytes.borrow_mut().extend_from_slice(bytes);
        Flow::Wake
    }
}

/// Waits until so many bytes have been collected.
pub(crate) async fn collected(socket: &Socket<Collect>, len: usize) {
    while socket.with(|sink| sink.len()) < len {
        let event = socket.event().await;
        assert!(matches!(event, Event::Connected | Event::Data { .. }), "{event:?} before {len} bytes");
    }
}

/// Waits for the end of the stream.
pub(crate) async fn ended<S: Sink>(socket: &Socket<S>) -> End {
    loop {
        if let Event::End(end) = socket.event().await {
            return end;
        }
    }
}

/// Sends back what arrives, without waking anyone.
#[derive(Default)]
pub(crate) struct Echo {
    pending: Vec<u8>,
}

impl Sink for Echo {
    fn on_data(&mut self, bytes: &mut [u8]) -> Flow {
        self.pending.extend_from_slice(bytes);
        Flow::Reply
    }

    fn reply(&mut self, spare: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut self.pending, spare)
    }
}

/// Either end of a connection whose both ends are on one ring.
pub(crate) enum Side {
    Client(Collect),
    Server(Echo),
}

impl Sink for Side {
    fn on_data(&mut self, bytes: &mut [u8]) -> Flow {
        match self {
            Self::Client(sink) => sink.on_data(bytes),
            Self::Server(sink) => sink.on_data(bytes),
        }
    }

    fn reply(&mut self, spare: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Client(_) => spare,
            Self::Server(sink) => sink.reply(spare),
        }
    }
}
