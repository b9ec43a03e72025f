//! The connection of this program itself to our own Python runner: what it says first, and the calls made at load.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process,
    sync::Arc,
    time::{Duration, Instant},
};

use pummel_case::CallOutcome;

use crate::frames::{self, BrokenPlugin, Calls, Hello, HELLO};

const READ_BYTES: usize = 64 * 1024;

/// The connection, made before the process is there to take it.
#[derive(Debug)]
pub(crate) struct Control {
    stream: UnixStream,
    received: Vec<u8>,
    last_id: u32,
    /// The process at the other end, of its worker's.
    pub(crate) generation: u64,
}

/// What the runner has said by now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Nothing,
    Hello(Hello),
    Broken(BrokenPlugin),
    /// It closed the connection, or said what is none of the protocol.
    Closed,
}

/// A listener for one process, under a name that nobody has in the file system, and the name as a path that begins with NUL.
///
/// # Errors
/// There are no descriptors left.
pub(crate) fn listen() -> io::Result<(OwnedFd, Arc<Path>)> {
    let name = format!("pummel-{}-{:016x}", process::id(), fastrand::u64(..));
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    Ok((listener.into(), PathBuf::from(format!("\0{name}")).into()))
}

impl Control {
    /// Connects to a listener that this program still has: the process it is given to finds the connection waiting.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(crate) fn connect(name: &Path, generation: u64) -> io::Result<Self> {
        let name = &name.as_os_str().as_encoded_bytes()[1..];
        let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new(), last_id: 0, generation })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Reads what has come of the runner's first words, without waiting.
    pub(crate) fn hear(&mut self) -> Said {
        loop {
            match frames::reply(&self.received) {
                Ok(Some((reply, bytes))) if reply.id == HELLO => {
                    let said = first_words(reply.returned, reply.payload);
                    self.received.drain(..bytes);
                    return said;
                }
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Said::Closed,
            }
            match self.read() {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Said::Nothing,
                Ok(0) | Err(_) => return Said::Closed,
            }
        }
    }

    /// Makes a call and waits for its end.
    ///
    /// # Errors
    /// The process does not answer in time (`TimedOut`, `WouldBlock`), has ended, or answers nonsense. The connection is of no use then.
    pub(crate) fn call(
        &mut self,
        function: &str,
        arguments: &str,
        until: Instant,
    ) -> io::Result<(CallOutcome, String)> {
        self.last_id = (self.last_id + 1) % HELLO;
        let mut calls = Calls::default();
        calls.push(self.last_id, function, arguments);
        self.stream.set_nonblocking(false)?;
        self.stream.set_write_timeout(Some(rest(until)?))?;
        self.stream.write_all(&calls.take(Vec::new()))?;
        loop {
            let no_reply = |error| io::Error::new(io::ErrorKind::InvalidData, error);
            while let Some((reply, bytes)) = frames::reply(&self.received).map_err(no_reply)? {
                let mine = (reply.id == self.last_id).then(|| {
                    let outcome = if reply.returned { CallOutcome::Returned } else { CallOutcome::Failed };
                    (outcome, String::from_utf8_lossy(reply.payload).into_owned())
                });
                self.received.drain(..bytes);
                if let Some(mine) = mine {
                    return Ok(mine);
                }
            }
            self.stream.set_read_timeout(Some(rest(until)?))?;
            if self.read()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        let length = self.received.len();
        self.received.resize(length + READ_BYTES, 0);
        let read = loop {
            match self.stream.read(&mut self.received[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.received.truncate(length + *read.as_ref().unwrap_or(&0));
        read
    }
}

/// The time until then; a timeout of nothing would mean none.
fn rest(until: Instant) -> io::Result<Duration> {
    let rest = until.saturating_duration_since(Instant::now());
    if rest.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(rest)
}

fn first_words(is_well: bool, payload: &[u8]) -> Said {
    if is_well {
        serde_json::from_slice(payload).map_or(Said::Closed, Said::Hello)
    } else {
        serde_json::from_slice(payload).map_or(Said::Closed, Said::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// A connection and its other end.
    fn pair() -> (Control, UnixStream) {
        let (stream, other) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        (Control { stream, received: Vec::new(), last_id: 0, generation: 1 }, other)
    }

    fn reply(id: u32, status: u8, payload: &str) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        [&length.to_le_bytes()[..], &id.to_le_bytes(), &[status], payload.as_bytes()].concat()
    }

    #[test]
    fn the_first_words_are_heard_however_they_arrive() {
        let (mut control, mut other) = pair();
        let words = reply(HELLO, 0, r#"{"own":["f"],"imported":["g"],"python":"3.11.7"}"#);
        for byte in &words[..words.len() - 1] {
            other.write_all(&[*byte]).unwrap();
            assert_eq!(control.hear(), Said::Nothing);
        }
        other.write_all(&words[words.len() - 1..]).unwrap();
        let hello = Hello { own: vec!["f".into()], imported: vec!["g".into()], python: "3.11.7".into() };
        assert_eq!(control.hear(), Said::Hello(hello));
        assert_eq!(control.hear(), Said::Nothing);
        drop(other);
        assert_eq!(control.hear(), Said::Closed);
    }

    #[test]
    fn what_a_broken_plugin_said_is_heard_after_it_has_gone() {
        let (mut control, mut other) = pair();
        other
            .write_all(&reply(HELLO, 1, r#"{"syntax":true,"error":"SyntaxError: x","place":"debugtalk.py:1"}"#))
            .unwrap();
        drop(other);
        let broken = BrokenPlugin { syntax: true, error: "SyntaxError: x".into(), place: "debugtalk.py:1".into() };
        assert_eq!(control.hear(), Said::Broken(broken));
    }

    #[test]
    fn nonsense_is_no_first_word() {
        let too_long = [&u32::MAX.to_le_bytes()[..], &[0; 5]].concat();
        for bytes in [reply(1, 0, "{}"), reply(HELLO, 0, "no JSON"), reply(HELLO, 7, "{}"), too_long] {
            let (mut control, mut other) = pair();
            other.write_all(&bytes).unwrap();
            assert_eq!(control.hear(), Said::Closed);
        }
    }

    #[test]
    fn a_call_takes_its_own_reply() {
        let (mut control, mut other) = pair();
        // That of an earlier call, which somebody gave up, comes first.
        other.write_all(&[reply(7, 0, "7"), reply(1, 0, "[1]"), reply(2, 1, "ValueError: no")].concat()).unwrap();
        let until = Instant::now() + LONG;
        assert_eq!(control.call("f", "[1,2]", until).unwrap(), (CallOutcome::Returned, "[1]".to_owned()));
        assert_eq!(control.call("g", "[]", until).unwrap(), (CallOutcome::Failed, "ValueError: no".to_owned()));
        let mut sent = [0; 35];
        other.read_exact(&mut sent).unwrap();
        assert_eq!(&sent, b"\x0f\0\0\0[[1,\"f\",[1,2]]]\x0c\0\0\0[[2,\"g\",[]]]");
    }

    #[test]
    fn a_call_without_a_reply_ends_in_time_or_with_the_connection() {
        let (mut control, other) = pair();
        let late = control.call("f", "[]", Instant::now() + Duration::from_millis(20)).unwrap_err();
        assert!(matches!(late.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
        drop(other);
        let kind = control.call("f", "[]", Instant::now() + LONG).unwrap_err().kind();
        assert!(!matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{kind:?}");
    }
}
