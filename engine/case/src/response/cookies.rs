//! Cookies a response sets, as far as checks look at them (hrp spec 10.1).

use super::Headers;

/// Calls `each` with name and value of every `Set-Cookie` field, in order (RFC 6265 section 5.2, without attributes).
pub(crate) fn for_each_cookie(headers: &dyn Headers, each: &mut dyn FnMut(&str, &str)) {
    headers.for_each(&mut |name, value| {
        if !name.eq_ignore_ascii_case("set-cookie") {
            return;
        }
        let text = String::from_utf8_lossy(value);
        let pair = text.split(';').next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=') {
            let value = value.trim();
            let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
            each(name.trim(), bare);
        }
    });
}

/// One cookie's value; of several with one name the last.
pub(crate) fn cookie(headers: &dyn Headers, name: &str) -> Option<String> {
    let mut found = None;
    for_each_cookie(headers, &mut |n, value| {
        if n == name {
            found = Some(value.to_owned());
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cookie_of_a_name_wins() {
        let fields: &[(&str, &[u8])] =
            &[("Set-Cookie", b"a=1; Path=/"), ("set-cookie", b"b=\"x y\""), ("Set-Cookie", b"a=2=3"), ("X", b"a=9")];
        assert_eq!(cookie(&fields, "a").as_deref(), Some("2=3"));
        assert_eq!(cookie(&fields, "b").as_deref(), Some("x y"));
        assert_eq!(cookie(&fields, "c"), None);
    }
}
