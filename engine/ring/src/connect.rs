//! Where a connection goes and how its socket is set before it does.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    path::Path,
    sync::Arc,
    time::Duration,
};

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

/// Where a connection goes. Clones share what they hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// TCP over IPv4 or IPv6.
    Inet(SocketAddr),
    /// A Unix stream socket by its path in the file system.
    Unix(Arc<Path>),
}

impl fmt::Display for Address {
    /// `127.0.0.1:80`, `[::1]:80`, `unix:/run/app.sock`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl Address {
    fn to_sock_addr(&self) -> io::Result<SockAddr> {
        match self {
            Self::Inet(address) => Ok(SockAddr::from(*address)),
            Self::Unix(path) => SockAddr::unix(path),
        }
    }
}

/// Options of a socket that is about to connect. For a Unix socket none of them means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectOptions {
    /// `TCP_NODELAY`: small writes are not held back (Nagle's algorithm is off).
    pub nodelay: bool,
    /// Keep-alive probes after so long without traffic, and as far apart; whole seconds, at least one. None sends none.
    pub keepalive: Option<Duration>,
    /// The address the connection comes from; none leaves the choice to the kernel. Of the destination's family.
    pub source: Option<IpAddr>,
    /// Every close is a reset (`SO_LINGER` of 0): what is not sent is thrown away, and no port rests in TIME_WAIT.
    pub reset_at_close: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { nodelay: true, keepalive: None, source: None, reset_at_close: false }
    }
}

/// Makes the socket for a connection, and the address as the kernel takes it. It is left blocking: with `O_NONBLOCK` the
/// ring would report EAGAIN instead of waiting.
pub(crate) fn socket(address: &Address, options: &ConnectOptions) -> io::Result<(Socket, SockAddr)> {
    let to = address.to_sock_addr()?;
    let Address::Inet(inet) = address else {
        return Ok((Socket::new(Domain::UNIX, Type::STREAM, None)?, to));
    };
    let socket = Socket::new(Domain::for_address(*inet), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(options.nodelay)?;
    if let Some(every) = options.keepalive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(every).with_interval(every))?;
    }
    if options.reset_at_close {
        socket.set_linger(Some(Duration::ZERO))?;
    }
    if let Some(source) = options.source {
        bind_address_only(&socket, source)?;
    }
    Ok((socket, to))
}

/// Binds to an address and leaves the port to the connect, which knows the destination: so one port serves connections to
/// different destinations, as without a bind (ip(7), `IP_BIND_ADDRESS_NO_PORT`, Linux 4.2).
fn bind_address_only(socket: &Socket, source: IpAddr) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open, and the value is a c_int that outlives the call, its size beside it.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    socket.bind(&SockAddr::from(SocketAddr::new(source, 0)))
}
