//! What the errors of h2 mean for a request.

use std::borrow::Cow;

use h2::Reason;
use pummel_ring::End;

use super::link::Link;
use crate::{error::Kind, network::exchange::Unanswered};

/// What became of a request that has no response.
pub(super) enum Fault {
    /// The server has not begun with it and says so (RFC 9113 section 8.7): it may be sent again, whatever its method.
    Unprocessed(Unanswered),
    /// The server refused its stream: it may be sent again if its method allows.
    Refused(Unanswered),
    /// The connection broke: it may be sent again if its method allows and the connection was no fresh one.
    Lost(Unanswered),
    /// It has failed.
    Failed(Unanswered),
}

impl Fault {
    /// What it is where nothing is sent again.
    pub(super) fn unanswered(self) -> Unanswered {
        match self {
            Self::Unprocessed(why) | Self::Refused(why) | Self::Lost(why) | Self::Failed(why) => why,
        }
    }
}

/// Names an error of a stream on a link.
pub(super) fn fault(error: &h2::Error, link: &Link) -> Fault {
    let failed = |kind, message| Unanswered::Failed(kind, Cow::Owned(message));
    let name = name(error.reason().unwrap_or(Reason::INTERNAL_ERROR));
    if error.is_reset() && error.is_remote() {
        let unanswered = failed(Kind::StreamReset, format!("the server reset the stream ({name})"));
        return match error.reason() {
            Some(Reason::REFUSED_STREAM) => Fault::Refused(unanswered),
            _ => Fault::Failed(unanswered),
        };
    }
    if error.is_go_away() && error.is_remote() {
        let message = format!("the server ended the connection before it took the request (GOAWAY, {name})");
        return Fault::Unprocessed(failed(Kind::GoAway, message));
    }
    if link.received.borrow().not_http2() {
        let message = "the server answered in HTTP/1: it does not speak HTTP/2 on this port";
        return Fault::Failed(Unanswered::Failed(Kind::Protocol, Cow::Borrowed(message)));
    }
    if error.is_reset() || error.is_go_away() {
        return Fault::Failed(failed(Kind::Protocol, format!("the response is not valid HTTP/2 ({name})")));
    }
    // As over HTTP/1.1, nothing is sent again to a server whose TLS breaks.
    if let Some(failure) = link.tls_failure() {
        return Fault::Failed(failure.into());
    }
    Fault::Lost(match link.end() {
        Some(End::Error(_)) => Kind::Reset.into(),
        _ => Kind::ClosedEarly.into(),
    })
}

/// The name of an error code (RFC 9113 section 7). Codes nobody has named are one, so that errors stay of bounded number.
fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::NO_ERROR => "NO_ERROR",
        Reason::PROTOCOL_ERROR => "PROTOCOL_ERROR",
        Reason::INTERNAL_ERROR => "INTERNAL_ERROR",
        Reason::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
        Reason::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
        Reason::STREAM_CLOSED => "STREAM_CLOSED",
        Reason::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
        Reason::REFUSED_STREAM => "REFUSED_STREAM",
        Reason::CANCEL => "CANCEL",
        Reason::COMPRESSION_ERROR => "COMPRESSION_ERROR",
        Reason::CONNECT_ERROR => "CONNECT_ERROR",
        Reason::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
        Reason::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
        Reason::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
        _ => "an unknown code",
    }
}
