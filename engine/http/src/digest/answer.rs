//! The `Authorization` that answers a challenge (RFC 7616 section 3.4).

use ring::digest::{digest, SHA256, SHA512_256};

use super::{Algorithm, DigestChallenge};

/// One use of a challenge.
#[derive(Clone, Copy, Debug)]
pub struct DigestUse<'a> {
    /// The user's name.
    pub user: &'a str,
    /// Its password.
    pub password: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// Its target as it stands in the request line.
    pub target: &'a str,
    /// The client's own random word; the same for all uses of one nonce.
    pub cnonce: &'a str,
    /// How many requests this nonce was used for, this one included. At least 1.
    pub count: u32,
}

impl DigestChallenge {
    /// The value of `Authorization` for a request.
    pub fn answer(&self, one: &DigestUse<'_>) -> String {
        let hash = |parts: &[&str]| self.algorithm.hash(&parts.join(":"));
        let mut key = hash(&[one.user, &self.realm, one.password]);
        if self.session {
            key = hash(&[&key, &self.nonce, one.cnonce]);
        }
        let what = hash(&[one.method, one.target]);
        let count = format!("{:08x}", one.count);
        let response = if self.qop {
            hash(&[&key, &self.nonce, &count, one.cnonce, "auth", &what])
        } else {
            hash(&[&key, &self.nonce, &what])
        };
        let mut text = String::from("Digest ");
        let mut quoted = |name: &str, value: &str| {
            text.push_str(name);
            text.push_str("=\"");
            for c in value.chars() {
                if matches!(c, '"' | '\\') {
                    text.push('\\');
                }
                text.push(c);
            }
            text.push_str("\", ");
        };
        if self.userhash {
            quoted("username", &hash(&[one.user, &self.realm]));
        } else {
            quoted("username", one.user);
        }
        quoted("realm", &self.realm);
        quoted("nonce", &self.nonce);
        quoted("uri", one.target);
        quoted("response", &response);
        if let Some(opaque) = &self.opaque {
            quoted("opaque", opaque);
        }
        if self.qop || self.session {
            quoted("cnonce", one.cnonce);
        }
        if self.qop {
            text.push_str("qop=auth, nc=");
            text.push_str(&count);
            text.push_str(", ");
        }
        if let Some(name) = &self.algorithm_name {
            text.push_str("algorithm=");
            text.push_str(name);
            text.push_str(", ");
        }
        if self.userhash {
            text.push_str("userhash=true, ");
        }
        text.truncate(text.len() - ", ".len());
        text
    }
}

impl Algorithm {
    /// In lower-case hexadecimal digits.
    fn hash(self, text: &str) -> String {
        let hex = |bytes: &[u8]| {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
            bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
        };
        match self {
            Self::Md5 => hex(&md5::compute(text).0),
            Self::Sha256 => hex(digest(&SHA256, text.as_bytes()).as_ref()),
            Self::Sha512Of256 => hex(digest(&SHA512_256, text.as_bytes()).as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1.
    fn mufasa(algorithm: Algorithm, name: &str) -> String {
        let challenge = DigestChallenge {
            realm: "http-auth@example.org".into(),
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".into(),
            opaque: Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS".into()),
            algorithm,
            algorithm_name: Some(name.into()),
            qop: true,
            ..DigestChallenge::default()
        };
        challenge.answer(&DigestUse {
            user: "Mufasa",
            password: "Circle of Life",
            method: "GET",
            target: "/dir/index.html",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            count: 1,
        })
    }

    #[test]
    fn the_examples_of_rfc_7616() {
        assert_eq!(
            mufasa(Algorithm::Md5, "MD5"),
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", \
             response=\"8ca523f5e9506fed4657c9700eebdbec\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, nc=00000001, algorithm=MD5"
        );
        let sha = mufasa(Algorithm::Sha256, "SHA-256");
        assert!(sha.contains("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""), "{sha}");
    }

    #[test]
    fn the_example_of_a_hashed_user_name() {
        // The request of RFC 7616 section 3.9.2. Its figures there are of another hash (erratum 4897); these are of SHA-512/256 as
        // Python's hashlib has it.
        let challenge = DigestChallenge {
            realm: "api@example.org".into(),
            nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK".into(),
            opaque: Some("HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS".into()),
            algorithm: Algorithm::Sha512Of256,
            qop: true,
            userhash: true,
            ..DigestChallenge::default()
        };
        let answer = challenge.answer(&DigestUse {
            user: "J\u{e4}s\u{f8}n Doe",
            password: "Secret, or not?",
            method: "GET",
            target: "/doe.json",
            cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm",
            count: 1,
        });
        assert!(
            answer.contains("username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\""),
            "{answer}"
        );
        assert!(
            answer.contains("response=\"7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c\""),
            "{answer}"
        );
        assert!(answer.ends_with(", userhash=true"), "{answer}");
    }

    #[test]
    fn without_a_quality_as_in_rfc_2069_and_with_a_session_key() {
        // The example of RFC 2617 section 3.5 with the response RFC 2069 asks for: MD5(HA1:nonce:HA2).
        let challenge = DigestChallenge {
            realm: "testrealm@host.com".into(),
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093".into(),
            ..DigestChallenge::default()
        };
        let one = DigestUse {
            user: "Mufasa",
            password: "Circle Of Life",
            method: "GET",
            target: "/dir/index.html",
            cnonce: "0a4f113b",
            count: 1,
        };
        let plain = challenge.answer(&one);
        assert!(
            plain.contains("response=\"670fd8c2df070c60b045671b8b24ff02\"") && !plain.contains("cnonce"),
            "{plain}"
        );
        let with_quality = DigestChallenge { qop: true, ..challenge.clone() }.answer(&one);
        assert!(with_quality.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{with_quality}");
        let in_session =
            DigestChallenge { qop: true, session: true, ..challenge }.answer(&DigestUse { count: 2, ..one });
        assert!(in_session.contains("nc=00000002") && !in_session.contains("6629fae4"), "{in_session}");
    }

    #[test]
    fn quotes_cannot_end_their_value() {
        let challenge = DigestChallenge { realm: "a\"b\\".into(), nonce: "n".into(), ..DigestChallenge::default() };
        let one = DigestUse { user: "u\"", password: "", method: "GET", target: "/", cnonce: "c", count: 1 };
        assert!(challenge.answer(&one).starts_with("Digest username=\"u\\\"\", realm=\"a\\\"b\\\\\", nonce=\"n\""));
    }
}
