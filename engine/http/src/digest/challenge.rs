//! `WWW-Authenticate` (RFC 9110 section 11.6.1): the Digest challenges in it.

use crate::syntax::is_token;

/// The longest field that is read. Challenges of real servers stay below 500 bytes; what is kept of one stays with its user for
/// the rest of the run.
pub const CHALLENGE_BYTES_MAX: usize = 4 * 1024;

/// The hash of a challenge (RFC 7616 section 6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// Where the challenge names none.
    #[default]
    Md5,
    /// SHA-512, cut to 256 bits.
    Sha512Of256,
    /// SHA-256.
    Sha256,
}

/// What a server asks for before it lets anyone in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestChallenge {
    /// What the password is for.
    pub realm: String,
    /// The server's one-time word, good for as many requests as it likes.
    pub nonce: String,
    /// To be given back as it is.
    pub opaque: Option<String>,
    /// How to hash.
    pub algorithm: Algorithm,
    /// The algorithm as written, to be given back; none where the challenge names none.
    pub algorithm_name: Option<String>,
    /// The key is made of the nonce too (the `-sess` algorithms).
    pub session: bool,
    /// `qop=auth` is offered. Where no quality is, the answer is that of RFC 2069.
    pub qop: bool,
    /// Only the nonce of the request before was wrong, not its password.
    pub stale: bool,
    /// The user name is to be hashed too.
    pub userhash: bool,
}

impl DigestChallenge {
    /// The strongest Digest challenge among the `WWW-Authenticate` fields of a response that can be answered; none where there is
    /// no such. Those that ask for `auth-int` alone, or for another hash, cannot.
    pub fn strongest<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut best: Option<Self> = None;
        for field in fields.filter(|field| field.len() <= CHALLENGE_BYTES_MAX) {
            let Ok(text) = std::str::from_utf8(field) else { continue };
            each_challenge(text, |challenge| {
                // Of equals the first: the server's order is its preference.
                if best.as_ref().is_none_or(|best| best.algorithm < challenge.algorithm) {
                    best = Some(challenge);
                }
            });
        }
        best
    }
}

/// What has been read of one challenge.
#[derive(Default)]
struct Draft {
    challenge: DigestChallenge,
    has_realm: bool,
    has_nonce: bool,
    /// It asks for something that is not known here.
    unanswerable: bool,
}

impl Draft {
    fn set(&mut self, name: &str, value: String) {
        let challenge = &mut self.challenge;
        match &*name.to_ascii_lowercase() {
            "realm" => (self.has_realm, challenge.realm) = (true, value),
            "nonce" => (self.has_nonce, challenge.nonce) = (true, value),
            "opaque" => challenge.opaque = Some(value),
            "stale" => challenge.stale = value.eq_ignore_ascii_case("true"),
            "userhash" => challenge.userhash = value.eq_ignore_ascii_case("true"),
            "algorithm" => {
                let upper = value.to_ascii_uppercase();
                let (hash, session) = upper.strip_suffix("-SESS").map_or((&*upper, false), |hash| (hash, true));
                challenge.session = session;
                match hash {
                    "MD5" => challenge.algorithm = Algorithm::Md5,
                    "SHA-256" => challenge.algorithm = Algorithm::Sha256,
                    "SHA-512-256" => challenge.algorithm = Algorithm::Sha512Of256,
                    _ => self.unanswerable = true,
                }
                challenge.algorithm_name = Some(value);
            }
            "qop" => {
                challenge.qop = value.split(',').any(|quality| quality.trim().eq_ignore_ascii_case("auth"));
                self.unanswerable |= !challenge.qop;
            }
            _ => {}
        }
    }

    fn finish(self) -> Option<DigestChallenge> {
        (self.has_realm && self.has_nonce && !self.unanswerable).then_some(self.challenge)
    }
}

/// Gives each Digest challenge that can be answered.
///
/// A comma stands between challenges as between the parameters of one, so it is the `=` that tells a parameter from the name of
/// the next scheme.
fn each_challenge(text: &str, mut found: impl FnMut(DigestChallenge)) {
    let mut rest = text;
    let mut draft: Option<Draft> = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        let (name, behind) = token(rest);
        if name.is_empty() {
            // No token begins here: whatever it is goes up to the next comma.
            rest = rest.find(',').map_or("", |comma| &rest[comma..]);
            continue;
        }
        if let Some(value) = behind.trim_start_matches([' ', '\t']).strip_prefix('=') {
            let (value, behind) = parameter_value(value.trim_start_matches([' ', '\t']));
            if let Some(draft) = &mut draft {
                draft.set(name, value);
            }
            rest = behind;
            continue;
        }
        if let Some(challenge) = draft.take().and_then(Draft::finish) {
            found(challenge);
        }
        if name.eq_ignore_ascii_case("digest") {
            draft = Some(Draft::default());
        }
        rest = behind;
    }
    if let Some(challenge) = draft.and_then(Draft::finish) {
        found(challenge);
    }
}

/// A token and what stands behind it.
fn token(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len()))
}

/// A quoted string without its escapes, or anything up to a comma or blank.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Option<DigestChallenge> {
        DigestChallenge::strongest(fields.iter().map(|field| field.as_bytes()))
    }

    #[test]
    fn the_strongest_of_rfc_7616_section_3_9_1() {
        let parts = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let both = [format!("Digest {parts}, algorithm=MD5"), format!("Digest algorithm=SHA-256, {parts}")];
        let found = read(&[&both[0], &both[1]]).unwrap();
        assert_eq!((found.algorithm, found.qop, found.stale, found.session), (Algorithm::Sha256, true, false, false));
        assert_eq!(found.realm, "http-auth@example.org");
        assert_eq!(found.opaque.as_deref(), Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"));
        let in_one = format!("Basic realm=\"x\", {}, Bearer abc==, {}", both[1], both[0]);
        assert_eq!(read(&[&in_one]).unwrap().algorithm, Algorithm::Sha256);
    }

    #[test]
    fn names_and_values_in_every_spelling() {
        let found =
            read(&["dIgEsT REALM = \"a \\\"b\\\", c\" ,nonce=n , stale=TRUE,algorithm=md5-SESS,, userhash=true"])
                .unwrap();
        assert_eq!((&*found.realm, &*found.nonce, found.qop), ("a \"b\", c", "n", false));
        assert!(found.stale && found.session && found.userhash);
        assert_eq!(found.algorithm_name.as_deref(), Some("md5-SESS"));
    }

    #[test]
    fn what_cannot_be_answered_is_no_challenge() {
        for field in [
            "",
            "Digest",
            "Basic realm=\"a\", nonce=\"b\"",
            "Digest realm=\"a\"",
            "Digest nonce=\"a\"",
            "Digest realm=a, nonce=b, qop=\"auth-int\"",
            "Digest realm=a, nonce=b, algorithm=SHA3",
            "Negotiate, Digest",
        ] {
            assert_eq!(read(&[field]), None, "{field}");
        }
        let long = format!("Digest realm=a, nonce=\"{}\"", "x".repeat(CHALLENGE_BYTES_MAX));
        assert_eq!(read(&[&long]), None);
        assert!(read(&["Digest realm=a, \"x\" y, nonce=b"]).is_some(), "what is odd is stepped over");
    }
}
