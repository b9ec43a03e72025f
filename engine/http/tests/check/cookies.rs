//! What must hold of a cookie jar whatever servers send.

use pummel_http::{
    encode_request, CookieJar, EncodeOptions, Limits, RequestParser, RequestProgress, COOKIES_MAX, COOKIE_BYTES_MAX,
};

/// When everything happens, seconds since 1970.
const NOW_S: i64 = 1_700_000_000;

/// Hosts of one domain, whose cookies may reach each other.
const HOSTS: [&str; 3] = ["example.com", "a.example.com", "b.a.example.com"];

/// Hosts that none of them may set cookies for.
const STRANGERS: [&str; 5] = ["example.org", "com", "xexample.com", "127.0.0.1", "::1"];

/// Targets of requests.
const TARGETS: [&str; 6] = ["/", "/a", "/a/", "/a/b?q=/c", "/ab", "*"];

fn line(jar: &CookieJar, host: &str, target: &str, https: bool, now_s: i64) -> Vec<u8> {
    let mut out = b"before|".to_vec();
    let any = jar.push_matching(host, target, https, now_s, &mut out);
    let line = out.strip_prefix(b"before|").expect("what stands in the buffer stays").to_vec();
    assert_eq!(any, !line.is_empty());
    line
}

/// All lines there are, one behind the other.
fn everything(jar: &CookieJar) -> Vec<Vec<u8>> {
    let places = HOSTS.iter().flat_map(|host| TARGETS.iter().map(move |target| (*host, *target)));
    places.map(|(host, target)| line(jar, host, target, true, NOW_S)).collect()
}

/// Checks one input: fields separated by line feeds, each behind a byte that says where it came from.
///
/// # Panics
/// Where the jar breaks a promise.
pub(crate) fn cookies(data: &[u8]) {
    let mut jar = CookieJar::default();
    for field in data.split(|byte| *byte == b'\n') {
        let Some((&place, field)) = field.split_first() else { continue };
        let place = usize::from(place);
        let (host, target, https) = (HOSTS[place % 3], TARGETS[place / 3 % 6], place & 1 == 0);
        jar.store(field, host, target, https, NOW_S);
        assert!(jar.len() <= COOKIES_MAX);
        let count = jar.len();
        assert_eq!(jar.is_empty(), count == 0);
        let once = everything(&jar);
        jar.store(field, host, target, https, NOW_S);
        assert_eq!(everything(&jar), once, "the same field again changes nothing");
    }
    for stranger in STRANGERS {
        assert_eq!(line(&jar, stranger, "/a/b", true, i64::MIN), b"", "no cookie leaves its domain");
    }
    for host in HOSTS {
        for target in TARGETS {
            let all = line(&jar, host, target, true, NOW_S);
            assert!(all.len() <= COOKIES_MAX * (COOKIE_BYTES_MAX + "=; ".len()));
            for fewer in [line(&jar, host, target, false, NOW_S), line(&jar, host, target, true, NOW_S + 100)] {
                assert!(fewer.len() <= all.len(), "neither http nor time brings cookies");
            }
            is_one_field(&all);
        }
    }
    let before = everything(&jar);
    jar.keep();
    jar.clear();
    assert_eq!(everything(&jar), before, "what is kept survives");
    let mut forgotten = jar.clone();
    forgotten.store(b"late=1", HOSTS[0], "/", true, NOW_S);
    forgotten.clear();
    assert!(forgotten.len() <= jar.len());
}

/// What the jar gives is one `Cookie` field of one request.
fn is_one_field(cookies: &[u8]) {
    let mut out = Vec::new();
    let options = EncodeOptions { cookies, ..EncodeOptions::default() };
    encode_request(&mut out, "GET", "/", "h", std::iter::empty(), None, options).expect("cookies can be sent");
    let limits = Limits { head_bytes: usize::MAX, ..Limits::default() };
    let mut parser = RequestParser::new(limits, false);
    match parser.feed(&out) {
        Ok(RequestProgress::Complete { request, consumed }) => {
            assert_eq!(consumed, out.len());
            let fields: Vec<_> = request.headers().filter(|(name, _)| *name == "Cookie").collect();
            let text = |value: &[u8]| value.trim_ascii().to_vec();
            match &fields[..] {
                [] => assert!(cookies.is_empty()),
                [(_, value)] => assert_eq!(text(value), text(cookies)),
                _ => panic!("more than one field"),
            }
        }
        other => panic!("not one request: {:?}", other.map(|_| ())),
    }
}
