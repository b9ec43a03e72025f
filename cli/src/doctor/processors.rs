//! CPUs: how many, what bounds them, and how they are clocked.

use super::Finding;
use crate::{machine::SystemFiles, values::format_cpu_list};

const CPUS: &str = "CPUs";
const QUOTA: &str = "CPU quota";
const GOVERNOR: &str = "CPU governor";

/// A server on the same machine needs a CPU of its own.
pub(super) fn check_cpus(allowed: Option<&[usize]>) -> Finding {
    match allowed {
        None => Finding::advice(CPUS, "not readable", "name them with --cpus"),
        Some([only]) => Finding::advice(
            CPUS,
            format!("only CPU {only}"),
            "a server on this machine shares it: load another machine's",
        ),
        Some(cpus) => Finding::good(CPUS, format!("{} usable: {}", cpus.len(), format_cpu_list(cpus))),
    }
}

/// A cgroup that is given less time than its CPUs offer is stopped in the middle of a run.
pub(super) fn check_quota(quota: Option<f64>, cpus: usize) -> Finding {
    match quota {
        None => Finding::good(QUOTA, "none"),
        Some(quota) if quota >= cpus as f64 => Finding::good(QUOTA, format!("{quota:.2} CPUs of {cpus}")),
        Some(quota) => Finding::advice(
            QUOTA,
            format!("{quota:.2} CPUs of {cpus}: the kernel stops this process when they are used up"),
            format!("runs use {} by default; raise cpu.max of the cgroup (Docker: --cpus) for more", quota.ceil()),
        ),
    }
}

/// The governor of each CPU that has one.
pub(super) fn governors(files: &SystemFiles) -> Vec<String> {
    let present = files.read("/sys/devices/system/cpu/present").unwrap_or_default();
    let cpus = crate::values::parse_cpu_list(&present).map(|list| list.0).unwrap_or_default();
    let path = |cpu| format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor");
    cpus.into_iter().filter_map(|cpu| files.read(&path(cpu))).collect()
}

/// A CPU that clocks down between requests answers them late (accuracy: client-side configuration).
pub(super) fn check_governor(governors: &[String]) -> Finding {
    let Some(first) = governors.first() else {
        return Finding::good(GOVERNOR, "not shown (as in most virtual machines)");
    };
    match governors.iter().find(|governor| *governor != "performance") {
        None => Finding::good(GOVERNOR, first),
        Some(other) => Finding::advice(
            GOVERNOR,
            format!("{other}: CPUs change their clock during a run"),
            "for exact latencies: cpupower frequency-set -g performance",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn one_cpu_is_worth_a_word() {
        assert_eq!(check_cpus(Some(&[3])).state, State::Advice);
        assert_eq!(check_cpus(Some(&[0, 1, 2, 3])).found, "4 usable: 0-3");
        assert_eq!(check_cpus(None).state, State::Advice);
    }

    #[test]
    fn a_quota_below_the_cpus_is_worth_a_word() {
        assert_eq!(check_quota(None, 4).state, State::Good);
        assert_eq!(check_quota(Some(4.0), 4).state, State::Good);
        let tight = check_quota(Some(1.5), 4);
        assert_eq!(tight.state, State::Advice);
        assert!(tight.found.starts_with("1.50 CPUs of 4"), "{}", tight.found);
        assert!(tight.remedy.starts_with("runs use 2 by default"), "{}", tight.remedy);
    }

    #[test]
    fn governors_other_than_performance_are_worth_a_word() {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(check_governor(&list(&["performance", "performance"])).state, State::Good);
        assert_eq!(check_governor(&list(&["performance", "powersave"])).state, State::Advice);
        assert_eq!(check_governor(&[]).state, State::Good);
    }
}
