//! The plan of `capacity`: what each probe is made from, and how the search goes.

use std::time::Duration;

use pummel_case::Case;
use pummel_engine::{fit_users, CatchUp, Load, LoadModel, OpenLoad, Plan, Spacing};
use pummel_stats::SearchSpec;

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
    /// How long a probe settles.
    pub(crate) settle: Duration,
    /// How long it measures at least.
    pub(crate) measure: Duration,
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
}

impl PlannedSearch {
    /// Where text for people goes.
    pub(crate) fn stream(&self) -> Stream {
        match self.json {
            Some(JsonTarget::Stdout) => Stream::Stderr,
            _ => Stream::Stdout,
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
    let url = flags.what[0].to_str().filter(|what| what.starts_with("http://") || what.starts_with("https://"));
    if url.is_some() && flags.what.len() > 1 {
        return Err(Failure::usage(
            "capacity takes one URL, or test cases",
            "write a test case with a step for each URL; pummel convert --from-curl makes one",
        ));
    }
    let cpus = choose_cpus(&flags.machine, &allowed_cpus()?, cpu_quota(&SystemFiles::of_this_machine()))?;
    let auth = credentials(&flags.network.transport.reach.auth)?;
    let none_yet = Load::closed(1);
    let plan = if let Some(url) = url {
        let url =
            parse_http_url(url).map_err(|why| Failure::usage(format!("{url} {why}"), "see pummel capacity --help"))?;
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
    spec.max = flags.at_most.unwrap_or(most).min(most);
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
        settle: flags.settle,
        measure: flags.measure,
        max_duration: flags.max_duration,
        at_least: flags.at_least,
        json: flags.json.as_deref().map(JsonTarget::of),
        live: !flags.quiet,
        fail_on_client_saturation: flags.fail_on_client_saturation,
    })
}
