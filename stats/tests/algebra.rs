//! The algebra of distributions: merging parts is recording the whole, and a percentile is a sample to within a bucket.

mod common;

use common::{key, sample, start, S};
use proptest::prelude::*;
use pummel_stats::{Distribution, FinalFacts, RowKind, Summary};

/// Latencies as servers have them: many short, some up to a minute, a few beyond the histogram's hour.
fn latency_us() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 1..50_000_u64, 3 => 1..60_000_000_u64, 1 => 3_000_000_000..4_000_000_000_u64]
}

/// Records the values on one core, `cuts` hand-overs spread among them.
fn run(values: &[u64], cuts: usize) -> Summary {
    let (collector, mut recorders) = start(1, Vec::new());
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    let every = values.len() / (cuts + 1) + 1;
    for (n, &value) in values.iter().enumerate() {
        recorder.started();
        recorder.succeeded(row, sample(value));
        if n % every == every - 1 {
            recorder.hand_over((n / every + 1) as u64);
        }
    }
    recorder.finish(1000 * S);
    (*collector.finish(FinalFacts::default()).unwrap().summary).clone()
}

/// The distribution one second's row would carry.
fn distribution(values: &[u64]) -> Distribution {
    let keep = common::Keep::default();
    let (collector, mut recorders) = start(1, vec![keep.spec(pummel_stats::Delivery::Lossless)]);
    let mut recorder = recorders.pop().unwrap();
    let row = recorder.row(key(RowKind::Request, "a"));
    for &value in values {
        recorder.started();
        recorder.succeeded(row, sample(value));
    }
    recorder.finish(S);
    collector.finish(FinalFacts::default()).unwrap();
    let snapshots = keep.snapshots.lock().unwrap();
    snapshots[0].rows[0].latency.clone()
}

/// A bucket is at most a thousandth of its values wide, and at least 1 us.
fn within_a_bucket(reported: u64, exact: u64) -> bool {
    reported >= exact && reported - exact <= exact / 1000 + 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn parts_make_the_whole(values in prop::collection::vec(latency_us(), 1..400), cuts in 0..9_usize) {
        let (whole, parts) = (run(&values, 0), run(&values, cuts));
        prop_assert_eq!(&whole.totals.service_us, &parts.totals.service_us);
        prop_assert_eq!(&whole.totals.response_us, &parts.totals.response_us);
        prop_assert_eq!(whole.steps[0].requests, values.len() as u64);
        prop_assert_eq!(parts.series.iter().map(|p| p.requests).sum::<u64>(), values.len() as u64);
        let sum: u64 = values.iter().sum();
        let mean = (sum as f64 / values.len() as f64 * 1000.0).round() / 1000.0;
        prop_assert_eq!(parts.totals.service_us.mean, Some(mean));
        prop_assert_eq!(parts.totals.service_us.min, values.iter().copied().min());
        prop_assert_eq!(parts.totals.service_us.max, values.iter().copied().max());
    }

    #[test]
    fn a_percentile_is_the_sorted_vectors_to_within_a_bucket(values in prop::collection::vec(latency_us(), 1..400)) {
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let exact = |share: f64| sorted[((share * sorted.len() as f64).ceil() as usize).max(1) - 1];
        let sparse = distribution(&values);
        let dense = run(&values, 3).totals.service_us;
        for (share, of_the_run) in [(0.5, dense.p50), (0.75, dense.p75), (0.95, dense.p95), (0.999, dense.p99_9)] {
            let reported = sparse.value_at(share).unwrap();
            prop_assert_eq!(Some(reported), of_the_run);
            prop_assert!(
                within_a_bucket(reported, exact(share)) || reported == *sorted.last().unwrap(),
                "{} of {:?}: {} against {}", share, sorted, reported, exact(share)
            );
        }
        prop_assert_eq!(sparse.value_at(1.0), sorted.last().copied());
    }

    #[test]
    fn merging_is_commutative_and_loses_nothing(
        left in prop::collection::vec(latency_us(), 1..100),
        right in prop::collection::vec(latency_us(), 1..100),
    ) {
        let (l, r) = (distribution(&left), distribution(&right));
        let (mut lr, mut rl) = (l.clone(), r.clone());
        lr.merge(&r);
        rl.merge(&l);
        prop_assert_eq!(&lr, &rl);
        prop_assert_eq!(&lr, &distribution(&[left, right].concat()));
    }
}
