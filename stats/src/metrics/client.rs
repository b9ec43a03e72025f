//! One HTTP request to a receiver, bounded in time.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{parse_pem, Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Error, Timeout};

use crate::display::text::one_line;

/// Most of an answer that is read, bytes: enough for what a receiver says is wrong.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Longest part of an answer that is shown, characters.
const ANSWER_CHARS_MAX: usize = 160;

/// Sends requests, each over a connection of its own: one every few seconds gains nothing by a connection that may be dead by then.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
}

/// A request to send.
pub(super) struct Outgoing<'a> {
    /// It replaces what is there (`PUT`), or adds to it (`POST`).
    pub(super) replaces: bool,
    pub(super) url: &'a str,
    pub(super) authorization: Option<&'a str>,
    pub(super) headers: &'a [(&'static str, &'static str)],
    pub(super) body: &'a [u8],
}

impl Client {
    /// `https` is whether it needs to speak TLS, which takes reading what the system trusts.
    ///
    /// # Errors
    /// The system trusts no certificate.
    pub(super) fn new(https: bool) -> Result<Self, NoRoots> {
        let mut config = Agent::config_builder()
            // Who answers 500 has said why; a redirect is an answer like any other.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            // A proxy of the environment is for what people browse, and not for a receiver that was named.
            .proxy(None)
            .user_agent(concat!("pummel/", env!("CARGO_PKG_VERSION")));
        if https {
            let roots = system_roots();
            if roots.is_empty() {
                return Err(NoRoots);
            }
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::Specific(Arc::new(roots)))
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
            config = config.tls_config(tls.build());
        }
        Ok(Self { agent: config.build().new_agent() })
    }

    /// Sends it, and gives why it did not arrive as the end of a sentence.
    pub(super) fn send(&self, request: &Outgoing, timeout: Duration) -> Result<(), String> {
        let builder = if request.replaces { self.agent.put(request.url) } else { self.agent.post(request.url) };
        let headers =
            request.headers.iter().copied().chain(request.authorization.map(|value| ("Authorization", value)));
        let builder = headers.fold(builder, |builder, (name, value)| builder.header(name, value));
        let sent = builder.config().timeout_global(Some(timeout)).build().send(request.body);
        let mut answer = sent.map_err(|error| reason(&error, timeout))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let mut said = Vec::new();
        // What could be read of it is better than nothing.
        let _ = answer.body_mut().as_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut said);
        match String::from_utf8_lossy(&said).trim() {
            "" => Err(format!("it answered {status}")),
            said => Err(format!("it answered {status}: {}", one_line(said, ANSWER_CHARS_MAX))),
        }
    }
}

/// The system trusts no certificate.
#[derive(Debug)]
pub(super) struct NoRoots;

/// What the system trusts, where OpenSSL looks for it.
fn system_roots() -> Vec<Certificate<'static>> {
    let read = |path: &Path| {
        let pem = std::fs::read(path).unwrap_or_default();
        let certificates = parse_pem(&pem).map_while(Result::ok).filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        });
        certificates.collect::<Vec<_>>()
    };
    let probed = openssl_probe::probe();
    // The file holds what the folder holds one by one.
    if let Some(file) = &probed.cert_file {
        return read(file);
    }
    let entries = probed.cert_dir.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    entries.flat_map(|entry| read(&entry.path())).collect()
}

fn reason(error: &Error, timeout: Duration) -> String {
    match error {
        Error::Timeout(Timeout::Resolve) => "its name was not looked up in time".to_owned(),
        Error::Timeout(_) => format!("no answer within {:.1} s", timeout.as_secs_f64()),
        Error::HostNotFound => "its name is not known".to_owned(),
        Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            ErrorKind::ConnectionReset => "connection reset".to_owned(),
            ErrorKind::UnexpectedEof => "the connection was closed before the answer".to_owned(),
            _ => one_line(&error.to_string(), ANSWER_CHARS_MAX),
        },
        error => one_line(&error.to_string(), ANSWER_CHARS_MAX),
    }
}
