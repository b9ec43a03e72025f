//! What happened, as it travels to the database or to a journal.

use serde::{Deserialize, Serialize};

use super::packed::{Packed, Packer};
use crate::collector::Model;
use crate::kept::{KeptClient, KeptPart};
use crate::row::{RowKey, RowKind};
use crate::snapshot::RowSecond;
use crate::summary::{ErrorCount, Host, SeriesPoint, Summary};

/// A run has no more rows: foreign bytes cannot ask for any amount of memory.
pub(super) const ROWS_MAX: usize = 1 << 20;

/// A run is no longer, seconds: ten years.
pub(super) const LONGEST_S: u64 = 10 * 365 * 24 * 3_600;

/// One line of a journal: an entry, whose it is, and its place among that run's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Numbered {
    pub(super) run: String,
    /// From 1 on. The store applies each once, in this order.
    pub(super) number: u64,
    /// The number of the one before it that was not lost; 0 where there is none. The store has it, or it lacks something.
    pub(super) after: u64,
    pub(super) entry: Entry,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// The run began.
    Begin(Box<Begin>),
    /// Rows that were told of before: a journal begins with these, so that it can stand alone. No event of its own.
    Rows(Vec<Row>),
    /// A second was published.
    Second(Box<Second>),
    /// Something came late for a second that was published: the point replaces the one there, the parts are added.
    Late(Box<Second>),
    /// The run ended; the series is left out, as the intervals are it.
    End(Box<Summary>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) name: String,
    pub(super) command: String,
    pub(super) version: String,
    pub(super) model: Model,
    pub(super) started_at: String,
    pub(super) started_unix_s: i64,
    pub(super) host: Host,
    pub(super) plan: serde_json::Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Second {
    pub(super) point: SeriesPoint,
    pub(super) client: KeptClient,
    /// Rows seen for the first time.
    pub(super) new_rows: Vec<Row>,
    pub(super) parts: Vec<Part>,
    /// All errors so far, where they have changed since the last second.
    pub(super) errors: Option<Vec<ErrorCount>>,
}

/// A row's identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    /// Where it stands among the run's, from 0 on: what [`Part::row`] means.
    pub(super) place: usize,
    pub(super) case: String,
    pub(super) kind: Kind,
    #[serde(rename = "type")]
    pub(super) label: String,
    pub(super) name: String,
}

/// [`RowKind`] by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Request,
    Transaction,
    Setup,
}

/// One row in a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) row: usize,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    pub(super) service: Option<Packed>,
    pub(super) response: Option<Packed>,
    pub(super) failed_us: Option<Packed>,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Transaction => "transaction",
            Self::Setup => "setup",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::Request, Self::Transaction, Self::Setup].into_iter().find(|kind| kind.name() == name)
    }
}

impl From<RowKind> for Kind {
    fn from(kind: RowKind) -> Self {
        match kind {
            RowKind::Request => Self::Request,
            RowKind::Transaction => Self::Transaction,
            RowKind::Setup => Self::Setup,
        }
    }
}

impl From<Kind> for RowKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Request => Self::Request,
            Kind::Transaction => Self::Transaction,
            Kind::Setup => Self::Setup,
        }
    }
}

impl Row {
    pub(super) fn of(place: usize, key: &RowKey) -> Self {
        Self {
            place,
            case: key.case.to_string(),
            kind: key.kind.into(),
            label: key.label.to_string(),
            name: key.name.to_string(),
        }
    }

    pub(super) fn key(self) -> RowKey {
        let Self { case, kind, label, name, .. } = self;
        RowKey { case: case.into(), kind: kind.into(), label: label.into(), name: name.into() }
    }
}

impl Part {
    /// A row's second; `open` says that the latency is response time.
    pub(super) fn of(packer: &mut Packer, row: usize, second: &RowSecond, open: bool) -> Self {
        let responds = open && second.key.kind == RowKind::Request;
        let (service, response) =
            if responds { (&second.service_us, Some(&second.latency)) } else { (&second.latency, None) };
        Self {
            row,
            succeeded: second.succeeded,
            failed: second.failed,
            bytes_received: second.bytes_received,
            bytes_sent: second.bytes_sent,
            service: packer.pack(service),
            response: response.and_then(|response| packer.pack(response)),
            failed_us: packer.pack(&second.failed_us),
        }
    }

    pub(super) fn of_kept(packer: &mut Packer, part: &KeptPart) -> Self {
        Self {
            row: part.row,
            succeeded: part.succeeded,
            failed: part.failed,
            bytes_received: part.bytes_received,
            bytes_sent: part.bytes_sent,
            service: packer.pack(&part.service_us),
            response: packer.pack(&part.response_us),
            failed_us: packer.pack(&part.failed_us),
        }
    }

    /// Its latencies, by the name of their kind.
    pub(super) fn latencies(&self) -> impl Iterator<Item = (&'static str, &Packed)> {
        [("service", &self.service), ("response", &self.response), ("failed", &self.failed_us)]
            .into_iter()
            .filter_map(|(kind, packed)| Some((kind, packed.as_ref()?)))
    }
}

impl Entry {
    /// The rows it tells of for the first time.
    pub(super) fn new_rows(&self) -> &[Row] {
        match self {
            Self::Second(second) | Self::Late(second) => &second.new_rows,
            _ => &[],
        }
    }

    /// The same, where it may tell of any.
    pub(super) fn new_rows_mut(&mut self) -> Option<&mut Vec<Row>> {
        match self {
            Self::Second(second) | Self::Late(second) => Some(&mut second.new_rows),
            _ => None,
        }
    }

    /// What no run of this program says.
    pub(super) fn wrong(&self) -> Option<String> {
        let (rows, second) = match self {
            Self::Begin(_) | Self::End(_) => return None,
            Self::Rows(rows) => (rows, None),
            Self::Second(second) | Self::Late(second) => (&second.new_rows, Some(second)),
        };
        let parts = second.iter().flat_map(|second| &second.parts).map(|part| part.row);
        if let Some(place) = rows.iter().map(|row| row.place).chain(parts).find(|place| *place >= ROWS_MAX) {
            return Some(format!("a row {place}, where there are at most {ROWS_MAX}"));
        }
        let SeriesPoint { t_s, span_s, .. } = second?.point;
        if span_s != 1 {
            return Some(format!("a second of {span_s} s"));
        }
        (t_s > LONGEST_S).then(|| format!("a second {t_s}, where no run is longer than {LONGEST_S}"))
    }

    /// About how much memory it takes, bytes.
    pub(super) fn held_bytes(&self) -> usize {
        /// Sizes of the parts without what they point to, rounded up.
        const SECOND: usize = 400;
        const PART: usize = 400;
        const TEXT: usize = 100;
        match self {
            Self::Begin(begin) => SECOND + begin.plan.to_string().len(),
            Self::Rows(rows) => SECOND + rows.iter().map(|row| row.name.len() + row.case.len() + TEXT).sum::<usize>(),
            Self::End(summary) => {
                let rows = summary.steps.len() + summary.transactions.len();
                SECOND * 4 + (rows + summary.errors.len()) * 1_500 + summary.failure_samples.len() * 10_000
            }
            Self::Second(second) | Self::Late(second) => {
                let packed: usize =
                    second.parts.iter().flat_map(Part::latencies).map(|(_, packed)| packed.hdr.len() + TEXT).sum();
                let errors = second.errors.iter().flatten().map(|error| error.message.len() + TEXT).sum::<usize>();
                let rows: usize = second.new_rows.iter().map(|row| row.name.len() + row.case.len() + TEXT).sum();
                SECOND + second.parts.len() * PART + packed + errors + rows
            }
        }
    }
}
