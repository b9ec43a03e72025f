//! The endpoint that Prometheus scrapes.
//!
//! It is a listener of the standard library and httparse, which is in the tree already: a scrape is one request without a body and one
//! answer. What a library for servers would add is what must not be here: connections without bound, and clients that are waited for.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::{Duration, Instant, SystemTime};

use super::sender::{lock, SharedState};
use super::{client_model, text};
use crate::background::step_back;

/// Connections served at once; one more is closed. A scraper opens one.
const CONNECTIONS_MAX: usize = 16;

/// Longest head of a request, bytes. Prometheus sends some 400.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Fields of a request's head.
const FIELDS_MAX: usize = 64;

/// Longest time of a connection, from its first byte to its last.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long the loop rests when no connection can be taken, for want of descriptors as a rule.
const REST: Duration = Duration::from_millis(100);

/// Why the endpoint cannot be there.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Not an address with a port.
    #[error("\"{0}\" is not an address with a port, such as :9100 or 127.0.0.1:9100")]
    Address(String),
    /// The system refused.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
}

/// Takes the port at which metrics can be scraped: `127.0.0.1:9100`, or `:9100` on every address of this machine.
///
/// # Errors
/// It is no address, or the port is taken.
pub fn listen(address: &str) -> Result<TcpListener, ListenError> {
    let not_one = || ListenError::Address(address.chars().take(100).collect());
    let addresses: Vec<SocketAddr> = match address.strip_prefix(':') {
        // That of IPv6 takes IPv4 too, where there is IPv6.
        Some(port) => {
            let port: u16 = port.parse().map_err(|_| not_one())?;
            vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
        }
        None => address.to_socket_addrs().map_err(|_| not_one())?.collect(),
    };
    let listen = |source| ListenError::Listen { address: address.to_owned(), source };
    let mut refused = None;
    for one in addresses {
        match TcpListener::bind(one) {
            Ok(listener) => return Ok(listener),
            // Of a port that is taken on all addresses a part may be free.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(listen(error)),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.map_or_else(not_one, listen))
}

/// The endpoint. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: SocketAddr,
    closing: Arc<AtomicBool>,
}

impl Endpoint {
    /// Begins to serve.
    ///
    /// # Errors
    /// The system refused a thread.
    pub(super) fn start(listener: TcpListener, state: SharedState) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let closing = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&closing);
        Builder::new().name("metrics".to_owned()).spawn(move || {
            step_back();
            serve(&listener, state, &seen);
        })?;
        Ok(Self { address, closing })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        // The thread waits for a connection; this is one.
        let mut own = self.address;
        match own {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => own.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => own.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let _ = TcpStream::connect_timeout(&own, REST);
    }
}

fn serve(listener: &TcpListener, state: SharedState, closing: &AtomicBool) {
    let source = Arc::new(Source::new(state));
    let open = Arc::new(AtomicUsize::new(0));
    for connection in listener.incoming() {
        if closing.load(Ordering::Relaxed) {
            return;
        }
        let Ok(connection) = connection else {
            std::thread::sleep(REST);
            continue;
        };
        // Only this thread adds, so the bound holds; one that is not served is closed by being dropped.
        if open.load(Ordering::Acquire) >= CONNECTIONS_MAX {
            continue;
        }
        let place = Place::taken(&open);
        let source = Arc::clone(&source);
        let _ = Builder::new().name("metrics-scrape".to_owned()).spawn(move || {
            let _place = place;
            step_back();
            // Whoever does not take the answer has none.
            let _ = answer(connection, &source, Instant::now() + TIMEOUT);
        });
    }
}

/// One of the [`CONNECTIONS_MAX`], given back when it is dropped, also if no thread could be started or one broke down.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn taken(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What is answered.
struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: Arc<Vec<u8>>,
}

/// What there is to answer from.
#[derive(Debug)]
struct Source {
    state: SharedState,
    text: Mutex<Option<Written>>,
    protobuf: Mutex<Option<Written>>,
}

/// A body, and when the state it was made of was last changed: who asks again within a second costs no more than the sending.
#[derive(Debug)]
struct Written {
    of: SystemTime,
    body: Arc<Vec<u8>>,
}

impl Source {
    fn new(state: SharedState) -> Self {
        Self { state, text: Mutex::default(), protobuf: Mutex::default() }
    }

    fn metrics(&self, protobuf: bool) -> Answer {
        let (kept, content_type) =
            if protobuf { (&self.protobuf, client_model::CONTENT_TYPE) } else { (&self.text, text::CONTENT_TYPE) };
        let mut kept = lock(kept);
        let state = lock(&self.state);
        let of = state.updated_at;
        let body = match &*kept {
            Some(written) if written.of == of => Arc::clone(&written.body),
            _ => {
                let families = state.families();
                drop(state);
                let body = if protobuf { client_model::encode(&families) } else { text::encode(&families) };
                let body = Arc::new(body);
                *kept = Some(Written { of, body: Arc::clone(&body) });
                body
            }
        };
        Answer { status: "200 OK", content_type, body }
    }
}

impl Answer {
    fn text(status: &'static str, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: Arc::new(format!("{body}\n").into_bytes()) }
    }
}

fn answer(mut connection: TcpStream, source: &Source, until: Instant) -> io::Result<()> {
    let head = read_head(&mut connection, until)?;
    let (answer, only_head) = match &head {
        Some(head) => respond(head, source),
        None => (Answer::text("431 Request Header Fields Too Large", "the head is too large"), false),
    };
    let Answer { status, content_type, body } = answer;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    write_all(&mut connection, head.as_bytes(), until)?;
    if !only_head {
        write_all(&mut connection, &body, until)?;
    }
    connection.shutdown(Shutdown::Write)
}

/// The bytes of the head; `None` where it is too long.
fn read_head(connection: &mut TcpStream, until: Instant) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut part = [0; 2048];
    loop {
        connection.set_read_timeout(Some(time_left(until)?))?;
        let count = match connection.read(&mut part) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        head.extend_from_slice(&part[..count]);
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(head));
        }
        if head.len() > HEAD_BYTES_MAX {
            return Ok(None);
        }
    }
}

/// Writes with one limit of time for the whole, as a client may take a byte at a time.
fn write_all(connection: &mut TcpStream, mut bytes: &[u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        connection.set_write_timeout(Some(time_left(until)?))?;
        match connection.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn time_left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// The answer, and whether only its head is wanted.
fn respond(head: &[u8], source: &Source) -> (Answer, bool) {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        _ => return (Answer::text("400 Bad Request", "not a request of HTTP/1.1"), false),
    }
    let only_head = request.method == Some("HEAD");
    if !only_head && request.method != Some("GET") {
        return (Answer::text("405 Method Not Allowed", "only GET and HEAD"), false);
    }
    let path = request.path.unwrap_or_default().split('?').next().unwrap_or_default();
    let accepted = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("accept"));
    let accepted: Vec<_> = accepted.map(|field| String::from_utf8_lossy(field.value)).collect();
    let answer = match path {
        "/metrics" => source.metrics(wants_protobuf(&accepted.join(","))),
        "/" => Answer::text("200 OK", "Metrics of a run of pummel: /metrics"),
        _ => Answer::text("404 Not Found", "the metrics are at /metrics"),
    };
    (answer, only_head)
}

/// Whether the field `Accept` prefers the protobuf messages, with their lengths before them, to text (RFC 9110 section 12.5.1).
fn wants_protobuf(accept: &str) -> bool {
    let (mut protobuf, mut text) = (0.0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let media = parts.next().unwrap_or_default();
        let parameters: Vec<_> = parts.collect();
        let has = |parameter: &str| parameters.iter().any(|one| one == parameter);
        let quality = parameters.iter().find_map(|one| one.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0_f64);
        match media.as_str() {
            "application/vnd.google.protobuf"
                if has("encoding=delimited") && has("proto=io.prometheus.client.metricfamily") =>
            {
                protobuf = quality.max(protobuf);
            }
            "text/plain" => text = quality.max(text),
            _ => {}
        }
    }
    protobuf > 0.0 && protobuf >= text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protobuf_is_for_who_prefers_it() {
        const PROTOBUF: &str =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        // Prometheus 2.42 with and without native histograms, and 2.5x with its list of protocols.
        let with = format!("{PROTOBUF},application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1");
        assert!(wants_protobuf(&with));
        assert!(!wants_protobuf("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
        assert!(wants_protobuf(&format!("{PROTOBUF};q=0.6, text/plain;version=0.0.4;q=0.3")));
        assert!(!wants_protobuf(&format!("{PROTOBUF};q=0.2, text/plain;version=0.0.4;q=0.3")));
        assert!(!wants_protobuf(&format!("{PROTOBUF};q=0")));
        assert!(!wants_protobuf("application/vnd.google.protobuf"));
        assert!(!wants_protobuf(""));
    }

    #[test]
    fn addresses_are_read_and_a_taken_port_is_said() {
        assert!(matches!(listen("nine"), Err(ListenError::Address(_))));
        assert!(matches!(listen(":x"), Err(ListenError::Address(_))));
        assert!(matches!(listen(":99999"), Err(ListenError::Address(_))));
        let taken = listen("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = listen(&address).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
        let everywhere = listen(":0").unwrap();
        assert!(everywhere.local_addr().unwrap().ip().is_unspecified());
    }
}
