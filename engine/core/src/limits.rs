//! What the system must allow before a run starts: descriptors, locked memory, ports.

use std::fs;

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

use crate::{EngineError, Plan};

/// Descriptors beside the sockets: standard streams, files, and some ten for each core's rings and eventfds.
const OTHER_DESCRIPTORS: u64 = 64;
const DESCRIPTORS_PER_CORE: u64 = 16;

/// The ports one source address has towards one destination (`net.ipv4.ip_local_port_range`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortBudget {
    /// Connections the plan keeps open towards one origin at most.
    pub needed: u64,
    /// Ports in the range.
    pub available: u64,
}

impl PortBudget {
    /// Reads the range and compares it with the plan; none where it cannot be read.
    pub fn of(plan: &Plan) -> Option<Self> {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
        Some(Self { needed: u64::from(plan.connections_per_origin()), available: ports_in(&range)? })
    }
}

fn ports_in(range: &str) -> Option<u64> {
    let (low, high) = range.trim().split_once(char::is_whitespace)?;
    let (low, high) = (low.trim().parse::<u64>().ok()?, high.trim().parse::<u64>().ok()?);
    (low <= high).then(|| high - low + 1)
}

/// Raises soft limits to hard ones and checks them against the plan; returns the descriptors sockets may take.
pub(crate) fn prepare(plan: &Plan, origins: usize) -> Result<u64, EngineError> {
    let cores = plan.cpus.len();
    let connections = u64::from(plan.connections_per_origin()) * origins.max(1) as u64;
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

/// Raises the soft limit to the hard one, never lowers any (hrp lowers the hard one: spec 14.3); gives the limit in force.
fn raise(resource: Resource) -> u64 {
    let now = getrlimit(resource);
    if now.current != now.maximum {
        let _ = setrlimit(resource, Rlimit { current: now.maximum, maximum: now.maximum });
    }
    getrlimit(resource).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::ports_in;

    #[test]
    fn the_range_counts_both_ends() {
        assert_eq!(ports_in("32768\t60999\n"), Some(28_232));
        assert_eq!(ports_in("5\t5"), Some(1));
        assert_eq!(ports_in("9 5"), None);
        assert_eq!(ports_in(""), None);
    }
}
