//! The plan of `pummel run`: one user on one core, every case once, everything looked at.

use std::{path::PathBuf, time::Duration};

use crossbeam_channel::{unbounded, Receiver};
use pummel_engine::{Cookies, FailureSampling, Functional, FunctionalEvent, Load, Network, Plan};
use pummel_stats::Thresholds;

use crate::{
    console::Stream,
    failure::Failure,
    flags::{MachineFlags, RunFlags},
    functional::{CaseFacts, Keep},
    machine::{allowed_cpus, choose_cpus, cpu_quota, SystemFiles},
    plan::{load_cases, name_of, BrokenSteps, JsonTarget},
    plan_network::{credentials, reach, Certificates},
    plugins::CommandPlugins,
};

/// How long a request in flight may go on after Ctrl-C: the default of `--stop-timeout`.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A functional run and what becomes of its results.
#[derive(Debug)]
pub(crate) struct PlannedFunctional {
    /// What the engine does.
    pub(crate) plan: Plan,
    /// What the engine tells.
    pub(crate) events: Receiver<FunctionalEvent>,
    /// The cases of the plan, as the outputs name them.
    pub(crate) facts: Vec<CaseFacts>,
    /// What is shown and written.
    pub(crate) output: FunctionalOutput,
}

/// What is shown and written.
#[derive(Debug, Clone)]
pub(crate) struct FunctionalOutput {
    /// Requests and responses are shown.
    pub(crate) exchanges: bool,
    /// Phases are shown and written.
    pub(crate) phases: bool,
    /// `results/<start time>/summary.json`.
    pub(crate) save_tests: bool,
    /// `results/<start time>/report.html`.
    pub(crate) html: bool,
    /// The same document as `summary.json`, where it was asked for.
    pub(crate) json: Option<JsonTarget>,
    /// JUnit XML.
    pub(crate) junit: Option<PathBuf>,
}

impl FunctionalOutput {
    /// How much of the steps is needed after the run.
    pub(crate) fn keep(&self) -> Keep {
        if self.save_tests || self.html || self.json.is_some() {
            Keep::Exchanges
        } else if self.junit.is_some() {
            Keep::Steps
        } else {
            Keep::Counts
        }
    }

    /// Where text for people goes.
    pub(crate) fn stream(&self) -> Stream {
        match self.json {
            Some(JsonTarget::Stdout) => Stream::Stderr,
            _ => Stream::Stdout,
        }
    }
}

/// The run of `run`.
///
/// # Errors
/// Wrong usage, and the load errors of cases and `.env` file.
pub(crate) fn plan_run(flags: RunFlags, plugins: &CommandPlugins) -> Result<PlannedFunctional, Failure> {
    let RunFlags { paths, continue_on_failure, case_timeout, cases, plugin: _, mut network, output, pasted } = flags;
    network.reach.proxy.proxy = network.proxy_url.take().or(network.reach.proxy.proxy.take());
    let auth = credentials(&network.reach.auth)?;
    let cases = load_cases(&paths, pasted.as_ref(), cases, auth, BrokenSteps::Fail, plugins)?;
    let (sender, events) = unbounded();
    let one_core = MachineFlags { cores: Some(1), cpus: None };
    let facts = cases.iter().map(CaseFacts::of).collect();
    let plan = Plan {
        command: "run",
        name: name_of(&cases),
        cases,
        load: Load { loops_per_user: Some(1), ..Load::closed(1) },
        pacing: None,
        cpus: choose_cpus(&one_core, &allowed_cpus()?, cpu_quota(&SystemFiles::of_this_machine()))?,
        network: Network {
            connect_timeout: network.connect_timeout,
            request_timeout: network.request_timeout,
            max_redirects: network.max_redirects,
            cookies: Cookies::PerUser,
            ask_for_gzip: true,
            ..reach(&network.reach, Certificates::Accepted)?
        },
        stop_timeout: STOP_TIMEOUT,
        record_action: true,
        plugins: plugins.opened(),
        thresholds: Thresholds::default(),
        warmup: None,
        failure_samples: FailureSampling::default(),
        functional: Some(Functional { continue_on_failure, case_timeout, events: sender }),
    };
    let output = FunctionalOutput {
        exchanges: output.log_requests && !output.log_requests_off,
        phases: output.http_stat,
        save_tests: output.save_tests,
        html: output.gen_html_report,
        json: output.json.as_deref().map(JsonTarget::of),
        junit: output.junit,
    };
    Ok(PlannedFunctional { plan, events, facts, output })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use clap::FromArgMatches;

    use super::*;
    use crate::flags::{command, Cli, Command};

    const CASE: &str =
        "config: {name: one}\nteststeps:\n- {name: a, request: {method: GET, url: \"http://127.0.0.1:1/\"}}\n";

    fn planned(args: &[&str]) -> Result<PlannedFunctional, Failure> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("pummel-plan-run-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let case = folder.join("one.yml");
        std::fs::write(&case, CASE).unwrap();
        let planned = planned_case(&case.display().to_string(), args);
        std::fs::remove_dir_all(&folder).unwrap();
        planned
    }

    fn planned_case(case: &str, args: &[&str]) -> Result<PlannedFunctional, Failure> {
        let typed = ["pummel", "run", case].into_iter().chain(args.iter().copied());
        let matches = command().try_get_matches_from(typed).unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            Command::Run(flags) => {
                let plugins = CommandPlugins::new(&flags.plugin, None);
                plan_run(*flags, &plugins)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_defaults_are_hrps() {
        let run = planned(&[]).unwrap();
        let functional = run.plan.functional.as_ref().unwrap();
        assert!(!functional.continue_on_failure);
        assert_eq!(functional.case_timeout, Duration::from_hours(1));
        assert_eq!((run.plan.load.users, run.plan.cpus.len()), (1, 1));
        assert_eq!((run.plan.network.max_redirects, run.plan.network.cookies), (10, Cookies::PerUser));
        assert_eq!(run.plan.network.request_timeout, Duration::from_mins(2));
        assert_eq!((run.facts[0].name.as_str(), run.plan.command), ("one", "run"));
        assert_eq!((run.output.exchanges, run.output.keep()), (false, Keep::Counts));
        assert_eq!(run.output.stream(), Stream::Stdout);
    }

    #[test]
    fn switches_are_short_together_and_take_values() {
        let run = planned(&["-csg", "--http-stat=true", "--case-timeout", "1.5"]).unwrap();
        let functional = run.plan.functional.as_ref().unwrap();
        assert!(functional.continue_on_failure && run.output.save_tests && run.output.html && run.output.phases);
        assert_eq!(functional.case_timeout, Duration::from_millis(1_500));
        let run = planned(&["--save-tests=false", "-c=false", "--json", "-", "-p", ""]).unwrap();
        assert!(!run.output.save_tests && !run.plan.functional.unwrap().continue_on_failure);
        assert_eq!((run.output.stream(), run.output.keep()), (Stream::Stderr, Keep::Exchanges));
    }

    #[test]
    fn requests_are_shown_on_demand_unless_switched_off() {
        assert!(planned(&["--log-requests"]).unwrap().output.exchanges);
        assert!(!planned(&["--log-requests", "--log-requests-off"]).unwrap().output.exchanges);
        assert!(!planned(&["--log-requests-off"]).unwrap().output.exchanges);
        assert_eq!(planned(&["--junit", "a.xml"]).unwrap().output.keep(), Keep::Steps);
    }

    #[test]
    fn a_proxy_has_hrps_name_and_ours() {
        let proxy = |args: &[&str]| planned(args).unwrap().plan.network.proxies.https.map(|proxy| proxy.host);
        assert_eq!(proxy(&["-p", "http://proxy:3128"]).as_deref(), Some("proxy"));
        assert_eq!(proxy(&["--proxy", "http://other:3128"]).as_deref(), Some("other"));
        assert_eq!(proxy(&["--proxy-url", ""]), None);
        let failure = planned(&["-p", "socks5://h"]).unwrap_err();
        assert_eq!((failure.exit_code(), failure.message().contains("SOCKS")), (2, true));
    }
}
