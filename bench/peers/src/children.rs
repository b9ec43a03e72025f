//! The processes a client has started: how many, their memory and their CPU time.

use std::{collections::BTreeMap, fs, time::Duration};

use crate::client::Look;

/// A program that is asked for its version, or for what it has installed, is gone by then; what is there later stays.
const SETTLED: Duration = Duration::from_secs(1);

/// What was seen of the processes a client started, look by look.
#[derive(Debug, Default)]
pub(crate) struct Children(BTreeMap<u32, Child>);

#[derive(Debug, Clone, Copy, Default)]
struct Child {
    /// User and system time at the last look.
    cpu_s: f64,
    /// The most that ever was resident (`VmHWM`) at the last look.
    peak_kib: u64,
    stays: bool,
}

impl Children {
    /// Looks at those there are now. Give it each look of the client.
    pub(crate) fn look(&mut self, client: Look) {
        for pid in children_of(client.pid) {
            let Some((cpu_s, peak_kib)) = seen(pid) else { continue };
            let child = self.0.entry(pid).or_default();
            *child = Child { cpu_s, peak_kib, stays: client.elapsed >= SETTLED };
        }
    }

    /// How many there were besides those that ended at once.
    pub(crate) fn count(&self) -> u64 {
        self.staying().count() as u64
    }

    /// The most memory one of them took, KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.staying().map(|child| child.peak_kib).max().unwrap_or(0)
    }

    /// CPU time of all of them, seconds, up to the last look.
    pub(crate) fn cpu_s(&self) -> f64 {
        self.0.values().map(|child| child.cpu_s).sum()
    }

    /// How many of them live.
    pub(crate) fn alive(&self) -> u64 {
        self.0.keys().filter(|pid| seen(**pid).is_some()).count() as u64
    }

    fn staying(&self) -> impl Iterator<Item = &Child> {
        self.0.values().filter(|child| child.stays)
    }
}

/// The processes any thread of a process has started (`/proc/PID/task/TID/children`).
fn children_of(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// CPU time and the high mark of memory of a process; none once it has ended, though nobody has waited for it yet.
fn seen(pid: u32) -> Option<(f64, u64)> {
    let cpu_s = crate::client::cpu_s_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some((cpu_s, crate::client::kib_of(&status, "VmHWM:")?))
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use super::{Children, Look};

    #[test]
    fn processes_are_seen_while_they_live() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let mut children = Children::default();
        let us = |elapsed| Look { pid: std::process::id(), elapsed, cpu_s: 0.0, resident_kib: 0, peak_kib: 0 };
        children.look(us(Duration::ZERO));
        assert!(children.0.contains_key(&child.id()) && !children.0[&child.id()].stays);
        children.look(us(Duration::from_secs(2)));
        assert!(children.0[&child.id()].stays && children.count() >= 1 && children.peak_kib() > 0);
        children.0.retain(|pid, _| *pid == child.id());
        assert_eq!(children.alive(), 1);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(children.alive(), 0);
    }
}
