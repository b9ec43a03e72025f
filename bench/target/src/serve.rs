//! One core of the server: accept connections, give each a task, end them all when told to.

use std::{cell::RefCell, net::TcpListener, rc::Rc};

use glommio::Task;
use pummel_ring::{now_ns, Capabilities, Config, Mailbox, MailboxSender, Ring, Unavailable};

use crate::{admission::Own, conversation::Conversation, work::attend};

/// The most connections of a core: the most users of a core that a machine of 20,000 descriptors can be asked for.
const CONNECTIONS_MAX: u32 = 16_384;

/// Receive buffers of a core. Requests are small and answered at once, so few are in use, and few stay in the cache.
const BUFFERS: u32 = 1024;
/// Bytes of a buffer: a request and its headers as a rule.
const BUFFER_BYTES: usize = 2048;

/// How long to let connections go away after the kernel had no descriptor for a new one.
const ACCEPT_RETRY_NS: u64 = 10_000_000;

/// Nothing is ever sent: the core ends when its sender is dropped.
pub(crate) enum Never {}

/// The ring of a core and what ends it.
pub(crate) struct Core {
    ring: Ring<Conversation>,
    until: Mailbox<Never, Conversation>,
    own: Rc<Own>,
}

impl Core {
    /// Makes the core; it serves until the sender is dropped.
    ///
    /// # Errors
    /// What keeps the kernel from giving a ring.
    pub(crate) fn new(capabilities: Capabilities, own: Own) -> Result<(Self, MailboxSender<Never>), Unavailable> {
        let config =
            Config { max_sockets: CONNECTIONS_MAX, buffers: BUFFERS, buffer_bytes: BUFFER_BYTES, capabilities };
        let ring = Ring::new(&config)?;
        let (sender, until) = ring.mailbox();
        Ok((Self { ring, until, own: Rc::new(own) }, sender))
    }

    /// Serves a listener. Runs as the main task of an executor.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let Self { ring, until, own } = self;
        let driver = glommio::spawn_local({
            let ring = ring.clone();
            async move { ring.drive().await }
        });
        let connections = Rc::new(Connections::default());
        let accepting = ring.spawn(accept(ring.clone(), listener, Rc::clone(&connections), own));
        let ending = ring.spawn({
            let ring = ring.clone();
            async move {
                until.receive().await;
                accepting.cancel().await;
                for task in connections.take() {
                    task.cancel().await;
                }
                ring.stop();
            }
        });
        // A ring that the kernel refuses to enter cannot wake the other tasks either, so they are not waited for.
        if driver.await.is_ok() {
            ending.await;
        }
        ring.shutdown();
    }
}

/// The tasks of the connections, each in a place that is used again.
#[derive(Default)]
struct Connections {
    tasks: RefCell<Vec<Option<Task<()>>>>,
    free: RefCell<Vec<usize>>,
}

impl Connections {
    fn place(&self) -> usize {
        self.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut tasks = self.tasks.borrow_mut();
            tasks.push(None);
            tasks.len() - 1
        })
    }

    fn take(&self) -> impl Iterator<Item = Task<()>> {
        self.tasks.take().into_iter().flatten()
    }
}

/// Accepts until cancelled.
async fn accept(ring: Ring<Conversation>, listener: TcpListener, connections: Rc<Connections>, own: Rc<Own>) {
    let acceptor = ring.accept(listener);
    loop {
        let adopted = match acceptor.accept().await {
            Ok(fd) => ring.adopt(fd, Conversation::new(Rc::clone(&own))),
            Err(error) => Err(error),
        };
        let Ok(socket) = adopted else {
            // The usual reason is a lack of descriptors, which others give back; a client that went away costs little.
            ring.sleep_until(now_ns() + ACCEPT_RETRY_NS).await;
            continue;
        };
        let place = connections.place();
        let open = Open::new(&own, &connections, place);
        let task = ring.spawn({
            let ring = ring.clone();
            async move {
                attend(&ring, socket).await;
                drop(open);
            }
        });
        connections.tasks.borrow_mut()[place] = Some(task);
    }
}

/// Counts a connection from when it is made until it is dropped, with its task or by it.
struct Open {
    own: Rc<Own>,
    connections: Rc<Connections>,
    place: usize,
}

impl Open {
    fn new(own: &Rc<Own>, connections: &Rc<Connections>, place: usize) -> Self {
        own.counts.opened();
        Self { own: Rc::clone(own), connections: Rc::clone(connections), place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.own.counts.closed();
        self.connections.free.borrow_mut().push(self.place);
    }
}
