//! Where text for people goes: stdout, or stderr while stdout carries JSON.

use std::io::{self, IsTerminal, Write};

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// The usual place of results.
    Stdout,
    /// With `--json -`.
    Stderr,
}

impl Stream {
    /// Writes and flushes. A reader that has gone (`pummel doctor | head -1`) is no reason to fail: what is left is for
    /// nobody.
    pub(crate) fn print(self, text: &str) {
        let _ = match self {
            Self::Stdout => write_all(&mut io::stdout().lock(), text.as_bytes()),
            Self::Stderr => write_all(&mut io::stderr().lock(), text.as_bytes()),
        };
    }

    /// The same, for an output that writes by itself.
    pub(crate) fn writer(self) -> Box<dyn Write + Send> {
        match self {
            Self::Stdout => Box::new(io::stdout()),
            Self::Stderr => Box::new(io::stderr()),
        }
    }

    /// Whether a person looks at it.
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
        }
    }
}

fn write_all(stream: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
