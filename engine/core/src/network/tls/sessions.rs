//! What is kept of finished handshakes, so that the next one of the same server is shorter.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustls::{
    client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue},
    pki_types::ServerName,
    NamedGroup,
};

/// Servers of which sessions are kept: as many as a core keeps track of origins.
const SERVERS_MAX: usize = 1024;

/// Tickets of a server that are kept, at most and at least. A ticket of TLS 1.3 is used once (RFC 8446 appendix C.4), so each
/// user that opens a connection takes one; they cost some 300 bytes each beside the server's certificates.
const TICKETS_MAX: usize = 16 * 1024;
const TICKETS_MIN: usize = 8;

/// The sessions of one core. The lock is never waited for: no other core has it.
#[derive(Debug)]
pub(super) struct Sessions {
    servers: Mutex<HashMap<ServerName<'static>, Server>>,
    tickets_max: usize,
}

#[derive(Debug, Default)]
struct Server {
    group: Option<NamedGroup>,
    /// TLS 1.2: used any number of times.
    session: Option<Tls12ClientSessionValue>,
    /// TLS 1.3: the last one is the freshest.
    tickets: VecDeque<Tls13ClientSessionValue>,
}

impl Sessions {
    /// For a core with so many users: a ticket for each of them.
    pub(super) fn for_users(users: u32) -> Self {
        Self { servers: Mutex::default(), tickets_max: (users as usize).clamp(TICKETS_MIN, TICKETS_MAX) }
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<ServerName<'static>, Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of a server; one too many is not entered.
    fn edit(&self, name: ServerName<'static>, edit: impl FnOnce(&mut Server)) {
        let mut servers = self.servers();
        if servers.len() < SERVERS_MAX || servers.contains_key(&name) {
            edit(servers.entry(name).or_default());
        }
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.edit(server_name, |server| server.group = Some(group));
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.servers().get(server_name)?.group
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.edit(server_name, |server| server.session = Some(value));
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.servers().get(server_name)?.session.clone()
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        if let Some(server) = self.servers().get_mut(server_name) {
            server.session = None;
        }
    }

    fn insert_tls13_ticket(&self, server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.edit(server_name, |server| {
            if server.tickets.len() >= self.tickets_max {
                server.tickets.pop_front();
            }
            server.tickets.push_back(value);
        });
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.servers().get_mut(server_name)?.tickets.pop_back()
    }
}
