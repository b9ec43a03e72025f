//! What of a plan concerns the network: connections, protocols, addresses, time limits.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{json, Value};

/// Connections, time limits and retries.
#[derive(Debug, Clone)]
pub struct Network {
    /// Whose connections are whose.
    pub connections: Connections,
    /// False closes each connection after one response (`--disable-keepalive`).
    pub keepalive: bool,
    /// Requests a connection carries before it is closed, or no bound. At least 1.
    pub max_requests_per_connection: Option<u64>,
    /// How old a connection may be when a request is put on it, or no bound.
    pub max_connection_age: Option<Duration>,
    /// The longest a connection may take to open, TLS and a proxy's tunnel included.
    pub connect_timeout: Duration,
    /// The longest from a request's first byte to its last body byte, unless its step or case says otherwise.
    pub request_timeout: Duration,
    /// Which requests are sent again when a reused connection turns out to be dead.
    pub retry_stale: RetryStale,
    /// The `User-Agent` of requests that do not set their own.
    pub user_agent: String,
    /// `Accept-Encoding: gzip` stands in requests that do not set their own and ask for no range (hrp spec 11.4).
    pub ask_for_gzip: bool,
    /// How many redirects of one request are followed; 0 follows none. A step's `allow_redirects: false` stands above it.
    pub max_redirects: u32,
    /// How long a user's cookies stay.
    pub cookies: Cookies,
    /// TLS of `https` and `wss`.
    pub tls: Tls,
    /// HTTP/2.
    pub http2: Http2,
    /// Where connections go and come from.
    pub addresses: Addresses,
    /// Options of TCP sockets.
    pub tcp: Tcp,
    /// What stands between.
    pub proxies: Proxies,
    /// The phases of each request are recorded, not only those of each connection (`--http-stat`).
    pub request_phases: bool,
}

impl Default for Network {
    /// Of a plain HTTP/1.1 client: a connection for each user, no redirects, no cookies, certificates verified.
    fn default() -> Self {
        Self {
            connections: Connections::PerUser,
            keepalive: true,
            max_requests_per_connection: None,
            max_connection_age: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            retry_stale: RetryStale::Idempotent,
            user_agent: String::new(),
            ask_for_gzip: false,
            max_redirects: 0,
            cookies: Cookies::Off,
            tls: Tls::default(),
            http2: Http2::default(),
            addresses: Addresses::default(),
            tcp: Tcp::default(),
            proxies: Proxies::default(),
            request_phases: false,
        }
    }
}

impl Network {
    /// Requests a connection carries at most.
    pub(crate) fn requests_per_connection_max(&self) -> u64 {
        if self.keepalive {
            self.max_requests_per_connection.unwrap_or(u64::MAX)
        } else {
            1
        }
    }

    /// Users that share an HTTP/2 connection at most. They are no more than it may carry requests: the others would wait for
    /// nothing.
    pub(crate) fn users_per_http2_connection(&self) -> u32 {
        let seats = u64::from(self.http2.streams).min(self.requests_per_connection_max());
        seats.max(1) as u32
    }
}

/// How long the cookies of a user stay (hrp spec 11.5). No user ever sees those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookies {
    /// None are kept: what a server sets is not sent back.
    Off,
    /// To the end of the iteration; those of the once-per-user steps stay.
    PerIteration,
    /// As long as the user. In a functional run: as long as the case.
    PerUser,
}

/// Who may use an idle connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// Each user keeps its own, one per origin: as many sockets as users, as with real clients.
    PerUser,
    /// As [`PerUser`](Self::PerUser), and closed at the end of each iteration: each begins as a new visitor.
    PerIteration,
    /// A core's users share them, the last used first: as many sockets as requests in flight at most.
    Shared {
        /// Connections to one origin at most, over all cores; users then wait for one, first come, first served. None for no bound.
        /// At least 1; with fewer than there are CPUs, only so many CPUs are used.
        most: Option<u32>,
    },
}

/// Which requests are retried once after a reset of a reused idle connection (design: only before any response byte).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryStale {
    /// GET, HEAD, PUT, DELETE and OPTIONS (RFC 9110 section 9.2.2).
    Idempotent,
    /// Every method, POST and PATCH too (`--retry-stale all`).
    All,
}

/// TLS of a run.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificates are verified, unless a step says otherwise (`verify`).
    pub verify: bool,
    /// PEM files with roots that count beside the system's.
    pub ca_files: Vec<PathBuf>,
    /// What the client shows where a server asks for it.
    pub client: Option<ClientCertificate>,
    /// The name that is asked for (SNI) and verified, in place of the URL's host.
    pub server_name: Option<String>,
    /// The oldest version that is spoken.
    pub least: TlsVersion,
    /// Sessions are resumed. False makes every handshake a full one.
    pub resumption: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            verify: true,
            ca_files: Vec::new(),
            client: None,
            server_name: None,
            least: TlsVersion::V1_2,
            resumption: true,
        }
    }
}

/// A client's certificate and its key, PEM files both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and its chain.
    pub certificate: PathBuf,
    /// Its private key, which may be the same file.
    pub key: PathBuf,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// HTTP/2 (RFC 9113).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2 {
    /// Requests go over HTTP/2 unless their step says otherwise: by ALPN with `https`, by prior knowledge with `http`.
    pub all: bool,
    /// Users of a core that share one connection, each with a stream of its own. At least 1.
    pub streams: u32,
}

impl Default for Http2 {
    fn default() -> Self {
        Self { all: false, streams: 1 }
    }
}

/// Where connections go and where they come from.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// Hosts and ports that are somewhere else than their name says. The first that fits counts; where it names another host,
    /// the first that gives addresses of that one counts next.
    pub overrides: Vec<Override>,
    /// Every connection goes to this Unix socket.
    pub unix_socket: Option<Arc<Path>>,
    /// Which addresses of a name are used.
    pub family: IpFamily,
    /// How old the addresses of a name may be before a new connection has it looked up again, while the old ones go on
    /// serving; none: to the end of the run.
    pub ttl: Option<Duration>,
    /// Source addresses of connections, taken in turn; none leaves the choice to the kernel.
    pub sources: Vec<IpAddr>,
}

/// A host and port that is somewhere else (`--resolve`, `--connect-to`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The host in lower case; none for all.
    pub host: Option<String>,
    /// The port; none for all.
    pub port: Option<u16>,
    /// Where it is.
    pub via: Via,
}

/// Where connections to an overridden host go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// To these addresses in turn, to the port of the URL.
    Addresses(Vec<IpAddr>),
    /// To another host or port.
    Host {
        /// A name or address; none keeps the URL's.
        host: Option<String>,
        /// The port; none keeps the URL's.
        port: Option<u16>,
    },
    /// To a Unix socket.
    Unix(Arc<Path>),
}

/// Addresses of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IpFamily {
    /// All a name has, in the resolver's order.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// Options of TCP sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp {
    /// `TCP_NODELAY`: small writes are not held back.
    pub nodelay: bool,
    /// Keep-alive probes after so long without traffic; none sends none.
    pub keepalive: Option<Duration>,
    /// How connections are closed.
    pub close: Close,
}

impl Default for Tcp {
    fn default() -> Self {
        Self { nodelay: true, keepalive: None, close: Close::Fin }
    }
}

/// How connections are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// In order, as real clients do.
    Fin,
    /// With a reset: no port stays in TIME_WAIT, and servers may log errors.
    Rst,
}

/// Proxies by the scheme of the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` and `ws`.
    pub http: Option<Proxy>,
    /// For `https` and `wss`.
    pub https: Option<Proxy>,
    /// Hosts that are reached without one, as in `NO_PROXY`: `name` is a host and all below it, `.name` those below it, an address
    /// is itself, `address/bits` a network, `*` everything; a name or an address may end in `:port`.
    pub none_for: Vec<String>,
}

impl Proxies {
    /// As they stand in a summary, without credentials; null where there are none.
    pub(super) fn describe(&self) -> Value {
        if self.http.is_none() && self.https.is_none() {
            return Value::Null;
        }
        let place = |proxy: &Option<Proxy>| proxy.as_ref().map(|proxy| proxy.place().to_string());
        json!({ "http": place(&self.http), "https": place(&self.https), "none_for": self.none_for })
    }
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// TLS to the proxy itself.
    pub https: bool,
    /// A name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `user:password` for `Proxy-Authorization`.
    pub credentials: Option<String>,
}
