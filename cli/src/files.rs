//! Files named on the command line: read whole, with a limit, and with an error that says which flag's file it was.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use crate::{exit, failure::Failure};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// `--profile`.
    Profile,
    /// `--env-file`.
    Env,
    /// `hit --urls`.
    Urls,
    /// `hit -b @FILE`.
    Body,
}

impl FileKind {
    fn flag(self) -> &'static str {
        match self {
            Self::Profile => "--profile",
            Self::Env => "--env-file",
            Self::Urls => "--urls",
            Self::Body => "--body",
        }
    }

    /// The most bytes such a file may have. Lists of flags, variables and URLs are written by people; a body is kept in
    /// memory and sent by every connection.
    fn limit_bytes(self) -> u64 {
        match self {
            Self::Profile | Self::Env | Self::Urls => 4 << 20,
            Self::Body => 64 << 20,
        }
    }

    /// Profiles and `.env` files are load errors as in hrp (hrp spec 13.6); a wrong file of `hit` is wrong usage.
    fn exit_code(self) -> u8 {
        match self {
            Self::Profile => exit::LOAD_FILE,
            Self::Env => exit::LOAD_ENV,
            Self::Urls | Self::Body => exit::USAGE,
        }
    }
}

/// The file's bytes.
///
/// # Errors
/// When it is missing, not readable, a folder, or larger than its kind may be.
pub(crate) fn read_bytes(path: &Path, kind: FileKind) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, kind, &error))?;
    read_limited(file, &path.display().to_string(), kind)
}

/// What stdin holds, for `@-`.
///
/// # Errors
/// When it is not readable or larger than its kind may be.
pub(crate) fn read_stdin(kind: FileKind) -> Result<Vec<u8>, Failure> {
    read_limited(std::io::stdin().lock(), "stdin", kind)
}

/// The file's text, without a byte order mark (hrp spec 1.3).
///
/// # Errors
/// As [`read_bytes`], and when it is not UTF-8.
pub(crate) fn read_text(path: &Path, kind: FileKind) -> Result<String, Failure> {
    let text = String::from_utf8(read_bytes(path, kind)?).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|&b| b == b'\n').count();
        Failure::with_code(
            kind.exit_code(),
            format!("{}:{line}: not UTF-8 text", path.display()),
            format!("{} takes a text file", kind.flag()),
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn read_limited(source: impl Read, name: &str, kind: FileKind) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = kind.limit_bytes();
    source.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(Path::new(name), kind, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::with_code(
            kind.exit_code(),
            format!("{name} is larger than {} MiB", limit >> 20),
            format!("{} takes no larger file", kind.flag()),
        ));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, kind: FileKind, error: &std::io::Error) -> Failure {
    let path = path.display();
    let flag = kind.flag();
    let (message, help) = match error.kind() {
        ErrorKind::NotFound => (format!("{path}: no such file"), format!("check the path given to {flag}")),
        ErrorKind::PermissionDenied => {
            (format!("{path}: not readable by this user"), "change its permissions".to_owned())
        }
        ErrorKind::IsADirectory => (format!("{path}: is a folder"), format!("{flag} takes a file")),
        _ => (format!("{path}: {error}"), format!("check the path given to {flag}")),
    };
    Failure::with_code(kind.exit_code(), message, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_says_which_file_and_which_flag() {
        let missing = read_bytes(Path::new("/nonexistent/x.bin"), FileKind::Body).unwrap_err();
        assert_eq!((missing.exit_code(), missing.message().as_str()), (2, "/nonexistent/x.bin: no such file"));
        let folder = read_text(&std::env::temp_dir(), FileKind::Profile).unwrap_err();
        assert_eq!(folder.exit_code(), 10);
        assert!(folder.message().ends_with("is a folder"), "{}", folder.message());
    }

    #[test]
    fn limits_hold() {
        let endless = std::io::repeat(b'a');
        assert!(read_limited(endless, "stdin", FileKind::Urls).unwrap_err().message().contains("larger than 4 MiB"));
        assert_eq!(read_limited(&b"abc"[..], "stdin", FileKind::Urls).unwrap(), b"abc");
    }
}
