//! A server that speaks HTTP/2 frame by frame (RFC 9113), so that a test can say whatever no real server would.

#![allow(dead_code)] // Each test file uses its part.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    thread,
    time::Duration,
};

/// Frame types (RFC 9113 section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// `:status: 200` of the static table (RFC 7541 appendix A).
pub(crate) const STATUS_200: &[u8] = &[0x88];

/// Settings (RFC 9113 section 6.5.2).
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;

/// No connection of these tests waits longer for its client.
const PATIENCE: Duration = Duration::from_secs(30);

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A response without a body.
pub(crate) fn ok(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
}

/// RST_STREAM with a code.
pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// GOAWAY with the last stream that is taken and a code.
pub(crate) fn go_away(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// SETTINGS.
pub(crate) fn settings(all: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> =
        all.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    frame(SETTINGS, 0, 0, &payload)
}

/// What a server does with a frame it was sent.
pub(crate) enum Answer {
    /// Sends these bytes and goes on.
    Send(Vec<u8>),
    /// Sends these bytes and closes.
    Close(Vec<u8>),
}

/// What a server is told.
pub(crate) struct Received {
    /// Which connection, from 0.
    pub(crate) connection: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A server of the test's own. Its threads end with their connections, the last of them with the test.
pub(crate) struct FrameServer {
    pub(crate) address: SocketAddr,
    /// Requests that came: HEADERS frames.
    pub(crate) requests: Arc<AtomicU32>,
    pub(crate) connections: Arc<AtomicU32>,
}

impl FrameServer {
    /// Starts one that sends these settings and gives each frame that is no settings or ping to `answer`.
    pub(crate) fn start(first: &[(u16, u32)], answer: impl Fn(Received) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (requests, connections) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let (first, answer) = (settings(first), Arc::new(answer));
        let counts = (Arc::clone(&requests), Arc::clone(&connections));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let number = counts.1.fetch_add(1, Ordering::Relaxed);
                let (first, answer, requests) = (first.clone(), Arc::clone(&answer), Arc::clone(&counts.0));
                thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(PATIENCE));
                    let _ = stream.set_nodelay(true);
                    // A client that goes away ends its connection, which is what tests of faults are about.
                    let _ = converse(stream, number, &first, &*answer, &requests);
                });
            }
        });
        Self { address, requests, connections }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed).into()
    }
}

/// Speaks with one client until its connection ends, as [`FrameServer`] does.
pub(crate) fn converse(
    mut stream: impl Read + Write,
    connection: u32,
    first: &[u8],
    answer: &(impl Fn(Received) -> Answer + ?Sized),
    requests: &AtomicU32,
) -> io::Result<()> {
    stream.write_all(first)?;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header)?;
        let [a, b, c, kind, flags, rest @ ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload)?;
        match kind {
            SETTINGS if flags & ACK == 0 => stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?,
            SETTINGS => {}
            _ => {
                if kind == HEADERS {
                    requests.fetch_add(1, Ordering::Relaxed);
                }
                let stream_id = u32::from_be_bytes(rest);
                match answer(Received { connection, kind, flags, stream: stream_id, payload }) {
                    Answer::Send(bytes) => stream.write_all(&bytes)?,
                    Answer::Close(bytes) => return stream.write_all(&bytes),
                }
            }
        }
    }
}
