//! Files named on the command line: read whole, with a limit, and with an error that says which flag's file it was.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use crate::{exit, failure::Failure};

/// The most bytes of a file whose contents become part of a test case: no larger case is loaded.
const NAMED_FILE_BYTES_MAX: u64 = 8 << 20;

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
    /// A file given to `convert`.
    Convert,
    /// `convert --profile`.
    Overrides,
    /// A file given to `compare`.
    Compare,
}

impl FileKind {
    fn flag(self) -> &'static str {
        match self {
            Self::Profile | Self::Overrides => "--profile",
            Self::Env => "--env-file",
            Self::Urls => "--urls",
            Self::Body => "--body",
            Self::Convert => "convert",
            Self::Compare => "compare",
        }
    }

    /// The most bytes such a file may have. Lists of flags, variables and URLs are written by people; a body is kept in
    /// memory and sent by every connection; a browser's recording holds the answers too, and hrp's log a table every 3 s.
    fn limit_bytes(self) -> u64 {
        match self {
            Self::Profile | Self::Env | Self::Urls | Self::Overrides => 4 << 20,
            Self::Body | Self::Convert | Self::Compare => 64 << 20,
        }
    }

    /// Profiles and `.env` files are load errors as in hrp (hrp spec 13.6); a wrong file of `hit` is wrong usage.
    fn exit_code(self) -> u8 {
        match self {
            Self::Profile | Self::Convert | Self::Overrides => exit::LOAD_FILE,
            Self::Env => exit::LOAD_ENV,
            Self::Urls | Self::Body | Self::Compare => exit::USAGE,
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

/// The bytes of a file that a converted command or collection names: as written from the working directory, or beside the
/// file that names it. The error is a sentence.
///
/// # Errors
/// When it is missing, no regular file, or too large for a test case.
pub(crate) fn read_beside(path: &Path, folder: Option<&Path>) -> Result<Vec<u8>, String> {
    let beside = folder.map(|folder| folder.join(path)).filter(|_| !path.exists());
    let path = beside.as_deref().unwrap_or(path);
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => "it does not exist".to_owned(),
        _ => format!("it cannot be read: {error}"),
    };
    // A pipe or device may have no end, or no beginning.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("it is no regular file".into());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(NAMED_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > NAMED_FILE_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", NAMED_FILE_BYTES_MAX >> 20));
    }
    Ok(bytes)
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
