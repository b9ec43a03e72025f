//! What the system must allow before a run starts: descriptors and locked memory.

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

use crate::{EngineError, Plan};

/// Descriptors beside the sockets: standard streams, files, and some ten for each core's rings and eventfds.
const OTHER_DESCRIPTORS: u64 = 64;
const DESCRIPTORS_PER_CORE: u64 = 16;

/// Raises soft limits to hard ones and checks them against the plan, which keeps so many `connections` open at most; returns the
/// descriptors sockets may take.
pub(crate) fn prepare(plan: &Plan, connections: u64) -> Result<u64, EngineError> {
    let cores = plan.cpus.len();
    let needed = connections + OTHER_DESCRIPTORS + cores as u64 * DESCRIPTORS_PER_CORE;
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

/// How many users the descriptors of this process allow, with a connection each to every host the plan knows.
pub(crate) fn users_that_fit(plan: &Plan, hosts: u64) -> u32 {
    let others = OTHER_DESCRIPTORS + plan.cpus.len() as u64 * DESCRIPTORS_PER_CORE;
    let users = raise(Resource::Nofile).saturating_sub(others) / hosts.max(1);
    u32::try_from(users.max(1)).unwrap_or(u32::MAX)
}

/// Raises the soft limit to the hard one, never lowers any (hrp lowers the hard one: spec 14.3); gives the limit in force.
fn raise(resource: Resource) -> u64 {
    let now = getrlimit(resource);
    if now.current != now.maximum {
        let _ = setrlimit(resource, Rlimit { current: now.maximum, maximum: now.maximum });
    }
    getrlimit(resource).current.unwrap_or(u64::MAX)
}
