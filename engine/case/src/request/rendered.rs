//! A request ready to be sent, in buffers that are used again for the next one.

use std::{borrow::Cow, ops::Range, sync::Arc};

use super::{origin::Origin, redirect::Redirected, upload_file::UploadFile, upload_files::FileContents};

/// A request as text and bytes, complete but for what the connection adds (`Host`, `Content-Length`, `User-Agent`).
///
/// It is an arena: rendering into it again reuses its buffers and allocates nothing once they have grown to fit.
#[derive(Debug, Clone, Default)]
pub struct RenderedRequest {
    pub(crate) origin: Origin,
    pub(crate) target: String,
    pub(crate) head: String,
    pub(crate) headers: Vec<HeaderSpan>,
    pub(crate) body: Vec<u8>,
    pub(crate) has_body: bool,
    /// Files that stand between the bytes of the body, in order.
    pub(crate) files: Vec<FilePlace>,
    /// Credentials for a digest challenge: where user and password stand in `head`.
    pub(crate) digest: Option<(Range<u32>, Range<u32>)>,
    /// For text that is rendered on the way to its final form (URL before encoding, names before sorting).
    pub(crate) scratch: String,
    /// Set once it has been redirected.
    pub(crate) redirected: Option<Redirected>,
}

/// A file within a body.
#[derive(Debug, Clone)]
pub(crate) struct FilePlace {
    /// How many of the body's bytes come before it.
    at: usize,
    file: Arc<UploadFile>,
}

/// A part of a body.
#[derive(Debug, Clone, Copy)]
pub enum BodyPiece<'a> {
    /// Bytes as they are; may be none.
    Bytes(&'a [u8]),
    /// What stands in a file.
    File(&'a Arc<UploadFile>),
}

/// Where a header's name and value stand in the arena.
#[derive(Debug, Clone)]
pub(crate) struct HeaderSpan {
    pub(crate) name: Range<u32>,
    pub(crate) value: Range<u32>,
}

impl RenderedRequest {
    /// Path and query as they stand in the request line, for example `/search?q=a+b` (hrp spec 11.3, engine column).
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Names in canonical form (`Content-Type`) with their values, sorted by name. A `Host` the case gives is among them;
    /// `Content-Length` and `Transfer-Encoding` never are (hrp spec 11.4).
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.headers.iter().map(|span| (self.slice(&span.name), self.slice(&span.value)))
    }

    /// The body's bytes; none where the step has no body, which is not the same as an empty one. Where [`has_files`](Self::has_files)
    /// says so they are not all of it.
    pub fn body(&self) -> Option<&[u8]> {
        self.has_body.then_some(&self.body)
    }

    /// Files are part of the body, to be read while it is sent: see [`piece`](Self::piece).
    #[inline]
    pub fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// How long the whole body is, where files are part of it.
    pub fn body_bytes(&self) -> Option<u64> {
        let in_files: u64 = self.files.iter().map(|place| place.file.bytes()).sum();
        self.has_files().then_some(in_files + self.body.len() as u64)
    }

    /// The body up to its first file.
    pub fn first_piece(&self) -> Option<&[u8]> {
        let end = self.files.first().map_or(self.body.len(), |first| first.at);
        self.has_body.then_some(&self.body[..end])
    }

    /// The part of the body with this number, from 0: bytes at the even ones, files between them; none behind the last.
    pub fn piece(&self, number: usize) -> Option<BodyPiece<'_>> {
        let index = number / 2;
        if !number.is_multiple_of(2) {
            return self.files.get(index).map(|place| BodyPiece::File(&place.file));
        }
        if index > self.files.len() || !self.has_body {
            return None;
        }
        let start = if index == 0 { 0 } else { self.files[index - 1].at };
        let end = self.files.get(index).map_or(self.body.len(), |place| place.at);
        Some(BodyPiece::Bytes(&self.body[start..end]))
    }

    /// The body for people and expressions: a file that is read while it is sent stands there by its name and length.
    pub fn body_shown(&self) -> Cow<'_, [u8]> {
        if !self.has_files() {
            return Cow::Borrowed(self.body().unwrap_or_default());
        }
        let mut shown = Vec::new();
        for piece in (0..).map_while(|number| self.piece(number)) {
            match piece {
                BodyPiece::Bytes(bytes) => shown.extend_from_slice(bytes),
                BodyPiece::File(file) => {
                    shown.extend_from_slice(format!("<{}: {} bytes>", file.name(), file.bytes()).as_bytes());
                }
            }
        }
        Cow::Owned(shown)
    }

    /// User and password for a server that asks with a digest challenge (RFC 7616); none where the request has no such
    /// credentials.
    #[inline]
    pub fn digest(&self) -> Option<(&str, &str)> {
        self.digest.as_ref().map(|(user, password)| (self.slice(user), self.slice(password)))
    }

    /// Sets credentials for a digest challenge.
    pub(crate) fn set_digest(&mut self, user: &str, password: &str) {
        let user = self.append(user);
        let password = self.append(password);
        self.digest = Some((user, password));
    }

    /// Appends the contents of a file to the body.
    pub(crate) fn push_file(&mut self, contents: &FileContents) {
        match contents {
            FileContents::Held(bytes) => self.body.extend_from_slice(bytes),
            FileContents::Streamed(file) => self.files.push(FilePlace { at: self.body.len(), file: file.clone() }),
        }
    }

    /// Where to send it.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn slice(&self, range: &Range<u32>) -> &str {
        &self.head[range.start as usize..range.end as usize]
    }

    /// Becomes the same request, in its own buffers.
    pub fn copy_from(&mut self, other: &RenderedRequest) {
        self.clear();
        if self.origin != other.origin {
            self.origin = other.origin.clone();
        }
        self.target.push_str(&other.target);
        self.head.push_str(&other.head);
        self.headers.extend_from_slice(&other.headers);
        self.body.extend_from_slice(&other.body);
        self.has_body = other.has_body;
        self.files.extend_from_slice(&other.files);
        self.digest.clone_from(&other.digest);
    }

    /// Forgets the contents and keeps the buffers; the origin stays because the next request mostly has the same.
    pub(crate) fn clear(&mut self) {
        self.target.clear();
        self.head.clear();
        self.headers.clear();
        self.body.clear();
        self.has_body = false;
        self.files.clear();
        self.digest = None;
        self.redirected = None;
    }

    /// Appends a header as it is; the caller keeps names canonical and the list sorted.
    pub(crate) fn push_header(&mut self, name: &str, value: &str) {
        let name = self.append(name);
        let value = self.append(value);
        self.headers.push(HeaderSpan { name, value });
    }

    /// The value of a header by its canonical name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers().find_map(|(n, value)| (n == name).then_some(value))
    }

    /// Adds a header at its sorted place.
    pub(crate) fn insert_header(&mut self, name: &str, value: &str) {
        let at = self.headers.partition_point(|span| self.slice(&span.name) < name);
        let name = self.append(name);
        let value = self.append(value);
        self.headers.insert(at, HeaderSpan { name, value });
    }

    /// Adds a header at its sorted place, in place of all of the same name.
    pub(crate) fn replace_header(&mut self, name: &str, value: &str) {
        let head = &self.head;
        self.headers.retain(|span| &head[span.name.start as usize..span.name.end as usize] != name);
        self.insert_header(name, value);
    }

    /// Sorts by name; of several with one name the last appended stays (a step's header over its config's).
    pub(crate) fn sort_headers(&mut self) {
        let head = &self.head;
        let name = |span: &HeaderSpan| &head[span.name.start as usize..span.name.end as usize];
        self.headers.sort_by(|a, b| name(a).cmp(name(b)).then(b.name.start.cmp(&a.name.start)));
        self.headers.dedup_by(|later, earlier| name(later) == name(earlier));
    }

    fn append(&mut self, text: &str) -> Range<u32> {
        let start = self.head.len() as u32;
        self.head.push_str(text);
        start..self.head.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_files_is_bytes_and_files_in_turn() {
        let file = |bytes, name: &str| {
            let file = std::fs::File::open("/dev/null").unwrap();
            FileContents::Streamed(Arc::new(UploadFile::new(file, bytes, name)))
        };
        let mut request = RenderedRequest { body: b"one".to_vec(), has_body: true, ..RenderedRequest::default() };
        assert_eq!((request.body_bytes(), request.first_piece()), (None, Some(&b"one"[..])));
        request.push_file(&file(5_000_000_000, "a.iso"));
        request.push_file(&file(7, "b"));
        request.body.extend_from_slice(b"two");
        let mut copy = RenderedRequest::default();
        copy.copy_from(&request);
        let pieces: Vec<_> = (0..)
            .map_while(|number| copy.piece(number))
            .map(|piece| match piece {
                BodyPiece::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                BodyPiece::File(file) => file.name().to_owned(),
            })
            .collect();
        assert_eq!(pieces, ["one", "a.iso", "", "b", "two"]);
        assert_eq!((copy.body_bytes(), copy.first_piece()), (Some(5_000_000_013), Some(&b"one"[..])));
        assert_eq!(&*copy.body_shown(), b"one<a.iso: 5000000000 bytes><b: 7 bytes>two");
        copy.clear();
        assert!(!copy.has_files() && copy.piece(0).is_none());
    }

    #[test]
    fn the_last_of_one_name_wins_and_names_are_sorted() {
        let mut request = RenderedRequest::default();
        request.push_header("X-B", "config");
        request.push_header("X-A", "a");
        request.push_header("X-B", "step");
        request.sort_headers();
        request.insert_header("X-Aa", "between");
        assert_eq!(request.headers().collect::<Vec<_>>(), [("X-A", "a"), ("X-Aa", "between"), ("X-B", "step")]);
    }
}
