//! A distribution as it is kept: exact figures, and an HdrHistogram V2 payload.

use base64::prelude::{Engine, BASE64_STANDARD};
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::sparse;
use crate::latency::{Distribution, Moments, Recorded, LOWEST_US, SIGNIFICANT_DIGITS};

/// Values in a payload lie within this many microseconds: what this program records (an hour) and no more, so that bytes of another origin
/// cannot ask for any amount of memory.
const LONGEST_US: u64 = 1 << 32;

/// A distribution as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Packed {
    pub(super) count: u64,
    pub(super) min_us: u64,
    pub(super) max_us: u64,
    pub(super) sum_us: u64,
    /// In decimal digits: it may be larger than any number of SQLite or JSON.
    pub(super) sum_squares: String,
    /// The payload.
    #[serde(with = "base64_text")]
    pub(super) hdr: Vec<u8>,
}

/// Packs and unpacks, with the memory that takes.
pub(super) struct Packer {
    serializer: V2DeflateSerializer,
    deserializer: Deserializer,
}

impl Default for Packer {
    fn default() -> Self {
        Self { serializer: V2DeflateSerializer::new(), deserializer: Deserializer::new() }
    }
}

impl Packer {
    /// None of an empty distribution.
    pub(super) fn pack(&mut self, distribution: &Distribution) -> Option<Packed> {
        let moments = distribution.moments();
        let (min_us, max_us) = (moments.min()?, moments.max()?);
        let highest = distribution.buckets().last()?.0.max(2 * LOWEST_US);
        let mut histogram = Histogram::<u64>::new_with_bounds(LOWEST_US, highest, SIGNIFICANT_DIGITS).ok()?;
        for &(value_us, count) in distribution.buckets() {
            histogram.saturating_record_n(value_us, count);
        }
        let mut hdr = Vec::new();
        // Writing to memory does not fail.
        self.serializer.serialize(&histogram, &mut hdr).ok()?;
        let (sum_us, sum_squares) = (moments.sum(), moments.sum_squares().to_string());
        Some(Packed { count: moments.count(), min_us, max_us, sum_us, sum_squares, hdr })
    }

    /// Two of them added up; the first alone where either cannot be read, as what is there is not to be lost for what comes late.
    pub(super) fn merge(&mut self, left: &Packed, right: &Packed) -> Option<Packed> {
        let (Ok(mut whole), Ok(late)) = (self.unpack(left), self.unpack(right)) else { return Some(left.clone()) };
        whole.merge(&late);
        self.pack(&whole)
    }

    /// The distribution again.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub(super) fn unpack(&mut self, packed: &Packed) -> Result<Distribution, String> {
        let sum_squares = packed.sum_squares.parse().map_err(|_| "a sum of squares that is no number".to_owned())?;
        let buckets = match sparse::buckets(&packed.hdr) {
            Some(buckets) => buckets,
            None => self.buckets_by_library(&packed.hdr)?,
        };
        let moments = Moments::of(packed.count, (packed.min_us, packed.max_us), packed.sum_us, sum_squares);
        Ok(Distribution::new(moments, buckets))
    }

    fn buckets_by_library(&mut self, mut hdr: &[u8]) -> Result<Vec<(u64, u64)>, String> {
        let histogram: Histogram<u64> = self.deserializer.deserialize(&mut hdr).map_err(|error| error.to_string())?;
        if histogram.high() > LONGEST_US {
            return Err(format!("a histogram of values up to {} us", histogram.high()));
        }
        // Its precision may be another one.
        let mut ours = Recorded::<u64>::default();
        let buckets = histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
        ours.merge(&Distribution::new(Moments::default(), buckets));
        Ok(ours.buckets().collect())
    }
}

mod base64_text {
    use serde::{de::Error, Deserialize, Deserializer, Serializer};

    use super::{Engine, BASE64_STANDARD};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::latency::HIGHEST_US;

    fn of(values: &[u64]) -> Distribution {
        Distribution::of(values.iter().copied())
    }

    #[test]
    fn nothing_has_no_form() {
        assert_eq!(Packer::default().pack(&of(&[])), None);
    }

    proptest! {
        #[test]
        fn what_is_unpacked_is_what_was_packed(values in prop::collection::vec(0..HIGHEST_US * 2, 1..200)) {
            let mut packer = Packer::default();
            let distribution = of(&values);
            let packed = packer.pack(&distribution).unwrap();
            prop_assert_eq!(packer.unpack(&packed).unwrap(), distribution);
            let json = serde_json::to_string(&packed).unwrap();
            prop_assert_eq!(serde_json::from_str::<Packed>(&json).unwrap(), packed);
        }

        #[test]
        fn foreign_bytes_are_refused(hdr in prop::collection::vec(any::<u8>(), 0..200)) {
            let packed = Packed { count: 1, min_us: 1, max_us: 1, sum_us: 1, sum_squares: "1".into(), hdr };
            let _ = Packer::default().unpack(&packed);
        }
    }
}
