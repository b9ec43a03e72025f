//! What the system must allow before a run starts: descriptors and locked memory.

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

use crate::{ways::Ways, EngineError, Plan};

/// Descriptors beside the sockets: standard streams, files, and some ten for each core's rings and eventfds.
const OTHER_DESCRIPTORS: u64 = 64;
const DESCRIPTORS_PER_CORE: u64 = 16;

/// Lowers the users of a plan to what descriptors allow, at least to one: for a number nobody asked for. Each connection takes
/// `per_connection` of them, 2 where its server is in this process, too.
pub fn fit_users(plan: &mut Plan, per_connection: u64) {
    let (ways, limit) = (Ways::of(plan), raise(Resource::Nofile));
    let (mut fits, mut too_many) = (1, plan.load.users + 1);
    while too_many - fits > 1 {
        plan.load.users = u32::midpoint(fits, too_many);
        if needed(plan, ways.connections(plan) * per_connection) <= limit {
            fits = plan.load.users;
        } else {
            too_many = plan.load.users;
        }
    }
    plan.load.users = fits;
}

/// Raises soft limits to hard ones and checks them against the plan, which keeps so many `connections` open at most; returns the
/// descriptors sockets may take.
pub(crate) fn prepare(plan: &Plan, connections: u64) -> Result<u64, EngineError> {
    let cores = plan.cpus.len();
    let needed = needed(plan, connections);
    let limit = raise(Resource::Nofile);
    if limit < needed {
        return Err(EngineError::Descriptors { needed, users: plan.load.users, limit });
    }
    let locked = pummel_ring::memlock_needed_bytes(cores);
    let lockable = raise(Resource::Memlock);
    if lockable < locked {
        return Err(EngineError::LockedMemory { needed: locked, cores, limit: lockable });
    }
    Ok(limit - (needed - connections))
}

fn needed(plan: &Plan, connections: u64) -> u64 {
    connections + OTHER_DESCRIPTORS + plan.cpus.len() as u64 * DESCRIPTORS_PER_CORE
}

/// Raises the soft limit to the hard one, never lowers any (hrp lowers the hard one: spec 14.3); gives the limit in force.
fn raise(resource: Resource) -> u64 {
    let now = getrlimit(resource);
    if now.current != now.maximum {
        let _ = setrlimit(resource, Rlimit { current: now.maximum, maximum: now.maximum });
    }
    getrlimit(resource).current.unwrap_or(u64::MAX)
}
