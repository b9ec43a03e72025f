//! The body of a response as its server meant it: content codings taken off, where something looks at it.

use std::borrow::Cow;

use pummel_http::DECODED_BODY_BYTES_MAX;
use pummel_stats::RowId;

use super::exchange::{Answered, Tally, Unanswered};
use crate::{error::Kind, shard::Shard};

impl Shard {
    /// Takes the codings off a response's body and counts what it became. `by_itself`: nobody but this client asked for gzip, so
    /// nobody need know of it (hrp spec 11.8). The decoder is the core's, not the user's.
    ///
    /// # Errors
    /// A body that ends early, is corrupt, or becomes too large. It then stands as it came.
    pub(crate) fn decode(
        &self,
        answered: &Answered,
        by_itself: bool,
        row: RowId,
        tally: &mut Tally,
    ) -> Result<(), Unanswered> {
        answered.with(|response| {
            let codings = response.directives.codings;
            if response.body.is_empty() {
                return Ok(());
            }
            self.decoder
                .borrow_mut()
                .decode(codings, &mut response.body, DECODED_BODY_BYTES_MAX)
                .map_err(|error| Unanswered::Failed(Kind::BodyDecode, Cow::Owned(error.to_string())))?;
            response.coding_hidden = by_itself && codings.only_gzip();
            self.recorder.borrow_mut().decoded(row, response.body.len() as u64);
            if let Some(record) = &mut tally.record {
                record.answered(response);
            }
            Ok(())
        })
    }
}
