//! A virtual user's cookies (RFC 6265 section 5).
//!
//! The crate `cookie_store` keeps cookies too. It allocates a parsed URL for each look-up and several strings for each cookie,
//! and brings crates with it that nothing else here needs; a load engine looks cookies up before every request of every
//! user. This jar is a list that stays sorted as cookies are sent, in buffers that are used again.
//!
//! Different from a browser's: there is no list of public suffixes, but a domain of one label is refused for other hosts.

use std::net::IpAddr;

use crate::date::cookie_date;
use crate::syntax::trim;

/// The most cookies of one domain (RFC 6265 section 6.1 asks for 50 at least). Beyond it the oldest goes.
pub const COOKIES_PER_DOMAIN_MAX: usize = 50;

/// The most cookies of one user. RFC 6265 section 6.1 asks browsers for 3,000; a test case talks to a few services, and this is
/// multiplied by the users of a run.
pub const COOKIES_MAX: usize = 300;

/// The longest cookie: name, value, domain and path together (RFC 6265 section 6.1 asks for 4,096 at least). Longer ones are
/// not kept.
pub const COOKIE_BYTES_MAX: usize = 4096;

/// A cookie's buffer above this size is not used again, so that one large cookie does not stay with every user.
const RETAINED_COOKIE_BYTES: usize = 512;

/// The cookies of one user. An empty jar holds no memory; a cleared one keeps its buffers for the cookies to come.
#[derive(Debug, Clone, Default)]
pub struct CookieJar {
    /// The first `live` are cookies, in the order in which they are sent: longest path first, then the older. Behind them
    /// stand buffers that are used again.
    slots: Vec<Cookie>,
    live: usize,
    /// Cookies made so far: the age of the next.
    made: u64,
}

/// Where a request goes, as far as cookies care.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    host: &'a str,
    path: &'a str,
    https: bool,
}

impl<'a> Place<'a> {
    fn new(host: &'a str, target: &'a str, https: bool) -> Self {
        let end = target.find(['?', '#']).unwrap_or(target.len());
        Self { host, path: &target[..end], https }
    }
}

impl CookieJar {
    /// True without a cookie, expired ones included. Costs one comparison.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// How many cookies there are, expired ones included.
    #[inline]
    pub fn len(&self) -> usize {
        self.live
    }

    /// Keeps, replaces or removes a cookie as the value of a `Set-Cookie` field says (RFC 6265 sections 5.2 and 5.3). Fields
    /// that say nothing of use are ignored, as are cookies for other domains.
    ///
    /// The request went to `host` (lower case, no port, an IPv6 address without brackets) with `target` in its request line,
    /// whose query is not looked at. `now_s` is in seconds since 1970.
    pub fn store(&mut self, set_cookie: &[u8], host: &str, target: &str, https: bool, now_s: i64) {
        let place = Place::new(host, target, https);
        let Some(mut new) = SetCookie::parse(set_cookie, &place, now_s) else { return };
        if new.name.len() + new.value.len() + new.domain.len() + new.path.len() > COOKIE_BYTES_MAX {
            return;
        }
        let old = self.slots[..self.live].iter().position(|cookie| cookie.is_named(&new));
        if new.expires_s.is_some_and(|at| at <= now_s) {
            if let Some(at) = old {
                self.remove(at);
            }
            return;
        }
        if let Some(at) = old {
            // In its place and as old as it was (step 11.3): its path has not changed either.
            let cookie = &mut self.slots[at];
            new.kept = cookie.kept;
            let made = cookie.made;
            cookie.set(&new, made);
            return;
        }
        self.make_room(new.domain, now_s);
        self.insert(&new);
    }

    /// Appends the cookies for a request to `out`, as they stand in its `Cookie` field: `a=1; b=2` (RFC 6265 section 5.4).
    /// False where there is none. The parameters are those of [`store`](Self::store).
    pub fn push_matching(&self, host: &str, target: &str, https: bool, now_s: i64, out: &mut Vec<u8>) -> bool {
        if self.is_empty() {
            return false;
        }
        let place = Place::new(host, target, https);
        let mut any = false;
        for cookie in self.slots[..self.live].iter().filter(|cookie| cookie.goes_to(&place, now_s)) {
            if any {
                out.extend_from_slice(b"; ");
            }
            any = true;
            out.extend_from_slice(cookie.name());
            out.push(b'=');
            out.extend_from_slice(cookie.value());
        }
        any
    }

    /// What is in the jar now stays when it is [cleared](Self::clear). A cookie that is replaced later stays with its new value,
    /// one that a server removes is gone: a session that was renewed or ended cannot be taken up again.
    pub fn keep(&mut self) {
        self.slots[..self.live].iter_mut().for_each(|cookie| cookie.kept = true);
    }

    /// Forgets all cookies but those [kept](Self::keep). Their buffers are used for the next ones.
    pub fn clear(&mut self) {
        let mut kept = 0;
        for at in 0..self.live {
            if self.slots[at].kept {
                self.slots.swap(kept, at);
                kept += 1;
            } else {
                self.slots[at].give_back();
            }
        }
        self.live = kept;
    }

    /// Removes what is expired, then the oldest, where one more of this domain would be too many (RFC 6265 section 5.3; the
    /// time of the last use is not kept, so the age decides).
    fn make_room(&mut self, domain: &[u8], now_s: i64) {
        let of_domain = |jar: &Self| jar.slots[..jar.live].iter().filter(|cookie| cookie.domain() == domain).count();
        if self.live < COOKIES_PER_DOMAIN_MAX {
            return;
        }
        if self.live >= COOKIES_MAX || of_domain(self) >= COOKIES_PER_DOMAIN_MAX {
            for at in (0..self.live).rev() {
                if self.slots[at].is_expired(now_s) {
                    self.remove(at);
                }
            }
        }
        if of_domain(self) >= COOKIES_PER_DOMAIN_MAX {
            self.remove_oldest(|cookie| cookie.domain() == domain);
        } else if self.live >= COOKIES_MAX {
            self.remove_oldest(|_| true);
        }
    }

    fn remove_oldest(&mut self, among: impl Fn(&Cookie) -> bool) {
        let candidates = (0..self.live).filter(|at| among(&self.slots[*at]));
        if let Some(oldest) = candidates.min_by_key(|at| self.slots[*at].made) {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, at: usize) {
        self.slots[at].give_back();
        self.slots[at..self.live].rotate_left(1);
        self.live -= 1;
    }

    fn insert(&mut self, new: &SetCookie<'_>) {
        if self.slots.len() == self.live {
            self.slots.push(Cookie::default());
        }
        self.slots[self.live].set(new, self.made);
        self.made += 1;
        // Behind all whose path is as long: those are older.
        let at = self.slots[..self.live].partition_point(|cookie| cookie.path().len() >= new.path.len());
        self.slots[at..=self.live].rotate_right(1);
        self.live += 1;
    }
}

/// A cookie of the jar. Its texts stand one behind the other in one buffer.
#[derive(Debug, Clone, Default)]
struct Cookie {
    text: Vec<u8>,
    name_end: u16,
    value_end: u16,
    domain_end: u16,
    host_only: bool,
    secure: bool,
    kept: bool,
    /// Seconds since 1970; none for the session's cookies.
    expires_s: Option<i64>,
    /// How many were made before it.
    made: u64,
}

impl Cookie {
    fn set(&mut self, new: &SetCookie<'_>, made: u64) {
        self.text.clear();
        self.text.extend_from_slice(new.name);
        self.name_end = self.text.len() as u16;
        self.text.extend_from_slice(new.value);
        self.value_end = self.text.len() as u16;
        self.text.extend_from_slice(new.domain);
        self.text[usize::from(self.value_end)..].make_ascii_lowercase();
        self.domain_end = self.text.len() as u16;
        self.text.extend_from_slice(new.path);
        self.host_only = new.host_only;
        self.secure = new.secure;
        self.kept = new.kept;
        self.expires_s = new.expires_s;
        self.made = made;
    }

    fn name(&self) -> &[u8] {
        &self.text[..usize::from(self.name_end)]
    }

    fn value(&self) -> &[u8] {
        &self.text[usize::from(self.name_end)..usize::from(self.value_end)]
    }

    fn domain(&self) -> &[u8] {
        &self.text[usize::from(self.value_end)..usize::from(self.domain_end)]
    }

    fn path(&self) -> &[u8] {
        &self.text[usize::from(self.domain_end)..]
    }

    /// Whether the new one takes its place (RFC 6265 section 5.3, step 11).
    fn is_named(&self, new: &SetCookie<'_>) -> bool {
        self.name() == new.name && self.domain().eq_ignore_ascii_case(new.domain) && self.path() == new.path
    }

    fn is_expired(&self, now_s: i64) -> bool {
        self.expires_s.is_some_and(|at| at <= now_s)
    }

    /// RFC 6265 section 5.4, step 1.
    fn goes_to(&self, place: &Place<'_>, now_s: i64) -> bool {
        let host = if self.host_only {
            self.domain().eq_ignore_ascii_case(place.host.as_bytes())
        } else {
            domain_matches(place.host, self.domain())
        };
        host && (place.https || !self.secure) && path_matches(place.path, self.path()) && !self.is_expired(now_s)
    }

    /// Is no cookie any more, only a buffer.
    fn give_back(&mut self) {
        self.kept = false;
        if self.text.capacity() > RETAINED_COOKIE_BYTES {
            self.text = Vec::new();
        }
    }
}

/// A `Set-Cookie` field, read.
#[derive(Debug, Clone, Copy)]
struct SetCookie<'a> {
    name: &'a [u8],
    value: &'a [u8],
    /// In any case of its letters.
    domain: &'a [u8],
    path: &'a [u8],
    host_only: bool,
    secure: bool,
    kept: bool,
    expires_s: Option<i64>,
}

impl<'a> SetCookie<'a> {
    /// RFC 6265 section 5.2, and steps 1 to 9 of 5.3. None for what is to be ignored whole.
    fn parse(field: &'a [u8], place: &Place<'a>, now_s: i64) -> Option<Self> {
        // A control character would end the field it is sent back in; a tab would not, but stands in no value either.
        if field.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return None;
        }
        let mut parts = field.split(|byte| *byte == b';');
        let (name, value) = split_at_equals(parts.next()?)?;
        if name.is_empty() {
            return None;
        }
        let (mut domain, mut path) = (&b""[..], &b""[..]);
        let (mut max_age, mut expires, mut secure) = (None, None, false);
        for attribute in parts {
            let (key, text) = split_at_equals(attribute).unwrap_or((trim(attribute), b""));
            // Of several of one name the last counts; one that cannot be read is as if it were not there.
            if key.eq_ignore_ascii_case(b"domain") {
                // An empty one is as if it were not there (RFC 6265 section 5.2.3).
                let text = text.strip_prefix(b".").unwrap_or(text);
                domain = if text.is_empty() { domain } else { text };
            } else if key.eq_ignore_ascii_case(b"path") {
                path = text;
            } else if key.eq_ignore_ascii_case(b"max-age") {
                max_age = seconds(text).or(max_age);
            } else if key.eq_ignore_ascii_case(b"expires") {
                expires = cookie_date(text).or(expires);
            } else if key.eq_ignore_ascii_case(b"secure") {
                secure = true;
            }
        }
        let host_only = domain.is_empty();
        if host_only {
            domain = place.host.as_bytes();
        } else if !may_set_for(place.host, domain) {
            return None;
        }
        Some(Self {
            name,
            value,
            domain,
            path: if path.starts_with(b"/") { path } else { default_path(place.path).as_bytes() },
            host_only,
            secure,
            kept: false,
            expires_s: max_age.map(|age| now_s.saturating_add(age)).or(expires),
        })
    }
}

/// Name and value around the first `=`, without white space around them; none without one.
fn split_at_equals(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', text)?;
    Some((trim(&text[..at]), trim(&text[at + 1..])))
}

/// `Max-Age`: digits, with a minus for what is to go at once; the largest number stands for all beyond it.
fn seconds(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if (digits.is_empty() && !negative) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number =
        digits.iter().fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if negative { 0 } else { number })
}

/// RFC 6265 section 5.1.3: the host is the domain, or a name below it. Nothing is below an address.
fn domain_matches(host: &str, domain: &[u8]) -> bool {
    let host_bytes = host.as_bytes();
    let Some(below) = host_bytes.len().checked_sub(domain.len()) else { return false };
    if !host_bytes[below..].eq_ignore_ascii_case(domain) {
        return false;
    }
    below == 0 || (host_bytes[below - 1] == b'.' && host.parse::<IpAddr>().is_err())
}

/// Whether a host may set cookies for a domain: its own or one above, but no single label such as `com`.
fn may_set_for(host: &str, domain: &[u8]) -> bool {
    domain_matches(host, domain) && (domain.contains(&b'.') || domain.len() == host.len())
}

/// RFC 6265 section 5.1.4: the directory of the request's path.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(last) if last > 0 && path.starts_with('/') => &path[..last],
        _ => "/",
    }
}

/// RFC 6265 section 5.1.4: the same, or below it at a slash.
fn path_matches(path: &str, cookie_path: &[u8]) -> bool {
    // A target such as `*` has no path; its cookies are those of the root.
    let path = if path.starts_with('/') { path.as_bytes() } else { b"/" };
    match path.strip_prefix(cookie_path) {
        Some([]) => true,
        Some(rest) => cookie_path.ends_with(b"/") || rest[0] == b'/',
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 784_111_777;

    fn sent(jar: &CookieJar, host: &str, target: &str) -> String {
        sent_at(jar, host, target, false, NOW)
    }

    fn sent_at(jar: &CookieJar, host: &str, target: &str, https: bool, now_s: i64) -> String {
        let mut out = Vec::new();
        assert_eq!(jar.push_matching(host, target, https, now_s, &mut out), !out.is_empty());
        String::from_utf8(out).unwrap()
    }

    fn jar(fields: &[&str]) -> CookieJar {
        let mut jar = CookieJar::default();
        for field in fields {
            jar.store(field.as_bytes(), "a.example.com", "/dir/page?x=/y", false, NOW);
        }
        jar
    }

    #[test]
    fn a_cookie_goes_back_to_its_host_and_directory() {
        let jar = jar(&["a=1"]);
        assert_eq!(sent(&jar, "a.example.com", "/dir/page"), "a=1");
        assert_eq!(sent(&jar, "A.Example.com", "/dir"), "a=1");
        assert_eq!(sent(&jar, "a.example.com", "/dir?z"), "a=1");
        assert_eq!(sent(&jar, "a.example.com", "/dir/"), "a=1");
        for (host, target) in [
            ("a.example.com", "/"),
            ("a.example.com", "/directory"),
            ("example.com", "/dir/"),
            ("b.a.example.com", "/dir/"),
            ("", "/dir/"),
        ] {
            assert_eq!(sent(&jar, host, target), "", "{host}{target}");
        }
    }

    #[test]
    fn a_domain_covers_the_names_below_it() {
        for domain in ["example.com", ".EXAMPLE.com", "Example.Com"] {
            let jar = jar(&[&format!("a=1; Domain={domain}; Path=/")]);
            for host in ["example.com", "a.example.com", "x.y.example.com"] {
                assert_eq!(sent(&jar, host, "/"), "a=1", "{domain} {host}");
            }
            assert_eq!(sent(&jar, "badexample.com", "/"), "");
        }
        for domain in ["com", "b.example.com", "x.a.example.com", "ample.com", "other.org", "."] {
            let jar = jar(&[&format!("a=1; domain={domain}")]);
            assert_eq!(jar.is_empty(), domain != ".", "{domain}");
        }
    }

    #[test]
    fn addresses_and_single_names_set_cookies_for_themselves_only() {
        for host in ["127.0.0.1", "localhost", "::1"] {
            let mut jar = CookieJar::default();
            jar.store(format!("a=1; Domain={host}").as_bytes(), host, "/", false, NOW);
            assert_eq!(sent(&jar, host, "/"), "a=1");
        }
        let mut jar = CookieJar::default();
        jar.store(b"a=1; Domain=0.0.1", "127.0.0.1", "/", false, NOW);
        assert!(jar.is_empty());
    }

    #[test]
    fn paths_match_at_slashes() {
        for (path, target, matches) in [
            ("/", "/", true),
            ("/", "/any/thing", true),
            ("/", "*", true),
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a", "/ab", false),
            ("/a/", "/a", false),
            ("/a/", "/a/b", true),
            ("/A", "/a", false),
        ] {
            let jar = jar(&[&format!("a=1; Path={path}")]);
            assert_eq!(sent(&jar, "a.example.com", target) == "a=1", matches, "{path} {target}");
        }
        for (target, default) in [("/", "/"), ("/a", "/"), ("/a/b", "/a"), ("/a/", "/a"), ("", "/"), ("*", "/")] {
            assert_eq!(default_path(target), default);
        }
        assert_eq!(sent(&jar(&["a=1; Path=relative"]), "a.example.com", "/dir/x"), "a=1");
    }

    #[test]
    fn longest_path_first_then_the_oldest() {
        let jar = jar(&["c=1; Path=/", "a=2; Path=/dir", "b=3; Path=/", "d=4; Path=/dir/sub", "c=5; Path=/"]);
        assert_eq!(sent(&jar, "a.example.com", "/dir/sub"), "d=4; a=2; c=5; b=3");
        assert_eq!(jar.len(), 4);
    }

    #[test]
    fn the_same_name_with_another_path_or_domain_is_another_cookie() {
        let jar = jar(&["a=1", "a=2; Path=/", "a=3; Path=/; Domain=example.com", "A=4"]);
        assert_eq!(sent(&jar, "a.example.com", "/dir/x"), "a=1; A=4; a=2; a=3");
    }

    #[test]
    fn secure_cookies_need_https() {
        let jar = jar(&["a=1; SECURE; Path=/", "b=2; Path=/; HttpOnly; SameSite=Lax"]);
        assert_eq!(sent_at(&jar, "a.example.com", "/", false, NOW), "b=2");
        assert_eq!(sent_at(&jar, "a.example.com", "/", true, NOW), "a=1; b=2");
    }

    #[test]
    fn cookies_expire() {
        let expires = |field: &str, until: Option<i64>| {
            let jar = jar(&[field]);
            assert_eq!(sent_at(&jar, "a.example.com", "/dir/", false, i64::MAX).is_empty(), until.is_some(), "{field}");
            if let Some(until) = until {
                assert_eq!(sent_at(&jar, "a.example.com", "/dir/", false, until - 1), "a=1", "{field}");
                assert_eq!(sent_at(&jar, "a.example.com", "/dir/", false, until), "", "{field}");
            }
        };
        expires("a=1", None);
        expires("a=1; Max-Age=10", Some(NOW + 10));
        expires("a=1; max-age=10; Expires=Sun, 06 Nov 1994 08:49:36 GMT", Some(NOW + 10));
        expires("a=1; Expires=Sun, 06 Nov 1994 08:50:37 GMT", Some(NOW + 60));
        expires("a=1; Expires=whenever", None);
        expires("a=1; Max-Age=", None);
        expires("a=1; Max-Age=1x", None);
        expires("a=1; Max-Age=99999999999999999999", Some(i64::MAX));
        for gone in ["a=1; Max-Age=0", "a=1; Max-Age=-5", "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert!(jar(&["a=0", gone]).is_empty(), "{gone}");
        }
        assert_eq!(jar(&["a=0", "a=; Max-Age=0; Path=/"]).len(), 1, "another path is another cookie");
    }

    #[test]
    fn fields_are_read_leniently_and_never_break_a_request() {
        for (field, expected) in [
            (" a = 1 2 ; x", "a=1 2"),
            ("a=\"q q\"", "a=\"q q\""),
            ("a=b=c", "a=b=c"),
            ("a=", "a="),
            ("=b", ""),
            ("a", ""),
            ("", ""),
            (";", ""),
            ("a=1\r\nX: y", ""),
            ("a=1\0", ""),
        ] {
            assert_eq!(sent(&jar(&[field]), "a.example.com", "/dir/"), expected, "{field:?}");
        }
    }

    #[test]
    fn kept_cookies_survive_the_clearing() {
        let mut jar = jar(&["login=1; Path=/", "token=2; Path=/", "end=3; Path=/"]);
        jar.keep();
        let store = |jar: &mut CookieJar, field: &str| jar.store(field.as_bytes(), "a.example.com", "/", false, NOW);
        store(&mut jar, "visit=4; Path=/dir");
        store(&mut jar, "token=5; Path=/");
        store(&mut jar, "end=; Max-Age=0; Path=/");
        assert_eq!(sent(&jar, "a.example.com", "/dir"), "visit=4; login=1; token=5");
        jar.clear();
        assert_eq!(sent(&jar, "a.example.com", "/dir"), "login=1; token=5");
        store(&mut jar, "visit=6; Path=/dir");
        assert_eq!(sent(&jar, "a.example.com", "/dir"), "visit=6; login=1; token=5");
        jar.clear();
        jar.clear();
        assert_eq!(jar.len(), 2);
    }

    #[test]
    fn limits_hold_and_the_oldest_goes() {
        let mut jar = CookieJar::default();
        for number in 0..=COOKIES_PER_DOMAIN_MAX {
            jar.store(format!("n{number}=v").as_bytes(), "h", "/", false, NOW);
        }
        assert_eq!(jar.len(), COOKIES_PER_DOMAIN_MAX);
        assert!(sent(&jar, "h", "/").starts_with("n1=v; n2=v"));
        // An expired one goes before the oldest.
        jar.store(b"n7=v; Max-Age=1", "h", "/", false, NOW);
        jar.store(b"new=v", "h", "/", false, NOW + 1);
        assert!(sent(&jar, "h", "/").starts_with("n1=v; n2=v"));
        assert!(!sent(&jar, "h", "/").contains("n7="));

        for host in 0..COOKIES_MAX {
            jar.store(b"a=1", &format!("h{host}"), "/", false, NOW);
        }
        assert_eq!(jar.len(), COOKIES_MAX);
        assert_eq!(sent(&jar, "h", "/"), "");

        let mut jar = CookieJar::default();
        let fits = COOKIE_BYTES_MAX - "nh/".len();
        jar.store(format!("n={}", "v".repeat(fits)).as_bytes(), "h", "/", false, NOW);
        jar.store(format!("m={}", "v".repeat(fits + 1)).as_bytes(), "h", "/", false, NOW);
        assert_eq!(jar.len(), 1);
    }

    #[test]
    fn buffers_are_used_again_and_large_ones_given_back() {
        let mut jar = jar(&["session=0123456789", "other=1"]);
        let buffer = jar.slots[0].text.as_ptr();
        jar.clear();
        assert!(jar.is_empty());
        jar.store(b"session=9876543210", "a.example.com", "/dir/page", false, NOW);
        assert_eq!((jar.slots[0].text.as_ptr(), jar.slots.len()), (buffer, 2));
        let long = format!("session={}", "x".repeat(RETAINED_COOKIE_BYTES));
        jar.store(long.as_bytes(), "a.example.com", "/dir/page", false, NOW);
        jar.clear();
        assert_eq!(jar.slots[0].text.capacity(), 0);
    }
}
