//! `multipart/form-data` bodies (hrp spec 11.7, RFC 7578).

use std::{borrow::Cow, sync::Arc};

use super::{
    headers::is_header_value,
    media_type::media_type,
    rendered::RenderedRequest,
    upload_files::{FileContents, FileError, UploadFiles},
};
use crate::{error::StepError, expression::Expr, session::Session};

/// The largest body an upload makes, files that are read while they are sent aside: every connection that sends it holds a copy.
pub(crate) const MAX_UPLOAD_BYTES: usize = 256 * 1024 * 1024;

/// What the content type is but for the boundary behind it.
const CONTENT_TYPE: &str = "multipart/form-data; boundary=";

/// As long as Go's, which hrp sends.
const BOUNDARY_BYTES: usize = 60;

/// The fields of an upload, some of which change from one execution to the next. Its boundary is new each time.
#[derive(Debug, Clone)]
pub(crate) struct MultipartProgram {
    /// In file order.
    pub(crate) parts: Box<[Part]>,
    pub(crate) files: Arc<UploadFiles>,
}

/// A field.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Fixed(FixedPart),
    Rendered {
        name: Expr,
        value: Expr,
        /// Whether a value that begins with `@` names a file.
        may_be_file: bool,
        /// The field as written, for messages.
        written: Arc<str>,
    },
}

/// A field that never changes.
#[derive(Debug, Clone)]
pub(crate) struct FixedPart {
    head: Vec<u8>,
    contents: Contents,
}

#[derive(Debug, Clone)]
enum Contents {
    Text(Box<[u8]>),
    File(FileContents),
}

/// Why a field cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldError {
    File(FileError),
    /// Its `type` would break out of its line.
    ControlCharacter,
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FieldError::File(error) => error.fmt(f),
            FieldError::ControlCharacter => f.write_str("its type holds a control character"),
        }
    }
}

impl FixedPart {
    /// Reads the field, and the file it may name.
    pub(crate) fn new(
        name: &str,
        value: &FieldValue<'_>,
        read: impl FnOnce(&str) -> Result<FileContents, FileError>,
    ) -> Result<Self, FieldError> {
        let text = value.contents();
        let mut head = Vec::new();
        value.push_head(name, &text, &mut head)?;
        let contents = if value.is_file {
            Contents::File(read(&text).map_err(FieldError::File)?)
        } else {
            Contents::Text(text.as_bytes().into())
        };
        Ok(FixedPart { head, contents })
    }

    /// How much memory it takes, without the boundary before it.
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.held().unwrap_or_default().len()
    }

    /// Whether its file is read while it is sent.
    pub(crate) fn is_streamed(&self) -> bool {
        self.held().is_none()
    }

    /// The contents, where they are in memory.
    fn held(&self) -> Option<&[u8]> {
        match &self.contents {
            Contents::Text(text) => Some(text),
            Contents::File(FileContents::Held(bytes)) => Some(bytes),
            Contents::File(FileContents::Streamed(_)) => None,
        }
    }

    fn push(&self, out: &mut RenderedRequest) {
        out.body.extend_from_slice(&self.head);
        match &self.contents {
            Contents::Text(text) => out.body.extend_from_slice(text),
            Contents::File(file) => out.push_file(file),
        }
    }
}

/// A body of fields that never change and are all in memory, and the content type that goes with it.
pub(crate) fn fixed_body(parts: &[FixedPart]) -> (String, Box<[u8]>) {
    let boundary = Boundary::random();
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + BOUNDARY_BYTES + 8).sum());
    for (n, part) in parts.iter().enumerate() {
        boundary.push_delimiter(n, &mut out);
        out.extend_from_slice(&part.head);
        out.extend_from_slice(part.held().unwrap_or_default());
    }
    boundary.push_end(&mut out);
    (boundary.content_type().as_str().to_owned(), out.into())
}

impl MultipartProgram {
    /// Renders the body, and its content type in place of any other.
    pub(crate) fn render(&self, session: &Session, out: &mut RenderedRequest) -> Result<(), StepError> {
        let boundary = Boundary::random();
        out.replace_header("Content-Type", boundary.content_type().as_str());
        for (n, part) in self.parts.iter().enumerate() {
            boundary.push_delimiter(n, &mut out.body);
            match part {
                Part::Fixed(part) => part.push(out),
                Part::Rendered { name, value, may_be_file, written } => {
                    let mut text = std::mem::take(&mut out.scratch);
                    text.clear();
                    let rendered = self.push_field(name, value, *may_be_file, session, &mut text, out);
                    out.scratch = text;
                    match rendered? {
                        Ok(()) => {}
                        Err(error) => return Err(StepError::request("request upload", &format!("{written}: {error}"))),
                    }
                }
            }
            if out.body.len() > MAX_UPLOAD_BYTES {
                out.has_body = false;
                out.files.clear();
                let reason = format!("the body is larger than {} MiB", MAX_UPLOAD_BYTES >> 20);
                return Err(StepError::request("request upload", &reason));
            }
        }
        boundary.push_end(&mut out.body);
        Ok(())
    }

    /// The outer error is that of a variable, the inner one says what is wrong with the field.
    fn push_field(
        &self,
        name: &Expr,
        value: &Expr,
        may_be_file: bool,
        session: &Session,
        text: &mut String,
        out: &mut RenderedRequest,
    ) -> Result<Result<(), FieldError>, StepError> {
        name.push_text(session, text)?;
        let name_len = text.len();
        value.push_text(session, text)?;
        let (name, value) = text.split_at(name_len);
        let value = FieldValue::parse(value, may_be_file);
        let contents = value.contents();
        if let Err(error) = value.push_head(name, &contents, &mut out.body) {
            return Ok(Err(error));
        }
        if value.is_file {
            match self.files.read_cached(&contents) {
                Ok(file) => out.push_file(&file),
                Err(error) => return Ok(Err(FieldError::File(error))),
            }
        } else {
            out.body.extend_from_slice(contents.as_bytes());
        }
        Ok(Ok(()))
    }
}

/// What the text of a field says: `@path` or a text, then options, as in `@a.bin;type=image/png;filename=b.png`.
///
/// A piece behind a `;` is an option only where it begins with `type=` or `filename=`; otherwise it goes on with the text. So
/// `a=b` and base64 are sent as they are, where hrp sends nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldValue<'a> {
    whole: &'a str,
    /// How much of it comes before the first option.
    value_len: usize,
    /// Whether more of the value comes behind an option.
    scattered: bool,
    pub(crate) is_file: bool,
    content_type: Option<&'a str>,
    filename: Option<&'a str>,
    /// The first piece that is left out: an option of a file that means nothing here.
    pub(crate) ignored: Option<&'a str>,
}

impl<'a> FieldValue<'a> {
    /// Reads it; `@` means a file only where it may.
    pub(crate) fn parse(whole: &'a str, may_be_file: bool) -> Self {
        let is_file = may_be_file && whole.starts_with('@');
        let value_len = whole.find(';').unwrap_or(whole.len());
        let mut value = FieldValue {
            whole,
            value_len,
            scattered: false,
            is_file,
            content_type: None,
            filename: None,
            ignored: None,
        };
        let mut at = value_len;
        for piece in whole.split(';').skip(1) {
            // One more for the `;` before it.
            let end = at + 1 + piece.len();
            match Piece::of(piece, is_file) {
                Piece::Type(text) => value.content_type = text,
                Piece::Filename(text) => value.filename = text,
                Piece::Ignored => value.ignored = value.ignored.or(Some(piece)),
                Piece::Value if value.value_len == at => value.value_len = end,
                Piece::Value => value.scattered = true,
            }
            at = end;
        }
        value
    }

    /// The text, or the file's path. Builds something only where options stand between its pieces.
    pub(crate) fn contents(&self) -> Cow<'a, str> {
        if !self.scattered {
            return Cow::Borrowed(self.trimmed(&self.whole[..self.value_len]));
        }
        let mut text = String::new();
        for (n, piece) in self.whole.split(';').enumerate() {
            if n == 0 {
                text.push_str(piece);
            } else if matches!(Piece::of(piece, self.is_file), Piece::Value) {
                text.push(';');
                text.push_str(piece);
            }
        }
        Cow::Owned(self.trimmed(&text).to_owned())
    }

    fn trimmed<'t>(&self, text: &'t str) -> &'t str {
        match text.strip_prefix('@') {
            Some(path) if self.is_file => unquoted(path.trim()),
            _ => unquoted(text),
        }
    }

    /// The part's header fields and the empty line, the names in the order hrp sends them. A text has no type and no file name
    /// unless they are given.
    fn push_head(&self, name: &str, contents: &str, out: &mut Vec<u8>) -> Result<(), FieldError> {
        let (filename, content_type) = if self.is_file {
            let base_name = contents.rsplit('/').next();
            (self.filename.or(base_name), Some(self.content_type.unwrap_or_else(|| media_type(contents))))
        } else {
            (self.filename, self.content_type)
        };
        if !content_type.is_none_or(is_header_value) {
            return Err(FieldError::ControlCharacter);
        }
        out.extend_from_slice(b"Content-Disposition: form-data; name=\"");
        push_quoted(name, out);
        if let Some(filename) = filename {
            out.extend_from_slice(b"\"; filename=\"");
            push_quoted(filename, out);
        }
        out.extend_from_slice(b"\"\r\n");
        if let Some(content_type) = content_type {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(content_type.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// What a piece behind a `;` is.
enum Piece<'a> {
    /// None where the option is there and empty, which is as if it were not.
    Type(Option<&'a str>),
    Filename(Option<&'a str>),
    /// An option of a file that means nothing here.
    Ignored,
    Value,
}

impl<'a> Piece<'a> {
    fn of(piece: &'a str, is_file: bool) -> Self {
        let Some((key, text)) = piece.split_once('=') else { return Piece::Value };
        let text = Some(unquoted(text.trim())).filter(|text| !text.is_empty());
        match key.trim() {
            key if key.eq_ignore_ascii_case("type") => Piece::Type(text),
            key if key.eq_ignore_ascii_case("filename") => Piece::Filename(text),
            _ if is_file => Piece::Ignored,
            _ => Piece::Value,
        }
    }
}

/// Without one `"` at its begin and one at its end.
fn unquoted(text: &str) -> &str {
    let text = text.strip_prefix('"').unwrap_or(text);
    text.strip_suffix('"').unwrap_or(text)
}

/// Text between quotes of a header: `\` and `"` as Go writes them, line breaks as browsers do (WHATWG HTML,
/// multipart/form-data), for they would end the line.
fn push_quoted(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\r' => out.extend_from_slice(b"%0D"),
            b'\n' => out.extend_from_slice(b"%0A"),
            other => out.push(other),
        }
    }
}

/// What separates the parts: 240 random bits, so that no part holds it by chance.
struct Boundary([u8; BOUNDARY_BYTES]);

impl Boundary {
    fn random() -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        Boundary(std::array::from_fn(|_| DIGITS[fastrand::usize(..DIGITS.len())]))
    }

    /// The line before a part.
    fn push_delimiter(&self, part: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(if part == 0 { b"--" } else { b"\r\n--" });
        out.extend_from_slice(&self.0);
        out.extend_from_slice(b"\r\n");
    }

    fn push_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(&self.0);
        out.extend_from_slice(b"--\r\n");
    }

    fn content_type(&self) -> ContentType {
        let mut text = [0; CONTENT_TYPE.len() + BOUNDARY_BYTES];
        text[..CONTENT_TYPE.len()].copy_from_slice(CONTENT_TYPE.as_bytes());
        text[CONTENT_TYPE.len()..].copy_from_slice(&self.0);
        ContentType(text)
    }
}

/// The content type with its boundary, on the stack.
struct ContentType([u8; CONTENT_TYPE.len() + BOUNDARY_BYTES]);

impl ContentType {
    fn as_str(&self) -> &str {
        // It is ASCII.
        std::str::from_utf8(&self.0).unwrap_or(CONTENT_TYPE)
    }
}
