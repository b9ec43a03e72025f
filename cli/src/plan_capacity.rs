//! The plan of `capacity`: what each probe is made from, and how the search goes.

use std::{path::PathBuf, time::Duration};

use pummel_case::Case;
use pummel_engine::{fit_users, CatchUp, Load, LoadModel, OpenLoad, Plan, Spacing};
use pummel_stats::{
    capacity::{By, Sizing},
    threshold::Metric,
    SearchSpec,
};

use crate::{
    console::Stream,
    failure::Failure,
    flags::{ByWhat, CapacityFlags, ThresholdFlags},
    hit_requests::one_request,
    machine::{allowed_cpus, choose_cpus, cpu_quota, SystemFiles},
    plan::{load_cases, plan_of, BrokenSteps, JsonTarget},
    plan_load::MAX_USERS_DEFAULT,
    plan_network::{credentials, Certificates},
    plan_thresholds::with_thresholds,
    plugins::CommandPlugins,
    values::parse_http_url,
};

/// A search and what becomes of its result.
#[derive(Debug)]
pub(crate) struct PlannedSearch {
    /// A run without its load: each probe has its own.
    pub(crate) plan: Plan,
    /// How the search goes.
    pub(crate) spec: SearchSpec,
    /// How arrivals lie between each other.
    pub(crate) spacing: Spacing,
    /// Most users at a time.
    pub(crate) users_max: u32,
    /// How long probes are before anything has been seen.
    pub(crate) sizing: Sizing,
    /// How long the search may last.
    pub(crate) max_duration: Duration,
    /// What must be found.
    pub(crate) at_least: Option<f64>,
    /// Where the JSON document goes.
    pub(crate) json: Option<JsonTarget>,
    /// A line for each probe.
    pub(crate) live: bool,
    /// A client that was the limit is an exit code.
    pub(crate) fail_on_client_saturation: bool,
    /// Somebody said how connections are closed.
    pub(crate) close_given: bool,
}

impl PlannedSearch {
    /// Where text for people goes.
    pub(crate) fn stream(&self) -> Stream {
        match self.json {
            Some(JsonTarget::Stdout) => Stream::Stderr,
            _ => Stream::Stdout,
        }
    }

    /// Most users a probe may have.
    pub(crate) fn most_users(&self) -> u32 {
        match self.spec.by {
            By::Rate => self.users_max,
            By::Users => self.spec.max.min(f64::from(self.users_max)) as u32,
        }
    }

    /// The load of an open probe.
    pub(crate) fn open(&self, rate: f64) -> Load {
        let open = OpenLoad { rate, stages: Vec::new(), spacing: self.spacing, catch_up: CatchUp::Burst };
        Load { model: LoadModel::Open(open), ..Load::closed(self.users_max) }
    }
}

/// The search of `capacity`.
///
/// # Errors
/// Wrong usage, and the load errors of cases and `.env` file.
pub(crate) fn plan_capacity(flags: CapacityFlags, plugins: &CommandPlugins) -> Result<PlannedSearch, Failure> {
    let url = one_url(&flags.what)?;
    refuse_what_has_no_effect(&flags, url.is_some())?;
    let cpus = choose_cpus(&flags.machine, &allowed_cpus()?, cpu_quota(&SystemFiles::of_this_machine()))?;
    let auth = credentials(&flags.network.transport.reach.auth)?;
    let none_yet = Load::closed(1);
    let plan = if let Some(url) = url {
        let url =
            parse_http_url(&url).map_err(|why| Failure::usage(format!("{url} {why}"), "see pummel capacity --help"))?;
        let usage = |error: &dyn std::fmt::Display| Failure::usage(error.to_string(), "see pummel capacity --help");
        let request = one_request(&flags.request, &url)?;
        let mut case = Case::from_requests(&url, vec![request]).map_err(|error| usage(&error))?;
        if let Some(credentials) = auth {
            case.authenticate(&credentials).map_err(|error| usage(&error))?;
        }
        case.require_success();
        let plan = plan_of("capacity", vec![case], none_yet, &flags.network, Certificates::Verified, cpus)?;
        Plan { record_action: false, ..plan }
    } else {
        let cases = load_cases(&flags.what, None, flags.cases, auth, BrokenSteps::Refused, plugins)?;
        let plan = plan_of("capacity", cases, none_yet, &flags.network, Certificates::Accepted, cpus)?;
        Plan { plugins: plugins.opened(), ..plan }
    };
    let thresholds = ThresholdFlags { thresholds: flags.thresholds, abort_on_threshold: None };
    let mut plan = with_thresholds(plan, &thresholds)?;

    plan.load.users = flags.max_users.unwrap_or(MAX_USERS_DEFAULT);
    if flags.max_users.is_none() {
        fit_users(&mut plan, 1);
    }
    let users_max = plan.load.users;
    let mut spec = SearchSpec::new(flags.by.into(), plan.thresholds.conditions.clone());
    let most = match flags.by {
        ByWhat::Rate => f64::INFINITY,
        ByWhat::Users => f64::from(users_max),
    };
    spec.max = flags.at_most.map_or(most, |level| level.value.min(most));
    let sizing = Sizing::new(&spec, flags.settle, flags.measure, flags.poisson);
    let spacing = if flags.poisson {
        Spacing::Poisson { seed: flags.seed.unwrap_or_else(|| fastrand::u64(..)) }
    } else {
        Spacing::Even
    };
    Ok(PlannedSearch {
        plan,
        spec,
        spacing,
        users_max,
        sizing,
        max_duration: flags.max_duration,
        at_least: flags.at_least.map(|level| level.value),
        json: flags.json.as_deref().map(JsonTarget::of),
        live: !flags.quiet,
        fail_on_client_saturation: flags.fail_on_client_saturation,
        close_given: flags.given.first_of(&["close"]).is_some(),
    })
}

/// The URL to load, if it is one rather than test cases.
fn one_url(what: &[PathBuf]) -> Result<Option<String>, Failure> {
    let mut urls = what.iter().filter_map(|what| what.to_str()).filter(|what| has_scheme(what));
    if let Some(url) = urls.next() {
        if what.len() > 1 {
            return Err(Failure::usage(
                format!("{url} with something else: capacity takes one URL, or test cases"),
                "write a test case with a step for each URL; pummel convert --from-curl makes one",
            ));
        }
        return Ok(Some(url.to_owned()));
    }
    let bare =
        what.iter().filter(|what| !what.exists()).find_map(|what| what.to_str().filter(|what| is_bare_url(what)));
    match bare {
        Some(bare) => {
            Err(Failure::usage(format!("{bare} looks like a URL without its scheme"), format!("write http://{bare}")))
        }
        None => Ok(None),
    }
}

/// A scheme of a URL before `://`, in whatever case (RFC 3986 section 3.1).
fn has_scheme(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// An authority as of a URL, a path behind it or not: a port, an address or `localhost` tells it from a file.
fn is_bare_url(text: &str) -> bool {
    let authority = text.split(['/', '?']).next().unwrap_or("");
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => return true,
        _ => authority,
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Flags that would be taken and not do anything, or not what they say.
fn refuse_what_has_no_effect(flags: &CapacityFlags, of_url: bool) -> Result<(), Failure> {
    for condition in &flags.thresholds {
        if matches!(condition.metric, Metric::Rps | Metric::Requests) {
            return Err(Failure::usage(
                format!("--threshold {condition}: how much load there is, the search varies itself"),
                "say what it must find with --at-least, and the highest it may try with --at-most",
            ));
        }
    }
    let request = &flags.request;
    let given = [
        ("--method", request.method.is_some()),
        ("--header", !request.headers.is_empty()),
        ("--body", request.body.is_some()),
    ];
    if let Some((flag, _)) = given.iter().find(|(_, given)| *given && !of_url) {
        return Err(Failure::usage(
            format!("{flag} with a test case: it belongs to the request of a URL"),
            "write it into the steps of the case",
        ));
    }
    if let (Some(least), Some(most)) = (flags.at_least, flags.at_most) {
        if least.value > most.value {
            return Err(Failure::usage(
                "--at-least is above --at-most, so it can never be found",
                "leave out --at-most, or write a higher one",
            ));
        }
    }
    if flags.by == ByWhat::Rate {
        return Ok(());
    }
    // clap refuses a --seed without --poisson.
    if flags.poisson {
        return Err(Failure::usage(
            "--poisson with --by users: users begin anew when they are done, so nothing arrives",
            "leave out one of them",
        ));
    }
    for (flag, level) in [("--at-least", flags.at_least), ("--at-most", flags.at_most)] {
        if level.is_some_and(|level| level.with_unit) {
            return Err(Failure::usage(
                format!("{flag} is a rate, and --by users searches for a number of users"),
                format!("write a number, such as {flag} 200"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::flags::{command, Cli, Command};

    fn url(what: &[&str]) -> Result<Option<String>, Failure> {
        one_url(&what.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    pub(crate) fn planned(args: &[&str]) -> Result<PlannedSearch, Failure> {
        let args = [&["pummel", "capacity"], args].concat();
        let cli = Cli::from_arg_matches(&command().get_matches_from(args)).unwrap();
        let Command::Capacity(flags) = cli.command else { panic!("another command") };
        let plugins = CommandPlugins::new(&flags.plugin, None);
        plan_capacity(*flags, &plugins)
    }

    fn refused(args: &[&str]) -> Failure {
        planned(args).unwrap_err()
    }

    #[test]
    fn urls_are_told_from_files() {
        for text in ["http://h/a", "HTTPS://h", "ftp://h/"] {
            assert_eq!(url(&[text]).unwrap().as_deref(), Some(text));
        }
        for file in ["case.yml", "cases/login.yml", "localhost.yml", "1.2.3", "curl http://h/", "c:x.yml", "a:/b"] {
            assert_eq!(url(&[file]).unwrap(), None, "{file}");
        }
        for bare in ["127.0.0.1:8080/x", "localhost:8080", "localhost/x", "10.0.0.1", "shop.example:80?a=b"] {
            let refused = url(&["case.yml", bare]).unwrap_err();
            assert_eq!(refused.message(), format!("{bare} looks like a URL without its scheme"));
            assert_eq!(refused.help(), Some(format!("write http://{bare}")));
        }
        let second = url(&["case.yml", "http://h/"]).unwrap_err();
        assert_eq!(second.message(), "http://h/ with something else: capacity takes one URL, or test cases");
    }

    #[test]
    fn flags_without_effect_are_refused() {
        const HELD: [&str; 2] = ["--threshold", "p99<1s"];
        for (args, part) in [
            (&["http://h/", "--threshold", "rps>2000"][..], "--threshold rps>2000: how much load there is"),
            (&["http://h/", "--by", "users", "--threshold", "a:requests>5"], "--threshold a:requests>5"),
            (&["case.yml", "-m", "GET"], "--method with a test case"),
            (&["case.yml", "-H", "a: b"], "--header with a test case"),
            (&["case.yml", "-b", "x"], "--body with a test case"),
            (&["http://h/", "--by", "users", "--poisson", "--seed", "4"], "--poisson with --by users"),
            (&["http://h/", "--by", "users", "--at-least", "4000/s"], "--at-least is a rate"),
            (&["http://h/", "--by", "users", "--at-most", "5/m"], "--at-most is a rate"),
        ] {
            let refused = refused(&[args, &HELD].concat());
            assert!(refused.message().contains(part), "{args:?}: {}", refused.message());
            assert_eq!((refused.exit_code(), refused.help().is_some()), (2, true));
        }
    }
}
