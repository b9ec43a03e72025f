//! What a comparison looks like.

use super::*;
use crate::compare::{
    compare, from_kept, from_summary, testing::kept_run, testing::kept_second, ChangeLimit, Comparison, Contender,
    Measured, Source,
};
use crate::display::ReportOptions;
use crate::sample;

fn text(comparison: &Comparison) -> String {
    comparison_report(comparison, ReportOptions::default())
}

/// 30 seconds in which each step had 100 requests of 100 us to 10 ms, times a factor.
fn kept(steps: &[&str], factor: u64) -> Measured {
    let values: Vec<u64> = (1..=100).map(|n| n * 100 * factor).collect();
    let seconds: Vec<_> = (0..30).map(|t_s| kept_second(t_s, &vec![&values[..]; steps.len()])).collect();
    from_kept(&kept_run(steps), &seconds)
}

fn contender(name: &str, source: Source, run: Measured) -> Contender {
    Contender { name: name.into(), source, runs: vec![run] }
}

fn stored_runs() -> Comparison {
    let mut comparison = compare(&[
        contender("before", Source::Kept, kept(&["login", "old"], 1)),
        contender("after", Source::Kept, kept(&["login", "<new> | \"quoted\""], 2)),
    ]);
    let limits: [ChangeLimit; 3] = ["p99 +10%", "rps -5%", "old:p50 +1%"].map(|limit| limit.parse().unwrap());
    comparison.limits = limits.iter().map(|limit| limit.judge(&comparison.comparisons[0])).collect();
    comparison
}

#[test]
fn two_stored_runs() {
    insta::assert_snapshot!(text(&stored_runs()).trim_start(), @r#"
    Comparison (A is the baseline; a difference is the other's against it)
      A  before  stored run, 1 run, 6000 requests, 0.0% failed
      B  after   stored run, 1 run, 6000 requests, 0.0% failed

    All requests, A and B
                    A        B   DIFFERENCE         95% INTERVAL  VERDICT
      RPS       200.0    200.0         0.0%          0.0 to 0.0%  no change
      failed     0.0%     0.0%  0.00 points  0.00 to 0.00 points  no change
      mean    5.05 ms  10.1 ms      +100.0%    +100.0 to +100.0%  worse
      p50     5.00 ms  10.0 ms      +100.0%    +100.0 to +100.0%  worse
      p90     9.01 ms  18.0 ms      +100.0%    +100.0 to +100.0%  worse
      p95     9.50 ms  19.0 ms      +100.0%    +100.0 to +100.0%  worse
      p99     9.90 ms  19.8 ms      +100.0%    +100.0 to +100.0%  worse
      max     10.0 ms  20.0 ms      +100.0%                    -  not enough data

    GET login, A and B
                    A        B   DIFFERENCE         95% INTERVAL  VERDICT
      RPS       100.0    100.0         0.0%          0.0 to 0.0%  no change
      failed     0.0%     0.0%  0.00 points  0.00 to 0.00 points  no change
      mean    5.05 ms  10.1 ms      +100.0%    +100.0 to +100.0%  worse
      p50     5.00 ms  10.0 ms      +100.0%    +100.0 to +100.0%  worse
      p90     9.01 ms  18.0 ms      +100.0%    +100.0 to +100.0%  worse
      p95     9.50 ms  19.0 ms      +100.0%    +100.0 to +100.0%  worse
      p99     9.90 ms  19.8 ms      +100.0%    +100.0 to +100.0%  worse
      max     10.0 ms  20.0 ms      +100.0%                    -  not enough data

    Only in A
      case: GET old

    Only in B
      case: GET <new> | "quoted"

    Limits of difference
      BROKEN      p99 +10%  B: +100.0% (95% interval +100.0% to +100.0%)
      holds       rps -5%  B
      not judged  old:p50 +1%  B: not both have such a step

      not enough data: a verdict needs, on both sides, three runs or one of at least 20 intervals: seconds of a stored run,
                       for rates and failures those of a JSON summary or the tables of hrp; and ten requests beyond a
                       percentile; a maximum needs three runs
    "#);
}

#[test]
fn the_same_as_markdown() {
    insta::assert_snapshot!(comparison_markdown(&stored_runs()), @r#"
    ## Comparison

    | | Contender | |
    |---|---|---|
    | A | before | stored run, 1 run, 6000 requests, 0.0% failed |
    | B | after | stored run, 1 run, 6000 requests, 0.0% failed |

    A is the baseline; a difference is the other's against it.

    | Limit | Contender | Outcome | |
    |---|---|---|---|
    | p99 +10% | B | **broken** | +100.0% (95% interval +100.0% to +100.0%) |
    | rps -5% | B | holds |  |
    | old:p50 +1% | B | not judged | not both have such a step |

    ### A and B

    | Step | Figure | A | B | Difference | 95% interval | Verdict |
    |---|---|--:|--:|--:|--:|---|
    | **All requests** | RPS | 200.0 | 200.0 | 0.0% | 0.0 to 0.0% | no change |
    |  | failed | 0.0% | 0.0% | 0.00 points | 0.00 to 0.00 points | no change |
    |  | mean | 5.05 ms | 10.1 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | p50 | 5.00 ms | 10.0 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | p90 | 9.01 ms | 18.0 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | p95 | 9.50 ms | 19.0 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | p99 | 9.90 ms | 19.8 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | max | 10.0 ms | 20.0 ms | +100.0% | - | not enough data |
    | GET login | RPS | 100.0 | 100.0 | 0.0% | 0.0 to 0.0% | no change |
    |  | failed | 0.0% | 0.0% | 0.00 points | 0.00 to 0.00 points | no change |
    |  | mean | 5.05 ms | 10.1 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | p50 | 5.00 ms | 10.0 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | p90 | 9.01 ms | 18.0 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | p95 | 9.50 ms | 19.0 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | p99 | 9.90 ms | 19.8 ms | +100.0% | +100.0 to +100.0% | **worse** |
    |  | max | 10.0 ms | 20.0 ms | +100.0% | - | not enough data |

    Only in A:

    - case: GET old

    Only in B:

    - case: GET &lt;new&gt; \| "quoted"

    Not enough data: a verdict needs, on both sides, three runs or one of at least 20 intervals: seconds of a stored run, for rates and failures those of a JSON summary or the tables of hrp; and ten requests beyond a percentile; a maximum needs three runs.
    "#);
}

#[test]
fn summaries_of_single_runs_say_what_is_missing() {
    let mut slower = sample::summary();
    slower.steps[0].name = "hallo".into();
    slower.client.verdict = crate::Verdict::Degraded;
    slower.client.reasons = vec!["core 0 was busy for 97.0 % of the time".into()];
    let comparison = compare(&[
        contender("a.json", Source::Summary, from_summary(&sample::summary())),
        contender("b.json", Source::Summary, from_summary(&slower)),
    ]);
    insta::assert_snapshot!(text(&comparison).trim_start(), @r#"
    Comparison (A is the baseline; a difference is the other's against it)
      A  a.json  pummel summary, 1 run, 30000 requests, <0.1% failed
      B  b.json  pummel summary, 1 run, 30000 requests, <0.1% failed
      note on B: its latencies are distorted by the load generator: core 0 was busy for 97.0 % of the time

    All requests, A and B
                    A        B   DIFFERENCE  95% INTERVAL  VERDICT
      RPS      2000.0   2000.0         0.0%             -  not enough data
      failed    <0.1%    <0.1%  0.00 points             -  not enough data
      mean    8.10 ms  8.10 ms         0.0%             -  not enough data
      p50     8.10 ms  8.10 ms         0.0%             -  not enough data
      p90     14.1 ms  14.1 ms         0.0%             -  not enough data
      p95     14.9 ms  14.9 ms         0.0%             -  not enough data
      p99     15.5 ms  15.5 ms         0.0%             -  not enough data
      max     15.8 ms  15.8 ms         0.0%             -  not enough data

    POST order, A and B
                    A        B   DIFFERENCE  95% INTERVAL  VERDICT
      RPS      1000.0   1000.0         0.0%             -  not enough data
      failed    <0.1%    <0.1%  0.00 points             -  not enough data
      mean    8.30 ms  8.30 ms         0.0%             -  not enough data
      p50     8.30 ms  8.30 ms         0.0%             -  not enough data
      p90     14.3 ms  14.3 ms         0.0%             -  not enough data
      p95     15.0 ms  15.0 ms         0.0%             -  not enough data
      p99     15.6 ms  15.6 ms         0.0%             -  not enough data
      max     15.8 ms  15.8 ms         0.0%             -  not enough data

    checkout, A and B
                    A        B   DIFFERENCE  95% INTERVAL  VERDICT
      RPS      1000.0   1000.0         0.0%             -  not enough data
      failed    <0.1%    <0.1%  0.00 points             -  not enough data
      mean    16.2 ms  16.2 ms         0.0%             -  not enough data
      p50     16.2 ms  16.2 ms         0.0%             -  not enough data
      p90     28.2 ms  28.2 ms         0.0%             -  not enough data
      p95     29.7 ms  29.7 ms         0.0%             -  not enough data
      p99     30.9 ms  30.9 ms         0.0%             -  not enough data
      max     31.2 ms  31.2 ms         0.0%             -  not enough data

    Only in A
      demo: GET hello

    Only in B
      demo: GET hallo

      not enough data: a verdict needs, on both sides, three runs or one of at least 20 intervals: seconds of a stored run,
                       for rates and failures those of a JSON summary or the tables of hrp; and ten requests beyond a
                       percentile; a maximum needs three runs
    "#);
}

#[test]
fn nothing_in_common() {
    let comparison =
        compare(&[contender("a", Source::Kept, kept(&["x"], 1)), contender("b", Source::Kept, kept(&["y"], 1))]);
    let text = text(&comparison);
    assert!(text.contains("\n  A and B have no step in common\n"), "{text}");
    assert!(text.contains("\nOnly in A\n  case: GET x\n") && text.contains("\nOnly in B\n  case: GET y\n"), "{text}");
}

#[test]
fn hostile_names_stay_on_their_line() {
    let name = format!("a\u{1b}[2J\n{}", "<b>".repeat(5_000));
    let side = || contender(&name, Source::Kept, kept(&[&name], 1));
    let comparison = compare(&[side(), side()]);
    let text = text(&comparison);
    assert!(!text.contains('\u{1b}') && text.lines().all(|line| line.chars().count() <= 160), "{text}");
    let markdown = comparison_markdown(&comparison);
    assert!(!markdown.contains("<b>") && !markdown.contains('\u{1b}'), "{markdown}");
}

#[test]
fn worse_is_red_and_better_green_on_a_terminal() {
    let coloured = comparison_report(&stored_runs(), ReportOptions { colour: true, ..ReportOptions::default() });
    assert!(
        coloured.lines().any(|line| line.starts_with("\u{1b}[31m  p99") && line.ends_with("worse\u{1b}[0m")),
        "{coloured}"
    );
}
