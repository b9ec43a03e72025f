//! Samples of failures of all cores: of each sort the earliest.

use std::collections::HashMap;

use crate::failure::{FailureSample, Held};
use crate::interval::Interval;
use crate::row::RowKind;

use super::totals::RowSum;

/// Those of the whole run.
#[derive(Default)]
pub(super) struct Samples {
    per_sort: usize,
    /// By place of the row and kind, the earliest first.
    by_sort: HashMap<(usize, String), Vec<FailureSample>>,
    held: Held,
    left_out: u64,
}

impl Samples {
    /// Keeps so many of each sort.
    pub(super) fn keep(&mut self, per_sort: u32) {
        self.per_sort = per_sort as usize;
    }

    /// Takes an interval's, whose rows stand in `rows` where `places` says.
    pub(super) fn take(&mut self, interval: &mut Interval, rows: &[RowSum], places: &[usize]) {
        self.left_out += interval.samples_left_out;
        for (id, mut sample) in interval.samples.drain(..) {
            let place = places[id.0 as usize];
            let key = &rows[place].key;
            sample.case = key.case.to_string();
            sample.step = key.name.to_string();
            sample.setup = key.kind == RowKind::Setup;
            self.add(place, *sample);
        }
    }

    fn add(&mut self, place: usize, sample: FailureSample) {
        let of_sort = self.by_sort.entry((place, sample.kind.clone())).or_default();
        let at = of_sort.partition_point(|earlier| earlier.at_s <= sample.at_s);
        if at >= self.per_sort {
            return;
        }
        // A later one makes room for this one.
        if of_sort.len() >= self.per_sort {
            if let Some(later) = of_sort.pop() {
                self.held.give_back(&later);
            }
        }
        if self.held.take(&sample) {
            of_sort.insert(at, sample);
        } else {
            self.left_out += 1;
        }
    }

    /// All of them in the order they failed, and how many did not fit. Nothing is left here.
    pub(super) fn finish(&mut self) -> (Vec<FailureSample>, u64) {
        let mut all: Vec<FailureSample> = self.by_sort.drain().flat_map(|(_, samples)| samples).collect();
        all.sort_by(|a, b| {
            a.at_s.total_cmp(&b.at_s).then_with(|| (&a.step, &a.kind, &a.case).cmp(&(&b.step, &b.kind, &b.case)))
        });
        (all, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(samples: &mut Samples, place: usize, kind: &str, at_s: f64) {
        samples.add(place, FailureSample { kind: kind.into(), at_s, ..FailureSample::default() });
    }

    #[test]
    fn the_earliest_of_each_sort_stay_whatever_core_they_come_from_and_when() {
        let mut samples = Samples::default();
        samples.keep(2);
        for at_s in [3.0, 5.0, 7.0, 1.0, 4.0] {
            add(&mut samples, 0, "reset", at_s);
        }
        add(&mut samples, 0, "tls", 9.0);
        add(&mut samples, 1, "reset", 2.0);
        let (all, left_out) = samples.finish();
        let all: Vec<_> = all.iter().map(|sample| (&*sample.kind, sample.at_s)).collect();
        assert_eq!((all, left_out), (vec![("reset", 1.0), ("reset", 2.0), ("reset", 3.0), ("tls", 9.0)], 0));
    }
}
