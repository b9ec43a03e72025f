//! The law of points that were made by it, of points that were not, and of points that carry none.

use proptest::prelude::*;

use super::*;

const NS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 48.0, 64.0];

fn by_law(lambda: f64, sigma: f64, kappa: f64, ns: &[f64]) -> Vec<(f64, f64)> {
    ns.iter().map(|&n| (n, lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0)))).collect()
}

fn fitted(points: Vec<(f64, f64)>) -> Usl {
    match fit(Concurrency::Users, points) {
        UslFit::Fitted(usl) => usl,
        UslFit::NotFitted { why } => panic!("not fitted: {why}"),
    }
}

fn why_not_fitted(points: Vec<(f64, f64)>) -> String {
    match fit(Concurrency::Users, points) {
        UslFit::Fitted(usl) => panic!("fitted: {usl:?}"),
        UslFit::NotFitted { why } => why,
    }
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs().max(1e-9)
}

#[test]
fn points_of_the_law_give_it_back() {
    // Gunther's example of a web server: sigma 2 %, kappa 0.05 %. The peak is at sqrt(0.98 / 0.0005) = 44.27.
    let usl = fitted(by_law(1_000.0, 0.02, 0.0005, &NS));
    assert!(close(usl.lambda_per_s, 1_000.0, 1e-6) && close(usl.sigma, 0.02, 1e-6) && close(usl.kappa, 0.0005, 1e-6));
    let peak = usl.peak.unwrap();
    assert!(close(peak.n, 44.2719, 1e-5) && close(peak.per_s, 44_271.887 / 2.823_516, 1e-4), "{peak:?}");
    assert!(usl.residual_max_ratio < 1e-9 && usl.residual_rms_ratio < 1e-9 && usl.r_squared.unwrap() > 0.999_999);
    assert_eq!((usl.points.len(), usl.no_peak), (8, None));
}

#[test]
fn a_straight_line_has_neither_contention_nor_peak() {
    let usl = fitted(by_law(250.0, 0.0, 0.0, &NS));
    assert!(close(usl.lambda_per_s, 250.0, 1e-9) && usl.sigma < 1e-9 && usl.kappa < 1e-9, "{usl:?}");
    assert_eq!(usl.peak, None);
    assert!(usl.no_peak.is_some());
}

#[test]
fn a_queue_without_memory_is_contention_of_one_half() {
    // M/M/1 of 100/s: N = rho / (1 - rho), X = 100 N / (1 + N), which is lambda 50, sigma 1/2, kappa 0.
    let points = [0.1, 0.5, 1.0, 2.0, 9.0].map(|n| (n, 100.0 * n / (1.0 + n)));
    let usl = fitted(points.to_vec());
    assert!(close(usl.lambda_per_s, 50.0, 1e-6) && close(usl.sigma, 0.5, 1e-6) && usl.kappa < 1e-9, "{usl:?}");
}

#[test]
fn a_peak_beyond_the_measured_range_is_not_told() {
    // sqrt(0.99 / 0.00001) = 314.6, and 1.5 x 64 = 96.
    let usl = fitted(by_law(1_000.0, 0.01, 0.000_01, &NS));
    assert_eq!((usl.peak, usl.no_peak.as_deref()), (None, Some("beyond the measured range")));
    // sqrt(0.99 / 0.00011) = 94.9.
    assert!(fitted(by_law(1_000.0, 0.01, 0.000_11, &NS)).peak.is_some());
}

#[test]
fn a_peak_below_one_is_none() {
    // sqrt(0.5 / 0.8) = 0.79.
    let usl = fitted(by_law(1_000.0, 0.5, 0.8, &NS));
    assert_eq!((usl.peak, usl.no_peak.as_deref()), (None, Some("none: throughput only falls with concurrency")));
}

#[test]
fn points_that_follow_another_law_get_no_parameters() {
    // No curve is near both throughputs of eight at once, of which one is five times the other.
    let mut points = by_law(1_000.0, 0.0, 0.0, &NS);
    points.push((8.01, 1_600.0));
    let why = why_not_fitted(points);
    assert!(why.starts_with("the law does not describe these points: the nearest curve is off by up to "), "{why}");
}

#[test]
fn throughput_that_grows_faster_than_its_users_is_a_straight_line() {
    // N/X falls with N, which asks for a negative sigma or kappa.
    let points: Vec<_> = NS.iter().map(|&n| (n, 100.0 * n * (1.0 + 0.002 * n))).collect();
    let usl = fitted(points);
    assert_eq!((usl.sigma, usl.kappa, usl.peak), (0.0, 0.0, None));
    // The mean of X/N weighted with itself: a straight line through what grows from 100.2 to 112.8 for each.
    assert!((100.2..112.8).contains(&usl.lambda_per_s), "{usl:?}");
    assert!(usl.residual_max_ratio > 0.03, "{usl:?}");
}

#[test]
fn negative_kappa_is_refitted_without_it() {
    // sigma 0.2 and kappa -0.001 up to N = 64.
    let usl = fitted(by_law(100.0, 0.2, -0.001, &NS));
    assert!(usl.kappa.abs() < f64::EPSILON && usl.sigma > 0.1 && usl.sigma < 0.2, "{usl:?}");
}

#[test]
fn the_best_of_all_signs_is_found_where_the_first_guess_would_miss_it() {
    // A negative sigma with a positive kappa: kappa stays, sigma is 0.
    let usl = fitted(by_law(100.0, -0.004, 0.000_3, &NS));
    assert!(usl.sigma.abs() < f64::EPSILON && usl.kappa > 0.0, "{usl:?}");
}

#[test]
fn too_little_is_not_fitted() {
    assert_eq!(why_not_fitted(Vec::new()), "no probe held, or none with anything under way");
    let three = vec![(1.0, 10.0), (2.0, 19.0), (8.0, 60.0), (8.01, 61.0)];
    assert_eq!(why_not_fitted(three), "4 points of different concurrency are needed, and there are 3");
    let narrow = by_law(10.0, 0.0, 0.0, &[10.0, 20.0, 30.0, 39.0]);
    assert_eq!(why_not_fitted(narrow), "concurrency must span a factor of 4, and spans 3.9");
    let nothing = vec![(f64::NAN, 1.0), (1.0, f64::NAN), (0.0, 3.0), (4.0, 0.0), (f64::INFINITY, 2.0), (-1.0, 2.0)];
    assert_eq!(why_not_fitted(nothing), "no probe held, or none with anything under way");
}

#[test]
fn throughput_that_does_not_vary_has_no_r_squared() {
    let usl = fitted(NS.map(|n| (n, 500.0)).to_vec());
    // X = lambda N / (1 + sigma (N - 1)) is constant where sigma is 1.
    assert!(close(usl.sigma, 1.0, 1e-6) && close(usl.lambda_per_s, 500.0, 1e-6), "{usl:?}");
    assert_eq!((usl.r_squared, usl.peak), (None, None));
}

fn every_figure(usl: &Usl) -> Vec<f64> {
    let mut figures = vec![usl.lambda_per_s, usl.sigma, usl.kappa, usl.residual_max_ratio, usl.residual_rms_ratio];
    figures.extend(usl.r_squared);
    figures.extend(usl.peak.iter().flat_map(|peak| [peak.n, peak.per_s]));
    figures.extend(usl.points.iter().flat_map(|point| [point.fitted_per_s, point.residual_ratio]));
    figures
}

proptest! {
    #[test]
    fn any_law_is_recovered(
        lambda in 0.01_f64..1e6, sigma in 0.0_f64..0.9, kappa in 0.0_f64..0.05, scale in 1.0_f64..100.0
    ) {
        let ns = NS.map(|n| n * scale);
        let usl = fitted(by_law(lambda, sigma, kappa, &ns));
        prop_assert!(usl.residual_max_ratio < 1e-6, "{:?}", usl);
    }

    #[test]
    fn two_percent_of_noise_stay_two_percent(
        sigma in 0.01_f64..0.3, kappa in 0.0005_f64..0.01, noise in prop::array::uniform8(-0.02_f64..0.02)
    ) {
        let mut points = by_law(1_000.0, sigma, kappa, &NS);
        points.iter_mut().zip(noise).for_each(|(point, noise)| point.1 *= 1.0 + noise);
        let usl = fitted(points);
        prop_assert!(usl.residual_rms_ratio < 0.021, "{:?}", usl);
        prop_assert!(usl.r_squared.is_none_or(|r_squared| r_squared <= 1.0 + 1e-9));
        prop_assert!(close(usl.lambda_per_s, 1_000.0, 0.15), "{:?}", usl);
    }

    #[test]
    fn no_points_make_a_figure_that_is_none(
        points in prop::collection::vec((prop_oneof![0.0_f64..1e-6, 0.0..1e3, 1e3..1e12], prop_oneof![0.0_f64..1e-6, 0.0..1e9]), 0..12)
    ) {
        if let UslFit::Fitted(usl) = fit(Concurrency::MeanInFlight, points) {
            prop_assert!(every_figure(&usl).iter().all(|figure| figure.is_finite()), "{:?}", usl);
            prop_assert!(usl.lambda_per_s > 0.0 && usl.sigma >= 0.0 && usl.kappa >= 0.0);
        }
    }
}
