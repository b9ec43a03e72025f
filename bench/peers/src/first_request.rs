//! How long Pummel takes from its start to its first request.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::{
    bench::{arguments, Bench},
    error::{BenchError, Doing},
    goals::Verdict,
    spread::Spread,
    table,
};

/// Starts of the program.
const TIMES: usize = 10;
/// From the start to the first request.
const FIRST_REQUEST_MS_MAX: f64 = 50.0;
/// How long the server here waits for a client that does not come, or does not go.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks for one; the error of a stamp.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// Milliseconds since the program's start, taskset's own included, of its connection and its first bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamps {
    accepted_ms: f64,
    /// The first bytes of its first request.
    pub(crate) first_bytes_ms: f64,
}

/// Starts Pummel ten times with one request for a server here.
pub(crate) fn run(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    let one = || once(bench, |url| Ok(arguments(["hit", url, "-c", "1", "-n", "1"])));
    let stamps = (0..TIMES).map(|_| one()).collect::<Result<Vec<_>, _>>()?;
    let heading = ["from the start to", "median ms", "least ms", "most ms"].map(String::from).to_vec();
    let mut rows = vec![heading];
    let accepted = Spread::of(stamps.iter().map(|stamps| stamps.accepted_ms));
    let first_bytes = Spread::of(stamps.iter().map(|stamps| stamps.first_bytes_ms));
    for (name, spread) in [("connection accepted", accepted), ("first bytes of a request", first_bytes)] {
        let figure = |of: fn(Spread) -> f64| table::or_dash(spread.map(|spread| format!("{:.1}", of(spread))));
        rows.push(vec![name.into(), figure(|of| of.median), figure(|of| of.min), figure(|of| of.max)]);
    }
    let what = "start to first request, median";
    let verdict = first_bytes
        .map(|spread| Verdict::at_most(what, spread.median, FIRST_REQUEST_MS_MAX, |ms| format!("{ms:.1} ms")));
    Ok((table::markdown(&rows), verdict.into_iter().collect()))
}

/// One start of Pummel, with arguments that make it send a single request to a URL of a server here.
pub(crate) fn once(
    bench: &Bench,
    args: impl FnOnce(&str) -> Result<Vec<String>, BenchError>,
) -> Result<Stamps, BenchError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("listen on the loopback")?;
    let url = format!("http://{}/", listener.local_addr().doing("listen on the loopback")?);
    let args = args(&url)?;
    thread::scope(|scope| {
        let start = Instant::now();
        let server = scope.spawn(move || serve_one(&listener, start));
        let ran = bench.run_pummel(args, PATIENCE.as_secs(), |_| {});
        let stamps = server.join().unwrap_or_else(|_| Err(io::Error::other("the server here panicked")));
        // A client that failed says more than a server nobody came to.
        ran?;
        stamps.doing("serve pummel's first request")
    })
}

/// Answers one request on one connection and waits until the client has closed it.
fn serve_one(listener: &TcpListener, start: Instant) -> io::Result<Stamps> {
    let ms = || start.elapsed().as_secs_f64() * 1000.0;
    let mut socket = accept_in_time(listener, start)?;
    let accepted_ms = ms();
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let mut first_bytes_ms = None;
    while !request.ends_with(b"\r\n\r\n") {
        let count = socket.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        first_bytes_ms.get_or_insert_with(ms);
        request.extend_from_slice(&buffer[..count]);
    }
    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
    while socket.read(&mut buffer)? > 0 {}
    Ok(Stamps { accepted_ms, first_bytes_ms: first_bytes_ms.unwrap_or(accepted_ms) })
}

fn accept_in_time(listener: &TcpListener, start: Instant) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && start.elapsed() < PATIENCE => {
                thread::sleep(LOOK_EVERY);
            }
            result => return result.map(|(socket, _)| socket),
        }
    }
}
