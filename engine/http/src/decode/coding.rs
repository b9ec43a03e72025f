//! Which codings stand on a body.

use std::fmt;

use crate::syntax::trim;

/// The most codings of one body. One is usual, two are a mistake of a proxy, and each multiplies what a short body may grow to.
pub const CODINGS_MAX: usize = 4;

/// A content coding that can be taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952, also under the name `x-gzip`.
    Gzip,
    /// RFC 1950; without its wrapper (RFC 1951) as some servers send it.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    fn of(name: &[u8]) -> Option<Self> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"gzip") || is(b"x-gzip") {
            Some(Self::Gzip)
        } else if is(b"deflate") {
            Some(Self::Deflate)
        } else if is(b"br") {
            Some(Self::Brotli)
        } else if is(b"zstd") {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        })
    }
}

/// The codings of a body, in the order in which they were applied (RFC 9110 section 8.4). A list with a name that is not known
/// here stands for none: such a body is left as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codings {
    applied: [Option<Coding>; CODINGS_MAX],
    /// There are more than fit.
    too_many: bool,
    unknown: bool,
}

impl Codings {
    /// One `Content-Encoding` field, behind those before it.
    pub fn add_field(&mut self, value: &[u8]) {
        for name in value.split(|byte| *byte == b',').map(trim) {
            if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            match (Coding::of(name), self.applied.iter_mut().find(|place| place.is_none())) {
                (None, _) => self.unknown = true,
                (coding, Some(place)) => *place = coding,
                (Some(_), None) => self.too_many = true,
            }
        }
    }

    /// There is something to take off.
    #[inline]
    pub fn any(self) -> bool {
        self.applied[0].is_some() && !self.unknown
    }

    /// gzip and nothing else: what a client that asks for gzip by itself takes off without a word.
    pub fn only_gzip(self) -> bool {
        self.any() && self.applied[0] == Some(Coding::Gzip) && self.applied[1].is_none()
    }

    /// More than [`CODINGS_MAX`].
    pub(super) fn too_many(self) -> bool {
        self.too_many
    }

    /// The last applied first: the order in which they come off.
    pub(super) fn outermost_first(self) -> impl Iterator<Item = Coding> {
        self.applied.into_iter().rev().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Codings {
        let mut codings = Codings::default();
        for field in fields {
            codings.add_field(field.as_bytes());
        }
        codings
    }

    fn off(fields: &[&str]) -> Vec<Coding> {
        let codings = read(fields);
        if codings.any() {
            codings.outermost_first().collect()
        } else {
            Vec::new()
        }
    }

    #[test]
    fn names_come_in_any_case_and_over_several_fields() {
        assert_eq!(off(&["GZip"]), [Coding::Gzip]);
        assert_eq!(off(&["x-gzip"]), [Coding::Gzip]);
        assert_eq!(off(&["deflate", "br"]), [Coding::Brotli, Coding::Deflate]);
        assert_eq!(off(&[" gzip ,, zstd"]), [Coding::Zstd, Coding::Gzip]);
        assert!(read(&["gzip"]).only_gzip() && !read(&["gzip, gzip"]).only_gzip() && !read(&["br"]).only_gzip());
    }

    #[test]
    fn identity_is_nothing_and_an_unknown_name_leaves_all_on() {
        assert_eq!(off(&[]), []);
        assert_eq!(off(&["identity"]), []);
        assert_eq!(off(&["identity, gzip"]), [Coding::Gzip]);
        assert_eq!(off(&["gzip, compress"]), []);
        assert_eq!(off(&["aes128gcm"]), []);
        assert!(!read(&["gzip, compress"]).only_gzip());
    }

    #[test]
    fn too_many_are_told_apart() {
        assert!(!read(&["gzip, gzip, gzip, gzip"]).too_many());
        assert!(read(&["gzip, gzip, gzip, gzip, gzip"]).too_many());
    }
}
