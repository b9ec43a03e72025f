//! What a response tells the client to do beside reading it: to keep a cookie, to ask elsewhere, to say who it is, to decode.

use httparse::Header;

use crate::decode::Codings;
use crate::keep_alive::KeepAlive;

/// Which header fields of a response call for an act of the client. Known of every complete head, kept or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// There is a `Set-Cookie` (RFC 6265 section 4.1).
    pub cookies: bool,
    /// The status is 300 to 399 and there is a `Location` (RFC 9110 section 15.4).
    pub redirect: bool,
    /// How long the connection may be idle, and how much it still carries.
    pub keep_alive: KeepAlive,
    /// The status is 401 and there is a `WWW-Authenticate` (RFC 9110 section 11.6.1).
    pub challenge: bool,
    /// The codings of the body, to be taken off where it is looked at.
    pub codings: Codings,
}

impl Directives {
    /// Reads them off a parsed head. They are facts of its bytes alone, so a head that comes again is not read again.
    pub(crate) fn read(status: u16, headers: &[Header<'_>]) -> Self {
        let mut directives = Self::default();
        for header in headers {
            directives.note(header.name, header.value);
        }
        directives.settle(status);
        directives
    }

    /// Takes a field into account.
    #[inline]
    pub(crate) fn note(&mut self, name: &str, value: &[u8]) {
        // The length of a name tells most headers apart without reading them.
        match name.len() {
            8 => self.redirect |= name.eq_ignore_ascii_case("location"),
            10 if name.eq_ignore_ascii_case("set-cookie") => self.cookies = true,
            10 if name.eq_ignore_ascii_case("keep-alive") => self.keep_alive.read(value),
            16 if name.eq_ignore_ascii_case("content-encoding") => self.codings.add_field(value),
            16 if name.eq_ignore_ascii_case("www-authenticate") => self.challenge = true,
            _ => {}
        }
    }

    /// All fields are noted: a `Location` counts only with its statuses.
    pub(crate) fn settle(&mut self, status: u16) {
        self.redirect &= (300..400).contains(&status);
        self.challenge &= status == 401;
    }

    /// There is something to do for which the head is needed.
    #[inline]
    pub fn any(self) -> bool {
        self.cookies | self.redirect | self.challenge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, names: &[&'static str]) -> (bool, bool) {
        let headers: Vec<_> = names.iter().map(|name| Header { name, value: b"x" }).collect();
        let directives = Directives::read(status, &headers);
        assert_eq!(directives.any(), directives.cookies || directives.redirect);
        (directives.cookies, directives.redirect)
    }

    #[test]
    fn a_challenge_comes_with_its_status_and_codings_with_any() {
        let of = |status| {
            let header = |name, value: &'static str| Header { name, value: value.as_bytes() };
            Directives::read(status, &[header("www-authenticate", "Digest"), header("Content-Encoding", "br")])
        };
        assert!(of(401).challenge && of(401).any());
        assert!(!of(403).challenge && !of(200).any());
        assert!(of(200).codings.any() && !Directives::read(200, &[]).codings.any());
    }

    #[test]
    fn names_in_any_case_and_a_location_only_with_its_statuses() {
        assert_eq!(read(200, &[]), (false, false));
        assert_eq!(read(200, &["SET-COOKIE"]), (true, false));
        assert_eq!(read(201, &["Location"]), (false, false));
        assert_eq!(read(302, &["location", "Set-Cookie"]), (true, true));
        assert_eq!(read(399, &["Location"]), (false, true));
        assert_eq!(read(400, &["Location", "Connection"]), (false, false));
    }
}
