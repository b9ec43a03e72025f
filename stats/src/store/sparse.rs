//! The counts of an HdrHistogram V2 payload, without the zeros between them.
//!
//! The library makes a histogram with a slot for each value there could be and then looks at every slot, which for the few dozen latencies
//! of a second takes longer than all else that opening a long run does. Here the runs of zeros, which the payload names, are passed over.
//! The layout is that of the reference implementation (HdrHistogram 2.1, `encodeIntoCompressedByteBuffer`): two cookies, the length, a
//! zlib stream; in it a head of 40 bytes and the counts as zig-zag LEB128, a negative one being so many zeros.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::latency::SIGNIFICANT_DIGITS;

const DEFLATED_COOKIE: u32 = 0x1c84_9314;
const PLAIN_COOKIE: u32 = 0x1c84_9313;
const HEAD_BYTES: usize = 40;

/// The histograms of this program have some 24,000 slots, each of at most nine bytes.
const PLAIN_BYTES_MAX: u64 = 1 << 18;

/// Slots below the first power of two that is coarser than a microsecond, for three significant digits from 1 us on.
const FINE_SLOTS: u64 = 2_048;
const SLOTS_A_POWER: u64 = FINE_SLOTS / 2;
/// Powers of two beyond those: up to more than an hour.
const POWERS_MAX: u64 = 32;

/// The buckets that hold something, as [`Distribution`](crate::Distribution) has them; `None` of what this program does not write, which is
/// the library's to read.
pub(super) fn buckets(payload: &[u8]) -> Option<Vec<(u64, u64)>> {
    let word = |bytes: &[u8], at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if word(payload, 0)? != DEFLATED_COOKIE || word(payload, 4)? as usize != payload.len() - 8 {
        return None;
    }
    let mut plain = Vec::new();
    ZlibDecoder::new(&payload[8..]).take(PLAIN_BYTES_MAX).read_to_end(&mut plain).ok()?;
    let lowest_us = (word(&plain, 16)?, word(&plain, 20)?);
    let is_ours = word(&plain, 0)? == PLAIN_COOKIE
        && word(&plain, 4)? as usize == plain.len() - HEAD_BYTES
        && word(&plain, 8)? == 0
        && word(&plain, 12)? == u32::from(SIGNIFICANT_DIGITS)
        && lowest_us == (0, 1);
    if !is_ours {
        return None;
    }
    let (mut counts, mut slot, mut buckets) = (&plain[HEAD_BYTES..], 0_u64, Vec::new());
    while !counts.is_empty() {
        match zig_zag(&mut counts)? {
            zeros @ i64::MIN..=0 => slot = slot.checked_add(zeros.unsigned_abs().max(1))?,
            count => {
                buckets.push((highest_of(slot)?, count.unsigned_abs()));
                slot += 1;
            }
        }
    }
    Some(buckets)
}

/// The largest value of a slot.
fn highest_of(slot: u64) -> Option<u64> {
    if slot < FINE_SLOTS {
        return Some(slot);
    }
    let power = slot / SLOTS_A_POWER - 1;
    (power <= POWERS_MAX).then(|| (((slot % SLOTS_A_POWER) + SLOTS_A_POWER + 1) << power) - 1)
}

/// A number of at most nine bytes: seven bits of each of the first eight, all of the ninth.
fn zig_zag(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for n in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if n == 8 || byte < 0x80 {
            value |= u64::from(byte) << (7 * n);
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * n);
    }
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    fn payload(values: &[(u64, u64)], highest: u64) -> Vec<u8> {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, highest, SIGNIFICANT_DIGITS).unwrap();
        for &(value, count) in values {
            histogram.record_n(value, count).unwrap();
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&histogram, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn slots_are_a_microsecond_wide_and_then_wider() {
        assert_eq!(
            [0, 1, 2_047, 2_048, 2_049, 3_071, 3_072].map(|slot| highest_of(slot).unwrap()),
            [0, 1, 2_047, 2_049, 2_051, 4_095, 4_099]
        );
        assert_eq!(highest_of(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn the_library_reads_the_same(values in prop::collection::vec((1..3_600_000_000_u64, 1..1_u64 << 40), 0..60)) {
            let bytes = payload(&values, 3_600_000_000);
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            let by_library: Vec<_> =
                histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
            prop_assert_eq!(buckets(&bytes).unwrap(), by_library);
        }

        #[test]
        fn foreign_bytes_do_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..60_usize) {
            let _ = buckets(&bytes);
            let ours = payload(&[(7, 1), (90_000, 3)], 1_000_000);
            bytes.splice(..0, ours[..cut.min(ours.len())].iter().copied());
            let _ = buckets(&bytes);
        }
    }
}
