//! What a peer can do wrong.

use thiserror::Error;

/// Why bytes are not the message they were taken for.
///
/// The kinds are few and carry nothing of what was received, so they can be counted. After any of them the connection is
/// of no further use: where the next message would begin is unknown.
#[derive(Error, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProtocolError {
    /// The first bytes of a response are not `HTTP/`.
    #[error("what came back is not HTTP; check that the port speaks plain HTTP/1.1 and not TLS or another protocol")]
    NotHttp,
    /// HTTP, but neither 1.0 nor 1.1.
    #[error("the message has an HTTP version other than 1.0 and 1.1")]
    UnsupportedVersion,
    /// The rest of a status line is malformed, or its code is below 100 (RFC 9112 section 4, RFC 9110 section 15).
    #[error("the status line is malformed")]
    BadStatusLine,
    /// The request line is malformed (RFC 9112 section 3).
    #[error("the request line is malformed")]
    BadRequestLine,
    /// A header line is malformed: an invalid character, white space before the colon, or a folded line
    /// (RFC 9112 sections 5.1 and 5.2).
    #[error("a header line is malformed")]
    BadHeader,
    /// A line of the head ends in a bare line feed or a bare carriage return (RFC 9112 section 2.2).
    #[error("a line of the head does not end in CR LF")]
    BadLineEnd,
    /// An HTTP/1.1 request without a `Host` header, or with several (RFC 9112 section 3.2).
    #[error("the request has no Host header, or more than one")]
    BadHost,
    /// The head is longer than [`Limits::head_bytes`](crate::Limits::head_bytes).
    #[error("the message head is longer than the limit")]
    HeadTooLarge,
    /// More header lines than [`Limits::headers`](crate::Limits::headers).
    #[error("the message has more header lines than the limit")]
    TooManyHeaders,
    /// More than [`INTERIM_RESPONSES_MAX`](crate::INTERIM_RESPONSES_MAX) responses of class 1xx before a final one.
    #[error("too many interim (1xx) responses without a final one")]
    TooManyInterimResponses,
    /// `Content-Length` is not a decimal number that fits 64 bits (RFC 9112 section 6.3).
    #[error("Content-Length is not a valid number")]
    BadContentLength,
    /// Several lengths that differ (RFC 9112 section 6.3).
    #[error("the message has Content-Length values that contradict each other")]
    ConflictingContentLength,
    /// `Transfer-Encoding` is malformed, names `chunked` twice, or a request uses a coding that cannot be read
    /// (RFC 9112 sections 6.1 and 7.1).
    #[error("Transfer-Encoding is malformed or cannot be read")]
    BadTransferEncoding,
    /// `Transfer-Encoding` in a message of HTTP/1.0, whose framing is then in doubt (RFC 9112 section 6.1).
    #[error("an HTTP/1.0 message has a Transfer-Encoding")]
    TransferEncodingInHttp10,
    /// Both `Content-Length` and `Transfer-Encoding`: the mark of smuggling, refused (RFC 9112 section 6.3).
    #[error("the message has both Content-Length and Transfer-Encoding")]
    LengthAndTransferEncoding,
    /// The line before a chunk is not a hexadecimal size with well-formed extensions (RFC 9112 section 7.1).
    #[error("a chunk does not begin with a valid size line")]
    BadChunkSize,
    /// A chunk size above 64 bits.
    #[error("a chunk size is too large to be real")]
    ChunkSizeOverflow,
    /// The line before a chunk is longer than [`CHUNK_LINE_BYTES_MAX`](crate::CHUNK_LINE_BYTES_MAX).
    #[error("the size line of a chunk is longer than the limit")]
    ChunkLineTooLong,
    /// The data of a chunk is not followed by a line end: more or less came than its size said.
    #[error("the data of a chunk is longer than its size says")]
    BadChunkEnd,
    /// A line after the last chunk is not a header line.
    #[error("a trailer line is malformed")]
    BadTrailer,
    /// The trailer section is longer than [`TRAILER_BYTES_MAX`](crate::TRAILER_BYTES_MAX).
    #[error("the trailer section is longer than the limit")]
    TrailersTooLarge,
    /// A body that is to be kept is longer than [`Limits::kept_body_bytes`](crate::Limits::kept_body_bytes).
    #[error("the body is longer than the limit for bodies that are kept")]
    BodyTooLarge,
    /// Bytes arrived although no message was due: a surplus after a complete response, or no request was sent.
    #[error("bytes arrived that belong to no message")]
    UnexpectedBytes,
    /// The peer closed the connection before the message was complete.
    #[error("the connection was closed {}", if *.got_any { "in the middle of a message" } else { "before any byte of a message" })]
    ClosedEarly {
        /// Some byte of the message had arrived. Where none had, the connection was closed while it was idle and a
        /// request that may be repeated can be.
        got_any: bool,
    },
}

impl ProtocolError {
    /// A short fixed word for each kind, for counting and for JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotHttp => "not_http",
            Self::UnsupportedVersion => "unsupported_version",
            Self::BadStatusLine => "bad_status_line",
            Self::BadRequestLine => "bad_request_line",
            Self::BadHeader => "bad_header",
            Self::BadLineEnd => "bad_line_end",
            Self::BadHost => "bad_host",
            Self::HeadTooLarge => "head_too_large",
            Self::TooManyHeaders => "too_many_headers",
            Self::TooManyInterimResponses => "too_many_interim_responses",
            Self::BadContentLength => "bad_content_length",
            Self::ConflictingContentLength => "conflicting_content_length",
            Self::BadTransferEncoding => "bad_transfer_encoding",
            Self::TransferEncodingInHttp10 => "transfer_encoding_in_http10",
            Self::LengthAndTransferEncoding => "length_and_transfer_encoding",
            Self::BadChunkSize => "bad_chunk_size",
            Self::ChunkSizeOverflow => "chunk_size_overflow",
            Self::ChunkLineTooLong => "chunk_line_too_long",
            Self::BadChunkEnd => "bad_chunk_end",
            Self::BadTrailer => "bad_trailer",
            Self::TrailersTooLarge => "trailers_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::UnexpectedBytes => "unexpected_bytes",
            Self::ClosedEarly { got_any: false } => "closed_before_response",
            Self::ClosedEarly { got_any: true } => "closed_early",
        }
    }

    /// The peer closed the connection, as opposed to sending something wrong.
    pub const fn is_close(self) -> bool {
        matches!(self, Self::ClosedEarly { .. })
    }
}
