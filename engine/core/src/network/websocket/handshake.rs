//! The request that asks for a WebSocket connection, and what its answer must be (RFC 6455 section 4).

use std::borrow::Cow;

use pummel_case::RenderedRequest;
use pummel_http::{encode_request, EncodeError, EncodeOptions, Response};
use tungstenite::handshake::{client::generate_key, derive_accept_key};

use crate::{error::Kind, network::exchange::Unanswered};

/// Header fields that are the handshake's own, whatever the case says. No extension is offered, so none may be asked for.
const OWN_FIELDS: [&str; 5] =
    ["Connection", "Sec-Websocket-Extensions", "Sec-Websocket-Key", "Sec-Websocket-Version", "Upgrade"];

/// A handshake under way.
pub(super) struct Handshake {
    /// The random value whose transform the server must answer with.
    key: String,
    /// The request.
    pub(super) bytes: Vec<u8>,
    /// The subprotocols that were asked for, as they stand in the request; empty for none.
    protocols: String,
}

impl Handshake {
    /// Writes the request down. `cookies` stand in its `Cookie` field.
    ///
    /// # Errors
    /// A part that cannot stand in a request.
    pub(super) fn new(
        request: &RenderedRequest,
        authority: &str,
        cookies: &[u8],
        user_agent: &str,
    ) -> Result<Self, EncodeError> {
        let key = generate_key();
        let own = [
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", &*key),
            ("Sec-WebSocket-Version", "13"),
            ("Upgrade", "websocket"),
        ];
        let is_own = |name: &str| OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name));
        let headers = request.headers().filter(|(name, _)| !is_own(name)).chain(own);
        let options = EncodeOptions { user_agent, cookies, ..EncodeOptions::default() };
        let mut bytes = Vec::new();
        encode_request(&mut bytes, "GET", request.target(), authority, headers, None, options)?;
        let protocols = request.headers().find(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Protocol"));
        let protocols = protocols.map_or_else(String::new, |(_, value)| value.to_owned());
        Ok(Self { key, bytes, protocols })
    }

    /// Whether the server took it (RFC 6455 section 4.1, what the client must verify).
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub(super) fn verify(&self, response: &Response) -> Result<(), Unanswered> {
        let field = |name| response.header(name).map(String::from_utf8_lossy).unwrap_or_default();
        let reason = if response.status != 101 {
            Cow::Owned(format!("the server answered the handshake with {} in place of 101", response.status))
        } else if !has_token(&field("Upgrade"), "websocket") || !has_token(&field("Connection"), "upgrade") {
            Cow::Borrowed("the server's handshake does not upgrade the connection to a websocket")
        } else if field("Sec-WebSocket-Accept") != derive_accept_key(self.key.as_bytes()) {
            Cow::Borrowed("the server's handshake has the wrong accept key: is there a cache in between?")
        } else if !field("Sec-WebSocket-Extensions").trim().is_empty() {
            Cow::Borrowed("the server's handshake turns on an extension nobody asked for")
        } else if !self.offers(&field("Sec-WebSocket-Protocol")) {
            Cow::Borrowed("the server's handshake names a subprotocol nobody asked for")
        } else {
            return Ok(());
        };
        Err(Unanswered::Failed(Kind::WebSocket, reason))
    }

    fn offers(&self, protocol: &str) -> bool {
        protocol.is_empty() || self.protocols.split(',').any(|offered| offered.trim() == protocol)
    }
}

/// Whether a list of tokens holds one, without regard to case.
fn has_token(list: &str, token: &str) -> bool {
    list.split(',').any(|one| one.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use pummel_http::{Keep, Limits, ResponseParser};

    use super::*;

    /// The example of RFC 6455 section 1.3.
    fn handshake(protocols: &str) -> Handshake {
        Handshake { key: "dGhlIHNhbXBsZSBub25jZQ==".into(), bytes: Vec::new(), protocols: protocols.into() }
    }

    fn outcome(handshake: &Handshake, head: &str) -> String {
        let (mut parser, mut response) = (ResponseParser::new(Limits::default()), Response::default());
        parser.begin(false, Keep::ALL);
        parser.feed(head.replace('\n', "\r\n").as_bytes(), &mut response).expect("a response");
        match handshake.verify(&response) {
            Ok(()) => "taken".to_owned(),
            Err(Unanswered::Failed(kind, reason)) => format!("{}: {reason}", kind.label()),
            Err(Unanswered::Abandoned) => unreachable!("nobody cut it off"),
        }
    }

    #[test]
    fn an_answer_must_be_what_the_protocol_asks_for() {
        let good = "HTTP/1.1 101 x\nUpgrade: WebSocket\nConnection: keep-alive, Upgrade\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n";
        let of = |head: &str| outcome(&handshake("chat, superchat"), head);
        assert_eq!(of(&format!("{good}\n")), "taken");
        assert_eq!(of(&format!("{good}Sec-WebSocket-Protocol: superchat\n\n")), "taken");
        let failed = |head: &str, reason: &str| assert_eq!(of(head), format!("websocket: {reason}"));
        failed("HTTP/1.1 404 x\nContent-Length: 0\n\n", "the server answered the handshake with 404 in place of 101");
        failed(
            "HTTP/1.1 101 x\nUpgrade: h2c\nConnection: upgrade\n\n",
            "the server's handshake does not upgrade the connection to a websocket",
        );
        failed(
            &format!("{}\n", good.replace("s3p", "S3p")),
            "the server's handshake has the wrong accept key: is there a cache in between?",
        );
        failed(
            &format!("{good}Sec-WebSocket-Extensions: permessage-deflate\n\n"),
            "the server's handshake turns on an extension nobody asked for",
        );
        failed(
            &format!("{good}Sec-WebSocket-Protocol: chat2\n\n"),
            "the server's handshake names a subprotocol nobody asked for",
        );
    }
}
