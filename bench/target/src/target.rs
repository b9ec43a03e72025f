//! Starting and stopping the server.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{mpsc::sync_channel, Arc},
};

use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use pummel_ring::{probe, MailboxSender, Unavailable};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    admission::{Own, Shared},
    counts::Counts,
    serve::{Core, Never},
    stamps::Stamps,
};

/// Memory glommio sets aside for disk I/O, of which there is none; its default of 10 MiB would count against the limit on
/// locked memory.
const IO_MEMORY_BYTES: usize = 64 * 1024;
/// Entries of glommio's own rings, which do nothing here.
const GLOMMIO_RING_ENTRIES: usize = 16;
/// Connections the kernel completes ahead of accept; it cuts this to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Where a target listens and on which CPUs it runs.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// The address; port 0 takes any free one.
    pub listen: SocketAddr,
    /// One executor is pinned to each; the kernel spreads connections over them (`SO_REUSEPORT`).
    pub cpus: Vec<usize>,
}

/// Why a target does not start.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The list of CPUs is empty.
    #[error("the target needs at least one CPU to run on")]
    NoCpus,
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another port, or 0 for any free one")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// There is no io_uring here, or not enough of it.
    #[error(transparent)]
    Ring(#[from] Unavailable),
    /// The executor of a CPU does not start.
    #[error(
        "the target does not start on CPU {cpu}: {reason}; check that the CPU exists and is allowed to this process"
    )]
    Executor {
        /// The CPU.
        cpu: usize,
        /// What the executor said.
        reason: String,
    },
}

/// A running server. Dropping it stops it, as [`stop`](Self::stop) does.
pub struct Target {
    address: SocketAddr,
    shared: Arc<Shared>,
    cores: Vec<RunningCore>,
}

struct RunningCore {
    /// Dropped to end the core.
    until: MailboxSender<Never>,
    thread: ExecutorJoinHandle<()>,
}

impl Target {
    /// Starts one executor on each CPU. When this returns, connections are accepted on all of them.
    ///
    /// # Errors
    /// [`TargetError`], with what to do about it; nothing is left running then.
    pub fn start(options: TargetOptions) -> Result<Self, TargetError> {
        if options.cpus.is_empty() {
            return Err(TargetError::NoCpus);
        }
        let capabilities = probe()?;
        let listeners = listen(options.listen, options.cpus.len())
            .map_err(|source| TargetError::Listen { address: options.listen, source })?;
        let address =
            listeners[0].local_addr().map_err(|source| TargetError::Listen { address: options.listen, source })?;
        let shared = Shared::new(options.cpus.len());
        let mut target = Self { address, shared, cores: Vec::with_capacity(options.cpus.len()) };
        for (index, (cpu, listener)) in options.cpus.into_iter().zip(listeners).enumerate() {
            let refused = |reason: String| TargetError::Executor { cpu, reason };
            let own = Own::new(&target.shared, index);
            let (tell, told) = sync_channel(1);
            let thread = LocalExecutorBuilder::new(Placement::Fixed(cpu))
                .name(&format!("target-{cpu}"))
                .io_memory(IO_MEMORY_BYTES)
                .ring_depth(GLOMMIO_RING_ENTRIES)
                .spawn(move || async move {
                    match Core::new(capabilities, own) {
                        Ok((core, until)) => {
                            // Nobody listens only if the start was given up, and then the sender is gone with it.
                            let _ = tell.send(Ok(until));
                            core.serve(listener).await;
                        }
                        Err(error) => {
                            let _ = tell.send(Err(error));
                        }
                    }
                })
                .map_err(|error| refused(error.to_string()))?;
            match told.recv() {
                Ok(Ok(until)) => target.cores.push(RunningCore { until, thread }),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(refused("its thread ended at once".to_owned())),
            }
        }
        Ok(target)
    }

    /// Where it listens, with the port it got.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What it has served so far.
    pub fn counts(&self) -> Counts {
        self.shared.counts.total()
    }

    /// When the requests for `/stamp/...` arrived since the last call, or the last request for `/__stamps`.
    pub fn take_stamps(&self) -> Stamps {
        self.shared.stamps.take()
    }

    /// Closes all connections, ends all cores, and returns what they served in all.
    pub fn stop(mut self) -> Counts {
        self.end();
        self.shared.counts.total()
    }

    fn end(&mut self) {
        let (senders, threads): (Vec<_>, Vec<_>) =
            self.cores.drain(..).map(|RunningCore { until, thread }| (until, thread)).unzip();
        drop(senders);
        for thread in threads {
            // A core that panicked has ended as well, and what it counted stands.
            let _ = thread.join();
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.end();
    }
}

/// Opens as many listeners on one address as there are cores.
fn listen(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    // A port that is shared could be shared with another target by mistake; one bind without sharing finds that out.
    drop(bound(address, false)?);
    let mut address = address;
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = bound(address, true)?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        // The first one chooses the port, if it was left open; the others share it.
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn bound(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
