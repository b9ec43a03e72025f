//! Samples of failures: what was said, what came back and when, of the first few of each sort.
//!
//! A sort is a row and a kind of error. Each core keeps the first of its own and sends them with its intervals; of all cores' the
//! earliest count. What is kept is bounded in number and in memory, whatever the run does: each core may keep as much as the whole
//! run, so that the bounds hold without a word between them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::row::RowId;

/// The most samples of one sort.
pub const SAMPLES_PER_SORT_MAX: u32 = 100;

/// The most samples of a run. Nobody reads more, and a run whose steps are named after values may have very many rows.
pub const SAMPLES_MAX: usize = 1_000;

/// The most text of all samples of a run, bytes: so that a summary can be opened in an editor.
pub const SAMPLES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A failure, as the report keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailureSample {
    /// Name of the case.
    pub case: String,
    /// Name of the step, as in the row it counts in.
    pub step: String,
    /// It is a step that each user does once, before its load.
    pub setup: bool,
    /// Kind of the error, one of a bounded set.
    pub kind: String,
    /// What was wrong.
    pub message: String,
    /// When it had failed, seconds on the run clock.
    pub at_s: f64,
    /// What was sent, or would have been.
    pub request: SampledMessage,
    /// What came back, as far as it did; `null` where nothing did.
    pub response: Option<SampledMessage>,
    /// When it was where.
    pub timing: SampleTiming,
}

/// One side of an exchange, as text: what could steer a terminal, and bytes that are no text, are written `\u{1b}` and `\xff`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SampledMessage {
    /// The first line and the fields below it, each on a line.
    pub head: String,
    /// The head was longer than what is kept.
    pub head_truncated: bool,
    /// The start of the body; empty where there is none.
    pub body: String,
    /// The body was longer than what is kept.
    pub body_truncated: bool,
    /// How long the body was on the wire, as far as it came, bytes.
    pub body_bytes: u64,
}

/// When a failed request was where. Points of time are microseconds on the run clock, `null` where it did not come so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SampleTiming {
    /// When it was due.
    pub due_us: u64,
    /// When its first byte was handed to the kernel; the first exchange's, where there were more.
    pub sent_us: Option<u64>,
    /// When the first byte came back; the last exchange's, where there were more.
    pub first_byte_us: Option<u64>,
    /// When it was over.
    pub done_us: u64,
    /// From the first byte sent to the end; where nothing was sent, from due.
    pub service_us: u64,
    /// From due to the end.
    pub response_us: u64,
}

impl FailureSample {
    /// How much text it holds, bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        let of = |message: &SampledMessage| message.head.len() + message.body.len();
        self.message.len() + of(&self.request) + self.response.as_ref().map_or(0, of)
    }
}

/// How many samples there are, and how much text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) samples: usize,
    pub(crate) bytes: usize,
}

impl Held {
    pub(crate) fn is_full(self) -> bool {
        self.samples >= SAMPLES_MAX || self.bytes >= SAMPLES_BYTES_MAX
    }

    /// Takes one in, unless it goes beyond the bounds.
    pub(crate) fn take(&mut self, sample: &FailureSample) -> bool {
        let with = Self { samples: self.samples + 1, bytes: self.bytes + sample.text_bytes() };
        let fits = with.samples <= SAMPLES_MAX && with.bytes <= SAMPLES_BYTES_MAX;
        if fits {
            *self = with;
        }
        fits
    }

    pub(crate) fn give_back(&mut self, sample: &FailureSample) {
        self.samples -= 1;
        self.bytes -= sample.text_bytes();
    }
}

/// The first failures of each sort on one core, as far as they are kept.
pub(crate) struct FirstOfEachSort {
    per_sort: u32,
    /// How many there are of each.
    counts: HashMap<(RowId, &'static str), u32>,
    held: Held,
}

/// What became of a failure that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// It is.
    Kept,
    /// It goes beyond the bounds of all.
    LeftOut,
    /// There are as many of its sort as are asked for.
    Enough,
}

impl FirstOfEachSort {
    pub(crate) fn new(per_sort: u32) -> Self {
        Self { per_sort, counts: HashMap::new(), held: Held::default() }
    }

    /// Whether one of this sort is to be kept, as far as can be told without it.
    pub(crate) fn wants(&self, row: RowId, kind: &'static str) -> bool {
        self.has_few(row, kind) && !self.held.is_full()
    }

    pub(crate) fn take(&mut self, row: RowId, kind: &'static str, sample: &FailureSample) -> Take {
        if !self.has_few(row, kind) {
            return Take::Enough;
        }
        if !self.held.take(sample) {
            return Take::LeftOut;
        }
        *self.counts.entry((row, kind)).or_default() += 1;
        Take::Kept
    }

    /// Whether it is only for the bounds of all that none of this sort is kept any more.
    pub(crate) fn leaves_out(&self, row: RowId, kind: &'static str) -> bool {
        self.held.is_full() && self.has_few(row, kind)
    }

    fn has_few(&self, row: RowId, kind: &'static str) -> bool {
        self.per_sort > 0 && self.counts.get(&(row, kind)).is_none_or(|&count| count < self.per_sort)
    }
}
