//! The report as a person sees it, of runs whose figures can be checked by eye.

use super::{report, ReportOptions};
use crate::collector::Model;
use crate::failure::{FailureSample, SampleTiming, SampledMessage};
use crate::latency::Latency;
use crate::sample;
use crate::summary::{
    Arrivals, Conservation, CpuCore, ErrorCount, LiveChange, Plugin, PluginProcesses, Summary, Threshold, Tls, Warmup,
};
use crate::threshold::Unit;
use crate::verdict::{Limit, Verdict};

const PLAIN: ReportOptions = ReportOptions { colour: false, chart: false };

/// The made-up run without its failures.
fn good() -> Summary {
    let mut summary = sample::summary();
    summary.errors.clear();
    summary.steps[1].failures = 0;
    summary.steps[1].failed_us = Latency::default();
    (summary.totals.failures, summary.totals.failed_us) = (0, Latency::default());
    for exchanges in [&mut summary.totals.exchanges, &mut summary.steps[1].exchanges] {
        (exchanges.sent, exchanges.answered, exchanges.unsent) = (exchanges.sent + 1, exchanges.answered + 1, 0);
    }
    summary.client.connections.errors = 0;
    (summary.transactions[0].passed, summary.transactions[0].failed) = (15_000, 0);
    (summary.conservation.succeeded, summary.conservation.failed) = (30_000, 0);
    summary
}

fn nothing_finished() -> Summary {
    let mut summary = sample::summary();
    summary.steps.clear();
    summary.transactions.clear();
    summary.totals = crate::summary::Totals::default();
    summary.errors.clear();
    summary.run.aborted = true;
    (summary.run.load_s, summary.run.duration_s) = (0.8, 10.8);
    summary.series.clear();
    summary.client = crate::summary::Client {
        notes: vec!["Little's law was not judged: no iteration ran to its end".into()],
        ..Default::default()
    };
    summary.conservation =
        Conservation { started: 200, abandoned: 200, exchanges: true, ok: true, ..Conservation::default() };
    summary
}

fn degraded() -> Summary {
    let mut summary = good();
    summary.client.verdict = Verdict::Degraded;
    summary.client.limit = Limit::Client;
    summary.client.reasons = vec![
        "requests waited in the client: lateness p99 4000 us is above 1000 us while a core was saturated; \
         throughput stands, latencies are distorted"
            .into(),
        "the client's CPU 0 was busy 97.0 %: the client is the limit".into(),
    ];
    summary.client.notes.clear();
    summary.client.little = None;
    summary.client.cpu_cores[0].share_mean = Some(0.94);
    summary.client.cpu_cores[0].share_max = Some(0.995);
    let late = &mut summary.client.lateness_us;
    (late.p50, late.p99, late.max) = (Some(700), Some(4_000), Some(9_100));
    summary
}

/// The section whose heading begins with this, without the empty line behind it.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    text.split("\n\n").find(|section| section.starts_with(heading)).unwrap_or_else(|| panic!("no {heading} in\n{text}"))
}

/// A run in which no core was sampled has no line of them.
#[test]
fn cores_that_were_not_sampled_are_left_out() {
    let mut summary = good();
    let unsampled = CpuCore { cpu: Some(1), ..CpuCore::default() };
    summary.client.cpu_cores.push(unsampled);
    assert!(report(&summary, PLAIN).contains("  cores        CPU 0 55.1% busy, at most 65.5%; CPU 1 not sampled\n"));
    summary.client.cpu_cores[0].share_mean = None;
    assert!(!report(&summary, PLAIN).contains("  cores "));
}

#[test]
fn a_good_run() {
    insta::assert_snapshot!(report(&good(), PLAIN), @r"

    Summary: demo
      boom, started 2026-11-22T01:52:20.000Z, run 20261122-015220-4f2a
      200 users, 1 core of 2 CPUs, 15.0 s of load

    Requests (closed model: service time of those that succeeded)
      NAME             REQUESTS  FAILED     RPS     MEAN     MIN      P50      P90      P95      P99    P99.9      MAX
      GET hello           15000       0  1000.0  7.90 ms  400 us  7.90 ms  13.9 ms  14.7 ms  15.3 ms  15.4 ms  15.4 ms
      POST order          15000       0  1000.0  8.30 ms  800 us  8.30 ms  14.3 ms  15.0 ms  15.6 ms  15.8 ms  15.8 ms
      Total               30000       0  2000.0  8.10 ms  400 us  8.10 ms  14.1 ms  14.9 ms  15.5 ms  15.8 ms  15.8 ms
      (response time)                            8.10 ms  400 us  8.10 ms  14.1 ms  14.9 ms  15.5 ms  15.8 ms  15.8 ms

    Transactions (durations of all, passed and failed)
      NAME      FINISHED  FAILED   PER S     MEAN      MIN      P50      P90      P95      P99    P99.9      MAX
      checkout     15000       0  1000.0  16.2 ms  1.20 ms  16.2 ms  28.2 ms  29.7 ms  30.9 ms  31.2 ms  31.2 ms

    On the wire
      connections  opened 200, at once 200, reused 29799, stale 0, errors 0
      exchanges    sent 30000, answered 30000, unsent 0, redirects 0, stale retries 0, authentication 0
      bytes        received 5.72 MiB, sent 2.86 MiB

    Load generator
      verdict      VALID: the load generator did not distort the figures
      limited by   the server, or the way to it
        - no core of the client was above 62.0 %: the users waited for answers
      cores        CPU 0 55.1% busy, at most 65.5%
      lateness     p50 1 us, p99 1 us, max 1 us
      Little's law 180.0 users were active, iterations/s x mean iteration time make 179.5
      note: CPU throttling is unknown: this process has no cgroup cpu.stat

    Counts
      started 30000 = succeeded 30000 + failed 0 + abandoned 0; rows, seconds and exchanges add up: ok
    ");
}

/// The run of `good`, open.
fn open(missed: u64) -> Summary {
    let mut summary = good();
    summary.run.model = Model::Open;
    summary.arrivals = Some(Arrivals {
        intended: 15_000 + missed,
        carried: 0,
        made: 15_000,
        missed,
        per_s: 1_000.0,
        users_peak: 87,
        users_max: 100,
        waited_for_users: missed > 0,
        waited: 0,
    });
    summary
}

#[test]
fn arrivals_of_an_open_run() {
    let text = report(&open(0), PLAIN);
    insta::assert_snapshot!(section(&text, "Arrivals"), @r"
    Arrivals (open model: due when the schedule says, whatever the server does)
      arrivals     intended 15000, made 15000 (1000.0/s), missed 0
      users        at most 87 of 100 busy at once
      iterations   ended 15000 (1000.0/s), 16.2 ms on average from when they were due
    ");
    let text = report(&open(1_000), PLAIN);
    insta::assert_snapshot!(section(&text, "Arrivals"), @r"
    Arrivals (open model: due when the schedule says, whatever the server does)
      arrivals     intended 16000, made 15000 (1000.0/s), MISSED 1000 (6.2%)
      users        at most 87 of 100 busy at once
      iterations   ended 15000 (1000.0/s), 16.2 ms on average from when they were due
    ");
    assert!(report(&open(1_000), ReportOptions { colour: true, chart: false })
        .contains("\u{1b}[31mMISSED 1000 (6.2%)\u{1b}[0m"));
    assert!(!report(&good(), PLAIN).contains("Arrivals"));
    let mut after_warmup = open(1_000);
    let arrivals = after_warmup.arrivals.as_mut().unwrap();
    (arrivals.intended, arrivals.carried) = (15_200, 800);
    assert!(report(&after_warmup, PLAIN)
        .contains("intended 15200 and 800 left from the warm-up, made 15000 (1000.0/s), MISSED 1000 (6.2%)\n"));
}

#[test]
fn changes_are_listed_by_time() {
    let mut summary = good();
    let change = |t_s, change: &str| LiveChange { t_s, change: change.into() };
    summary.run.changes = vec![change(0.821, "users 20"), change(12.5, "rate 0.5/s"), change(12.5, "pause")];
    insta::assert_snapshot!(section(&report(&summary, PLAIN), "Changed"), @r"
    Changed while it went on
      at 821 ms    users 20
      at 12.5 s    rate 0.5/s
      at 12.5 s    pause
    ");
    summary.run.changes = (0..30).map(|second| change(second as f64, "pause")).collect();
    assert!(section(&report(&summary, PLAIN), "Changed").ends_with("\n  and 10 more; --json has them all"));
    assert!(!report(&good(), PLAIN).contains("Changed"));
}

#[test]
fn phases_are_shown_where_they_were_asked_for() {
    let mut summary = good();
    assert!(!report(&summary, PLAIN).contains("Phases"));
    let all = |us: u64, count| Latency {
        count,
        min: Some(us),
        mean: Some(us as f64),
        p50: Some(us),
        p90: Some(us),
        p95: Some(us),
        p99: Some(us),
        p99_9: Some(us),
        max: Some(us),
        ..Latency::default()
    };
    summary.phases.tls_us = all(1_250, 200);
    summary.phases.send_us = Some(all(12, 30_000));
    summary.phases.wait_us = Some(all(8_000, 30_000));
    summary.phases.receive_us = Some(all(0, 30_000));
    let text = report(&summary, PLAIN);
    insta::assert_snapshot!(section(&text, "Phases"), @r"
    Phases (of connections opened, and of requests that succeeded)
      NAME     COUNT     MEAN      MIN      P50      P90      P95       P99     P99.9      MAX
      connect    200   190 us    90 us   189 us   269 us   279 us   ~287 us   ~289 us   289 us
      tls        200  1.25 ms  1.25 ms  1.25 ms  1.25 ms  1.25 ms  ~1.25 ms  ~1.25 ms  1.25 ms
      send     30000    12 us    12 us    12 us    12 us    12 us     12 us     12 us    12 us
      wait     30000  8.00 ms  8.00 ms  8.00 ms  8.00 ms  8.00 ms   8.00 ms   8.00 ms  8.00 ms
      receive  30000     0 us     0 us     0 us     0 us     0 us      0 us      0 us     0 us
      ~ too few samples to rely on: p99 needs 1000, p99.9 needs 10000
    ");
}

#[test]
fn calls_of_plugins_stand_by_step_and_in_all() {
    let mut summary = good();
    assert!(!report(&summary, PLAIN).contains("plugin"));
    let python =
        PluginProcesses { path: "/shop/debugtalk.py".into(), runner: "own".into(), workers: 2, ..Default::default() };
    summary.plugin = Some(Plugin { processes: vec![python], ..Plugin::default() });
    insta::assert_snapshot!(section(&report(&summary, PLAIN), "Functions"), @r"
    Functions of the plugin (their time is in no request's)
      no calls; 2 processes, 0 restarts
    ");

    // Each of them was given up when the load ended.
    summary.plugin.as_mut().unwrap().in_flight_max = 20;
    insta::assert_snapshot!(section(&report(&summary, PLAIN), "Functions"), @r"
    Functions of the plugin (their time is in no request's)
      no call ended, at most 20 at once; 2 processes, 0 restarts
    ");

    let (once, twice) = (summary.steps[0].service_us.clone(), summary.steps[1].service_us.clone());
    summary.steps[0].plugin_us = Some(once);
    let plugin = summary.plugin.as_mut().unwrap();
    (plugin.calls, plugin.errors, plugin.in_flight_max) = (15_000, 1, 200);
    plugin.share_of_iterations = Some(0.073);
    plugin.processes[0].restarts = 1;
    insta::assert_snapshot!(section(&report(&summary, PLAIN), "Functions"), @r"
    Functions of the plugin (their time is in no request's)
      NAME       CALLS     MEAN     MIN      P50      P90      P95      P99    P99.9      MAX
      GET hello  15000  7.90 ms  400 us  7.90 ms  13.9 ms  14.7 ms  15.3 ms  15.4 ms  15.4 ms
      15000 calls, 1 error, at most 200 at once, 7.3% of the iterations' time; 2 processes, 1 restart
    ");

    summary.steps[1].plugin_us = Some(twice);
    let plugin = summary.plugin.as_mut().unwrap();
    (plugin.calls, plugin.errors, plugin.share_of_iterations) = (29_996, 0, None);
    plugin.call_us = summary.totals.service_us.clone();
    let text = report(&summary, PLAIN);
    insta::assert_snapshot!(section(&text, "Functions"), @r"
    Functions of the plugin (their time is in no request's)
      NAME        CALLS     MEAN     MIN      P50      P90      P95      P99    P99.9      MAX
      GET hello   15000  7.90 ms  400 us  7.90 ms  13.9 ms  14.7 ms  15.3 ms  15.4 ms  15.4 ms
      POST order  14996  8.30 ms  800 us  8.30 ms  14.3 ms  15.0 ms  15.6 ms  15.8 ms  15.8 ms
      Total       29996  8.10 ms  400 us  8.10 ms  14.1 ms  14.9 ms  15.5 ms  15.8 ms  15.8 ms
      29996 calls, 0 errors, at most 200 at once; 2 processes, 1 restart
    ");
    assert!(text.lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn handshakes_stand_among_what_went_over_the_wire() {
    let mut summary = good();
    summary.tls = Some(Tls { handshakes: 200, resumed: 40, handshakes_per_s: 200.0 / 15.0, unverified: true });
    let text = report(&summary, PLAIN);
    insta::assert_snapshot!(section(&text, "On the wire"), @r"
    On the wire
      connections  opened 200, at once 200, reused 29799, stale 0, errors 0
      exchanges    sent 30000, answered 30000, unsent 0, redirects 0, stale retries 0, authentication 0
      TLS          handshakes 200 (13.33/s), resumed 40
      bytes        received 5.72 MiB, sent 2.86 MiB
      note: certificates were not verified (as hrp); --verify checks them
    ");
    summary.run.command = "hit".into();
    assert!(report(&summary, PLAIN).contains("  note: certificates were not verified (--insecure)\n"));
    summary.tls.as_mut().unwrap().unverified = false;
    assert!(!report(&summary, PLAIN).contains("certificates"));
}

#[test]
fn a_run_with_errors() {
    let text = report(&sample::summary(), PLAIN);
    insta::assert_snapshot!(section(&text, "Failed requests"), @r"
    Failed requests (the time they took, apart from the latencies above)
      NAME        FAILED     OF  SHARE   MEAN    MIN     P50     P90     P95     P99   P99.9    MAX
      POST order       4  15000  <0.1%  65 us  50 us  ~60 us  ~80 us  ~80 us  ~80 us  ~80 us  80 us
      ~ too few samples to rely on: p50 needs 20, p90 needs 100, p95 needs 200, p99 needs 1000, p99.9 needs 10000
    ");
    insta::assert_snapshot!(section(&text, "Errors"), @r"
    Errors
      COUNT  KIND             STEP   MESSAGE
          3  assertion        order  status_code: expected 200, got 500
          1  connect_refused  order  127.0.0.1:8080 refused the connection
    ");
    let finished = |section: &str| section.lines().last().unwrap().split_whitespace().nth(2).unwrap().to_owned();
    assert_eq!(finished(section(&text, "Transactions")), "4");
    assert!(section(&text, "Requests").lines().any(|line| line.starts_with("  POST order          15000       4  ")));
    assert!(section(&text, "On the wire").contains("sent 29999, answered 29999, unsent 1,"));
    assert!(section(&text, "Counts").contains("started 30000 = succeeded 29996 + failed 4 + abandoned 0;"));
}

#[test]
fn a_run_without_a_finished_request() {
    insta::assert_snapshot!(report(&nothing_finished(), PLAIN), @r"

    Summary: demo
      boom, started 2026-11-22T01:52:20.000Z, run 20261122-015220-4f2a
      1 core of 2 CPUs, 800 ms of load, 10.0 s of drain, stopped by Ctrl-C or a signal

    Requests (closed model: service time of those that succeeded)
      no request finished

    On the wire
      connections  opened 0, at once 0, reused 0, stale 0, errors 0
      exchanges    sent 0, answered 0, unsent 0, redirects 0, stale retries 0, authentication 0
      bytes        received 0 B, sent 0 B

    Load generator
      verdict      VALID: the load generator did not distort the figures
      limited by   neither side clearly
      note: Little's law was not judged: no iteration ran to its end

    Counts
      started 200 = succeeded 0 + failed 0 + abandoned 200; rows, seconds and exchanges add up: ok
    ");
}

#[test]
fn a_degraded_run_says_why() {
    let text = report(&degraded(), PLAIN);
    insta::assert_snapshot!(section(&text, "Load generator"), @r"
    Load generator
      verdict      DEGRADED: counts and throughput stand, latencies are distorted
      limited by   the client (this program or its machine)
        - requests waited in the client: lateness p99 4000 us is above 1000 us while a core was saturated; throughput
          stands, latencies are distorted
        - the client's CPU 0 was busy 97.0 %: the client is the limit
      cores        CPU 0 94.0% busy, at most 99.5%
      lateness     p50 700 us, p99 4.00 ms, max 9.10 ms
    ");
}

#[test]
fn lines_fit_a_wide_terminal() {
    for make in [good as fn() -> Summary, sample::summary, nothing_finished, degraded] {
        let summary = make();
        for line in report(&summary, PLAIN).lines() {
            assert!(line.chars().count() <= 120, "{} columns: {line}", line.chars().count());
        }
    }
}

#[test]
fn colour_marks_failures_and_the_verdict() {
    let coloured = |summary: &Summary| report(summary, ReportOptions { colour: true, chart: false });
    let failed = coloured(&sample::summary());
    assert!(failed.lines().any(|line| line.starts_with("\x1b[31m  POST order") && line.ends_with("\x1b[0m")));
    assert!(failed.lines().any(|line| line.starts_with("  GET hello")));
    assert!(coloured(&good()).contains("\x1b[32mVALID"));
    assert!(coloured(&degraded()).contains("\x1b[33mDEGRADED"));
    assert!(!report(&sample::summary(), PLAIN).contains('\x1b'));
}

#[test]
fn a_run_in_which_everything_failed_has_no_latencies() {
    let mut summary = sample::summary();
    summary.steps.remove(0);
    summary.totals.requests = 4;
    summary.totals.response_us = Latency::default();
    summary.steps[0].requests = 4;
    summary.steps[0].service_us = Latency::default();
    let text = report(&summary, PLAIN);
    let cells: Vec<_> = text.lines().find(|line| line.contains("POST order")).unwrap().split_whitespace().collect();
    assert_eq!(cells, ["POST", "order", "4", "4", "1000.0", "-", "-", "-", "-", "-", "-", "-", "-"]);
    assert!(!text.contains("(response time)"));
    assert!(text.contains("100.0%"));
}

#[test]
fn an_open_run_shows_response_times() {
    let mut summary = good();
    summary.totals.response_us.max = Some(7_000_000);
    summary.steps[0].response_us.max = Some(6_000_000);
    summary.run.model = Model::Open;
    let text = report(&summary, PLAIN);
    let line_of = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    assert!(line_of("GET hello").ends_with("6.00 s"));
    assert!(line_of("Total").ends_with("7.00 s"));
    assert!(line_of("(service time)").ends_with(" 15.8 ms"));
}

#[test]
fn counts_that_do_not_add_up_stand_out() {
    let mut summary = good();
    summary.conservation.ok = false;
    summary.conservation.broken = vec!["succeeded against the sum over rows: 30000 against 29999".into()];
    let text = report(&summary, PLAIN);
    assert!(text.ends_with(
        "abandoned 0; NOT OK, please report this:\n    - succeeded against the sum over rows: 30000 against 29999\n"
    ));
}

#[test]
fn several_cases_are_told_apart() {
    let mut summary = good();
    summary.steps[1].case = "pay".into();
    let text = report(&summary, PLAIN);
    assert!(text.contains("  demo: GET hello ") && text.contains("  pay: POST order "));
}

#[test]
fn a_step_named_after_its_method_is_not_named_twice() {
    let mut summary = good();
    summary.steps[0].name = "GET http://127.0.0.1/".into();
    assert!(report(&summary, PLAIN).contains("  GET http://127.0.0.1/ "));
}

#[test]
fn many_sorts_of_errors_are_cut_short_and_counted() {
    let mut summary = good();
    summary.errors = (0..23)
        .map(|n| ErrorCount { kind: "assertion".into(), step: "s".into(), message: format!("m{n}"), count: 100 - n })
        .collect();
    let text = report(&summary, PLAIN);
    // 80 + 79 + 78.
    assert!(text.contains("m19\n  and 237 errors of 3 more sorts; --json has them all\n"), "{text}");
    summary.errors[0].message = "\x1b[2J\nforged".into();
    assert!(report(&summary, PLAIN).contains("?[2J forged"));
}

#[test]
fn thresholds_are_shown_with_their_figures() {
    let mut summary = good();
    summary.thresholds = vec![
        missed("p99<10ms", 15_300.0, 10_000.0, Unit::Us),
        missed("max<10us", 2_500.0, 10.0, Unit::Us),
        missed("rps>2000", 1_500.0, 2_000.0, Unit::PerSecond),
        Threshold { first_failed_s: None, ..missed("requests>5", 5.0, 5.0, Unit::Count) },
        Threshold { reason: Some("only 40 of 1,000 samples that p99 needs".into()), ..Threshold::default() },
        Threshold { expression: "errors<1%".into(), ok: true, value: Some(0.002), unit: Unit::Ratio, ..broken_once() },
    ];
    summary.thresholds[4].expression = "a:p99<1s".into();
    let text = report(&summary, PLAIN);
    assert_eq!(
        section(&text, "Thresholds"),
        "Thresholds\n  \
         MISSED p99<10ms (was 15.3 ms, 53.0% over, first seen in second 3)\n  \
         MISSED max<10us (was 2.50 ms, 250 times the limit, first seen in second 3)\n  \
         MISSED rps>2000 (was 1500.0/s, 25.0% too low, first seen in second 3)\n  \
         MISSED requests>5 (was 5, exactly the limit)\n  \
         MISSED a:p99<1s (only 40 of 1,000 samples that p99 needs)\n  \
         held errors<1% (was 0.200%)"
    );
}

/// A threshold that was broken in second 3.
fn broken_once() -> Threshold {
    Threshold { first_failed_s: Some(3), ..Threshold::default() }
}

fn missed(expression: &str, value: f64, limit: f64, unit: Unit) -> Threshold {
    Threshold {
        expression: expression.into(),
        value: Some(value),
        limit: Some(limit),
        unit,
        by: Some((value - limit).abs() / limit),
        ..broken_once()
    }
}

#[test]
fn a_run_that_a_threshold_stopped_says_so() {
    let mut summary = good();
    (summary.run.aborted, summary.run.stopped_for) = (true, Some("p99<1us".into()));
    let text = report(&summary, PLAIN);
    assert!(text.contains("stopped early, broken: p99<1us"), "{text}");
    assert!(!text.contains("Ctrl-C"), "{text}");
}

#[test]
fn what_users_do_once_has_a_section_of_its_own() {
    let mut summary = good();
    assert!(!report(&summary, PLAIN).contains("Once per user"));
    summary.setup.push(crate::summary::Step { name: "login".into(), requests: 200, ..summary.steps[0].clone() });
    let text = report(&summary, PLAIN);
    let section = section(&text, "Once per user (before its load, in no figure above)");
    let cells = |line: &str| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
    assert_eq!(section.lines().skip(1).map(cells).collect::<Vec<_>>(), ["NAME REQUESTS FAILED PER", "GET login 200 0"]);
}

#[test]
fn a_referenced_case_is_shown_with_its_type() {
    let mut summary = good();
    summary.transactions[0].label = "testcase".into();
    assert!(section(&report(&summary, PLAIN), "Transactions").contains("\n  testcase checkout "));
}

#[test]
fn addresses_are_shown_where_there_is_more_than_one() {
    let section = |summary: &Summary| {
        let text = report(summary, PLAIN);
        text.split_once("Addresses\n").map(|(_, rest)| rest.split("\n\n").next().unwrap().to_owned())
    };
    let mut summary = good();
    assert_eq!(section(&summary), None);
    let dead = crate::endpoint::Endpoint { address: "[::1]:8080".into(), connect_errors: 7, ..Default::default() };
    summary.addresses.push(dead.clone());
    let shown = section(&summary).unwrap();
    let cells: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(cells[0], ["ADDRESS", "CONNECTIONS", "CONNECT", "ERRORS", "REQUESTS", "FAILURES"]);
    assert_eq!(cells[1], ["127.0.0.1:8080", "200", "1", "29999", "3"]);
    assert_eq!(cells[2], ["[::1]:8080", "0", "7", "0", "0"]);
    summary.addresses.resize(23, dead);
    assert!(section(&summary).unwrap().ends_with("and 3 more; --json has them all"));
}

/// The good run after 10 s of warm-up, of which 5 requests failed.
fn warmed_up() -> Summary {
    let mut summary = good();
    summary.run.warmup_s = 10.0;
    summary.run.duration_s += 10.0;
    let service_us = summary.totals.service_us.clone();
    summary.warmup = Some(Warmup {
        planned_s: 10.0,
        duration_s: 10.0,
        requests: 12_345,
        failures: 5,
        rps: 1_234.5,
        service_us,
        ..Warmup::default()
    });
    summary
}

#[test]
fn a_warmup_has_a_section_of_its_own() {
    let text = report(&warmed_up(), PLAIN);
    assert!(text.contains("  200 users, 1 core of 2 CPUs, 15.0 s of load after 10.0 s of warm-up\n"), "{text}");
    insta::assert_snapshot!(section(&text, "Warm-up"), @r"
    Warm-up (apart, in no figure above)
      10.0 s, 12345 requests, 5 failed (<0.1%), 1234.5 RPS, p50 8.10 ms, p95 14.9 ms, p99 15.5 ms
    ");
    assert!(
        text.contains("\nOn the wire (connections and handshakes of the whole run, the rest without its warm-up)\n")
    );
    assert!(text.contains("\nCounts (of the whole run, its warm-up too)\n"));
    assert!(!report(&good(), PLAIN).to_lowercase().contains("warm"));
}

#[test]
fn a_run_that_ends_in_its_warmup_says_that_nothing_was_measured() {
    let mut summary = nothing_finished();
    (summary.run.load_s, summary.run.warmup_s, summary.run.duration_s) = (0.0, 0.8, 0.8);
    summary.warmup = Some(Warmup { planned_s: 60.0, duration_s: 0.8, ..Warmup::default() });
    let text = report(&summary, PLAIN);
    assert!(text.contains("CPUs, 800 ms of warm-up, stopped by Ctrl-C or a signal\n"), "{text}");
    assert!(
        text.contains("\n  nothing was measured: the run ended after 800 ms, within its warm-up of 60.0 s\n"),
        "{text}"
    );
    insta::assert_snapshot!(section(&text, "Warm-up"), @r"
    Warm-up (apart, in no figure above)
      800 ms, 0 requests, 0 failed (0.0%), 0.00 RPS, p50 -, p95 -, p99 -
    ");
}

#[test]
fn samples_of_failures() {
    let mut summary = sample::summary();
    assert!(!report(&summary, PLAIN).contains("Failure samples"));
    let message = |head: &str, body: &str, body_bytes| SampledMessage {
        head: head.into(),
        body: body.into(),
        body_bytes,
        ..SampledMessage::default()
    };
    let answered = FailureSample {
        case: "demo".into(),
        step: "order".into(),
        kind: "assertion".into(),
        message: "status_code: expected 200, got 500".into(),
        at_s: 7.0321,
        request: message("POST http://127.0.0.1:8080/order?n=1\nAccept: *\n", "{\"n\": 1}", 8),
        response: Some(message("HTTP/1.1 500 Oops\nServer: x\n", "\u{1b}[2J\nfirst\u{202e} second", 2_048)),
        timing: SampleTiming {
            due_us: 7_030_000,
            sent_us: Some(7_030_040),
            first_byte_us: Some(7_031_240),
            done_us: 7_032_100,
            service_us: 2_060,
            response_us: 2_100,
        },
        ..FailureSample::default()
    };
    let refused = FailureSample {
        kind: "connect_refused".into(),
        message: "connection refused: is the server running on that port?".into(),
        at_s: 7.1,
        request: message("GET http://127.0.0.1:8080/\n", "", 0),
        response: None,
        timing: SampleTiming {
            due_us: 7_099_000,
            done_us: 7_100_000,
            service_us: 1_000,
            response_us: 1_000,
            ..SampleTiming::default()
        },
        ..answered.clone()
    };
    summary.failure_samples = vec![answered.clone(), refused, answered];
    summary.failure_samples_left_out = 2;
    insta::assert_snapshot!(section(&report(&summary, PLAIN), "Failure samples"), @r#"
    Failure samples (2 of 3; --json has them all)
      order, assertion at 7.032 s: status_code: expected 200, got 500
        > POST http://127.0.0.1:8080/order?n=1
          body (8 B): {"n": 1}
        < HTTP/1.1 500 Oops
          body (2.00 KiB): ?[2J first? second
          from when it was due: sent 40 us, first byte 1.24 ms, over 2.10 ms; service time 2.06 ms
      order, connect_refused at 7.100 s: connection refused: is the server running on that port?
        > GET http://127.0.0.1:8080/
        < no response
          from when it was due: over 1.00 ms; service time 1.00 ms
      2 more were left out: the samples of a run are bounded
    "#);
}
