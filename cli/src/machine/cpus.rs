//! Which CPUs a run uses: all this process may, at most as many as its quota is worth, or those that were asked for.

use rustix::thread::{sched_getaffinity, CpuSet};

use crate::{
    failure::Failure,
    flags::MachineFlags,
    values::{format_cpu_list, CpuList},
};

/// The CPUs this process may run on, ascending (sched_getaffinity(2): `taskset`, cpusets and offline CPUs included).
///
/// # Errors
/// When the kernel refuses to say.
pub(crate) fn allowed_cpus() -> Result<Vec<usize>, Failure> {
    let set = sched_getaffinity(None).map_err(|error| {
        Failure::with_code(
            crate::exit::FAILED,
            format!("cannot read which CPUs this process may use: {error}"),
            "name them with --cpus, such as --cpus 0,1",
        )
    })?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// The CPUs of a run. Without flags: the first min(allowed, quota rounded up) of those allowed.
///
/// # Errors
/// Wrong usage when more cores are asked for than there are, or a CPU this process may not use.
pub(crate) fn choose_cpus(flags: &MachineFlags, allowed: &[usize], quota: Option<f64>) -> Result<Vec<usize>, Failure> {
    if let Some(CpuList(wanted)) = &flags.cpus {
        return match wanted.iter().find(|cpu| !allowed.contains(cpu)) {
            Some(cpu) => Err(Failure::usage(
                format!("--cpus names CPU {cpu}, which this process may not use"),
                format!("it may use {}", format_cpu_list(allowed)),
            )),
            None => Ok(wanted.clone()),
        };
    }
    if let Some(cores) = flags.cores {
        let count = usize::try_from(cores).unwrap_or(usize::MAX);
        if count > allowed.len() {
            return Err(Failure::usage(
                format!("--cores {cores} is more than this process may use"),
                format!("it may use {} (CPUs {})", allowed.len(), format_cpu_list(allowed)),
            ));
        }
        return Ok(allowed[..count].to_vec());
    }
    let worth = quota.map_or(allowed.len(), |quota| quota.ceil() as usize);
    Ok(allowed[..worth.clamp(1, allowed.len())].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: [usize; 4] = [0, 1, 4, 5];

    fn choose(cores: Option<u64>, cpus: Option<&[usize]>, quota: Option<f64>) -> Result<Vec<usize>, String> {
        let flags = MachineFlags { cores, cpus: cpus.map(|cpus| CpuList(cpus.to_vec())) };
        choose_cpus(&flags, &ALLOWED, quota).map_err(|failure| failure.message())
    }

    #[test]
    fn the_default_is_what_affinity_and_quota_allow() {
        assert_eq!(choose(None, None, None).unwrap(), ALLOWED);
        assert_eq!(choose(None, None, Some(1.5)).unwrap(), [0, 1]);
        assert_eq!(choose(None, None, Some(0.25)).unwrap(), [0]);
        assert_eq!(choose(None, None, Some(64.0)).unwrap(), ALLOWED);
    }

    #[test]
    fn what_is_asked_for_wins_over_the_quota_and_must_exist() {
        assert_eq!(choose(Some(3), None, Some(1.0)).unwrap(), [0, 1, 4]);
        assert_eq!(choose(None, Some(&[4, 5]), Some(1.0)).unwrap(), [4, 5]);
        assert!(choose(Some(5), None, None).unwrap_err().contains("--cores 5"));
        assert!(choose(None, Some(&[0, 2]), None).unwrap_err().contains("CPU 2"));
    }

    #[test]
    fn this_machine_has_a_cpu() {
        assert!(!allowed_cpus().unwrap().is_empty());
    }
}
