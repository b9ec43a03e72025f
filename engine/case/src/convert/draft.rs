//! A request step while it is put together. All its texts are in the case language already: data went through [`literal`].

use serde_json::{json, Map, Value};

use super::problem::Notes;
use crate::request::{build_target, canonical_name, is_header_name, is_header_value, is_ignored_header, TargetStyle};

/// The most headers, cookies or form fields of one request: far more than servers take, few enough to be told apart by looking
/// at each.
pub(super) const MAX_FIELDS: usize = 1000;

/// Text as data: a `$` stands for itself (hrp spec 6.2).
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// Turns foreign text into the case language: [`literal`], or with the source's own variables made ours.
pub(super) type Fill<'a> = &'a mut dyn FnMut(&str) -> String;

/// A request step.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) params: Vec<(String, String)>,
    /// Names as written, distinct without regard to case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) cookies: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    pub(super) upload: Vec<(String, String)>,
    pub(super) timeout_s: Option<f64>,
    pub(super) http2: bool,
    /// User and password of digest authentication, in the case language.
    pub(super) digest: Option<[String; 2]>,
    /// `false` where the source says that certificates are not to be checked.
    pub(super) verify: Option<bool>,
    pub(super) allow_redirects: Option<bool>,
    pub(super) validate: Vec<Value>,
}

impl Draft {
    /// Adds a header whose name and value are as the source has them. Another value of the same name joins the first, which is
    /// what two fields mean (RFC 9110 section 5.3). Fields the connection writes itself are left out, with a note where
    /// they could have mattered.
    ///
    /// # Errors
    /// A sentence: name or value cannot be a header's.
    pub(super) fn add_header(&mut self, name: &str, value: &str, fill: Fill<'_>) -> Result<(), String> {
        if !is_header_name(name) {
            return Err(format!("\"{name}\" is no header name"));
        }
        if !is_header_value(value) {
            return Err(format!("the value of the header {name} holds a control character"));
        }
        if is_ignored_header(&canonical_name(name)) {
            return Ok(());
        }
        let value = fill(value.trim());
        // A name may hold a $ too.
        let name = &*literal(name);
        let is_full = self.headers.len() == MAX_FIELDS;
        match self.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) => {
                known.push_str(if name.eq_ignore_ascii_case("cookie") { "; " } else { ", " });
                known.push_str(&value);
            }
            None if is_full => return Err(format!("there are more than {MAX_FIELDS} headers")),
            None => self.headers.push((name.to_owned(), value)),
        }
        Ok(())
    }

    /// The value of a header, as written in the case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Adds a header of ours, unless there is one of that name.
    pub(super) fn default_header(&mut self, name: &str, value: impl Into<String>) {
        if self.header(name).is_none() {
            self.headers.push((name.to_owned(), value.into()));
        }
    }

    pub(super) fn remove_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Adds the text of a `Cookie` field, as cookies where they can be said as such and as a header where not.
    pub(super) fn add_cookies(&mut self, field: &str, fill: Fill<'_>) -> Result<(), String> {
        match cookie_pairs(field) {
            Some(pairs) if pairs.iter().all(|(name, _)| !self.cookies.iter().any(|(known, _)| known == name)) => {
                self.cookies.extend(pairs.into_iter().map(|(name, value)| (literal(&name), fill(&value))));
                Ok(())
            }
            _ => self.add_header("Cookie", field, fill),
        }
    }

    /// Adds a field of a form; name and value are in the case language.
    ///
    /// # Errors
    /// A sentence: it cannot be sent beside the others.
    pub(super) fn add_upload(&mut self, name: String, value: String) -> Result<(), String> {
        if self.upload.len() == MAX_FIELDS {
            return Err(format!("the form has more than {MAX_FIELDS} fields"));
        }
        if self.upload.iter().any(|(known, _)| *known == name) {
            return Err(format!("the form has the field {name} twice, and a test case can send it once"));
        }
        self.upload.push((name, value));
        Ok(())
    }

    /// The step as a case file has it.
    pub(super) fn into_step(self) -> Value {
        let mut request = Map::new();
        request.insert("method".into(), self.method.into());
        request.insert("url".into(), self.url.into());
        let pairs = [("params", self.params), ("headers", self.headers), ("cookies", self.cookies)];
        for (key, pairs) in pairs.into_iter().filter(|(_, pairs)| !pairs.is_empty()) {
            request.insert(key.into(), text_map(pairs));
        }
        if let Some(body) = self.body {
            request.insert("body".into(), body);
        }
        if !self.upload.is_empty() {
            request.insert("upload".into(), text_map(self.upload));
        }
        if let Some(timeout_s) = self.timeout_s {
            request.insert("timeout".into(), timeout_s.into());
        }
        if self.http2 {
            request.insert("http2".into(), true.into());
        }
        if let Some([user, password]) = self.digest {
            request.insert("auth".into(), json!({"type": "digest", "username": user, "password": password}));
        }
        for (key, value) in [("verify", self.verify), ("allow_redirects", self.allow_redirects)] {
            if let Some(value) = value {
                request.insert(key.into(), value.into());
            }
        }
        let mut step = Map::new();
        step.insert("name".into(), self.name.into());
        step.insert("request".into(), request.into());
        if !self.validate.is_empty() {
            step.insert("validate".into(), self.validate.into());
        }
        step.into()
    }
}

fn text_map(pairs: Vec<(String, String)>) -> Value {
    Value::Object(pairs.into_iter().map(|(key, value)| (key, Value::String(value))).collect())
}

/// A value and all in it, keys included, as the reader of YAML counts.
pub(super) fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(|value| 1 + count(value)).sum::<usize>(),
        _ => 1,
    }
}

/// About how many bytes a value takes in a file.
pub(super) fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(entries) => entries.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        _ => 1,
    }
}

/// The cookies of a `Cookie` field (RFC 6265 section 4.2.1); none where one of them would be sent changed, or not at all.
pub(super) fn cookie_pairs(field: &str) -> Option<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in field.split(';').map(str::trim).filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=')?;
        let sent_as_written = |text: &str| text.bytes().all(|b| (0x21..0x7f).contains(&b) && !b"\",;\\".contains(&b));
        if name.is_empty() || !sent_as_written(name) || !sent_as_written(value) || name == "<<" {
            return None;
        }
        if pairs.len() == MAX_FIELDS || pairs.iter().any(|(known, _)| known == name) {
            return None;
        }
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Some(pairs)
}

/// A URL of a source, cut for a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StepUrl {
    /// Without query, fragment and user.
    pub(super) base: String,
    /// What stands behind the `?`, if there is one.
    pub(super) query: Option<String>,
    /// `user:password`, decoded.
    pub(super) user: Option<String>,
}

impl StepUrl {
    /// Reads a URL; `http://` is put before one without a scheme.
    ///
    /// # Errors
    /// A sentence: no request can have this URL.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let url = url.split_once('#').map_or(url, |(before, _)| before);
        let (base, query) = match url.split_once('?') {
            Some((base, query)) => (base, Some(query.to_owned())),
            None => (url, None),
        };
        let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
        let (scheme, rest) = base.split_once("://").unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let authority_len = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_len);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(percent_decoded(user).ok_or("the user in the URL is not UTF-8 text")?), host),
            None => (None, authority),
        };
        let base = format!("{scheme}://{host}{path}");
        check_url(&base, query.as_deref())?;
        Ok(StepUrl { base, query, user })
    }

    /// Puts it into the step: the query as params where they mean the same, else it stays in the URL.
    pub(super) fn put(&self, draft: &mut Draft, fill: Fill<'_>) {
        draft.url = fill(&self.base);
        match self.query.as_deref().map(|query| (query, super::payload::pairs(query))) {
            None => {}
            Some((query, Some(pairs))) if !query.is_empty() => {
                draft.params = pairs.into_iter().map(|(key, value)| (fill(&key), fill(&value))).collect();
            }
            Some((query, _)) => {
                draft.url.push('?');
                draft.url.push_str(&fill(query));
            }
        }
    }
}

/// Whether a request can have this URL.
pub(super) fn check_url(base: &str, query: Option<&str>) -> Result<(), String> {
    let url = match query {
        Some(query) => format!("{base}?{query}"),
        None => base.to_owned(),
    };
    let mut target = String::new();
    build_target("", &url, TargetStyle::default(), &mut target).and_then(crate::request::OriginParts::to_origin)?;
    Ok(())
}

/// Percent-decoded text; none where it is not UTF-8.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, hex(at + 1), hex(at + 2)) {
            out.push((high * 16 + low) as u8);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8(out).ok()
}

/// The value of an `Authorization` field for a user and password (RFC 7617).
pub(super) fn basic_auth(user: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(user))
}

/// Says that a text's outer blanks go: a case's values are trimmed (hrp spec 6.7).
pub(super) fn note_trimmed(text: &str, what: &str, line: impl Into<Option<usize>>, notes: &mut Notes) {
    if text.trim() != text {
        notes.add(line, format!("{what} begins or ends with blanks, which a test case does not send"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_cut() {
        let url = StepUrl::parse("HTTPS://a%40b:p@H.x:81/p/$a?q=1#f").unwrap();
        assert_eq!(url.base, "https://H.x:81/p/$a");
        assert_eq!((url.query.as_deref(), url.user.as_deref()), (Some("q=1"), Some("a@b:p")));
        let mut draft = Draft::default();
        url.put(&mut draft, &mut literal);
        assert_eq!((draft.url.as_str(), draft.params), ("https://H.x:81/p/$$a", vec![("q".into(), "1".into())]));
        assert_eq!(StepUrl::parse("h/x").unwrap().base, "http://h/x");
        for bad in ["", "ftp://h/", "http://", "http://h:99999/", "http://a b/", "data:,x"] {
            assert!(StepUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_query_that_params_would_change_stays_in_the_url() {
        for query in ["a=1&a=2", "flag", "", "a=%ff", "a=%20x", "=1", "<<=1"] {
            let mut draft = Draft::default();
            StepUrl::parse(&format!("http://h/p?{query}")).unwrap().put(&mut draft, &mut literal);
            assert_eq!((draft.url, draft.params), (format!("http://h/p?{query}"), vec![]));
        }
    }

    #[test]
    fn fields_of_one_name_are_joined_and_those_of_the_connection_left_out() {
        let mut draft = Draft::default();
        for (name, value) in [("A", "1"), ("a", " $2 "), ("Content-Length", "9")] {
            draft.add_header(name, value, &mut literal).unwrap();
        }
        assert_eq!(draft.headers, [("A".into(), "1, $$2".into())]);
        assert!(draft.add_header("a b", "1", &mut literal).is_err());
        assert!(draft.add_header("a", "1\r\n2", &mut literal).is_err());
    }

    #[test]
    fn cookies_that_would_be_sent_changed_stay_a_header() {
        assert_eq!(cookie_pairs("a=1; b=x=y;").unwrap(), [("a".into(), "1".into()), ("b".into(), "x=y".into())]);
        for field in ["a", "a=1; a=2", "a=\"x\"", "a=1,2", "=1", "a=中"] {
            assert_eq!(cookie_pairs(field), None, "{field}");
        }
    }

    #[test]
    fn users_are_encoded_as_rfc_7617_has_it() {
        assert_eq!(basic_auth("Aladdin:open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
