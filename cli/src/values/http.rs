//! Headers, methods, URLs and variables, checked where they are typed rather than when the load starts.

use url::Url;

/// One request header from `-H`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// An RFC 9110 token, as typed.
    pub(crate) name: String,
    /// The value, without surrounding blanks; may be empty.
    pub(crate) value: String,
}

/// Parses `Name: value` (RFC 9110 section 5.1).
///
/// # Errors
/// A sentence when there is no colon, when the name is no token, or when the value holds a control character, which
/// would let it start another header.
pub(crate) fn parse_header(text: &str) -> Result<Header, String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err("has no colon; write it as 'Name: value'".into());
    };
    let (name, value) = (name.trim(), value.trim());
    if !is_token(name) {
        return Err(format!("\"{name}\" is not a header name; write it as 'Name: value'"));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(format!("the value of {name} holds a control character (a line break, for instance)"));
    }
    Ok(Header { name: name.to_owned(), value: value.to_owned() })
}

/// Parses a request method and gives it in upper case.
///
/// # Errors
/// A sentence when the text is no RFC 9110 token, and for CONNECT, which asks for a tunnel and not for a resource.
pub(crate) fn parse_method(text: &str) -> Result<String, String> {
    if !is_token(text) {
        return Err("is not a method; write GET, POST, PUT or another word without blanks".into());
    }
    let method = text.to_ascii_uppercase();
    if method == "CONNECT" {
        return Err("opens a tunnel and cannot be sent as load; use GET, POST or another method".into());
    }
    Ok(method)
}

/// Checks an `http://` or `https://` URL and gives it back as typed.
///
/// # Errors
/// A sentence when the scheme is missing or another one, when there is no host, and for port 0.
pub(crate) fn parse_http_url(text: &str) -> Result<String, String> {
    let text = text.trim();
    let scheme_end = text.find("://");
    let scheme = scheme_end.map_or("", |end| &text[..end]);
    if scheme_end.is_none() {
        return Err(format!("has no scheme; did you mean http://{text} ?"));
    }
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(format!("has the scheme \"{scheme}\"; only http:// and https:// can be loaded"));
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err("has no host".into());
    }
    if url.port() == Some(0) {
        return Err("port 0 cannot be connected to".into());
    }
    Ok(text.to_owned())
}

/// Parses `NAME=value` of `-e`. The name follows the rule of test case variables: a letter or underscore, then letters,
/// digits and underscores (hrp spec 6.2); the value is everything after the first `=`.
///
/// # Errors
/// A sentence when there is no `=` or the name is not one.
pub(crate) fn parse_name_value(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err("has no '='; write it as NAME=value".into());
    };
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("\"{name}\" is not a variable name; use letters, digits and underscores"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_split_at_the_first_colon() {
        let header = parse_header("X-Time: 12:30").unwrap();
        assert_eq!((header.name.as_str(), header.value.as_str()), ("X-Time", "12:30"));
        assert_eq!(parse_header("X-Empty:").unwrap().value, "");
        assert!(parse_header("foo").unwrap_err().contains("'Name: value'"));
        assert!(parse_header(": v").is_err());
        assert!(parse_header("a b: v").is_err());
        assert!(parse_header("a: v\r\nb: w").unwrap_err().contains("control character"));
    }

    #[test]
    fn methods_are_tokens_in_upper_case() {
        assert_eq!(parse_method("post").unwrap(), "POST");
        assert!(parse_method("").is_err());
        assert!(parse_method("GET /").is_err());
        assert!(parse_method("connect").unwrap_err().contains("tunnel"));
    }

    #[test]
    fn urls_are_http_with_a_host_and_a_port_that_exists() {
        for good in
            ["http://127.0.0.1:8080/a?b=1", "http://[::1]/", "HTTP://host", "https://host:8443/", "http://host/?q=$a"]
        {
            assert_eq!(parse_http_url(good).unwrap(), good);
        }
        assert!(parse_http_url("localhost:8080/x").unwrap_err().contains("http://localhost:8080/x"));
        assert!(parse_http_url("ftp://host/").unwrap_err().contains("\"ftp\""));
        assert!(parse_http_url("http://").is_err());
        assert!(parse_http_url("http://host:0/").unwrap_err().contains("port 0"));
        assert!(parse_http_url("http://host:99999/").is_err());
        assert!(parse_http_url("").is_err());
    }

    #[test]
    fn variables_have_names() {
        assert_eq!(parse_name_value("A_1=x=y"), Ok(("A_1".into(), "x=y".into())));
        assert_eq!(parse_name_value("a="), Ok(("a".into(), String::new())));
        assert!(parse_name_value("a").unwrap_err().contains("NAME=value"));
        assert!(parse_name_value("1a=x").is_err());
        assert!(parse_name_value("=x").is_err());
        assert!(parse_name_value("a-b=x").is_err());
    }
}
