//! Properties of the cookie jar: it agrees with the rules of RFC 6265 written down in the plainest way, and nothing a server
//! sends breaks it.

#[allow(dead_code)]
mod check;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use pummel_http::CookieJar;

const HOSTS: [&str; 4] = ["h.test", "a.h.test", "b.h.test", "10.0.0.1"];
const TARGETS: [&str; 5] = ["/", "/x", "/x/", "/x/y?z=/w", "/xy"];

/// What a server sets.
#[derive(Clone, Debug)]
struct Set {
    host: &'static str,
    target: &'static str,
    name: &'static str,
    value: u16,
    domain: Option<&'static str>,
    path: Option<&'static str>,
    secure: bool,
    max_age: Option<i64>,
    /// Seconds after the one before.
    later: i64,
}

prop_compose! {
    fn set()(
        host in select(&HOSTS[..]),
        target in select(&TARGETS[..]),
        name in select(vec!["a", "b", "c"]),
        value in any::<u16>(),
        domain in proptest::option::of(select(vec!["h.test", ".H.test", "a.h.test", "test", "10.0.0.1", "0.0.1"])),
        path in proptest::option::of(select(vec!["/", "/x", "/x/", "x"])),
        secure in any::<bool>(),
        max_age in proptest::option::of(-1_i64..5),
        later in 0_i64..3,
    ) -> Set {
        Set { host, target, name, value, domain, path, secure, max_age, later }
    }
}

impl Set {
    fn field(&self) -> String {
        let pair = format!("{}={}", self.name, self.value);
        let domain = self.domain.map(|domain| format!("Domain={domain}"));
        let path = self.path.map(|path| format!("path={path}"));
        let max_age = self.max_age.map(|age| format!("max-age={age}"));
        let secure = self.secure.then(|| "Secure".to_owned());
        [Some(pair), domain, path, max_age, secure].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// A cookie of the model.
#[derive(Clone, Debug)]
struct Held {
    name: String,
    value: String,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    until: i64,
    age: usize,
}

/// RFC 6265 section 5.3 as it stands there.
fn model_store(held: &mut Vec<Held>, set: &Set, age: usize, now: i64) {
    let domain = set.domain.map(|domain| domain.trim_start_matches('.').to_lowercase());
    let host_only = domain.is_none();
    let domain = domain.unwrap_or_else(|| set.host.to_owned());
    if domain != set.host && (set.host == "10.0.0.1" || domain == "test" || !set.host.ends_with(&format!(".{domain}")))
    {
        return;
    }
    let default = match set.target.split('?').next().unwrap().rsplit_once('/') {
        Some((directory, _)) if !directory.is_empty() => directory,
        _ => "/",
    };
    let path = set.path.filter(|path| path.starts_with('/')).unwrap_or(default).to_owned();
    let same = |one: &Held| one.name == set.name && one.domain == domain && one.path == path;
    let age = held.iter().find(|one| same(one)).map_or(age, |one| one.age);
    held.retain(|one| !same(one));
    let until = set.max_age.map_or(i64::MAX, |age| now + age.max(0));
    if until > now {
        let (name, value) = (set.name.to_owned(), set.value.to_string());
        held.push(Held { name, value, domain, host_only, path, secure: set.secure, until, age });
    }
}

/// RFC 6265 section 5.4 as it stands there.
fn model_line(held: &[Held], host: &str, target: &str, https: bool, now: i64) -> String {
    let path = target.split('?').next().unwrap();
    let mut fit: Vec<_> = held
        .iter()
        .filter(|one| host == one.domain || (!one.host_only && host.ends_with(&format!(".{}", one.domain))))
        .filter(|one| {
            path == one.path
                || (path.starts_with(&one.path) && (one.path.ends_with('/') || path[one.path.len()..].starts_with('/')))
        })
        .filter(|one| (https || !one.secure) && one.until > now)
        .collect();
    fit.sort_by_key(|one| (std::cmp::Reverse(one.path.len()), one.age));
    fit.iter().map(|one| format!("{}={}", one.name, one.value)).collect::<Vec<_>>().join("; ")
}

proptest! {
    #[test]
    fn a_jar_does_what_the_rules_say(sets in vec(set(), 1..30)) {
        let (mut jar, mut held, mut now) = (CookieJar::default(), Vec::new(), 1000);
        for (age, set) in sets.iter().enumerate() {
            now += set.later;
            jar.store(set.field().as_bytes(), set.host, set.target, false, now);
            model_store(&mut held, set, age, now);
            for host in HOSTS {
                for target in TARGETS {
                    for https in [false, true] {
                        let mut line = Vec::new();
                        jar.push_matching(host, target, https, now, &mut line);
                        let line = String::from_utf8(line).unwrap();
                        prop_assert_eq!(line, model_line(&held, host, target, https, now), "{} {}", host, target);
                    }
                }
            }
        }
    }

    #[test]
    fn arbitrary_fields_break_nothing(data in vec(any::<u8>(), 0..600)) {
        check::cookies::cookies(&data);
    }

    #[test]
    fn arbitrary_attributes_break_nothing(
        fields in vec("[a-z0-9]?[a-c]=[ -~\u{e4}]{0,6}(; ?(Domain|path|MAX-age|Expires|secure)=?[ -~]{0,12}){0,4}", 0..80),
    ) {
        check::cookies::cookies(fields.join("\n").as_bytes());
    }
}
