//! What the tests of the ring share: an executor with its driver, a watchdog, and sinks.

use std::{
    future::Future,
    process,
    sync::mpsc::{channel, RecvTimeoutError},
    thread,
    time::Duration,
};

use glommio::{LocalExecutorBuilder, Placement};
use pummel_ring::{probe, Capabilities, Config, Flow, Ring, Sink};

/// No test needs more than a fraction of this, however busy the machine; a test that does is stuck.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Small enough for many executors at once under the default limit on locked memory.
const IO_MEMORY_BYTES: usize = 64 * 1024;

/// Collects what arrives and wakes its owner each time.
#[derive(Default)]
pub struct Collect {
    pub bytes: Vec<u8>,
}

impl Sink for Collect {
    fn on_data(&mut self, bytes: &[u8]) -> Flow {
        self.bytes.extend_from_slice(bytes);
        Flow::Wake
    }
}

/// Sizes for a test of a few sockets.
pub fn small() -> Config {
    with(probe().expect("the tests need io_uring"))
}

/// The same with other capabilities.
pub fn with(capabilities: Capabilities) -> Config {
    Config { max_sockets: 64, buffers: 64, buffer_bytes: 4096, capabilities }
}

/// Runs a test as a task of its own executor with a driven ring, and takes the ring down after it.
pub fn on_ring<S, F>(config: Config, test: impl FnOnce(Ring<S>) -> F + Send + 'static)
where
    S: Sink,
    F: Future<Output = ()> + 'static,
{
    let (done, finished) = channel();
    let core = LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(16)
        .spawn(move || async move {
            let ring = Ring::new(&config).expect("a ring");
            let driver = glommio::spawn_local({
                let ring = ring.clone();
                async move { ring.drive().await }
            });
            ring.spawn(test(ring.clone())).await;
            ring.stop();
            driver.await.expect("the kernel takes every enter");
            ring.shutdown();
            let _ = done.send(());
        })
        .expect("an executor");
    if finished.recv_timeout(WATCHDOG) == Err(RecvTimeoutError::Timeout) {
        eprintln!("test {:?} is stuck", thread::current().name());
        process::abort();
    }
    core.join().expect("the test panicked");
}
