//! What a plugin's process writes to one of its outputs, line by line, however fast and however much.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

/// Of longer lines the rest is dropped. Nobody reads more of a line in a log, and the line of go-plugin's handshake is far shorter.
pub(crate) const LINE_BYTES_MAX: usize = 4 * 1024;

/// Bytes taken in one go; a pipe holds 64 KiB unless told otherwise.
const READ_BYTES: usize = 16 * 1024;

/// Bytes taken before anything else gets its turn, so that a plugin that never stops writing hides nothing.
const TURN_BYTES: usize = 256 * 1024;

/// The reading end of a pipe that never blocks.
#[derive(Debug)]
pub(crate) struct Output {
    /// None where the other end was closed.
    pipe: Option<OwnedFd>,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    buffer: Box<[u8]>,
}

impl Output {
    /// Reads from this pipe.
    ///
    /// # Errors
    /// It cannot be kept from blocking.
    pub(crate) fn new(pipe: OwnedFd) -> Result<Self, Errno> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self { pipe: Some(pipe), line: Vec::new(), buffer: vec![0; READ_BYTES].into() })
    }

    /// The pipe, until its other end is closed.
    pub(crate) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Gives each line that has come, without its end. True where more may be there already.
    pub(crate) fn read(&mut self, mut take: impl FnMut(&[u8])) -> bool {
        let mut bytes_read = 0;
        while bytes_read < TURN_BYTES {
            let Some(pipe) = &self.pipe else { return false };
            match rustix::io::read(pipe, &mut *self.buffer) {
                Ok(0) => {
                    self.pipe = None;
                    if !self.line.is_empty() {
                        take(&self.line);
                        self.line.clear();
                    }
                    return false;
                }
                Ok(bytes) => {
                    bytes_read += bytes;
                    split(&mut self.line, &self.buffer[..bytes], &mut take);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                Err(_) => self.pipe = None,
            }
        }
        true
    }
}

/// Gives the lines in `bytes`, of which the first begins with `line`; the last, if its end has not come, is `line` afterwards.
fn split(line: &mut Vec<u8>, bytes: &[u8], mut take: impl FnMut(&[u8])) {
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (text, is_whole) = match piece.split_last() {
            Some((b'\n', text)) => (text, true),
            _ => (piece, false),
        };
        let room = LINE_BYTES_MAX - line.len();
        line.extend_from_slice(&text[..text.len().min(room)]);
        if is_whole {
            take(line.strip_suffix(b"\r").unwrap_or(line));
            line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write};

    use super::*;

    fn lines_of(pieces: &[&[u8]]) -> (Vec<String>, String) {
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        for piece in pieces {
            split(&mut line, piece, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        (lines, String::from_utf8_lossy(&line).into_owned())
    }

    #[test]
    fn lines_are_whole_however_their_bytes_arrive() {
        let expected = (vec!["ab".to_owned(), String::new(), "c".to_owned()], "d".to_owned());
        assert_eq!(lines_of(&[b"ab\n\nc\r\nd"]), expected);
        assert_eq!(lines_of(&[b"a", b"b", b"\n", b"\nc\r", b"\nd"]), expected);
        assert_eq!(lines_of(&[]), (Vec::new(), String::new()));
    }

    #[test]
    fn a_line_is_cut_at_the_limit_and_the_next_one_is_whole() {
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        let (lines, rest) = lines_of(&[&long, &long, b"\nnext\n"]);
        assert_eq!(lines, ["x".repeat(LINE_BYTES_MAX), "next".to_owned()]);
        assert_eq!(rest, "");
    }

    #[test]
    fn a_pipe_gives_what_is_there_and_its_last_line_when_it_is_closed() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut output = Output::new(reader.into()).unwrap();
        let mut writer = File::from(OwnedFd::from(writer));
        let mut lines = Vec::new();
        writer.write_all(b"one\ntw").unwrap();
        assert!(!output.read(|line| lines.push(line.to_vec())));
        assert_eq!(lines, [b"one".to_vec()]);
        drop(writer);
        assert!(!output.read(|line| lines.push(line.to_vec())));
        assert_eq!(lines, [b"one".to_vec(), b"tw".to_vec()]);
        assert!(output.pipe().is_none());
    }
}
