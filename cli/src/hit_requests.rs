//! What `hit` sends: a request for its URL, or one for each line of a list.

use pummel_case::PlainRequest;
use pummel_http::mask_url;

use crate::{
    failure::Failure,
    files::{read_bytes, read_stdin, read_text, FileKind},
    flags::{HitFlags, RequestFlags},
    values::{parse_http_url, parse_method},
};

/// The most URLs of one `hit`. Each is a row with histograms of its own on every core; a case of that many steps has
/// the same limit on rendered names.
const URLS_MAX: usize = 1_000;

/// The run's name and what it sends.
///
/// # Errors
/// Wrong usage: no URL, a wrong one, a file that cannot be read.
pub(crate) fn hit_requests(flags: &HitFlags) -> Result<(String, Vec<PlainRequest>), Failure> {
    if let Some(url) = &flags.url {
        return Ok((mask_url(url), vec![one_request(&flags.request, url)?]));
    }
    let Some(path) = &flags.urls else {
        return Err(Failure::usage("there is nothing to load", "give a URL, or a file of them with --urls"));
    };
    let text = read_text(path, FileKind::Urls)?;
    let lines = parse_url_list(&text).map_err(|(line, reason)| {
        Failure::usage(
            format!("{}:{line}: {reason}", path.display()),
            "each line of --urls is a URL, METHOD URL, or a comment after #",
        )
    })?;
    if lines.is_empty() {
        return Err(Failure::usage(format!("{}: holds no URL", path.display()), "write one http:// URL a line"));
    }
    let of_all = one_request(&flags.request, "")?;
    let requests: Vec<PlainRequest> = lines
        .into_iter()
        .map(|(method, url)| PlainRequest {
            name: mask_url(&url),
            method: method.unwrap_or_else(|| of_all.method.clone()),
            url,
            ..of_all.clone()
        })
        .collect();
    Ok((format!("{} ({} URLs)", path.display(), requests.len()), requests))
}

/// The request to one URL.
///
/// # Errors
/// A file of the body that cannot be read.
pub(crate) fn one_request(flags: &RequestFlags, url: &str) -> Result<PlainRequest, Failure> {
    let body = match flags.body.as_deref() {
        None => None,
        Some("@-") => Some(read_stdin(FileKind::Body)?),
        Some(text) => Some(match text.strip_prefix('@') {
            Some(path) => read_bytes(path.as_ref(), FileKind::Body)?,
            None => text.as_bytes().to_vec(),
        }),
    };
    let method = match (&flags.method, &body) {
        (Some(method), _) => method.as_str(),
        (None, Some(_)) => "POST",
        (None, None) => "GET",
    };
    Ok(PlainRequest {
        name: mask_url(url),
        method: method.to_owned(),
        url: url.to_owned(),
        headers: flags.headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect(),
        body,
    })
}

/// A method, if the line has one, and a URL.
type UrlLine = (Option<String>, String);

/// One URL a line, with a method before it or without; blank lines and those that begin with `#` are skipped. An error is
/// the line's number and a sentence.
fn parse_url_list(text: &str) -> Result<Vec<UrlLine>, (usize, String)> {
    let mut urls = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (method, url) = match line.split_once(char::is_whitespace) {
            Some((method, url)) => {
                let method = parse_method(method).map_err(|reason| (number, format!("\"{method}\" {reason}")))?;
                (Some(method), url.trim())
            }
            None => (None, line),
        };
        let url = parse_http_url(url).map_err(|reason| (number, format!("\"{url}\" {reason}")))?;
        if urls.len() == URLS_MAX {
            return Err((number, format!("more than {URLS_MAX} URLs")));
        }
        urls.push((method, url));
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::flags::{command, Cli, Command};

    #[test]
    fn a_body_makes_a_post_unless_told_otherwise() {
        let methods = |args: &[&str]| -> Vec<String> {
            let typed = ["pummel", "hit"].iter().chain(args);
            let matches = command().try_get_matches_from(typed).unwrap();
            let Command::Hit(flags) = Cli::from_arg_matches(&matches).unwrap().command else { panic!("not hit") };
            hit_requests(&flags).unwrap().1.into_iter().map(|request| request.method).collect()
        };
        assert_eq!(methods(&["http://h/"]), ["GET"]);
        assert_eq!(methods(&["http://h/", "-b", "x"]), ["POST"]);
        assert_eq!(methods(&["http://h/", "-b", "x", "-m", "put"]), ["PUT"]);
    }

    #[test]
    fn url_lists_have_methods_comments_and_places() {
        let list = parse_url_list("# all\nhttp://h/a\n\n  post http://h/b\n").unwrap();
        assert_eq!(list, [(None, "http://h/a".into()), (Some("POST".into()), "http://h/b".into())]);
        assert_eq!(parse_url_list("http://h/\nh2/x\n").unwrap_err().0, 2);
        assert_eq!(parse_url_list("https://h/\n").unwrap(), [(None, "https://h/".into())]);
        assert!(parse_url_list("GET POST http://h/\n").is_err());
        let many = "http://h/\n".repeat(URLS_MAX + 1);
        assert_eq!(parse_url_list(&many).unwrap_err(), (1001, "more than 1000 URLs".into()));
    }
}
