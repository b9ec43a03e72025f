//! A request ready to be sent, in buffers that are used again for the next one.

use std::ops::Range;

use super::{origin::Origin, redirect::Redirected};

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
    /// For text that is rendered on the way to its final form (URL before encoding, names before sorting).
    pub(crate) scratch: String,
    /// Set once it has been redirected.
    pub(crate) redirected: Option<Redirected>,
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

    /// The body's bytes; none where the step has no body, which is not the same as an empty one.
    pub fn body(&self) -> Option<&[u8]> {
        self.has_body.then_some(&self.body)
    }

    /// Where to send it.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn slice(&self, range: &Range<u32>) -> &str {
        &self.head[range.start as usize..range.end as usize]
    }

    /// Becomes the same request, in its own buffers.
    pub(crate) fn copy_from(&mut self, other: &RenderedRequest) {
        self.clear();
        if self.origin != other.origin {
            self.origin = other.origin.clone();
        }
        self.target.push_str(&other.target);
        self.head.push_str(&other.head);
        self.headers.extend_from_slice(&other.headers);
        self.body.extend_from_slice(&other.body);
        self.has_body = other.has_body;
    }

    /// Forgets the contents and keeps the buffers; the origin stays because the next request mostly has the same.
    pub(crate) fn clear(&mut self) {
        self.target.clear();
        self.head.clear();
        self.headers.clear();
        self.body.clear();
        self.has_body = false;
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
