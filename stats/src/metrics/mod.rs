//! Metrics of a run while it goes on, for the monitoring that is there already.
//!
//! [`Metrics`] is an [`Output`](crate::Output): it adds every published second to a `state`, from which everything is made that is
//! asked for. Who asks are a scraper ([`listen`]) and the senders, one for each [`Target`].
//!
//! Guarantees:
//! - a second that was published is in every counter and histogram from then on, however slow a receiver is: what is sent is what
//!   there is by then, the newest state, and what could not be sent is in the next one;
//! - nobody holds anything up: the state is changed by a thread of its own, each target has one of its own, a scraper has one
//!   for 5 s; requests, connections and answers are bounded in size, number and time;
//! - a push is tried once a period, in 5 s at most; how many failed is said at the end ([`Output::problems`](crate::Output::problems)),
//!   within the time a display gets;
//! - labels are bounded: in number ([`ROWS_MAX`] rows, what is beyond is added up in one) and in length ([`LABEL_CHARS_MAX`]);
//! - passwords and tokens of a URL are sent, and shown nowhere.
//!
//! Reading order: `family` (what a metric is), `buckets`, `state` and `hrp` (what there is to say), then how it is written: `text`,
//! `client_model`, `remote_write`, `influx`, `otlp`; then how it goes out: [`Target`], `client`, `sender`, `scrape`, `output`.

mod buckets;
mod client;
mod client_model;
mod errors;
mod family;
mod hrp;
mod influx;
mod otlp;
mod output;
mod remote_write;
mod scrape;
mod sender;
mod state;
mod target;
mod text;

pub use family::LABEL_CHARS_MAX;
pub use output::{Metrics, MetricsError, MetricsSpec};
pub use scrape::{listen, ListenError};
pub use state::{MetricsFacts, ROWS_MAX};
pub use target::{Target, TargetError, TargetKind};

#[cfg(test)]
mod dashboard_tests;
