//! The thread of one core: pinned, with its executor, its ring and its recorder.

use std::{
    cell::RefCell,
    future::{poll_fn, Future},
    io,
    panic::{catch_unwind, AssertUnwindSafe},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
};

use crossbeam_channel::{Receiver, Sender};
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};
use pummel_case::Origin;
use pummel_ring::{now_ns, Capabilities, Config, MailboxSender, Ring};
use pummel_stats::Recorder;

use crate::{
    core_life,
    network::connection::Wire,
    network::origins::{Found, Origins},
    network::sampled::mask_message,
    network::tls::RunTls,
    plan::nanos,
    program::Program,
    shard::{Message, Setup, Shard, Shortages},
    shared::Shared,
    EngineError, Plan,
};

/// I/O memory of an executor, which does none of its own: the least glommio takes.
const GLOMMIO_MEMORY_BYTES: usize = 64 * 1024;

/// Receive buffers of a core: one for each user within these bounds. The kernel takes them in turn, so more than are needed only
/// push each other out of the cache: 512 instead of 256 cost 3 % at 64 connections. Too few cost a re-arm of the receive: 256
/// at 1,000 connections cost 6 %. Beyond the upper bound memory counts for more: each takes 4 KiB.
const BUFFERS_MIN: u32 = 256;
const BUFFERS_MAX: u32 = 2048;

/// What a core's thread is made with.
pub(crate) struct CoreSpec {
    pub(crate) core: usize,
    pub(crate) cpu: usize,
    pub(crate) plan: Arc<Plan>,
    pub(crate) capabilities: Capabilities,
    /// Users this core runs.
    pub(crate) users: u32,
    /// Sockets this core may have open.
    pub(crate) sockets: u32,
    pub(crate) addresses: Arc<Vec<(Origin, Found)>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tls: Arc<RunTls>,
}

/// The signal to begin.
pub(crate) struct Go {
    pub(crate) recorder: Recorder,
    /// Zero of the run clock, in nanoseconds of [`now_ns`].
    pub(crate) start_ns: u64,
}

/// What a core tells the control thread.
pub(crate) enum News {
    /// It stands ready: the kernel's id of its thread, and its mailbox; or why it does not.
    Ready { core: usize, ready: Result<(u32, MailboxSender<Message>), EngineError> },
    /// It has nothing left to do, as things are after so many changes from outside.
    Settled { core: usize, changes: u64 },
    /// Its load stopped, in nanoseconds on the run clock.
    Stopped { at_ns: u64 },
    /// It is done, what it ran short of, and whether it accepted servers whose certificates nobody looked at.
    Done { shortages: Shortages, unverified: bool },
    /// It broke down; its unfinished requests were abandoned.
    Broke { core: usize, at_ns: u64 },
}

/// Runs a core from its start to its last hand-over. Every way out sends [`News::Done`] or [`News::Broke`] once ready.
pub(crate) fn run(spec: CoreSpec, go: &Receiver<Go>, news: &Sender<News>) {
    let core = spec.core;
    let tell = |event| drop(news.send(event));
    // A panic here would leave the control thread waiting for news.
    let panicked = |_| Err(EngineError::Core { cpu: spec.cpu, reason: "its thread panicked".into() });
    let (executor, ring) = match catch_unwind(AssertUnwindSafe(|| prepare(&spec))).unwrap_or_else(panicked) {
        Ok(prepared) => prepared,
        Err(error) => return tell(News::Ready { core, ready: Err(error) }),
    };
    let (sender, mailbox) = ring.mailbox();
    let tid = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
    tell(News::Ready { core, ready: Ok((tid, sender.clone())) });
    // No signal means that another core did not start.
    let Ok(Go { mut recorder, start_ns }) = go.recv() else { return };
    recorder.mask_errors_with(mask_message);

    let recorder = Rc::new(RefCell::new(recorder));
    let kept = Rc::clone(&recorder);
    let news_of_stop = news.clone();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        executor.run(async move {
            let mut driver = {
                let ring = ring.clone();
                glommio::spawn_local(async move { ring.drive().await })
            };
            let shard = build(spec, ring.clone(), recorder, sender, start_ns, news_of_stop);
            let mut live = ring.spawn(core_life::live(Rc::clone(&shard), mailbox));
            // A driver that ends before the load was refused by the kernel, and then nobody would ever wake a user.
            poll_fn(|cx| match Pin::new(&mut live).poll(cx) {
                Poll::Ready(()) => Poll::Ready(Ok(())),
                Poll::Pending => Pin::new(&mut driver).poll(cx),
            })
            .await?;
            ring.stop();
            let driven = driver.await;
            let (shortages, unverified) = (shard.shortages(), shard.unverified.get());
            drop(shard);
            ring.shutdown();
            driven.map(|()| News::Done { shortages, unverified })
        })
    }));
    let at_ns = now_ns().saturating_sub(start_ns);
    let mut recorder = kept.borrow_mut();
    if let Ok(Ok(done)) = ran {
        recorder.finish(at_ns);
        return tell(done);
    }
    recorder.abandon_unfinished();
    recorder.finish(at_ns);
    tell(News::Broke { core, at_ns });
}

/// Pins this thread to its CPU, with an executor and a ring.
fn prepare(spec: &CoreSpec) -> Result<(LocalExecutor, Ring<Wire>), EngineError> {
    let executor = LocalExecutorBuilder::new(Placement::Fixed(spec.cpu))
        .io_memory(GLOMMIO_MEMORY_BYTES)
        .make()
        .map_err(|error| EngineError::Core { cpu: spec.cpu, reason: error.to_string() })?;
    let sizes = Config {
        buffers: spec.users.clamp(BUFFERS_MIN, BUFFERS_MAX),
        ..Config::for_sockets(spec.sockets, spec.capabilities)
    };
    let ring = Ring::new(&sizes)?;
    Ok((executor, ring))
}

/// Compiles the cases and enters the addresses found before the start.
fn build(
    spec: CoreSpec,
    ring: Ring<Wire>,
    recorder: Rc<RefCell<Recorder>>,
    mailbox: MailboxSender<Message>,
    start_ns: u64,
    news: Sender<News>,
) -> Rc<Shard> {
    let addresses = &spec.plan.network.addresses;
    let mut origins = Origins::new(spec.plan.network.proxies.clone(), addresses.ttl.map(nanos));
    for (origin, found) in spec.addresses.iter() {
        let copy = match found {
            Ok(addresses) => Ok(addresses.clone()),
            Err(error) => Err(io::Error::from(error.kind())),
        };
        origins.known_before(origin, copy, spec.core, now_ns());
    }
    let programs = (0..spec.plan.cases.len())
        .map(|case| Program::compile(&spec.plan, case, &ring, &mut recorder.borrow_mut(), &mut origins, &spec.shared))
        .collect();
    let CoreSpec { plan, core, shared, users, tls, .. } = spec;
    let tls = tls.for_core(users);
    Shard::new(Setup { plan, core, shared, ring, recorder, origins, programs, mailbox, start_ns, news, tls })
}
