//! Searches against simulated servers: known capacity, random outcomes, a client in the way.

#![allow(clippy::float_cmp, reason = "levels are asked for and told as they are, without arithmetic")]

use proptest::prelude::*;

use super::*;
use crate::capacity::simulated::{graded, outcome, queue, result, run, spec, stopped_after, token_bucket};
use crate::capacity::ClientResource;
use crate::verdict::Limit;

/// Levels in order, with the purpose and the grade of each probe.
fn trace(result: &CapacityResult) -> Vec<(f64, Purpose, Grade)> {
    result.probes.iter().map(|probe| (probe.level, probe.purpose, probe.grade)).collect()
}

/// A search by rate that has been told of an estimate.
fn search(estimate_per_s: f64) -> Search {
    let mut search = Search::new(spec(By::Rate));
    search.estimated(estimate_per_s);
    search
}

fn level(search: &Search) -> f64 {
    match search.next() {
        Step::Probe { level, .. } => level,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_bucket_is_found_from_a_quarter_of_the_estimate() {
    use Grade::{Failed, Held};
    use Purpose::{Bisection, Confirmation, Growth, Repeat};
    // 1,500/s, with 1 % of errors allowed: 1,515/s.
    let result = result(spec(By::Rate), 2_000.0, token_bucket(1_500.0));
    assert_eq!(
        trace(&result),
        [
            (500.0, Growth, Held),
            (1_000.0, Growth, Held),
            (2_000.0, Growth, Failed),
            (2_000.0, Repeat, Failed),
            (1_414.0, Bisection, Held),
            (1_682.0, Bisection, Failed),
            (1_682.0, Repeat, Failed),
            (1_542.0, Bisection, Failed),
            (1_542.0, Repeat, Failed),
            (1_477.0, Bisection, Held),
            (1_509.0, Bisection, Held),
            (1_525.0, Bisection, Failed),
            (1_525.0, Repeat, Failed),
            (1_434.0, Confirmation, Held),
        ]
    );
    assert_eq!((result.held, result.failed, result.ended_by), (Some(1_509.0), Some(1_525.0), EndedBy::Converged));
    assert_eq!(result.confirmed, Some(Confirmed { level: 1_434.0, duration_s: 10.0 }));
    assert_eq!((result.limit.side, result.limit.resource), (Limit::Server, None));
    // Of 1,525/s.
    assert_eq!(result.limit.reasons, ["errors<1% did not hold: 1.64 %"]);
    assert_eq!((result.probe_count, result.estimate_per_s), (14, Some(2_000.0)));
    let levels: Vec<f64> = result.curve.iter().map(|point| point.level).collect();
    assert_eq!(levels, [500.0, 1_000.0, 1_414.0, 1_434.0, 1_477.0, 1_509.0, 1_525.0, 1_542.0, 1_682.0, 2_000.0]);
    assert_eq!(result.curve[9].probes, 2);
}

#[test]
fn a_queues_capacity_is_what_theory_says() {
    // p99 = ln(100) / (mu - lambda) < 50 ms: lambda < 1,000 - 4.605 / 0.05 = 907.9.
    let result = result(spec(By::Rate), 1_000.0, queue(1_000.0));
    let (held, failed) = (result.held.unwrap(), result.failed.unwrap());
    assert!(held < 907.9 && 907.9 <= failed && failed <= held * 1.02, "{held} to {failed}");
    assert_eq!((result.ended_by, result.limit.side), (EndedBy::Converged, Limit::Server));
    // By Little's law the probes that held are points of X = mu N / (1 + N): lambda mu / 2, sigma 1/2.
    let crate::capacity::UslFit::Fitted(usl) = result.usl else { panic!("not fitted") };
    assert!((usl.lambda_per_s - 500.0).abs() < 0.1 && (usl.sigma - 0.5).abs() < 1e-3, "{usl:?}");
}

#[test]
fn users_are_found_to_the_last() {
    // p99 is 4.6 ms with up to 37 users and 92 ms with more.
    let server = |users: f64, _: bool| outcome(100.0 * users, if users <= 37.0 { 1_000.0 } else { 20_000.0 }, 0.0);
    let result = result(spec(By::Users), f64::NAN, server);
    let levels: Vec<f64> = result.curve.iter().map(|point| point.level).collect();
    assert_eq!(levels, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 35.0, 36.0, 37.0, 38.0, 45.0, 64.0]);
    assert_eq!((result.held, result.failed), (Some(37.0), Some(38.0)));
    assert_eq!((result.confirmed.unwrap().level, result.level_unit.as_str()), (35.0, "users"));
    assert_eq!(result.probes[0].purpose, Purpose::Growth);
}

#[test]
fn one_user_may_be_the_answer_and_confirms_itself() {
    let server = |users: f64, _: bool| graded(if users <= 1.0 { Grade::Held } else { Grade::Failed });
    let result = result(spec(By::Users), 0.0, server);
    assert_eq!((result.held, result.failed, result.confirmed.unwrap().level), (Some(1.0), Some(2.0), 1.0));
}

#[test]
fn what_had_no_answer_is_said_of_the_limit() {
    // 5,000 requests ended, half of them failed.
    let server = |level: f64, _: bool| match level {
        ..=1_000.0 => graded(Grade::Held),
        _ => ProbeOutcome { unanswered: 50, ..graded(Grade::Failed) },
    };
    let result = result(spec(By::Rate), 4_000.0, server);
    let reasons = ["errors<1% did not hold: 50.00 %", "50 of 5,050 requests had no answer, and count as failed"];
    assert_eq!((result.held, result.limit.reasons), (Some(1_000.0), reasons.map(str::to_owned).to_vec()));
    assert_eq!(result.curve.last().unwrap().failure_ratio, 2_550.0 / 5_050.0);
}

#[test]
fn a_probe_that_fails_once_is_repeated_after_a_cool_down() {
    let mut search = search(4_000.0);
    search.probed(outcome(1_000.0, 4_000.0, 0.0));
    search.probed(graded(Grade::Failed));
    // At the lowest level that held, until its median of 4 ms x ln 2 = 2.77 ms is back within 1.5 times and 1 ms: 5.16 ms.
    assert_eq!(search.next(), Step::CoolDown { level: 1_000.0 });
    search.cooled_down(Some(5_160));
    assert_eq!(search.next(), Step::CoolDown { level: 1_000.0 });
    search.cooled_down(Some(5_159));
    assert_eq!(search.next(), Step::Probe { level: 2_000.0, purpose: Purpose::Repeat, times: 1 });
    search.probed(graded(Grade::Held));
    assert_eq!(search.next(), Step::Probe { level: 4_000.0, purpose: Purpose::Growth, times: 1 });
    assert_eq!(search.finish().notes, ["2,000/s failed once and held when it was repeated"]);
}

#[test]
fn a_service_that_does_not_cool_down_is_said_so() {
    let mut search = search(4_000.0);
    search.probed(graded(Grade::Failed));
    for _ in 0..COOL_DOWNS_MAX {
        // Nothing has held, so half of the lowest level tried.
        assert_eq!(search.next(), Step::CoolDown { level: 500.0 });
        search.cooled_down(None);
    }
    assert_eq!(level(&search), 1_000.0);
    search.stop(EndedBy::Time);
    assert_eq!(
        search.finish().notes,
        [
            "after 1,000/s latency was not back in 10 cool-downs; the search went on without",
            "a probe failed at 1,000/s and was not repeated, so it does not count",
        ]
    );
}

#[test]
fn where_the_first_level_fails_the_search_goes_down_by_fours() {
    let found = result(spec(By::Rate), 4_000.0, token_bucket(40.0));
    let down: Vec<f64> =
        trace(&found).iter().filter(|probe| probe.1 == Purpose::Descent).map(|probe| probe.0).collect();
    assert_eq!(down, [250.0, 62.5, 15.63]);
    assert!((40.0 / 1.02..40.5).contains(&found.held.unwrap()), "{:?}", found.held);

    let found = result(spec(By::Rate), 40.0, token_bucket(0.5));
    let levels: Vec<f64> = found.probes.iter().map(|probe| probe.level).collect();
    assert_eq!(levels, [10.0, 10.0, 2.5, 2.5, 1.0, 1.0]);
    assert_eq!((found.held, found.failed, found.ended_by), (None, Some(1.0), EndedBy::NothingHeld));
}

#[test]
fn a_target_that_is_down_ends_the_search_at_once() {
    for nothing in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut search = search(nothing);
        assert_eq!(search.next(), Step::Done);
        assert!(search.probed(graded(Grade::Held)).is_none());
        let result = search.finish();
        assert_eq!((result.ended_by, result.held, result.estimate_per_s), (EndedBy::NothingSucceeded, None, None));
    }
}

#[test]
fn the_highest_level_that_may_be_tried_is_confirmed_too() {
    let spec = SearchSpec { max: 3_000.0, ..spec(By::Rate) };
    let result = result(spec, 4_000.0, token_bucket(1e9));
    let levels: Vec<f64> = result.probes.iter().map(|probe| probe.level).collect();
    assert_eq!(levels, [1_000.0, 2_000.0, 3_000.0, 2_850.0]);
    assert_eq!((result.held, result.failed, result.ended_by), (Some(3_000.0), None, EndedBy::HighestReached));
    assert!(result.is_lower_bound());
}

#[test]
fn a_client_in_the_way_makes_a_lower_bound() {
    let server = |level: f64, _: bool| graded(if level <= 3_000.0 { Grade::Held } else { Grade::ClientLimited });
    let result = result(spec(By::Rate), 4_000.0, server);
    let (held, failed) = (result.held.unwrap(), result.failed.unwrap());
    assert!(held <= 3_000.0 && 3_000.0 < failed && failed <= held * 1.02, "{held} to {failed}");
    assert_eq!((result.limit.side, result.limit.resource), (Limit::Client, Some(ClientResource::Cpu)));
    assert_eq!(result.limit.reasons, ["the client's CPU 0 was busy 97.0 %: the client is the limit"]);
    assert!(result.is_lower_bound());
}

#[test]
fn a_client_that_was_in_the_way_once_leaves_it_unclear() {
    let mut search = search(4_000.0);
    for grade in [Grade::Held, Grade::Failed, Grade::ClientLimited] {
        assert_eq!(level(&search), if grade == Grade::Held { 1_000.0 } else { 2_000.0 });
        search.probed(graded(grade));
        search.cooled_down(Some(1));
    }
    search.stop(EndedBy::Time);
    let result = search.finish();
    assert_eq!((result.held, result.failed, result.limit.side), (Some(1_000.0), Some(2_000.0), Limit::Unclear));
    assert!(result.is_lower_bound() && result.confirmed.is_none());
}

#[test]
fn too_few_samples_are_repeated_for_longer_without_a_cool_down() {
    let mut search = search(4_000.0);
    search.probed(graded(Grade::Inconclusive));
    assert_eq!(search.next(), Step::Probe { level: 1_000.0, purpose: Purpose::Repeat, times: 2 });
    search.probed(graded(Grade::Held));
    assert_eq!(level(&search), 2_000.0);
    let notes = search.finish().notes;
    assert_eq!(
        notes,
        ["1,000/s could not be judged and was repeated for longer: only 40 of 1,000 samples that p99 needs"]
    );
}

#[test]
fn what_can_never_be_judged_neither_holds_nor_fails() {
    let result = result(spec(By::Rate), 4.0, |_, _| graded(Grade::Inconclusive));
    assert_eq!((result.held, result.failed, result.probe_count), (None, None, 4));
    assert_eq!((result.limit.side, result.ended_by), (Limit::Unclear, EndedBy::TooFewSamples));
    let last = "1/s could not be judged and longer probes did not help: only 40 of 1,000 samples that p99 needs";
    assert_eq!((result.notes.len(), result.notes[3].as_str()), (4, last));
}

#[test]
fn each_probe_with_too_few_samples_is_followed_by_one_of_twice_its_length() {
    let times = |search: &Search| match search.next() {
        Step::Probe { times, .. } => times,
        other => panic!("{other:?}"),
    };
    let mut search = search(4_000.0);
    let mut lengths = Vec::new();
    for grade in [Grade::Inconclusive, Grade::Inconclusive, Grade::Failed, Grade::Inconclusive, Grade::Held] {
        lengths.push(times(&search));
        search.probed(graded(grade));
        // Without a level that held it takes two to see that latency falls no more.
        (0..2).for_each(|_| search.cooled_down(Some(1)));
    }
    assert_eq!(lengths, [1, 2, 4, 4, 8]);
    assert_eq!((level(&search), times(&search)), (2_000.0, 1));
}

#[test]
fn the_first_users_are_repeated_for_as_long_as_their_samples_take() {
    let mut search = Search::new(spec(By::Users));
    search.probed(graded(Grade::Inconclusive));
    assert_eq!(search.next(), Step::Probe { level: 1.0, purpose: Purpose::Repeat, times: 1 });
    search.probed(graded(Grade::Inconclusive));
    assert_eq!(search.next(), Step::Probe { level: 1.0, purpose: Purpose::Repeat, times: 2 });
    assert_eq!(search.finish().notes.len(), 1);
}

#[test]
fn a_confirmation_without_samples_is_lengthened_too_and_fails_nothing() {
    let mut search = Search::new(SearchSpec { max: 1_000.0, ..spec(By::Rate) });
    search.estimated(4_000.0);
    search.probed(graded(Grade::Held));
    let mut lengths = Vec::new();
    while let Step::Probe { times, purpose, .. } = search.next() {
        lengths.push((times, purpose));
        search.probed(graded(Grade::Inconclusive));
    }
    use Purpose::{Confirmation, Repeat};
    assert_eq!(lengths, [(2, Confirmation), (4, Repeat), (8, Repeat), (16, Repeat)]);
    let result = search.finish();
    assert_eq!((result.held, result.failed, result.confirmed), (Some(1_000.0), None, None));
    assert_eq!(result.ended_by, EndedBy::TooFewSamples);
}

#[test]
fn an_estimate_in_which_nothing_ended_is_repeated_four_times_as_long() {
    // Where nothing was answered, once; where iterations are long, once more.
    for (answered, lengths) in [(false, &[1, 4][..]), (true, &[1, 4, 16])] {
        let mut search = Search::new(spec(By::Rate));
        for &times in lengths {
            assert_eq!(search.next(), Step::Estimate { times });
            search.nothing_ended(answered);
        }
        assert_eq!((search.next(), search.finish().ended_by), (Step::Done, EndedBy::NothingEnded));
    }
    let mut search = Search::new(spec(By::Rate));
    search.nothing_ended(false);
    search.estimated(2.0);
    search.nothing_ended(false);
    // A quarter of the estimate, below the lowest level of a service that is quicker.
    assert_eq!(level(&search), 0.5);
}

#[test]
fn users_of_a_service_that_never_answers_end_the_search_at_once() {
    let mut search = Search::new(spec(By::Users));
    search.nothing_ended(false);
    assert_eq!(search.next(), Step::Done);
    let result = search.finish();
    assert_eq!((result.ended_by, result.probe_count, result.held), (EndedBy::NothingEnded, 0, None));
    // What has answered before hangs now.
    let mut search = Search::new(spec(By::Users));
    search.probed(graded(Grade::Held));
    search.nothing_ended(false);
    assert_eq!(level(&search), 2.0);
}

#[test]
fn users_of_a_service_that_is_down_end_the_search_at_once() {
    let down = || ProbeOutcome { requests: 10, failures: 10, ..graded(Grade::Failed) };
    let mut search = Search::new(spec(By::Users));
    search.probed(down());
    assert_eq!((search.next(), search.finish().ended_by), (Step::Done, EndedBy::NothingSucceeded));
    // None of its requests came about, as what stands before them failed.
    let mut search = Search::new(spec(By::Users));
    search.probed(ProbeOutcome { requests: 0, failures: 0, ..graded(Grade::Failed) });
    assert_eq!(search.finish().ended_by, EndedBy::NothingSucceeded);
    // What has worked before is overloaded.
    let mut search = Search::new(spec(By::Users));
    search.probed(graded(Grade::Held));
    search.probed(down());
    assert_eq!(search.next(), Step::CoolDown { level: 1.0 });
}

#[test]
fn a_probe_that_held_at_or_above_the_bound_makes_it_unclear() {
    // Held at 1,000/s, and at 2,000/s, the highest; its confirmation failed, so did 1,378/s.
    let mut search = Search::new(SearchSpec { max: 2_000.0, ..spec(By::Rate) });
    search.estimated(4_000.0);
    for _ in 0..2 {
        search.probed(graded(Grade::Held));
    }
    for level_expected in [1_900.0, 1_378.0] {
        for _ in 0..2 {
            assert_eq!(level(&search), level_expected);
            search.probed(graded(Grade::Failed));
            search.cooled_down(Some(1));
        }
    }
    search.stop(EndedBy::Time);
    let result = search.finish();
    assert_eq!((result.held, result.failed, result.limit.side), (Some(1_000.0), Some(1_378.0), Limit::Unclear));
    let note = "probe 2 held at 2,000/s, and 1,378/s failed: what the service does differs from probe to probe";
    assert_eq!(result.notes.last().unwrap(), note);
    assert!(result.is_lower_bound());
}

#[test]
fn an_answer_that_is_not_confirmed_is_lowered() {
    // Longer probes hold up to 1,200/s only.
    let server = |level: f64, longer: bool| token_bucket(if longer { 1_200.0 } else { 1_500.0 })(level, longer);
    let result = result(spec(By::Rate), 2_000.0, server);
    let confirmed = result.confirmed.unwrap().level;
    assert!(confirmed <= 1_212.0 && confirmed > 1_100.0, "{confirmed}");
    // The answer lies below every confirmation that failed.
    let failed = result.probes.iter().filter(|probe| probe.grade == Grade::Failed).map(|probe| probe.level);
    assert_eq!(result.failed, failed.min_by(f64::total_cmp));
    assert!(result.held.unwrap() < result.failed.unwrap());
    assert!(result.notes[0].starts_with("the confirmation at 1,434/s failed"), "{:?}", result.notes);
}

#[test]
fn a_search_that_is_stopped_keeps_what_it_has() {
    let stopped = stopped_after(2, EndedBy::Time, 2_000.0, token_bucket(1_500.0));
    assert_eq!((stopped.held, stopped.failed, stopped.ended_by), (Some(1_000.0), None, EndedBy::Time));
    let empty = Search::new(spec(By::Rate)).finish();
    assert_eq!((empty.held, empty.ended_by, empty.probe_count), (None, EndedBy::Interrupted, 0));
    // What has ended stays as it ended.
    let mut search = search(0.0);
    search.stop(EndedBy::Time);
    search.cooled_down(None);
    assert_eq!(search.finish().ended_by, EndedBy::NothingSucceeded);
}

#[test]
fn probes_are_bounded() {
    let spec = SearchSpec { probes_max: 5, ..spec(By::Rate) };
    let result = result(spec, 2_000.0, token_bucket(1_500.0));
    assert_eq!((result.probe_count, result.ended_by, result.held), (5, EndedBy::ProbesUsedUp, Some(1_414.0)));
    let without_end = crate::capacity::simulated::result(crate::capacity::simulated::spec(By::Users), 1.0, |_, _| {
        graded(Grade::Held)
    });
    assert_eq!((without_end.probe_count, without_end.ended_by), (60, EndedBy::ProbesUsedUp));
}

/// What must be true of every result.
fn sound(result: &CapacityResult) {
    assert!(result.probe_count <= 60 && result.probes.len() as u64 == result.probe_count);
    let held_at = |level: f64| result.probes.iter().any(|probe| probe.level == level && probe.grade == Grade::Held);
    if let Some(held) = result.held {
        assert!(held_at(held), "nothing held at {held}");
        assert!(result.failed.is_none_or(|failed| held < failed));
    }
    if let Some(confirmed) = result.confirmed {
        assert!(held_at(confirmed.level) && confirmed.level <= result.held.unwrap());
    }
    // Failed twice, and more often than it held after: no answer lies there or above.
    if let Some(failed) = result.failed {
        let broken = |grade| matches!(grade, Grade::Failed | Grade::ClientLimited);
        let there = result.probes.iter().filter(|probe| probe.level == failed && broken(probe.grade));
        assert!(there.count() >= 2);
        let contradicted = result.probes.iter().any(|probe| probe.level >= failed && probe.grade == Grade::Held);
        assert!(!contradicted || result.limit.side == Limit::Unclear);
    }
    assert!(result.curve.windows(2).all(|pair| pair[0].level < pair[1].level));
    assert_eq!(result.curve.iter().map(|point| point.probes).sum::<u64>(), result.probe_count);
}

proptest! {
    #[test]
    fn random_outcomes_end_and_never_make_up_an_answer(
        by in prop_oneof![Just(By::Rate), Just(By::Users)],
        estimate in 0.01_f64..1e7,
        max in prop_oneof![Just(f64::INFINITY), 1.0_f64..1e6],
        weights in prop::array::uniform4(1_u32..20),
        seed in prop::collection::vec(any::<u32>(), 60),
        cool in prop::collection::vec(proptest::option::of(1_u64..100_000), 16),
    ) {
        let mut search = Search::new(SearchSpec { max, ..spec(by) });
        let (mut probes, mut steps) = (0, 0);
        loop {
            steps += 1;
            // Each probe is followed by ten cool-downs at most.
            prop_assert!(steps <= 1 + 60 * (1 + COOL_DOWNS_MAX as usize));
            match search.next() {
                Step::Estimate { .. } => search.estimated(estimate),
                Step::Probe { .. } => {
                    let grades = [Grade::Held, Grade::Failed, Grade::ClientLimited, Grade::Inconclusive];
                    let mut at = seed[probes] % weights.iter().sum::<u32>();
                    let index = weights.iter().position(|&weight| {
                        let here = at < weight;
                        at = at.saturating_sub(weight);
                        here
                    });
                    probes += 1;
                    search.probed(graded(grades[index.unwrap()]));
                }
                Step::CoolDown { .. } => search.cooled_down(cool[steps % cool.len()]),
                Step::Done => break,
            }
        }
        sound(&search.finish());
    }

    #[test]
    fn a_server_with_a_limit_is_found_to_two_percent(exponent in 0.1_f64..6.1, off in 0.2_f64..5.0) {
        let capacity = 10_f64.powf(exponent);
        let server = |level: f64, _: bool| graded(if level <= capacity { Grade::Held } else { Grade::Failed });
        let result = result(spec(By::Rate), capacity * off, server);
        sound(&result);
        let (held, failed) = (result.held.unwrap(), result.failed.unwrap());
        prop_assert!(held <= capacity && capacity < failed && failed <= held * 1.0201, "{held} {capacity} {failed}");
        prop_assert!(result.ended_by == EndedBy::Converged && result.confirmed.is_some());
        prop_assert!(result.probe_count <= 30, "{}", result.probe_count);
    }

    #[test]
    fn users_with_a_limit_are_found_to_one_or_two_percent(capacity in 1_u32..1_000_000) {
        let capacity = f64::from(capacity);
        let server = |level: f64, _: bool| graded(if level <= capacity { Grade::Held } else { Grade::Failed });
        let result = result(spec(By::Users), 0.0, server);
        sound(&result);
        let (held, failed) = (result.held.unwrap(), result.failed.unwrap());
        prop_assert!(held <= capacity && capacity < failed);
        prop_assert!(failed - held <= 1.0 || failed <= held * 1.02, "{held} {capacity} {failed}");
        prop_assert!(result.probes.iter().all(|probe| probe.level.fract() == 0.0));
    }

    #[test]
    fn one_bad_probe_in_ten_moves_nothing(capacity in 10.0_f64..1e5, bad in 0_usize..10) {
        let mut search = Search::new(spec(By::Rate));
        let mut probes = 0;
        run(&mut search, capacity, |level, _| {
            probes += 1;
            graded(if level <= capacity && probes % 10 != bad { Grade::Held } else { Grade::Failed })
        });
        let result = search.finish();
        sound(&result);
        let (held, failed) = (result.held.unwrap(), result.failed.unwrap());
        prop_assert!(held <= capacity && capacity < failed && failed <= held * 1.0201, "{held} {capacity} {failed}");
    }
}
