//! The addresses of all cores, added up.

use std::collections::HashMap;

use crate::endpoint::{Endpoint, EndpointCounts, EndpointKey, EndpointKind, OTHER_ENDPOINTS};
use crate::interval::Interval;

/// What each address did over the whole run.
pub(super) struct EndpointTotals {
    /// In the order first seen.
    sums: Vec<(EndpointKey, EndpointCounts)>,
    by_key: HashMap<EndpointKey, usize>,
    /// For each core, where its ids stand in `sums`.
    core_ids: Vec<Vec<usize>>,
}

impl EndpointTotals {
    pub(super) fn new(cores: usize) -> Self {
        Self { sums: Vec::new(), by_key: HashMap::new(), core_ids: vec![Vec::new(); cores] }
    }

    pub(super) fn merge(&mut self, interval: &Interval) {
        let ids = &mut self.core_ids[interval.core];
        for key in &interval.new_endpoints {
            ids.push(*self.by_key.entry(key.clone()).or_insert_with(|| {
                self.sums.push((key.clone(), EndpointCounts::default()));
                self.sums.len() - 1
            }));
        }
        for (&index, counts) in ids.iter().zip(&interval.endpoints) {
            self.sums[index].1.merge(counts);
        }
    }

    /// Those of one kind in the order first seen, the rest that is not told apart last.
    pub(super) fn of_kind(&self, kind: EndpointKind) -> Vec<Endpoint> {
        let of_kind = self.sums.iter().filter(|(key, _)| key.kind == kind);
        let mut all: Vec<_> = of_kind
            .map(|(key, counts)| Endpoint {
                address: key.name.to_string(),
                connections: counts.connections,
                connect_errors: counts.connect_errors,
                requests: counts.requests,
                failures: counts.failures,
            })
            .collect();
        all.sort_by_key(|endpoint| endpoint.address == OTHER_ENDPOINTS);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(core: usize, names: &[&str], counts: &[u64]) -> Interval {
        let key = |name: &&str| EndpointKey { kind: EndpointKind::Address, name: (*name).into() };
        let count = |&connections: &u64| EndpointCounts { connections, ..EndpointCounts::default() };
        Interval {
            core,
            new_endpoints: names.iter().map(key).collect(),
            endpoints: counts.iter().map(count).collect(),
            ..Interval::default()
        }
    }

    #[test]
    fn cores_that_name_the_same_address_feed_one_entry() {
        let mut totals = EndpointTotals::new(2);
        totals.merge(&interval(0, &["a", OTHER_ENDPOINTS], &[1, 10]));
        totals.merge(&interval(1, &["b", "a"], &[2, 3]));
        totals.merge(&interval(0, &["c"], &[4, 20, 5]));
        let all = totals.of_kind(EndpointKind::Address);
        let shown: Vec<_> = all.iter().map(|one| (one.address.as_str(), one.connections)).collect();
        assert_eq!(shown, [("a", 8), ("b", 2), ("c", 5), (OTHER_ENDPOINTS, 30)]);
        assert!(totals.of_kind(EndpointKind::Source).is_empty());
    }
}
