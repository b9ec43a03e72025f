//! Latency distributions in the three forms a run needs.
//!
//! - `Recorded`: dense and writable, one HDR histogram with exact moments beside it. Cores write `u32` ones, the run's
//!   totals are `u64` ones; merging goes bucket by bucket and is exact.
//! - [`Distribution`]: sparse and mergeable, what one second of one row looked like; snapshots carry these.
//! - [`Latency`]: the dozen figures of one distribution, as they stand in the summary.
//!
//! All values are microseconds. Percentiles are the smallest bucket at or below which the asked share of the samples
//! lies (nearest rank), reported as the bucket's upper end and never outside the exact minimum and maximum.

mod distribution;
mod figures;
mod moments;
mod recorded;

pub use distribution::Distribution;
pub use figures::Latency;
pub use moments::Moments;
pub(crate) use recorded::Recorded;

/// Shortest latency a histogram tells apart, microseconds.
pub const LOWEST_US: u64 = 1;
/// Longest latency a histogram tells apart: one hour. No timeout in use comes near; longer values count in the last
/// bucket, while the exact maximum keeps them.
pub const HIGHEST_US: u64 = 3_600_000_000;
/// Significant decimal digits of a bucket: a percentile is within 0.1 % of a sample.
pub const SIGNIFICANT_DIGITS: u8 = 3;
