//! The body of a response as its server meant it: content codings taken off, where something looks at it.

use std::{borrow::Cow, cell::RefCell};

use pummel_case::RenderedRequest;
use pummel_http::{DecodeError, DECODED_BODY_BYTES_MAX};
use pummel_stats::RowId;

use super::{
    exchange::{Answered, Unanswered},
    pool::IdleConnections,
    tally::Tally,
};
use crate::{error::Kind, program::asked_for_gzip, shard::Shard};

impl Shard {
    /// Takes the codings off the body of the answer to a request, where it has any. The decoder is the core's, not the user's. Where
    /// it was this client that asked for gzip, and nobody else, nobody need know of it (hrp spec 11.8).
    ///
    /// # Errors
    /// A body that ends early, is corrupt, or becomes too large. Its connection is none the worse for it.
    pub(crate) fn as_meant(
        &self,
        idle: &RefCell<IdleConnections>,
        mut answered: Answered,
        (method, request): (&str, &RenderedRequest),
        row: RowId,
        tally: &mut Tally,
    ) -> Result<Answered, Unanswered> {
        let decoded = answered.with(|response| {
            let codings = response.directives.codings;
            if !codings.any() || response.body.is_empty() {
                return Ok(());
            }
            self.decoder.borrow_mut().decode(codings, &mut response.body, DECODED_BODY_BYTES_MAX)?;
            response.coding_hidden = codings.only_gzip() && asked_for_gzip(method, request, &self.plan.network);
            self.recorder.borrow_mut().decoded(row, response.body.len() as u64);
            if let Some(record) = &mut tally.record {
                record.answered(response);
            }
            Ok(())
        });
        match decoded {
            Ok(()) => Ok(answered),
            Err(error) => {
                let error: DecodeError = error;
                let failed = Unanswered::Failed(Kind::BodyDecode, Cow::Owned(error.to_string()));
                self.sample_answer(&failed, &mut answered, true, row);
                self.release(idle, answered);
                Err(failed)
            }
        }
    }
}
