//! Idle keep-alive connections, the last used first, and where a connection goes once its response was used.

use std::{
    cell::RefCell,
    collections::VecDeque,
    task::{Context, Poll},
};

use pummel_http::RETAINED_BUFFER_BYTES;
use pummel_ring::{now_ns, Event, Payload};

use super::{
    connection::{Connection, Wire},
    exchange::Answered,
    http2::{release_seat, Seat},
    limit::Permit,
    origins::OriginId,
};
use crate::{plan::Close, shard::Shard};

/// Idle connections by origin. One belongs to each user, or one to all users of a core: the plan decides, the code is one.
#[derive(Default)]
pub(crate) struct IdleConnections {
    by_origin: Vec<Vec<Connection>>,
    /// Seats on connections that speak HTTP/2.
    #[allow(clippy::vec_box)] // A seat goes out in its box, and back.
    seats: Vec<Vec<Box<Seat>>>,
}

impl IdleConnections {
    /// The connection used last that may still be used at `now_ns`. Those that have become too old, and those the server has closed
    /// or spoiled meanwhile, are dropped and counted by `dropped`.
    #[inline]
    pub(crate) fn take(&mut self, origin: OriginId, now_ns: u64, mut dropped: impl FnMut()) -> Option<Connection> {
        let idle = self.by_origin.get_mut(origin.index())?;
        while let Some(connection) = idle.pop() {
            let usable = |wire: &mut Wire| wire.quiet() && wire.usage.may_carry(now_ns);
            if connection.with_open(usable) == Some(true) {
                return Some(connection);
            }
            dropped();
        }
        None
    }

    /// Puts a connection back for the next request.
    pub(crate) fn put(&mut self, origin: OriginId, connection: Connection) {
        if self.by_origin.len() <= origin.index() {
            self.by_origin.resize_with(origin.index() + 1, Vec::new);
        }
        self.by_origin[origin.index()].push(connection);
    }

    /// The seat used last on a connection that may still be used at `now_ns`.
    pub(crate) fn take_seat(&mut self, origin: OriginId, now_ns: u64) -> Option<Box<Seat>> {
        let seats = self.seats.get_mut(origin.index())?;
        while let Some(seat) = seats.pop() {
            if seat.usable(now_ns) {
                return Some(seat);
            }
        }
        None
    }

    /// Puts a seat back for the next request.
    pub(crate) fn put_seat(&mut self, origin: OriginId, seat: Box<Seat>) {
        if self.seats.len() <= origin.index() {
            self.seats.resize_with(origin.index() + 1, Vec::new);
        }
        self.seats[origin.index()].push(seat);
    }

    /// Closes all; each is counted by `closed`. Seats are given up: their connections count themselves.
    pub(crate) fn close(&mut self, mut closed: impl FnMut()) {
        self.seats.clear();
        for connection in self.by_origin.iter_mut().flat_map(|idle| idle.drain(..)) {
            drop(connection);
            closed();
        }
    }
}

/// How long a server that was told `Connection: close` gets to close first. Who closes first keeps the port in TIME_WAIT,
/// and ports are scarcer on our side.
const LINGER_NS: u64 = 1_000_000_000;

/// Connections of a core that may linger: half of the sockets a core may have beside those of its users
/// (`SPARE_SOCKETS`), so that a server that is slow to close, or never does, cannot use them up.
const LINGERING_MAX: usize = 512;

/// Connections that have done their work and wait for the server to close them.
#[derive(Default)]
pub(crate) struct Lingering {
    connections: VecDeque<(u64, Connection)>,
}

impl Lingering {
    /// Adds one, and drops those that are closed, have waited long enough, or are too many.
    pub(crate) fn add(&mut self, connection: Connection) {
        let now = now_ns();
        while let Some((until_ns, oldest)) = self.connections.front() {
            if oldest.ended().is_none() && now < *until_ns && self.connections.len() < LINGERING_MAX {
                break;
            }
            self.connections.pop_front();
        }
        self.connections.push_back((now + LINGER_NS, connection));
    }

    /// Waits until the server has closed every one of them.
    pub(crate) fn poll_closed(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.connections.retain(|(_, connection)| loop {
            match connection.poll_event(cx) {
                Poll::Ready(Event::End(_)) => break false,
                Poll::Ready(Event::Connected | Event::Data { .. } | Event::Timeout) => {}
                Poll::Pending => break true,
            }
        });
        if self.connections.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    pub(crate) fn clear(&mut self) {
        self.connections.clear();
    }
}

impl Shard {
    /// Puts a connection back after its response was used, or closes it where that is due.
    #[inline]
    pub(crate) fn release(&self, idle: &RefCell<IdleConnections>, answered: Answered) {
        let (connection, origin) = match answered {
            Answered::Http1 { connection, origin } => (connection, origin),
            Answered::Http2(seat) => return release_seat(idle, seat),
        };
        let usable = connection.rest(RETAINED_BUFFER_BYTES);
        // A connection that waits for its server to close counts no longer among those that are bounded in number.
        let (reusable, over, untold, permit) = connection.with(|wire| {
            wire.http().response.trim();
            let reusable = wire.reusable() && self.plan.network.keepalive;
            // A server that was not told would not close it first.
            let untold = reusable && wire.usage.ends_untold();
            (reusable, wire.usage.is_over(), untold, wire.permit.take())
        });
        if usable && reusable && !over {
            return keep(idle, origin, connection, permit);
        }
        self.recorder.borrow_mut().connection_closed();
        let resets = self.plan.network.tcp.close == Close::Rst;
        if usable && !resets && !untold {
            say_goodbye(&connection);
            self.lingering.borrow_mut().add(connection);
        } else {
            drop(connection);
        }
        drop(permit);
    }
}

/// Puts a connection among the idle ones, then lets the next that waits for one go on: it finds this one.
#[inline]
pub(super) fn keep(idle: &RefCell<IdleConnections>, origin: OriginId, connection: Connection, permit: Option<Permit>) {
    idle.borrow_mut().put(origin, connection);
    drop(permit);
}

/// Closes our side of TLS in order. Servers close the connection on that, and before us.
fn say_goodbye(connection: &Connection) {
    let mut goodbye = connection.take_buffer();
    connection.with(|wire| wire.close(&mut goodbye));
    connection.send(Payload::Owned(goodbye));
}
