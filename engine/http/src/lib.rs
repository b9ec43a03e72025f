//! HTTP/1.1 as pure functions of bytes: request encoding, response parsing, request parsing for servers, content codings,
//! digest authentication, cookies, and the masking of secrets in what is shown of an exchange.
//!
//! Nothing here reads or writes a socket. The caller hands over the bytes it received, in whatever pieces they came,
//! and is told when a message is complete and how many of those bytes belonged to it.
//!
//! What this crate guarantees:
//!
//! - The result depends on the bytes alone, never on how they were split.
//! - A message that breaks framing is a [`ProtocolError`]: never a hang, never a panic, and never a second message made
//!   of what the first one smuggled in. After an error a parser gives nothing more until it is told to begin anew.
//! - Whatever the peer can make long has a limit: heads, header counts, interim responses, chunk lines, trailers, and
//!   the bodies that are kept ([`Limits`]). A body that is only counted may be endless.
//! - A response that arrives in one piece is parsed in place, in one pass, without allocating; a piece of it is copied
//!   only where [`Keep`] asks for that.
//! - What [`encode_request`] writes is one request: no method, target, header or cookie can carry a second one.
//! - A [`Decoder`] never makes more of a body than it is allowed to.
//! - [`mask_exchange`] takes secrets out of the text of an exchange, whole or cut, and leaves a text without any as it is.
//! - A [`CookieJar`] sends a cookie only where RFC 6265 lets it, and holds a bounded number of bounded cookies.
//!
//! Reading order: [`ResponseParser`] (the client's path), the head, its memo and its framing fields, the body and its chunks,
//! [`RequestParser`] (the server's path, on the same parts), [`encode_request`], [`Decoder`], [`DigestChallenge`],
//! [`CookieJar`] and its dates, [`mask_exchange`].

#![forbid(unsafe_code)]

mod body;
mod chunked;
mod cookies;
mod date;
mod decode;
mod digest;
mod directives;
mod encode;
mod error;
mod fields;
mod head;
mod keep_alive;
mod limits;
mod mask;
mod memo;
mod request_parser;
mod response;
mod response_parser;
mod syntax;

pub use cookies::{CookieJar, COOKIES_MAX, COOKIES_PER_DOMAIN_MAX, COOKIE_BYTES_MAX};
pub use decode::{Coding, Codings, DecodeError, Decoder, CODINGS_MAX, DECODED_BODY_BYTES_MAX};
pub use digest::{Algorithm, DigestChallenge, DigestUse, CHALLENGE_BYTES_MAX};
pub use directives::Directives;
pub use encode::{
    encode_request, validate_header, validate_host, validate_method, validate_target, EncodeError, EncodeOptions,
    ThroughProxy,
};
pub use error::ProtocolError;
pub use keep_alive::KeepAlive;
pub use limits::{
    Limits, BODY_START_BYTES, CHUNK_LINE_BYTES_MAX, HEADERS_MAX, HEAD_BYTES_DEFAULT, INTERIM_RESPONSES_MAX,
    KEPT_BODY_BYTES_DEFAULT, RETAINED_BUFFER_BYTES, TRAILER_BYTES_MAX,
};
pub use mask::{
    is_secret, mask_exchange, mask_text, mask_url, ExchangeText, MessageText, MASK, SECRETS_MAX, SECRET_BYTES_MIN,
};
pub use request_parser::{Request, RequestParser, RequestProgress};
pub use response::{Keep, Response, Version};
pub use response_parser::{Progress, ResponseParser};
