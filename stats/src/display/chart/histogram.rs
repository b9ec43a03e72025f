//! Latencies as a histogram whose classes are equally wide on a logarithmic scale.

use super::bars::{lines, Bar, Scale, INDENT};
use crate::display::units::{latency, percent};
use crate::latency::Distribution;

/// Classes at most. Where all lie close together there are fewer, as a class is a microsecond wide at least.
const CLASSES: u32 = 12;

/// One class.
#[derive(Debug, PartialEq, Eq)]
struct Class {
    /// The longest latency that is in it, microseconds.
    to_us: u64,
    count: u64,
}

/// The lines of the histogram, below those of its head; none of a distribution without samples.
pub(super) fn histogram(of: &Distribution, columns: usize) -> Vec<String> {
    let classes = classes(of);
    if classes.is_empty() {
        return Vec::new();
    }
    let all: u64 = classes.iter().map(|class| class.count).sum();
    let width = classes.iter().map(|class| class.count.to_string().len()).max().unwrap_or(0).max("COUNT".len());
    let mut so_far = 0;
    let bars: Vec<Bar> = classes
        .iter()
        .map(|class| {
            so_far += class.count;
            Bar {
                label: format!("{:>5}", latency(class.to_us as f64)),
                value: class.count as f64,
                text: format!("{:>width$}  {:>6}", class.count, percent(so_far, all)),
                mark: '█',
            }
        })
        .collect();
    let label = bars.iter().map(|bar| bar.label.chars().count()).max().unwrap_or(0);
    let head = format!("{:INDENT$}{:>label$}  {:>width$}  {:>6}", "", "UP TO", "COUNT", "SO FAR");
    [head].into_iter().chain(lines(&bars, Scale::Linear, columns)).collect()
}

/// From the least to the greatest latency. A sample is in the class its bucket's upper end is in, which is 0.1 % off at most.
fn classes(of: &Distribution) -> Vec<Class> {
    let (Some(min), Some(max)) = (of.moments().min(), of.moments().max()) else { return Vec::new() };
    let (least, ratio) = (min.max(1) as f64, max.max(1) as f64 / min.max(1) as f64);
    let end = |class: u32| (least * ratio.powf(f64::from(class) / f64::from(CLASSES))).round() as u64;
    let mut classes: Vec<Class> = Vec::new();
    for class in 1..=CLASSES {
        let to_us = if class == CLASSES { max } else { end(class).min(max) };
        if classes.last().is_none_or(|last| last.to_us < to_us) {
            classes.push(Class { to_us, count: 0 });
        }
    }
    for &(us, count) in of.buckets() {
        let at = classes.partition_point(|class| class.to_us < us.min(max));
        if let Some(class) = classes.get_mut(at) {
            class.count += count;
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_equally_wide_on_a_logarithmic_scale() {
        // 1 to 4096: each class ends at twice the one before.
        let classes = classes(&Distribution::of([1, 2, 3, 4, 5, 4_096]));
        let ends: Vec<_> = classes.iter().map(|class| class.to_us).collect();
        assert_eq!(ends, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096]);
        let counts: Vec<_> = classes.iter().map(|class| class.count).collect();
        assert_eq!(counts, [2, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn no_class_is_narrower_than_a_microsecond() {
        assert_eq!(classes(&Distribution::of([7, 7])), [Class { to_us: 7, count: 2 }]);
        assert_eq!(classes(&Distribution::of([0])), [Class { to_us: 0, count: 1 }]);
        let ends: Vec<_> = classes(&Distribution::of([1, 3])).iter().map(|class| (class.to_us, class.count)).collect();
        assert_eq!(ends, [(1, 1), (2, 0), (3, 1)]);
        assert_eq!(histogram(&Distribution::default(), 80), Vec::<String>::new());
    }

    #[test]
    fn every_sample_is_in_a_class() {
        let all = Distribution::of((0..10_000).map(|n| n * n));
        assert_eq!(classes(&all).iter().map(|class| class.count).sum::<u64>(), 10_000);
        let beyond = Distribution::of([1, 2 * crate::latency::HIGHEST_US]);
        assert_eq!(classes(&beyond).iter().map(|class| class.count).sum::<u64>(), 2);
        assert!(histogram(&beyond, 80).iter().all(|line| line.chars().count() <= 80));
    }
}
