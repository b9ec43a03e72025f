//! `pummel demo`: the embedded server on a CPU of its own, the comparison case on the others.

use std::net::{Ipv4Addr, SocketAddr};

use pummel_case::LoadOptions;
use pummel_target::{Target, TargetOptions};

use super::target::cannot_start;
use crate::{
    execute::execute,
    exit,
    failure::{warn, Failure},
    flags::{DemoFlags, MachineFlags},
    machine::{allowed_cpus, choose_cpus, cpu_quota, SystemFiles},
    plan::plan_demo,
    plan_network::credentials,
};

/// The comparison case: 2 requests and 1 transaction.
const CASE: &str = include_str!("../../../scripts/cases/demo.yml");

/// Starts the server, loads it, and compares both sides' counts.
///
/// # Errors
/// Wrong usage, a server that does not start, and a run that does not.
pub(crate) fn demo(flags: &DemoFlags) -> Result<u8, Failure> {
    let allowed = allowed_cpus()?;
    let (load_cpus, server_cpu) = share_cpus(&flags.run.machine, &allowed, cpu_quota(&SystemFiles::of_this_machine()))?;
    if load_cpus.contains(&server_cpu) {
        warn(format!("the server and the load share CPU {server_cpu}: both are slower than they could be"), None);
    }
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let target =
        Target::start(TargetOptions { listen, cpus: vec![server_cpu] }).map_err(|error| cannot_start(&error))?;
    let options = LoadOptions {
        base_url: Some(format!("http://{}", target.local_addr())),
        auth: credentials(&flags.run.network.transport.reach.auth)?,
        ..LoadOptions::default()
    };
    let loaded = pummel_case::load_text("demo.yml", CASE, &options).map_err(|error| {
        let code = error.exit_code();
        Failure::from_diagnostic(error, code)
    })?;

    let run = plan_demo(flags, loaded.cases, load_cpus)?;
    let show = run.output.report;
    let stream = run.output.stream();
    let ended = execute(run)?;
    let served = target.stop().requests;
    if show {
        let in_warmup = ended.summary.warmup.as_ref().map_or(0, |warmup| warmup.exchanges.sent);
        let sent = in_warmup + ended.summary.totals.exchanges.sent;
        stream.print(&compared(sent, served));
    }
    Ok(ended.exit_code)
}

/// What both sides counted, as a sentence.
fn compared(sent: u64, served: u64) -> String {
    if sent == served {
        format!("The server counted {served} requests, exactly what was sent.\n")
    } else {
        format!("The server counted {served} requests where {sent} were sent; those cut off by the stop are the difference.\n")
    }
}

/// The CPUs of the load and the one of the server: one of its own where there are two, taken from the end. Without flags
/// both together stay within the quota.
fn share_cpus(flags: &MachineFlags, allowed: &[usize], quota: Option<f64>) -> Result<(Vec<usize>, usize), Failure> {
    let mut load = choose_cpus(flags, allowed, quota)?;
    let told = flags.cores.is_some() || flags.cpus.is_some();
    if !told && load.len() > 1 {
        load.pop();
    }
    let server = allowed.iter().rev().find(|cpu| !load.contains(cpu)).or(load.last());
    match server {
        Some(&server) => Ok((load, server)),
        None => Err(Failure::with_code(exit::FAILED, "this process may use no CPU", "see taskset and cpusets")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::CpuList;

    fn share(flags: &MachineFlags, allowed: &[usize], quota: Option<f64>) -> (Vec<usize>, usize) {
        share_cpus(flags, allowed, quota).unwrap()
    }

    #[test]
    fn the_server_has_a_cpu_of_its_own_where_there_are_two() {
        let none = MachineFlags::default();
        assert_eq!(share(&none, &[0, 1], None), (vec![0], 1));
        assert_eq!(share(&none, &[0, 1, 2, 3], None), (vec![0, 1, 2], 3));
        assert_eq!(share(&none, &[5], None), (vec![5], 5));
        assert_eq!(share(&none, &[0, 1, 2, 3], Some(2.0)), (vec![0], 3));
        assert_eq!(share(&none, &[0, 1], Some(1.0)), (vec![0], 1));
    }

    #[test]
    fn flags_are_for_the_load() {
        let cores = MachineFlags { cores: Some(1), cpus: None };
        assert_eq!(share(&cores, &[0, 1, 2], None), (vec![0], 2));
        let cpus = MachineFlags { cores: None, cpus: Some(CpuList(vec![1, 2])) };
        assert_eq!(share(&cpus, &[0, 1, 2], None), (vec![1, 2], 0));
        let all = MachineFlags { cores: Some(2), cpus: None };
        assert_eq!(share(&all, &[0, 1], None), (vec![0, 1], 1));
    }
}
