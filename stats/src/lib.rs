//! What happened in a run: recorders, their merge, snapshots, the summary and the client verdict.
//!
//! Each core writes into a [`Recorder`] of its own, without a lock or an allocation in steady state, and about once a
//! second hands an interval to the stats thread behind the [`Collector`]. That thread merges, publishes immutable
//! [`Snapshot`]s to [`Output`]s that run on threads of their own, and at the end builds the [`Summary`].
//!
//! Guarantees:
//! - no count is lost or invented, however slow the stats thread or an output is; [`Conservation`] checks it at the end
//!   of every run with counters that were kept apart on purpose;
//! - histograms are merged bucket by bucket, percentiles are never averaged, and minimum, maximum, sum and sum of squares
//!   are exact;
//! - nothing an output does changes the load or the totals;
//! - the crate knows nothing of HTTP as what is measured: a row is a case, a type and a name, whatever they stand for.
//!
//! Reading order: [`row`], [`endpoint`], [`failure`], [`errors`], [`latency`], [`phases`], `interval`, [`recorder`], [`snapshot`], [`summary`], [`output`],
//! [`collector`],
//! [`client`], [`backlog`], [`verdict`], [`threshold`], [`capacity`], [`display`], [`kept`], [`store`], [`report_files`], [`html`], [`compare`], [`metrics`].
#![forbid(unsafe_code)]

mod background;
pub mod backlog;
pub mod capacity;
pub mod client;
pub mod clock;
pub mod collector;
pub mod compare;
pub mod display;
pub mod endpoint;
pub mod errors;
pub mod failure;
pub mod html;
mod interval;
pub mod kept;
pub mod latency;
pub mod metrics;
pub mod output;
pub mod phases;
pub mod recorder;
pub mod report_files;
pub mod row;
pub mod snapshot;
pub mod store;
pub mod summary;
pub mod threshold;
pub mod verdict;

#[doc(hidden)]
pub mod sample;

pub use capacity::{CapacityResult, Search, SearchSpec};
pub use collector::{Collector, CollectorSpec, FinalFacts, Finished, Model, RunFacts, StatsError};
pub use endpoint::{EndpointId, EndpointKind};
pub use failure::{FailureSample, SampleTiming, SampledMessage, SAMPLES_PER_SORT_MAX};
pub use latency::{Distribution, Latency};
pub use output::{Begun, Delivery, Output, OutputSpec};
pub use phases::{Opening, RequestPhases};
pub use recorder::{ArrivalsPart, PluginCaller, Recorder};
pub use row::{Exchanges, RowId, RowKey, RowKind, Sample, TRANSACTION};
pub use snapshot::{Correction, RowSecond, RowTotal, Snapshot};
pub use summary::{Conservation, Host, LiveChange, PluginProcesses, Summary};
pub use threshold::{Condition, Thresholds};
pub use verdict::{Exhausted, Limit, Resource, Verdict};
