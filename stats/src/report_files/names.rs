//! Names and messages from outside, as these files hold them.

use std::borrow::Cow;

use crate::display::text::one_line;
use crate::kept::KeptRun;
use crate::row::{RowKey, RowKind};

/// Longest name or message in a file, characters. A step may be named after a URL of any length; what is longer ends in an ellipsis.
pub const NAME_CHARS_MAX: usize = 256;

/// A text from outside on one line, without what steers a terminal, cut where it is too long.
pub(super) fn bounded(text: &str) -> String {
    one_line(text, NAME_CHARS_MAX)
}

/// What a part is of. One that names no row of the run, which no intact store holds, is kept and says so.
pub(super) fn key(run: &KeptRun, row: usize) -> Cow<'_, RowKey> {
    run.rows.get(row).map_or_else(
        || {
            let name = format!("row {row}").into();
            Cow::Owned(RowKey { case: "".into(), kind: RowKind::Request, label: "unknown".into(), name })
        },
        Cow::Borrowed,
    )
}
