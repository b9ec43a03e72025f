//! Searches as a person sees them, of servers whose capacity can be computed by hand.

use super::{capacity_headline, capacity_report, probe_line};
use crate::capacity::simulated::{graded, outcome, queue, result, spec, stopped_after, token_bucket};
use crate::capacity::{
    By, CapacityResult, ClientResource, EndedBy, Grade, Probe, ProbeOutcome, Purpose, Search, SearchSpec,
};
use crate::display::{capacity_json, ReportOptions};

fn report(result: &CapacityResult) -> String {
    capacity_report(result, ReportOptions { colour: false, chart: false })
}

/// Holds up to 37 users; throughput follows the law with sigma 3 % and kappa 0.1 %, whose peak is at 31.
fn users(users: f64, _: bool) -> ProbeOutcome {
    let per_s = 1_000.0 * users / (1.0 + 0.03 * (users - 1.0) + 0.001 * users * (users - 1.0));
    let slower = if users <= 37.0 { 1.0 } else { 10.0 };
    ProbeOutcome { achieved_share: None, ..outcome(per_s, users / per_s * 1e6 * slower, 0.0) }
}

#[test]
fn a_queue() {
    insta::assert_snapshot!(report(&result(spec(By::Rate), 1_000.0, queue(1_000.0))), @r"

    Capacity: 907.1/s holds p99<50ms, errors<1% (fails at 917/s); confirmed at 861.7/s for 10 s
      between 907.1/s and 917/s, 12 probes, estimate 1,000/s, ended: the interval is within 2 %

    Rates (open model: response time of requests that succeeded)
         RATE  ACHIEVED      P50      P95      P99  ERRORS  VERDICT
        250/s     250/s   924 us  3.99 ms  6.14 ms    0.0%  held
        500/s     500/s  1.39 ms  5.99 ms  9.21 ms    0.0%  held
      707.1/s   707.1/s  2.37 ms  10.2 ms  15.7 ms    0.0%  held
      840.9/s   840.9/s  4.36 ms  18.8 ms  28.9 ms    0.0%  held
      861.7/s   861.7/s  5.01 ms  21.7 ms  33.3 ms    0.0%  held
      878.1/s   878.1/s  5.69 ms  24.6 ms  37.8 ms    0.0%  held
      897.3/s   897.3/s  6.75 ms  29.2 ms  44.8 ms    0.0%  held
      907.1/s   907.1/s  7.46 ms  32.2 ms  49.6 ms    0.0%  held
        917/s     917/s  8.35 ms  36.1 ms  55.5 ms    0.0%  failed
      1,000/s   1,000/s   1.39 s   5.99 s   9.21 s    0.0%  failed

    p99 by rate (# held, x failed, ? not judged, logarithmic scale)
        250/s  6.14 ms |#
        500/s  9.21 ms |###
      707.1/s  15.7 ms |########
      840.9/s  28.9 ms |#############
      861.7/s  33.3 ms |##############
      878.1/s  37.8 ms |###############
      897.3/s  44.8 ms |################
      907.1/s  49.6 ms |#################
        917/s  55.5 ms |xxxxxxxxxxxxxxxxxx
      1,000/s   9.21 s |xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx

    Limit at 917/s
      limited by   the server, or the way to it
        - p99<50ms did not hold: 55.5 ms

    Universal Scalability Law: X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1))
      N            requests under way at once on average, by Little's law
      fit          lambda 500/s, sigma 0.5000, kappa 0
      peak         none: kappa is 0
      residuals    at most 0.0%, RMS 0.0%, R squared 1.0000, of 8 points
    ");
}

#[test]
fn users_of_a_closed_load() {
    insta::assert_snapshot!(report(&result(spec(By::Users), 0.0, users)), @r"

    Capacity: 37 users hold p99<50ms, errors<1% (fails with 38 users); confirmed with 35 users for 10 s
      between 37 users and 38 users, 16 probes, ended: the interval is one user

    Users (closed model: service time of requests that succeeded)
      USERS  ACHIEVED      P50      P95      P99  ERRORS  VERDICT
          1   1,000/s   693 us  3.00 ms  4.61 ms    0.0%  held
          2   1,938/s   715 us  3.09 ms  4.75 ms    0.0%  held
          4   3,630/s   764 us  3.30 ms  5.08 ms    0.0%  held
          8   6,319/s   878 us  3.79 ms  5.83 ms    0.0%  held
         16   9,467/s  1.17 ms  5.06 ms  7.78 ms    0.0%  held
         32  10,951/s  2.02 ms  8.75 ms  13.5 ms    0.0%  held
         35  10,903/s  2.23 ms  9.62 ms  14.8 ms    0.0%  held
         36  10,876/s  2.29 ms  9.92 ms  15.2 ms    0.0%  held
         37  10,844/s  2.37 ms  10.2 ms  15.7 ms    0.0%  held
         38  10,808/s  24.4 ms   105 ms   162 ms    0.0%  failed
         45  10,465/s  29.8 ms   129 ms   198 ms    0.0%  failed
         64   9,246/s  48.0 ms   207 ms   319 ms    0.0%  failed

    p99 by users (# held, x failed, ? not judged, logarithmic scale)
       1  4.61 ms |#
       2  4.75 ms |#
       4  5.08 ms |#
       8  5.83 ms |####
      16  7.78 ms |########
      32  13.5 ms |################
      35  14.8 ms |##################
      36  15.2 ms |##################
      37  15.7 ms |###################
      38   162 ms |xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      45   198 ms |xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      64   319 ms |xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx

    Limit at 38 users
      limited by   the server, or the way to it
        - p99<50ms did not hold: 162 ms

    Universal Scalability Law: X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1))
      N            users
      fit          lambda 1,000/s, sigma 0.0300, kappa 1.00e-3
      peak         10,954/s at N = 31.14
      residuals    at most 0.0%, RMS 0.0%, R squared 1.0000, of 16 points
    ");
}

#[test]
fn a_client_in_the_way() {
    let server = |level: f64, _: bool| {
        let held = ProbeOutcome { iterations_per_s: level, ..graded(Grade::Held) };
        if level <= 3_000.0 {
            held
        } else {
            graded(Grade::ClientLimited)
        }
    };
    insta::assert_snapshot!(report(&result(spec(By::Rate), 4_000.0, server)), @r"

    Capacity: at least 2,985/s holds p99<50ms, errors<1%: the client was the limit from 3,018/s on (a core was saturated);
    confirmed at 2,836/s for 10 s
      between 2,985/s and 3,018/s, 14 probes, estimate 4,000/s, ended: the interval is within 2 %

    Rates (open model: response time of requests that succeeded)
         RATE  ACHIEVED     P50      P95      P99  ERRORS  VERDICT
      1,000/s   1,000/s  693 us  3.00 ms  4.61 ms    0.0%  held
      2,000/s   2,000/s  693 us  3.00 ms  4.61 ms    0.0%  held
      2,828/s   2,828/s  693 us  3.00 ms  4.61 ms    0.0%  held
      2,836/s   2,836/s  693 us  3.00 ms  4.61 ms    0.0%  held
      2,953/s   2,953/s  693 us  3.00 ms  4.61 ms    0.0%  held
      2,985/s   2,985/s  693 us  3.00 ms  4.61 ms    0.0%  held
      3,018/s   1,000/s  693 us  3.00 ms  4.61 ms    0.0%  client limited
      3,084/s   1,000/s  693 us  3.00 ms  4.61 ms    0.0%  client limited
      3,363/s   1,000/s  693 us  3.00 ms  4.61 ms    0.0%  client limited
      4,000/s   1,000/s  693 us  3.00 ms  4.61 ms    0.0%  client limited

    p99 by rate (# held, x failed, ? not judged)
      1,000/s  4.61 ms |###########################################################
      2,000/s  4.61 ms |###########################################################
      2,828/s  4.61 ms |###########################################################
      2,836/s  4.61 ms |###########################################################
      2,953/s  4.61 ms |###########################################################
      2,985/s  4.61 ms |###########################################################
      3,018/s  4.61 ms |???????????????????????????????????????????????????????????
      3,084/s  4.61 ms |???????????????????????????????????????????????????????????
      3,363/s  4.61 ms |???????????????????????????????????????????????????????????
      4,000/s  4.61 ms |???????????????????????????????????????????????????????????

    Limit at 3,018/s
      limited by   the client (this program or its machine): a core was saturated
        - the client's CPU 0 was busy 97.0 %: the client is the limit

    Universal Scalability Law: X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1))
      not fitted: 4 points of different concurrency are needed, and there are 1
    ");
}

#[test]
fn every_headline() {
    let rate = || spec(By::Rate);
    let bucket = |capacity: f64| token_bucket(capacity);
    let mut found = result(rate(), 2_000.0, bucket(1_500.0));
    let mut headlines = vec![capacity_headline(&found)];
    found.thresholds.clear();
    headlines.push(capacity_headline(&found));
    headlines.push(capacity_headline(&result(spec(By::Users), 0.0, users)));
    let one_user = |users: f64, _: bool| graded(if users <= 1.0 { Grade::Held } else { Grade::Failed });
    headlines.push(capacity_headline(&result(spec(By::Users), 0.0, one_user)));
    headlines.push(capacity_headline(&result(SearchSpec { max: 3_000.0, ..rate() }, 4_000.0, bucket(1e9))));
    headlines.push(capacity_headline(&result(SearchSpec { max: 30.0, ..spec(By::Users) }, 0.0, users)));
    headlines.push(capacity_headline(&stopped_after(3, EndedBy::Time, 2_000.0, bucket(1_500.0))));
    headlines.push(capacity_headline(&stopped_after(6, EndedBy::Interrupted, 2_000.0, bucket(1_500.0))));
    headlines.push(capacity_headline(&stopped_after(0, EndedBy::Interrupted, 2_000.0, bucket(1_500.0))));
    headlines.push(capacity_headline(&stopped_after(2, EndedBy::Time, 2_000.0, bucket(1.0))));
    headlines.push(capacity_headline(&result(SearchSpec { probes_max: 4, ..rate() }, 2_000.0, bucket(1_500.0))));
    headlines.push(capacity_headline(&result(rate(), 4_000.0, bucket(0.1))));
    headlines.push(capacity_headline(&result(spec(By::Users), 0.0, |_, _| graded(Grade::Failed))));
    headlines.push(capacity_headline(&result(rate(), 4.0, |_, _| graded(Grade::ClientLimited))));
    headlines.push(capacity_headline(&result(rate(), 0.0, bucket(1.0))));
    headlines.push(capacity_headline(&stopped_after(2, EndedBy::RunFailed, 2_000.0, bucket(1_500.0))));
    for by in [By::Rate, By::Users] {
        let mut silent = Search::new(spec(by));
        (0..2).for_each(|_| silent.nothing_ended(false));
        headlines.push(capacity_headline(&silent.finish()));
    }
    found.limit.side = crate::verdict::Limit::Unclear;
    headlines.push(capacity_headline(&found));
    found.limit.side = crate::verdict::Limit::Client;
    headlines.push(capacity_headline(&found));
    found.limit.resource = Some(ClientResource::Users);
    headlines.push(capacity_headline(&found));
    insta::assert_snapshot!(headlines.join("\n"), @r"
    Capacity: 1,509/s holds p99<50ms, errors<1% (fails at 1,525/s); confirmed at 1,434/s for 10 s
    Capacity: 1,509/s holds its load (fails at 1,525/s); confirmed at 1,434/s for 10 s
    Capacity: 37 users hold p99<50ms, errors<1% (fails with 38 users); confirmed with 35 users for 10 s
    Capacity: 1 user holds p99<50ms, errors<1% (fails with 2 users); confirmed with 1 user for 10 s
    Capacity: at least 3,000/s, the highest rate to be tried, holds p99<50ms, errors<1%; confirmed at 2,850/s for 10 s
    Capacity: at least 30 users, the highest number to be tried, hold p99<50ms, errors<1%; confirmed with 28 users for 10 s
    Capacity: at least 1,000/s holds p99<50ms, errors<1%; not confirmed: the time was used up
    Capacity: 1,414/s holds p99<50ms, errors<1% (fails at 2,000/s); not confirmed: the search was interrupted
    Capacity: unknown; the search was interrupted before a probe was done
    Capacity: unknown; the time was used up before a probe held
    Capacity: 1,000/s holds p99<50ms, errors<1% (fails at 2,000/s); not confirmed: probe 4 was the last the search may make
    Capacity: none found; p99<50ms, errors<1% did not hold at any rate tried, the lowest was 1/s
    Capacity: none found; p99<50ms, errors<1% did not hold at any number of users tried, the least was 1 user
    Capacity: unknown; no probe held, and at 1/s it was not clearly the server's doing
    Capacity: unknown; no iteration succeeded in the estimate
    Capacity: at least 1,000/s holds p99<50ms, errors<1%; not confirmed: a run failed
    Capacity: unknown; no iteration ended in the estimate
    Capacity: unknown; no request of one user ended
    Capacity: at least 1,509/s holds its load: whether the server was the limit from 1,525/s on is unclear; confirmed at 1,434/s for 10 s
    Capacity: at least 1,509/s holds its load: the client was the limit from 1,525/s on (for the reasons below); confirmed at 1,434/s for 10 s
    Capacity: at least 1,509/s holds its load: the client was the limit from 1,525/s on (all users were busy; raise --max-users); confirmed at 1,434/s for 10 s
    ");
}

#[test]
fn a_search_without_a_probe_has_a_headline_and_no_tables() {
    insta::assert_snapshot!(report(&result(spec(By::Rate), 0.0, token_bucket(1.0))), @r"

    Capacity: unknown; no iteration succeeded in the estimate
      0 probes, ended: no iteration succeeded in the estimate
    ");
}

#[test]
fn a_probe_on_a_line() {
    let probe = |number, purpose, outcome: ProbeOutcome| {
        let grade = outcome.grade();
        probe_line(By::Rate, &Probe { number, level: 2_000.0, purpose, longer: false, grade, outcome })
    };
    assert_eq!(
        probe(4, Purpose::Growth, outcome(2_000.0, 2_627.5, 0.0)),
        "probe 4: 2,000/s  held  p99 12.1 ms  errors 0.0%"
    );
    let slow = ProbeOutcome { achieved_share: Some(0.931), ..outcome(2_000.0, 30_000.0, 0.005) };
    assert_eq!(
        probe(5, Purpose::Repeat, slow),
        "probe 5: 2,000/s again  failed  p99 138 ms  errors 0.5%  achieved 93.1%"
    );
    // 9,950 that ended and 50 that did not.
    let silent = ProbeOutcome { requests: 9_950, unanswered: 50, ..outcome(2_000.0, 2_627.5, 0.0) };
    assert_eq!(probe(7, Purpose::Growth, silent), "probe 7: 2,000/s  held  p99 12.1 ms  errors 0.5%");
    assert_eq!(
        probe(6, Purpose::Confirmation, graded(Grade::ClientLimited)),
        "probe 6: 2,000/s to confirm  client limited  p99 4.61 ms  errors 0.0%  (a core was saturated)"
    );
}

#[test]
fn lines_of_the_chart_and_the_table_fit_80_columns() {
    for result in [result(spec(By::Rate), 1_000.0, queue(1_000.0)), result(spec(By::Rate), 1e6, queue(1e6))] {
        let text = report(&result);
        let body = text.split("\n\n").filter(|section| section.starts_with("Rates") || section.starts_with("p99"));
        assert!(body.flat_map(str::lines).all(|line| line.chars().count() <= 80), "{text}");
    }
}

#[test]
fn failed_levels_are_red_on_a_terminal() {
    let text = capacity_report(
        &result(spec(By::Rate), 2_000.0, token_bucket(1_500.0)),
        ReportOptions { colour: true, chart: false },
    );
    assert!(text.contains("\x1b[31m  2,000/s"), "{text}");
}

#[test]
fn the_document_of_a_short_search() {
    let mut found = stopped_after(3, EndedBy::Time, 2_000.0, token_bucket(1_500.0));
    assert_eq!(serde_json::from_slice::<CapacityResult>(&capacity_json(&found).unwrap()).unwrap(), found);
    // One of each is enough to see the shape.
    found.probes.truncate(1);
    found.curve.truncate(1);
    let text = String::from_utf8(capacity_json(&found).unwrap()).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn a_result_with_a_law_reads_back_as_the_same() {
    let found = result(spec(By::Users), 0.0, users);
    let read: CapacityResult = serde_json::from_slice(&capacity_json(&found).unwrap()).unwrap();
    // What is computed may differ in its last digit; texts of it do not.
    assert_eq!((read.held, read.failed, report(&read)), (found.held, found.failed, report(&found)));
    let json = serde_json::to_value(&found.usl).unwrap();
    assert_eq!((json["state"].as_str(), json["concurrency"].as_str()), (Some("fitted"), Some("users")));
    let partial: CapacityResult = serde_json::from_str(r#"{"held":12.5,"later":1}"#).unwrap();
    assert_eq!(partial.held, Some(12.5));
}
