//! `pummel doctor`: what this machine has, each line ok or what to do.
//!
//! A check is a function from facts to a [`Finding`], so that each is tested with facts nobody's machine has; `examine`
//! gathers the facts of this one. Reading order: this file, then `kernel`, `limits`, `ports`, `processors`.

mod kernel;
mod limits;
mod ports;
mod processors;

use std::fmt::Write;

use crate::machine::{allowed_cpus, cpu_quota, memlock_limit, open_files_limit, SystemFiles};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing to do.
    Good,
    /// A run is possible, but slower, smaller or less exact than it could be.
    Advice,
    /// No run is possible.
    Impossible,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at.
    name: &'static str,
    /// How it came out.
    state: State,
    /// What was found.
    found: String,
    /// What to do; empty when there is nothing.
    remedy: String,
}

impl Finding {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Good, found: found.into(), remedy: String::new() }
    }

    fn advice(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Advice, found: found.into(), remedy: remedy.into() }
    }

    fn impossible(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Impossible, found: found.into(), remedy: remedy.into() }
    }
}

/// Looks at this machine.
pub(crate) fn examine(files: &SystemFiles) -> Vec<Finding> {
    let allowed = allowed_cpus();
    let cores = allowed.as_ref().map_or(1, Vec::len);
    vec![
        kernel::check_kernel(&kernel::release()),
        kernel::check_ring(pummel_ring::probe()),
        limits::check_memlock(memlock_limit(), cores),
        limits::check_open_files(open_files_limit()),
        ports::check_ports(
            files.read("/proc/sys/net/ipv4/ip_local_port_range").as_deref(),
            files.read("/proc/sys/net/ipv4/tcp_tw_reuse").as_deref(),
        ),
        processors::check_cpus(allowed.ok().as_deref()),
        processors::check_quota(cpu_quota(files), cores),
        processors::check_governor(&processors::governors(files)),
    ]
}

/// True when something makes a run impossible.
pub(crate) fn is_hopeless(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.state == State::Impossible)
}

/// The report: one line a finding, what to do beneath it, and a closing sentence.
pub(crate) fn render(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.state {
            State::Good => "ok",
            State::Advice => "note",
            State::Impossible => "FAIL",
        };
        let _ = writeln!(text, "{mark:<4}  {:<14}  {}", finding.name, finding.found);
        for line in finding.remedy.lines() {
            let _ = writeln!(text, "{:22}-> {line}", "");
        }
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let closing = match (count(State::Impossible), count(State::Advice)) {
        (0, 0) => "This machine is ready to make load.".to_owned(),
        (0, 1) => "This machine can make load; 1 note above says how it could do better.".to_owned(),
        (0, notes) => format!("This machine can make load; {notes} notes above say how it could do better."),
        (_, _) => "This machine cannot make load until each FAIL above is mended.".to_owned(),
    };
    let _ = writeln!(text, "\n{closing}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_a_line_each_and_says_what_to_do() {
        let findings =
            [Finding::good("kernel", "Linux 6.1"), Finding::advice("open files", "1024", "raise it:\nulimit -n 20000")];
        assert!(!is_hopeless(&findings));
        insta::assert_snapshot!(render(&findings), @r"
        ok    kernel          Linux 6.1
        note  open files      1024
                              -> raise it:
                              -> ulimit -n 20000

        This machine can make load; 1 note above says how it could do better.
        ");
        let hopeless = [Finding::impossible("kernel", "Linux 4.4", "upgrade")];
        assert!(is_hopeless(&hopeless));
        assert!(render(&hopeless).contains("FAIL  kernel"));
    }
}
