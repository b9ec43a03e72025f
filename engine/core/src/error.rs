//! Why a run could not start, and what can go wrong with a request.

use std::io;

/// Why a run could not start. Each text says what, where and what next.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The plan holds no case, no CPU, or no user.
    #[error("nothing to run: {0}")]
    EmptyPlan(&'static str),
    /// io_uring cannot be used here.
    #[error(transparent)]
    Ring(#[from] pummel_ring::Unavailable),
    /// A core's thread or executor did not start.
    #[error("core {cpu} did not start: {reason}")]
    Core {
        /// The CPU it was to run on.
        cpu: usize,
        /// What the system said.
        reason: String,
    },
    /// The stats thread did not start, or broke down.
    #[error(transparent)]
    Stats(#[from] pummel_stats::StatsError),
    /// None of the hosts has an address.
    #[error("cannot resolve {host}: {error}; check the name in base_url or the URL, or pass --base-url")]
    Unresolvable {
        /// The host as written.
        host: String,
        /// What getaddrinfo said.
        error: io::Error,
    },
    /// A file or name of the TLS flags cannot be used.
    #[error(transparent)]
    Tls(#[from] crate::TlsFileError),
    /// The proxy has no address, and no host is reached without it.
    #[error("cannot resolve the proxy {host}: {error}; check the name in --proxy, or in the environment with --proxy-from-env")]
    UnresolvableProxy {
        /// The host as written.
        host: String,
        /// What getaddrinfo said.
        error: io::Error,
    },
    /// The descriptor limit is too low for the plan.
    #[error(
        "{needed} descriptors are needed for {users} users, but the limit is {limit}: raise it with \
         `ulimit -n {needed}` (hard limit: LimitNOFILE in systemd, /etc/security/limits.conf), or use fewer users"
    )]
    Descriptors {
        /// What the plan needs.
        needed: u64,
        /// Users of the plan.
        users: u32,
        /// The hard limit.
        limit: u64,
    },
    /// The limit of locked memory is too low for the executors.
    #[error(
        "{needed} bytes of lockable memory are needed for {cores} cores, but the limit is {limit}: raise it with \
         `ulimit -l`, LimitMEMLOCK in systemd, or use --cores"
    )]
    LockedMemory {
        /// What the executors need.
        needed: u64,
        /// Cores of the plan.
        cores: usize,
        /// The hard limit.
        limit: u64,
    },
}

/// The kinds of errors a request ends with: the labels of reports, of bounded number (design: no URL, no payload).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Dns,
    ConnectRefused,
    ConnectTimeout,
    ConnectFailed,
    Proxy,
    AddressExhausted,
    Descriptors,
    Memory,
    Tls,
    Reset,
    ClosedEarly,
    RequestTimeout,
    Protocol,
    StreamReset,
    GoAway,
    Redirect,
    BodyDecode,
    Assertion,
    Extraction,
    Variable,
    Function,
    Plugin,
    Request,
    WebSocket,
}

impl Kind {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::ConnectFailed => "connect_failed",
            Self::Proxy => "proxy",
            Self::AddressExhausted => "address_exhausted",
            Self::Descriptors => "descriptors",
            Self::Memory => "memory",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::ClosedEarly => "closed_early",
            Self::RequestTimeout => "request_timeout",
            Self::Protocol => "protocol",
            Self::StreamReset => "stream_reset",
            Self::GoAway => "goaway",
            Self::Redirect => "redirect",
            Self::BodyDecode => "body_decode",
            Self::Assertion => "assertion",
            Self::Extraction => "extraction",
            Self::Variable => "variable",
            Self::Function => "function",
            Self::Plugin => "plugin",
            Self::Request => "request",
            Self::WebSocket => "websocket",
        }
    }

    /// What the report says of it where the failure has no text of its own.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Dns => "the host name does not resolve",
            Self::ConnectRefused => "connection refused: is the server running on that port?",
            Self::ConnectTimeout => "the connection did not open within --connect-timeout",
            Self::ConnectFailed => "the connection could not be opened",
            Self::Proxy => "the proxy did not do what it was asked",
            Self::AddressExhausted => {
                "no ephemeral port is free (EADDRNOTAVAIL): keep connections alive, add --source-ip, widen \
                 net.ipv4.ip_local_port_range, set net.ipv4.tcp_tw_reuse=1, or use fewer users"
            }
            Self::Descriptors => "no descriptor is free (EMFILE): raise `ulimit -n`",
            Self::Memory => "this machine has no memory for another socket (ENOMEM, ENOBUFS): use fewer users, or raise net.ipv4.tcp_mem",
            Self::Tls => "TLS failed",
            Self::Reset => "the server reset the connection",
            Self::ClosedEarly => "the server closed the connection before the response was complete",
            Self::RequestTimeout => "no complete response within the request timeout",
            Self::Protocol => "the response is not valid HTTP/1.1",
            Self::StreamReset => "the server reset the stream of the request",
            Self::GoAway => "the server ended the connection before it took the request (GOAWAY)",
            Self::Redirect => "a redirect could not be followed",
            Self::BodyDecode => "the response body could not be read",
            Self::Assertion => "step validation failed",
            Self::Extraction => "a value could not be extracted",
            Self::Variable => "a variable could not be resolved",
            Self::Function => "a function failed",
            Self::Plugin => "the plugin did not do what it was asked",
            Self::Request => "the request could not be built",
            Self::WebSocket => "the websocket could not be used",
        }
    }

    /// The kind of a failed connect, by its `errno`.
    pub(crate) fn of_connect(errno: i32) -> Self {
        use rustix::io::Errno;
        match Errno::from_raw_os_error(errno) {
            Errno::CONNREFUSED => Self::ConnectRefused,
            Errno::TIMEDOUT => Self::ConnectTimeout,
            Errno::ADDRNOTAVAIL => Self::AddressExhausted,
            Errno::MFILE | Errno::NFILE => Self::Descriptors,
            Errno::NOMEM | Errno::NOBUFS => Self::Memory,
            _ => Self::ConnectFailed,
        }
    }
}

impl From<pummel_case::StepErrorKind> for Kind {
    fn from(kind: pummel_case::StepErrorKind) -> Self {
        use pummel_case::StepErrorKind as Step;
        match kind {
            Step::Assertion => Self::Assertion,
            Step::Extraction => Self::Extraction,
            Step::Variable => Self::Variable,
            Step::Function => Self::Function,
            Step::Plugin => Self::Plugin,
            Step::BodyDecode => Self::BodyDecode,
            Step::Request => Self::Request,
        }
    }
}
