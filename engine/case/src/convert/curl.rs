//! curl commands as steps (hrp spec 18.1): what is sent is what curl would send, less the fields every client writes for itself.

use serde_json::{json, Value};

use super::{
    curl_options::{parse, CurlCommand, DataKind},
    draft::{basic_auth, literal, note_trimmed, Draft, StepUrl},
    payload::put_body,
    problem::{ConvertError, Notes},
    run::{ConvertOptions, StepNames, Steps},
    shell::split,
};
use crate::{
    load::code,
    request::{is_header_name, FORM_TYPE},
};

/// The longest name made of a command, in characters: a name is a row of the report.
const MAX_NAME_CHARS: usize = 256;

/// The name hrp gives such cases.
const CASE_NAME: &str = "testcase converted from curl command";

/// The name of a case whose steps have none: it is run at once, and seen in its report only.
const RUN_NAME: &str = "curl";

/// Converts all commands of a text.
pub(super) fn convert(text: &str, options: &ConvertOptions<'_>, notes: &mut Notes) -> Result<Value, ConvertError> {
    let mut steps = Steps::default();
    for command in split(text, notes)? {
        let program = command.words[0].rsplit(['/', '\\']).next().unwrap_or_default();
        if program != "curl" && program != "curl.exe" {
            let message = format!("the command begins with \"{}\", not with curl", shortened(&command.words[0]));
            let error = ConvertError::new(command.line, message).with_code(code::PARSE);
            return Err(error.with_help("a command that goes on in the next line needs a \\ at the end of this one"));
        }
        let name = match options.step_names {
            StepNames::Command => literal(&shortened(&command.text)),
            StepNames::Request => String::new(),
        };
        push_steps(&command.words[1..], &name, Some(command.line), &mut steps, options, notes)?;
    }
    into_case(steps, options)
}

/// Converts one command that is already cut into words.
pub(super) fn convert_words(
    words: &[String],
    options: &ConvertOptions<'_>,
    notes: &mut Notes,
) -> Result<Value, ConvertError> {
    let mut steps = Steps::default();
    let words = match words {
        [first, rest @ ..] if first == "curl" => rest,
        words => words,
    };
    let name = match options.step_names {
        StepNames::Command => literal(&shortened(&format!("curl {}", words.join(" ")))),
        StepNames::Request => String::new(),
    };
    push_steps(words, &name, None, &mut steps, options, notes)?;
    into_case(steps, options)
}

fn into_case(steps: Steps, options: &ConvertOptions<'_>) -> Result<Value, ConvertError> {
    if steps.is_empty() {
        let error = ConvertError::new(None, "there is no curl command").with_code(code::PARSE);
        return Err(error.with_help("write one command a line, such as: curl http://127.0.0.1:8080/"));
    }
    let name = match options.step_names {
        StepNames::Command => CASE_NAME,
        StepNames::Request => RUN_NAME,
    };
    Ok(steps.into_case(&json!({ "name": name })))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A step for each URL of a command, and of those behind `--next`.
fn push_steps(
    words: &[String],
    name: &str,
    line: Option<usize>,
    steps: &mut Steps,
    options: &ConvertOptions<'_>,
    notes: &mut Notes,
) -> Result<(), ConvertError> {
    let mut rest = words;
    loop {
        let (command, behind) = parse(rest, line, notes).map_err(|error| error.with_code(code::PARSE))?;
        if command.urls.is_empty() {
            let error = ConvertError::new(line, "the curl command has no URL").with_code(code::PARSE);
            return Err(error.with_help("a URL behind an option that takes a value is that value"));
        }
        for url in &command.urls {
            let mut maker = Maker { command: &command, options, notes, line };
            let mut draft =
                maker.draft(url).map_err(|message| ConvertError::new(line, message).with_code(code::PARSE))?;
            name.clone_into(&mut draft.name);
            steps.push(draft)?;
        }
        if behind.is_empty() {
            return Ok(());
        }
        rest = behind;
    }
}

/// Makes the steps of one command. Errors are sentences.
struct Maker<'a> {
    command: &'a CurlCommand,
    options: &'a ConvertOptions<'a>,
    notes: &'a mut Notes,
    line: Option<usize>,
}

impl Maker<'_> {
    fn draft(&mut self, url: &str) -> Result<Draft, String> {
        let command = self.command;
        let has_body = !command.data.is_empty() && !command.get;
        if usize::from(has_body) + usize::from(!command.form.is_empty()) + usize::from(command.upload_file.is_some())
            > 1
        {
            return Err("curl sends one of -d, -F and -T, and the command has several".into());
        }
        if command.head && (has_body || !command.form.is_empty()) {
            return Err("curl takes either -I or data, and the command has both".into());
        }
        let mut draft = Draft { timeout_s: command.timeout_s, ..Draft::default() };
        draft.verify = command.insecure.then_some(false);
        draft.allow_redirects = command.follow.then_some(true);
        let sent = if command.data.is_empty() { None } else { Some(self.data()?) };
        let url = self.url(url, sent.as_deref())?;
        url.put(&mut draft, &mut literal);
        draft.http2 = command.http2_at_once || (command.http2 && url.base.starts_with("https:"));
        if command.http2 && !draft.http2 {
            self.notes.add(
                self.line,
                "--http2 is left out: without TLS curl asks for it and goes on in HTTP/1.1 where refused",
            );
        }
        let removed = self.headers(&mut draft)?;
        self.credentials(&mut draft, url.user.as_deref())?;
        self.cookies(&mut draft)?;
        match sent {
            Some(sent) if has_body => self.body(&mut draft, &sent, &removed),
            _ => {}
        }
        self.form(&mut draft)?;
        self.upload_file(&mut draft, &url)?;
        let method = match &command.method {
            Some(method) => method.to_ascii_uppercase(),
            None if command.head => "HEAD".into(),
            None if command.upload_file.is_some() => "PUT".into(),
            None if has_body || !command.form.is_empty() => "POST".into(),
            None => "GET".into(),
        };
        if !is_header_name(&method) {
            return Err(format!("\"{method}\" is no method"));
        }
        draft.method = method;
        Ok(draft)
    }

    fn url(&mut self, written: &str, sent: Option<&str>) -> Result<StepUrl, String> {
        let mut url = if self.command.globoff { written.to_owned() } else { self.without_globs(written) };
        if let Some((before, _)) = url.split_once('#') {
            url.truncate(before.len());
        }
        let mut more: Vec<String> = Vec::new();
        more.extend(sent.filter(|_| self.command.get).map(str::to_owned));
        for query in &self.command.query {
            more.push(match query.strip_prefix('+') {
                Some(raw) => raw.to_owned(),
                None => self.url_encoded(query)?,
            });
        }
        if !more.is_empty() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&more.join("&"));
        }
        StepUrl::parse(&url).map_err(|reason| format!("the URL \"{}\": {reason}", shortened(written)))
    }

    /// Browsers write `\[` for a `[` that curl would take for a range.
    fn without_globs(&mut self, url: &str) -> String {
        let mut out = String::with_capacity(url.len());
        let mut chars = url.chars().peekable();
        // An IPv6 address stands in brackets too.
        let path = url.find("://").map_or(0, |at| at + 3);
        let path = path + url[path..].find(['/', '?']).unwrap_or(url.len() - path);
        let mut at = 0;
        while let Some(c) = chars.next() {
            if c == '\\' && chars.peek().is_some_and(|c| "[]{}".contains(*c)) {
                at += c.len_utf8();
                let Some(escaped) = chars.next() else { break };
                at += escaped.len_utf8();
                out.push(escaped);
                continue;
            }
            if "[{".contains(c) && at >= path {
                let message =
                    format!("\"{c}\" in the URL stands for itself: ranges and lists of curl are not expanded");
                self.notes.add(self.line, message);
            }
            at += c.len_utf8();
            out.push(c);
        }
        out
    }

    /// The headers of `-H`, `-A`, `-e` and `-r`; gives the names, in lower case, that the command takes away.
    fn headers(&mut self, draft: &mut Draft) -> Result<Vec<String>, String> {
        let mut removed = Vec::new();
        for written in &self.command.headers {
            match written.strip_prefix('@') {
                Some(file) => {
                    let text = self.text_file(file)?;
                    for line in text.lines().filter(|line| !line.trim().is_empty()) {
                        Self::header(line, draft, &mut removed)?;
                    }
                }
                None => Self::header(written, draft, &mut removed)?,
            }
        }
        let referer = self.command.referer.as_deref().map(|referer| referer.strip_suffix(";auto").unwrap_or(referer));
        let range = self.command.range.as_ref().map(|range| format!("bytes={range}"));
        let own = [("User-Agent", self.command.agent.as_deref()), ("Referer", referer), ("Range", range.as_deref())];
        for (name, value) in own {
            match value.filter(|value| !value.is_empty()) {
                Some(value) if draft.header(name).is_none() => draft.add_header(name, value, &mut literal)?,
                _ => {}
            }
        }
        Ok(removed)
    }

    /// `Name: value`; `Name:` takes a field away, `Name;` sends it empty.
    fn header(written: &str, draft: &mut Draft, removed: &mut Vec<String>) -> Result<(), String> {
        if let Some(name) = written.trim().strip_suffix(';').filter(|name| is_header_name(name)) {
            return draft.add_header(name, "", &mut literal);
        }
        let Some((name, value)) = written.split_once(':') else {
            return Err(format!("the header \"{}\" has no colon", shortened(written)));
        };
        let (name, value) = (name.trim(), value.trim());
        if value.is_empty() {
            removed.push(name.to_ascii_lowercase());
            return Ok(());
        }
        if name.eq_ignore_ascii_case("cookie") {
            return draft.add_cookies(value, &mut literal);
        }
        draft.add_header(name, value, &mut literal)
    }

    fn credentials(&mut self, draft: &mut Draft, url_user: Option<&str>) -> Result<(), String> {
        if let Some(token) = &self.command.bearer {
            if draft.header("Authorization").is_none() {
                draft.add_header("Authorization", &format!("Bearer {token}"), &mut literal)?;
            }
        } else if let Some(user) = self.command.user.as_deref().or(url_user) {
            if !user.contains(':') {
                self.notes.add(self.line, "-u has no password, which curl asks for: an empty one is sent");
            }
            if self.command.digest {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                draft.digest = Some([literal(user), literal(password)]);
                return Ok(());
            }
            let colon = if user.contains(':') { "" } else { ":" };
            draft.default_header("Authorization", basic_auth(&format!("{user}{colon}")));
        }
        Ok(())
    }

    fn cookies(&mut self, draft: &mut Draft) -> Result<(), String> {
        for written in &self.command.cookies {
            if !written.contains('=') {
                let file = shortened(written);
                return Err(format!("-b {file} is a file of cookies; write the cookies themselves, as -b 'a=1; b=2'"));
            }
            draft.add_cookies(written, &mut literal)?;
        }
        Ok(())
    }

    /// What all data options send together.
    fn data(&mut self) -> Result<String, String> {
        let mut sent = String::new();
        let mut last = None;
        for (kind, written) in &self.command.data {
            if last.is_some() && (*kind, last) != (DataKind::Json, Some(DataKind::Json)) {
                sent.push('&');
            }
            last = Some(*kind);
            match (kind, written.strip_prefix('@')) {
                (DataKind::UrlEncode, _) => sent.push_str(&self.url_encoded(written)?),
                (DataKind::Raw, _) | (_, None) => sent.push_str(written),
                (DataKind::Binary | DataKind::Json, Some(file)) => sent.push_str(&self.text_file(file)?),
                (DataKind::Ascii, Some(file)) => sent.push_str(&self.text_file(file)?.replace(['\r', '\n', '\0'], "")),
            }
        }
        Ok(sent)
    }

    /// `content`, `=content`, `name=content`, `@file` or `name@file` of `--data-urlencode`.
    fn url_encoded(&mut self, written: &str) -> Result<String, String> {
        let (name, content) = match written.find(['=', '@']) {
            None => ("", written.to_owned()),
            Some(at) => {
                let (name, rest) = written.split_at(at);
                let content = match rest.strip_prefix('@') {
                    Some(file) => self.text_file(file)?,
                    None => rest[1..].to_owned(),
                };
                (name, content)
            }
        };
        let encoded = percent_encoded(&content);
        Ok(if name.is_empty() { encoded } else { format!("{name}={encoded}") })
    }

    fn body(&mut self, draft: &mut Draft, sent: &str, removed: &[String]) {
        let is_json = self.command.data.iter().any(|(kind, _)| *kind == DataKind::Json);
        if is_json && !removed.iter().any(|name| name == "accept") {
            draft.default_header("Accept", "application/json");
        }
        if !removed.iter().any(|name| name == "content-type") {
            draft.default_header("Content-Type", if is_json { "application/json" } else { FORM_TYPE });
        }
        let kind = draft.header("Content-Type").map(str::to_owned);
        put_body(draft, sent, kind.as_deref(), &mut literal);
        if draft.body.as_ref().is_some_and(Value::is_string) {
            note_trimmed(sent, "the body", self.line, self.notes);
        }
    }

    fn form(&mut self, draft: &mut Draft) -> Result<(), String> {
        if self.command.form.is_empty() {
            return Ok(());
        }
        // The boundary in it is that of another body.
        if draft.header("Content-Type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/")) {
            draft.remove_header("Content-Type");
        }
        for (is_text, written) in &self.command.form {
            let Some((name, value)) = written.split_once('=') else {
                return Err(format!("the form field \"{}\" has no =", shortened(written)));
            };
            let value = match value.strip_prefix('<').filter(|_| !is_text) {
                Some(file) => quoted_part(&self.text_file(file.split(';').next().unwrap_or_default())?)?,
                None if *is_text => quoted_part(value)?,
                None if value == "@-" => return Err("the standard input (@-) cannot be part of a test case".into()),
                None if value.starts_with('@') && value.contains(',') => {
                    return Err(format!("the field {name} has several files, and a test case can send one of a name"));
                }
                None => value.to_owned(),
            };
            note_trimmed(&value, "a form field", self.line, self.notes);
            draft.add_upload(literal(name), literal(&value))?;
        }
        Ok(())
    }

    fn upload_file(&mut self, draft: &mut Draft, url: &StepUrl) -> Result<(), String> {
        let Some(file) = &self.command.upload_file else { return Ok(()) };
        let text = self.text_file(file)?;
        // curl adds the file's name to a folder.
        if url.base.ends_with('/') && url.query.is_none() {
            let name = file.rsplit('/').next().unwrap_or_default();
            draft.url.push_str(&literal(&percent_encoded(name)));
        }
        note_trimmed(&text, "the body", self.line, self.notes);
        draft.body = Some(Value::String(literal(&text)));
        Ok(())
    }

    fn text_file(&mut self, file: &str) -> Result<String, String> {
        if file == "-" || file.is_empty() {
            return Err("the standard input (@-) cannot be part of a test case".into());
        }
        let bytes = (self.options.read_file)(file).map_err(|reason| format!("the file {file}: {reason}"))?;
        String::from_utf8(bytes).map_err(|_| format!("the file {file} is not UTF-8 text, and a test case is"))
    }
}

/// A text part of `upload` that stands for itself, whatever it begins with (hrp spec 11.7).
fn quoted_part(text: &str) -> Result<String, String> {
    if text.contains(';') {
        return Err("a form field with a ; in its text cannot be part of a test case: there it begins an option".into());
    }
    Ok(if text.starts_with(['@', '"']) || text.ends_with('"') { format!("\"{text}\"") } else { text.to_owned() })
}

/// As curl does it: all but the unreserved characters of RFC 3986 section 2.3.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(command: &str) -> Value {
        case(command).unwrap()["teststeps"][0]["request"].clone()
    }

    fn case(commands: &str) -> Result<Value, ConvertError> {
        let read = |file: &str| match file {
            "lines" => Ok(b"a=1\r\n&b=2\n".to_vec()),
            "json" => Ok(b"{\"a\": 1}\n".to_vec()),
            "bytes" => Ok(vec![0xff]),
            _ => Err("it does not exist".into()),
        };
        let options = ConvertOptions { step_names: StepNames::Command, overrides: None, read_file: &read };
        convert(commands, &options, &mut Notes::default())
    }

    fn error(commands: &str) -> String {
        case(commands).unwrap_err().to_string()
    }

    #[test]
    fn methods_come_from_options() {
        for (command, method) in [
            ("curl h", "GET"),
            ("curl -I h", "HEAD"),
            ("curl -d x h", "POST"),
            ("curl -F a=b h", "POST"),
            ("curl -Gd a=1 h", "GET"),
            ("curl -GId a=1 h", "HEAD"),
            ("curl -T lines h", "PUT"),
            ("curl -Id '' -X patch -G h", "PATCH"),
            ("curl -X delete -d x h", "DELETE"),
        ] {
            assert_eq!(request(command)["method"], method, "{command}");
        }
    }

    #[test]
    fn data_is_what_curl_sends() {
        let form = json!({"Content-Type": FORM_TYPE});
        for (options, headers, body) in [
            ("-d a=1 -d b=%20", &form, json!("a=1&b=%20")),
            ("-d a=1 -d b=2", &form, json!({"a": "1", "b": "2"})),
            ("-d a=1 -d a=2", &form, json!("a=1&a=2")),
            ("-d '{\"a\":1}'", &form, json!("{\"a\":1}")),
            ("-d @lines", &form, json!({"a": "1", "b": "2"})),
            ("--data-binary @lines", &form, json!("a=1\r\n&b=2\n")),
            ("--data-raw @lines", &form, json!("@lines")),
            ("--data-urlencode 'a=x y&$'", &form, json!({"a": "x y&$$"})),
            ("--data-urlencode a@json", &form, json!("a=%7B%22a%22%3A%201%7D%0A")),
            ("-d '' ", &form, json!("")),
            ("-H 'Content-Type:' -d a=1", &Value::Null, json!("a=1")),
            ("-H 'Content-Type: text/plain' -d '$a=1'", &json!({"Content-Type": "text/plain"}), json!("$$a=1")),
            (
                "-H 'content-type: application/json' -d @json",
                &json!({"content-type": "application/json"}),
                json!({"a": 1}),
            ),
            (
                "--json '{\"a\":' --json '[1]}'",
                &json!({"Accept": "application/json", "Content-Type": "application/json"}),
                json!({"a": [1]}),
            ),
        ] {
            let request = request(&format!("curl h {options}"));
            assert_eq!((&request["headers"], &request["body"]), (headers, &body), "{options}");
        }
        let get = request("curl -G -d a=1 -d b=$x h/?c=2");
        assert_eq!((&get["params"], &get["body"]), (&json!({"c": "2", "a": "1", "b": "$$x"}), &Value::Null));
    }

    #[test]
    fn headers_cookies_and_credentials() {
        let command = "curl -H 'Host: x' -H 'A;' -H 'Accept:' -A ua -e 'http://r;auto' -r 0-9 -u me:pw -b 'c=1; d=2' h";
        let sent = request(command);
        let headers = json!({"Host": "x", "A": "", "User-Agent": "ua", "Referer": "http://r", "Range": "bytes=0-9",
            "Authorization": "Basic bWU6cHc="});
        assert_eq!((&sent["headers"], &sent["cookies"]), (&headers, &json!({"c": "1", "d": "2"})));
        assert_eq!(request("curl http://me:pw@h/")["headers"]["Authorization"], "Basic bWU6cHc=");
        assert_eq!(request("curl -H 'Cookie: a=1' h")["cookies"], json!({"a": "1"}));
        assert_eq!(
            request("curl --digest -u 'anna:a:$b' h")["auth"],
            json!({"type": "digest", "username": "anna", "password": "a:$$b"})
        );
        assert_eq!(request("curl --digest h").get("auth"), None);
        assert_eq!(request("curl --oauth2-bearer t h")["headers"]["Authorization"], "Bearer t");
        let switches = request("curl -kL -m 1.5 --http2 https://h/");
        assert_eq!(
            switches,
            json!({"method": "GET", "url": "https://h/", "timeout": 1.5, "http2": true, "verify": false, "allow_redirects": true})
        );
    }

    #[test]
    fn http2_without_tls_is_kept_where_the_server_is_known_to_speak_it() {
        assert_eq!(request("curl --http2-prior-knowledge http://h/")["http2"], true);
        assert_eq!(request("curl --http2 http://h/").get("http2"), None);
    }

    #[test]
    fn forms_become_uploads() {
        let upload =
            request("curl -F a=b -F 'f=@x.png;type=image/png' -F 't=<json' --form-string s=@y h")["upload"].clone();
        assert_eq!(upload, json!({"a": "b", "f": "@x.png;type=image/png", "t": "{\"a\": 1}\n", "s": "\"@y\""}));
        assert!(error("curl -F a=1 -F a=2 h").contains("twice"));
    }

    #[test]
    fn urls_of_all_kinds() {
        assert_eq!(request("curl 'h/\\[1\\]?a[]=1'")["url"], "http://h/[1]");
        let case = case("curl a b --next c").unwrap();
        let urls: Vec<_> = case["teststeps"].as_array().unwrap().iter().map(|step| &step["request"]["url"]).collect();
        assert_eq!(urls, ["http://a", "http://b", "http://c"]);
    }

    #[test]
    fn a_name_is_no_longer_than_a_row() {
        let case = case(&format!("curl h -H 'A: {}'", "$".repeat(300))).unwrap();
        let name = case["teststeps"][0]["name"].as_str().unwrap();
        assert_eq!(name.replace("$$", "$").chars().count(), MAX_NAME_CHARS + 3);
    }

    #[test]
    fn what_cannot_be_converted_is_named_with_its_line() {
        for (commands, message) in [
            ("\n", "there is no curl command"),
            ("curl h\nwget h", "line 2: the command begins with \"wget\", not with curl"),
            ("curl -s", "line 1: the curl command has no URL"),
            ("curl ftp://h", "line 1: the URL \"ftp://h\": the scheme must be http or https"),
            ("curl -b jar h", "line 1: -b jar is a file of cookies; write the cookies themselves, as -b 'a=1; b=2'"),
            ("curl -d @- h", "line 1: the standard input (@-) cannot be part of a test case"),
            ("curl -d @none h", "line 1: the file none: it does not exist"),
            ("curl -d @bytes h", "line 1: the file bytes is not UTF-8 text, and a test case is"),
            ("curl -d a -F b=c h", "line 1: curl sends one of -d, -F and -T, and the command has several"),
            ("curl -I -d a h", "line 1: curl takes either -I or data, and the command has both"),
            ("curl -H x h", "line 1: the header \"x\" has no colon"),
            ("curl -X 'A B' h", "line 1: \"A B\" is no method"),
        ] {
            assert_eq!(error(commands), message);
        }
    }
}
