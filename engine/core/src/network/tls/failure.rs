//! What a failure of TLS says: of bounded number, and never what a peer put into its certificate.

use std::{borrow::Cow, fmt, io};

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible};
use webpki::Error as Reason;

/// Why TLS failed, a sentence for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFailure(pub(crate) Cow<'static, str>);

impl TlsFailure {
    pub(crate) const CLOSED: Self = Self(Cow::Borrowed("the server has closed the TLS connection"));
    pub(crate) const KEY_USED_UP: Self = Self(Cow::Borrowed("the connection's key has encrypted as much as it may"));
    pub(crate) const CUT_OFF: Self = Self(Cow::Borrowed("the server closed the connection during the TLS handshake"));
    pub(crate) const RESET: Self = Self(Cow::Borrowed("the connection broke during the TLS handshake"));
    pub(crate) const TIMEOUT: Self = Self(Cow::Borrowed("the TLS handshake was not complete within --connect-timeout"));
    pub(crate) const NAME: Self = Self(Cow::Borrowed("the URL's host is no name or address TLS can ask for"));
    pub(crate) const NO_ROOTS: Self =
        Self(Cow::Borrowed("certificates cannot be verified: no trusted root certificates were read"));

    /// What an error of our own side says.
    pub(crate) fn of(error: &Error) -> Self {
        Self::from_peer(error, false)
    }

    /// What an error of the peer's records says, in the handshake or after it.
    pub(crate) fn from_peer(error: &Error, handshaking: bool) -> Self {
        let text = match error {
            Error::InvalidCertificate(reason) => certificate(reason),
            Error::AlertReceived(alert) => return Self(alert_received(*alert)),
            // The first bytes are no record's: most likely a server of plain HTTP.
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::InvalidEmptyPayload,
            ) if handshaking => "the server's answer is no TLS: does it speak plain http:// on this port?",
            Error::InvalidMessage(_) => "the server sent a TLS record that cannot be read",
            Error::DecryptError | Error::PeerSentOversizedRecord => "a TLS record of the server cannot be decrypted",
            Error::PeerIncompatible(
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => "the server speaks no version of TLS that this run allows (--tls-min)",
            Error::PeerIncompatible(_) => "the server and this client have no TLS cipher or extension in common",
            Error::NoApplicationProtocol => "the server speaks none of the protocols that were offered (ALPN)",
            Error::NoCertificatesPresented => "the server sent no certificate",
            Error::PeerMisbehaved(_)
            | Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. } => "the server broke the rules of TLS",
            _ => "TLS failed",
        };
        Self(Cow::Borrowed(text))
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsFailure {}

impl TlsFailure {
    /// The failure that an error of a stream was made of, if it was.
    pub(crate) fn behind(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<TlsFailure> for io::Error {
    /// Whoever reads a stream finds the failure again with [`behind`](TlsFailure::behind).
    fn from(failure: TlsFailure) -> Self {
        Self::other(failure)
    }
}

/// What is wrong with a certificate.
fn certificate(reason: &CertificateError) -> &'static str {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the server's certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet"
        }
        CertificateError::Revoked => "the server's certificate was revoked",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name (--tls-server-name asks for another)"
        }
        CertificateError::UnknownIssuer => UNKNOWN_ISSUER,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the server's certificate is not one for servers"
        }
        CertificateError::BadSignature => "a signature of the server's certificate is wrong",
        CertificateError::BadEncoding => "the server's certificate cannot be read",
        CertificateError::Other(other) => match said_by_webpki(other) {
            // It says so of a certificate that is an authority's, which a self-signed one mostly is.
            Some(Reason::CaUsedAsEndEntity) => UNKNOWN_ISSUER,
            Some(Reason::UnsupportedCertVersion) => {
                "the server's certificate is of X.509 version 1, which cannot be verified"
            }
            _ => NOT_VALID,
        },
        _ => NOT_VALID,
    }
}

/// What webpki has said of a certificate where rustls has no word of its own for it.
pub(super) fn said_by_webpki(other: &OtherError) -> Option<&Reason> {
    other.0.downcast_ref()
}

const NOT_VALID: &str = "the server's certificate is not valid";

const UNKNOWN_ISSUER: &str =
    "the server's certificate is self-signed or its issuer is not trusted (--cacert FILE trusts it)";

/// An alert by its name in RFC 8446 section 6, with what it most likely means.
fn alert_received(alert: AlertDescription) -> Cow<'static, str> {
    let hint = match alert {
        AlertDescription::CertificateRequired => ": it asks for a client certificate (--cert and --key)",
        AlertDescription::ProtocolVersion => ": it speaks no version of TLS that this run allows (--tls-min)",
        AlertDescription::HandshakeFailure => {
            ": no cipher in common, or it asks for a client certificate (--cert and --key)"
        }
        AlertDescription::UnrecognisedName => ": it does not know the host name (--tls-server-name asks for another)",
        AlertDescription::NoApplicationProtocol => ": it speaks none of the protocols that were offered (ALPN)",
        AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::CertificateExpired => {
            ": it does not accept the client certificate"
        }
        _ => "",
    };
    let name = alert.as_str().map_or_else(|| u8::from(alert).to_string(), snake_case);
    Cow::Owned(format!("the server sent the TLS alert {name}{hint}"))
}

/// `HandshakeFailure` as the standard writes it, `handshake_failure`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = None::<char>;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && before.is_some_and(|before| !before.is_ascii_uppercase()) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        before = Some(letter);
    }
    snake
}

/// A file of the TLS flags cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{flag} {path}: {reason}")]
pub struct TlsFileError {
    /// The flag that names it.
    pub flag: &'static str,
    /// Its path as typed.
    pub path: String,
    /// What is wrong, and what to do.
    pub reason: String,
}
