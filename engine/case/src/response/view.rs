//! A response as the engine hands it over.

/// A response's parts, borrowed for one check. Parts the step does not need (`RequestStep::needs`) may be left empty.
pub struct ResponseView<'a> {
    /// The status code, 100 to 999; that of the peer's close, 1000 to 4999, of a websocket; 0, shown as null, of what has
    /// none (hrp spec 10.7).
    pub status: u16,
    /// The protocol as the status line has it: `HTTP/1.1`.
    pub version: &'a str,
    /// The header fields.
    pub headers: &'a dyn Headers,
    /// The decoded body. Its contents may be changed by the check.
    pub body: &'a mut Vec<u8>,
}

/// Header fields of a response.
pub trait Headers {
    /// The first value of a field, the name compared without regard to case (RFC 9110 section 5.1).
    fn get(&self, name: &str) -> Option<&[u8]>;
    /// Every field in the order received.
    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8]));
}

/// A plain list of fields, in the order received.
impl Headers for [(&str, &[u8])] {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find_map(|(n, value)| n.eq_ignore_ascii_case(name).then_some(*value))
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self {
            f(name, value);
        }
    }
}

impl<T: Headers + ?Sized> Headers for &T {
    fn get(&self, name: &str) -> Option<&[u8]> {
        (**self).get(name)
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        (**self).for_each(f);
    }
}

impl std::fmt::Debug for ResponseView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseView")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
