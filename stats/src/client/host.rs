//! The machine, as the summary describes it.

use std::fs;

use super::kernel_text;
use crate::summary::Host;

impl Host {
    /// Reads what the kernel says of this machine. What cannot be read stays empty.
    pub fn read(cores_used: usize) -> Self {
        let text = |path: &str| fs::read_to_string(path).ok();
        let line = |path: &str| text(path).map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
        let cpus = line("/sys/devices/system/cpu/online")
            .and_then(|list| kernel_text::cpu_list_len(&list))
            .or_else(|| std::thread::available_parallelism().ok().map(|n| n.get() as u64));
        Self {
            kernel: line("/proc/sys/kernel/osrelease").unwrap_or_default(),
            cpus: cpus.unwrap_or(0),
            cores_used: cores_used as u64,
            cpu_model: text("/proc/cpuinfo").as_deref().and_then(kernel_text::cpu_model),
            cpu_governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_kernel_and_a_cpu() {
        let host = Host::read(3);
        assert!(!host.kernel.is_empty());
        assert!(host.cpus >= 1);
        assert_eq!(host.cores_used, 3);
    }
}
