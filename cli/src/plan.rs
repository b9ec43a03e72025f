//! From typed flags to what the program needs: the one place where flags are given a meaning.
//!
//! What leaves here is a [`PlannedRun`]; everything after reads it and looks at no flag.

use std::path::{Path, PathBuf};

use pummel_case::{Case, Credentials, LoadOptions, UrlStyle};
use pummel_engine::{Connections, Cookies, FailureSampling, Load, Network, Pacing, PacingUnit, Plan};
use pummel_stats::Thresholds;

use crate::{
    curl_case::load_named_or_pasted,
    exit,
    failure::{print_diagnostic, warn, Failure},
    files::{read_text, FileKind},
    flags::{
        BoomFlags, CaseFileFlags, CaseRunFlags, CookieLife, DemoFlags, GivenLaterFlag, HitFlags, NetworkFlags,
        OutputFlags, PastedCommand, RateUnit, UrlCompat,
    },
    hit_requests::hit_requests,
    kept_runs::StorePlace,
    machine::{allowed_cpus, choose_cpus, cpu_quota, SystemFiles},
    metrics_outputs::MetricsPlan,
    plan_load::{load_of_cases, load_of_hit, with_fitting_users},
    plan_network::{credentials, network, Certificates},
    plan_thresholds::with_thresholds,
    plan_warmup::with_warmup,
    plugins::CommandPlugins,
    profile::apply_profile,
    report_files::{planned_files, PlannedFile},
};

/// The `User-Agent` of requests that set none.
pub(crate) const USER_AGENT: &str = concat!("pummel/", env!("CARGO_PKG_VERSION"));

/// A run and what becomes of its results.
#[derive(Debug)]
pub(crate) struct PlannedRun {
    /// What the engine does.
    pub(crate) plan: Plan,
    /// What is shown and written.
    pub(crate) output: OutputPlan,
}

/// What is shown and written, and what the exit code depends on.
#[derive(Debug, Clone)]
pub(crate) struct OutputPlan {
    /// Where the JSON summary goes.
    pub(crate) json: Option<JsonTarget>,
    /// Where the run is kept.
    pub(crate) store: StorePlace,
    /// The other files results go to.
    pub(crate) files: Vec<PlannedFile>,
    /// Charts in the report.
    pub(crate) chart: bool,
    /// Tables and a progress line while the load runs.
    pub(crate) live: bool,
    /// What is about to be done, and the report at the end.
    pub(crate) report: bool,
    /// An invalid client verdict is an exit code.
    pub(crate) fail_on_client_saturation: bool,
    /// Who is told of the run while it goes on.
    pub(crate) metrics: MetricsPlan,
}

/// Where a JSON summary, or another file of results, goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JsonTarget {
    /// `-`: stdout, and text for people goes to stderr.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl JsonTarget {
    /// What a path on the command line means.
    pub(crate) fn of(path: &Path) -> Self {
        match path.to_str() {
            Some("-") => Self::Stdout,
            _ => Self::File(path.to_owned()),
        }
    }
}

/// The run of `boom`, from flags that a profile has been put over ([`with_profile`]).
///
/// # Errors
/// Wrong usage, and the load errors of cases and `.env` file.
pub(crate) fn plan_boom(flags: BoomFlags, plugins: &CommandPlugins) -> Result<PlannedRun, Failure> {
    refuse_what_is_not_built(&flags.later.given)?;

    let auth = credentials(&flags.run.network.transport.reach.auth)?;
    let cases = load_cases(&flags.paths, flags.pasted.as_ref(), flags.cases, auth, BrokenSteps::Refused, plugins)?;
    let cpus = choose_cpus(&flags.run.machine, &allowed_cpus()?, cpu_quota(&SystemFiles::of_this_machine()))?;
    let mut run = plan_cases("boom", &flags.run, cases, cpus)?;
    run.plan.plugins = plugins.opened();
    Ok(run)
}

/// The flags of `boom` with what a profile file says over them; shows the warnings about it.
///
/// # Errors
/// The file cannot be read, or is no profile.
pub(crate) fn with_profile(mut flags: BoomFlags) -> Result<BoomFlags, Failure> {
    if let Some(profile) = flags.profile.take() {
        for warning in apply_profile(&profile, &mut flags)? {
            warn(warning, None);
        }
    }
    Ok(flags)
}

/// What becomes of a step that is wrong while its case is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrokenSteps {
    /// It is a load error: load must be what was meant.
    Refused,
    /// It is a warning, and the step fails when its turn comes.
    Fail,
}

/// Loads test cases and shows their warnings.
///
/// # Errors
/// The load errors of the cases and of the `.env` file.
pub(crate) fn load_cases(
    paths: &[PathBuf],
    pasted: Option<&PastedCommand>,
    flags: CaseFileFlags,
    auth: Option<Credentials>,
    broken_steps: BrokenSteps,
    plugins: &CommandPlugins,
) -> Result<Vec<Case>, Failure> {
    let mut variables = Vec::new();
    if let Some(path) = &flags.env_file {
        let text = read_text(path, FileKind::Env)?;
        variables = pummel_case::parse_env_file(&text).map_err(|error| {
            Failure::with_code(
                exit::LOAD_ENV,
                format!("{}: {error}", path.display()),
                "write one NAME=value a line; lines that begin with # are comments",
            )
        })?;
    }
    // Later entries win over earlier ones of the same name.
    variables.extend(flags.variables);
    let options = LoadOptions {
        base_url: flags.base_url,
        variables,
        project_dir: flags.project_dir,
        skip_broken: flags.skip_broken,
        url_style: match flags.url_compat {
            UrlCompat::Exact => UrlStyle::Exact,
            UrlCompat::Hrp436 => UrlStyle::Hrp436,
        },
        broken_steps: broken_steps == BrokenSteps::Fail,
        auth,
        plugins: Some(plugins.source()),
    };
    let loaded = load_named_or_pasted(paths, pasted, &options)?;
    for warning in &loaded.warnings {
        print_diagnostic(warning);
    }
    for case in &loaded.cases {
        tracing::debug!(case = &*case.name, steps = case.steps.len(), weight = case.weight, "a test case is loaded");
    }
    Ok(loaded.cases)
}

/// The run of `demo`: `cases` against the server that was started for it.
///
/// # Errors
/// Wrong usage, files that cannot be read included.
pub(crate) fn plan_demo(flags: &DemoFlags, cases: Vec<Case>, cpus: Vec<usize>) -> Result<PlannedRun, Failure> {
    plan_cases("demo", &flags.run, cases, cpus)
}

/// The run of `hit`.
///
/// # Errors
/// Wrong usage, files that cannot be read included.
pub(crate) fn plan_hit(flags: &HitFlags) -> Result<PlannedRun, Failure> {
    let (name, requests) = hit_requests(flags)?;
    let requests_each = requests.len() as u64;
    let mut case = Case::from_requests(&name, requests)
        .map_err(|error| Failure::usage(error.to_string(), "see pummel hit --help"))?;
    if let Some(credentials) = credentials(&flags.transport.reach.auth)? {
        case.authenticate(&credentials)
            .map_err(|error| Failure::usage(format!("--auth: {error}"), "see pummel hit --help"))?;
    }
    let network = Network {
        request_timeout: flags.timeout,
        request_phases: flags.output.http_stat,
        ..network(&flags.transport, Certificates::Verified)?
    };
    let plan = Plan {
        command: "hit",
        name,
        cases: vec![case],
        load: load_of_hit(flags, network.http2, requests_each)?,
        pacing: flags.max_rps.map(|per_second| Pacing { per_second, unit: PacingUnit::Request }),
        cpus: choose_cpus(&flags.machine, &allowed_cpus()?, cpu_quota(&SystemFiles::of_this_machine()))?,
        network,
        stop_timeout: flags.transport.stop_timeout,
        record_action: false,
        plugins: None,
        thresholds: Thresholds::default(),
        warmup: None,
        failure_samples: failure_samples(&flags.output),
        functional: None,
    };
    let plan = with_warmup(with_fitting_users(plan, &flags.open), &flags.warmup)?;
    Ok(PlannedRun { plan: with_thresholds(plan, &flags.thresholds)?, output: output_plan(&flags.output)? })
}

/// Whose connections are whose. Those of HTTP/2 are as many as the users of one connection (`--streams`) make them.
fn bounded_connections(connections: Connections, http2: bool) -> Result<Connections, Failure> {
    if http2 && matches!(connections, Connections::Shared { most: Some(_) }) {
        return Err(Failure::usage(
            "--connections shared:N with --http2: an HTTP/2 connection is shared by as many users as --streams says",
            "leave out one of them; with U users and --streams S there are U/S connections to a host",
        ));
    }
    Ok(connections)
}

/// Flags of hrp whose feature comes later end the program; those of Go's profiler are ignored with a warning.
fn refuse_what_is_not_built(given: &[GivenLaterFlag]) -> Result<(), Failure> {
    for GivenLaterFlag { flag, feature } in given {
        match feature {
            Some(feature) => {
                return Err(Failure::usage(
                    format!("{flag} is not built yet: {feature} comes in a later version"),
                    format!("leave {flag} out to run on this machine without it"),
                ))
            }
            None => warn(format!("{flag} is ignored: it profiles hrp itself"), None),
        }
    }
    Ok(())
}

fn plan_cases(
    command: &'static str,
    flags: &CaseRunFlags,
    cases: Vec<Case>,
    cpus: Vec<usize>,
) -> Result<PlannedRun, Failure> {
    let CaseRunFlags { load, warmup, network, output, thresholds, machine: _ } = flags;
    let unit = match load.rate_unit {
        RateUnit::Request => PacingUnit::Request,
        RateUnit::Iteration => PacingUnit::Iteration,
    };
    let mut plan = plan_of(command, cases, load_of_cases(load)?, network, Certificates::Accepted, cpus)?;
    plan.pacing = load.max_rps.map(|per_second| Pacing { per_second, unit });
    plan.network.request_phases = output.http_stat;
    plan.failure_samples = failure_samples(output);
    let plan = with_warmup(with_fitting_users(plan, &load.open), warmup)?;
    Ok(PlannedRun { plan: with_thresholds(plan, thresholds)?, output: output_plan(output)? })
}

/// A plan without a ceiling on the rate and without thresholds.
pub(crate) fn plan_of(
    command: &'static str,
    cases: Vec<Case>,
    load: Load,
    flags: &NetworkFlags,
    certificates: Certificates,
    cpus: Vec<usize>,
) -> Result<Plan, Failure> {
    Ok(Plan {
        command,
        name: name_of(&cases),
        cases,
        load,
        pacing: None,
        cpus,
        network: Network {
            max_redirects: flags.max_redirects,
            cookies: match flags.cookies {
                CookieLife::PerIteration => Cookies::PerIteration,
                CookieLife::PerUser => Cookies::PerUser,
                CookieLife::Off => Cookies::Off,
            },
            connections: bounded_connections(flags.connections, flags.transport.reach.http2.http2)?,
            request_timeout: flags.request_timeout,
            // The comparison case sends the same bytes as the tools it is held against.
            ask_for_gzip: command != "demo" && !flags.transport.disable_compression,
            ..network(&flags.transport, certificates)?
        },
        stop_timeout: flags.transport.stop_timeout,
        record_action: true,
        plugins: None,
        thresholds: Thresholds::default(),
        warmup: None,
        failure_samples: FailureSampling::default(),
        functional: None,
    })
}

fn failure_samples(flags: &OutputFlags) -> FailureSampling {
    FailureSampling { per_kind: flags.sample_failures, show_secrets: flags.show_secrets }
}

fn output_plan(flags: &OutputFlags) -> Result<OutputPlan, Failure> {
    let json = flags.json.as_deref().map(JsonTarget::of);
    let files = planned_files(&flags.files, json.as_ref())?;
    Ok(OutputPlan {
        json,
        store: StorePlace::of(&flags.store),
        files,
        chart: flags.chart,
        live: !flags.quiet && !flags.disable_console_output,
        report: !flags.disable_console_output,
        fail_on_client_saturation: flags.fail_on_client_saturation,
        metrics: MetricsPlan::of(&flags.metrics),
    })
}

/// The first case's name, and how many there are besides.
pub(crate) fn name_of(cases: &[Case]) -> String {
    match cases {
        [] => String::new(),
        [only] => only.name.to_string(),
        [first, others @ ..] => format!("{} and {} more", first.name, others.len()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::FromArgMatches;

    use std::time::Duration;

    use super::*;
    use crate::flags::{command, Cli, Command};

    /// The plan of `pummel hit` with these arguments.
    pub(crate) fn planned_hit(args: &[&str]) -> Result<PlannedRun, Failure> {
        let typed = ["pummel", "hit"].iter().chain(args);
        let matches = command().try_get_matches_from(typed).unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            Command::Hit(flags) => plan_hit(&flags),
            other => panic!("{other:?}"),
        }
    }

    /// The plan of `pummel demo` with these arguments, one case, on CPU 0.
    pub(crate) fn planned_demo(args: &[&str]) -> PlannedRun {
        let typed = ["pummel", "demo"].iter().chain(args);
        let matches = command().try_get_matches_from(typed).unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            Command::Demo(flags) => plan_demo(&flags, vec![a_case()], vec![0]).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Why `pummel demo` refuses these arguments.
    pub(crate) fn refused_demo(args: &[&str]) -> Failure {
        let typed = ["pummel", "demo"].iter().chain(args);
        let matches = command().try_get_matches_from(typed).unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            Command::Demo(flags) => plan_demo(&flags, vec![a_case()], vec![0]).unwrap_err(),
            other => panic!("{other:?}"),
        }
    }

    fn a_case() -> Case {
        use pummel_case::PlainRequest;
        let request = PlainRequest {
            name: "one".into(),
            method: "GET".into(),
            url: "http://127.0.0.1:1/".into(),
            headers: Vec::new(),
            body: None,
        };
        Case::from_requests("a case", vec![request]).unwrap()
    }

    #[test]
    fn hit_has_wrks_defaults() {
        let run = planned_hit(&["http://127.0.0.1:8080/", "--cores", "1"]).unwrap();
        assert_eq!(run.plan.command, "hit");
        assert_eq!(run.plan.name, "http://127.0.0.1:8080/");
        assert_eq!(run.plan.load.users, 10);
        assert!(run.plan.load.as_closed().unwrap().spawn_rate.is_infinite());
        assert_eq!(run.plan.load.run_time, Some(Duration::from_secs(10)));
        assert_eq!(run.plan.load.total_requests, None);
        assert!(run.plan.pacing.is_none());
        assert!(run.plan.network.keepalive);
        assert!(!run.plan.record_action);
        assert_eq!(run.plan.cpus.len(), 1);
        assert!(run.output.live && run.output.report && run.output.json.is_none());
    }

    #[test]
    fn a_number_of_requests_replaces_the_default_time() {
        let run = planned_hit(&["http://h/", "-n", "5", "-c", "64"]).unwrap();
        assert_eq!(run.plan.load.total_requests, Some(5));
        assert_eq!(run.plan.load.run_time, None);
        assert_eq!(run.plan.load.users, 5);
        let both =
            planned_hit(&["http://h/", "-n", "5", "-d", "2s", "--max-rps", "100", "--timeout", "500ms"]).unwrap();
        assert_eq!(both.plan.load.run_time, Some(Duration::from_secs(2)));
        assert!((both.plan.pacing.unwrap().per_second - 100.0).abs() < f64::EPSILON);
        assert_eq!(both.plan.network.request_timeout, Duration::from_millis(500));
    }

    #[test]
    fn a_body_file_that_is_missing_is_wrong_usage() {
        let failure = planned_hit(&["http://h/", "-b", "@/nonexistent/body.json"]).unwrap_err();
        assert_eq!((failure.exit_code(), failure.message().as_str()), (2, "/nonexistent/body.json: no such file"));
    }

    #[test]
    fn demo_is_the_comparison_case_and_its_flags_change_it() {
        let run = planned_demo(&[]);
        assert_eq!((run.plan.load.users, run.plan.load.run_time), (200, Some(Duration::from_secs(15))));
        assert!((run.plan.load.as_closed().unwrap().spawn_rate - 50.0).abs() < f64::EPSILON);
        assert!(run.plan.record_action);
        let run =
            planned_demo(&["--run-time", "0", "--spawn-count", "3", "--loop-count", "2", "--connections", "shared"]);
        assert_eq!((run.plan.load.users, run.plan.load.run_time, run.plan.load.loops_per_user), (3, None, Some(2)));
        assert_eq!(run.plan.network.connections, Connections::Shared { most: None });
        assert_eq!(run.plan.network.max_requests_per_connection, None);
        let run = planned_demo(&["--max-requests-per-connection", "7", "--max-connection-age", "1m"]);
        assert_eq!(run.plan.network.max_requests_per_connection, Some(7));
        assert_eq!(run.plan.network.max_connection_age, Some(Duration::from_mins(1)));
        assert_eq!(run.plan.name, "a case");
        assert_eq!(name_of(&[a_case(), a_case(), a_case()]), "a case and 2 more");
    }

    #[test]
    fn loop_counts_and_rates_of_zero_or_less_are_none() {
        let run = planned_demo(&["--loop-count", "-1", "--max-rps", "0"]);
        assert_eq!(run.plan.load.loops_per_user, None);
        assert!(run.plan.pacing.is_none());
        let run = planned_demo(&["--max-rps", "5", "--rate-unit", "iteration"]);
        assert_eq!(run.plan.pacing.unwrap().unit, PacingUnit::Iteration);
    }

    #[test]
    fn output_flags_choose_what_is_shown() {
        let shown = |args: &[&str]| {
            let output = planned_demo(args).output;
            (output.live, output.report, output.json)
        };
        assert_eq!(shown(&[]), (true, true, None));
        assert_eq!(shown(&["--quiet"]), (false, true, None));
        assert_eq!(shown(&["--disable-console-output"]), (false, false, None));
        assert_eq!(shown(&["--disable-console-output=false"]), (true, true, None));
        assert_eq!(shown(&["--json", "-"]), (true, true, Some(JsonTarget::Stdout)));
        assert_eq!(shown(&["--json", "a.json"]), (true, true, Some(JsonTarget::File("a.json".into()))));
        assert!(!planned_demo(&[]).plan.network.request_phases);
        assert!(planned_demo(&["--http-stat"]).plan.network.request_phases);
        assert_eq!(planned_demo(&[]).plan.failure_samples, FailureSampling { per_kind: 0, show_secrets: false });
        let kept = planned_demo(&["--sample-failures", "3", "--show-secrets"]).plan.failure_samples;
        assert_eq!(kept, FailureSampling { per_kind: 3, show_secrets: true });
        let kept = planned_hit(&["http://h/", "--sample-failures", "100"]).unwrap().plan.failure_samples;
        assert_eq!(kept, FailureSampling { per_kind: 100, show_secrets: false });
    }
}
