//! The options of curl (its manual page, version 8): what each takes, and what becomes of it.

use super::problem::{ConvertError, Notes};
use crate::load::did_you_mean;

/// A curl command, its options read.
#[derive(Debug, Default)]
pub(super) struct CurlCommand {
    pub(super) urls: Vec<String>,
    /// `-X`.
    pub(super) method: Option<String>,
    /// `-H`, in order.
    pub(super) headers: Vec<String>,
    /// `-d` and its kin, in order.
    pub(super) data: Vec<(DataKind, String)>,
    /// `-F`, in order; true for `--form-string`.
    pub(super) form: Vec<(bool, String)>,
    /// `-b`.
    pub(super) cookies: Vec<String>,
    /// `--url-query`.
    pub(super) query: Vec<String>,
    /// `-u`.
    pub(super) user: Option<String>,
    /// `--oauth2-bearer`.
    pub(super) bearer: Option<String>,
    /// `-A`.
    pub(super) agent: Option<String>,
    /// `-e`.
    pub(super) referer: Option<String>,
    /// `-r`.
    pub(super) range: Option<String>,
    /// `-T`.
    pub(super) upload_file: Option<String>,
    /// `-m`, seconds.
    pub(super) timeout_s: Option<f64>,
    /// `-G`.
    pub(super) get: bool,
    /// `-I`.
    pub(super) head: bool,
    /// `-L`.
    pub(super) follow: bool,
    /// `-k`.
    pub(super) insecure: bool,
    /// `--digest`.
    pub(super) digest: bool,
    /// `--http2`.
    pub(super) http2: bool,
    /// `--http2-prior-knowledge`.
    pub(super) http2_at_once: bool,
    /// `-g`.
    pub(super) globoff: bool,
}

/// How the text of a data option is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataKind {
    /// `-d`: `@file` without its line ends.
    Ascii,
    /// `--data-binary`: `@file` as it is.
    Binary,
    /// `--data-raw`: no files.
    Raw,
    /// `--data-urlencode`.
    UrlEncode,
    /// `--json`.
    Json,
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Url,
    Method,
    Header,
    Data(DataKind),
    Form,
    FormString,
    Cookie,
    Query,
    User,
    Bearer,
    Agent,
    Referer,
    Range,
    UploadFile,
    MaxTime,
    Get,
    Head,
    Follow,
    Insecure,
    Digest,
    Http2,
    Http2AtOnce,
    GlobOff,
    /// It changes nothing that is sent.
    Ignore,
    /// It changes how the request is made in a way a case has no word for, and the request stays the same.
    Note,
    /// Without it the request would be another.
    Refuse,
}

/// One option: long name, short name, whether it takes a value, what becomes of it.
type Row = (&'static str, &'static str, bool, Act);

static TABLE: &[Row] = &[
    ("url", "", true, Act::Url),
    ("request", "X", true, Act::Method),
    ("header", "H", true, Act::Header),
    ("data", "d", true, Act::Data(DataKind::Ascii)),
    ("data-ascii", "", true, Act::Data(DataKind::Ascii)),
    ("data-binary", "", true, Act::Data(DataKind::Binary)),
    ("data-raw", "", true, Act::Data(DataKind::Raw)),
    ("data-urlencode", "", true, Act::Data(DataKind::UrlEncode)),
    ("json", "", true, Act::Data(DataKind::Json)),
    ("form", "F", true, Act::Form),
    ("form-string", "", true, Act::FormString),
    ("cookie", "b", true, Act::Cookie),
    ("url-query", "", true, Act::Query),
    ("user", "u", true, Act::User),
    ("oauth2-bearer", "", true, Act::Bearer),
    ("user-agent", "A", true, Act::Agent),
    ("referer", "e", true, Act::Referer),
    ("range", "r", true, Act::Range),
    ("upload-file", "T", true, Act::UploadFile),
    ("max-time", "m", true, Act::MaxTime),
    ("get", "G", false, Act::Get),
    ("head", "I", false, Act::Head),
    ("location", "L", false, Act::Follow),
    ("location-trusted", "", false, Act::Follow),
    ("insecure", "k", false, Act::Insecure),
    ("digest", "", false, Act::Digest),
    ("http2", "", false, Act::Http2),
    ("http2-prior-knowledge", "", false, Act::Http2AtOnce),
    ("globoff", "g", false, Act::GlobOff),
    // Output and progress.
    ("silent", "s", false, Act::Ignore),
    ("show-error", "S", false, Act::Ignore),
    ("verbose", "v", false, Act::Ignore),
    ("include", "i", false, Act::Ignore),
    ("show-headers", "", false, Act::Ignore),
    ("fail", "f", false, Act::Ignore),
    ("fail-with-body", "", false, Act::Ignore),
    ("fail-early", "", false, Act::Ignore),
    ("progress-bar", "#", false, Act::Ignore),
    ("progress-meter", "", false, Act::Ignore),
    ("buffer", "N", false, Act::Ignore),
    ("styled-output", "", false, Act::Ignore),
    ("output", "o", true, Act::Ignore),
    ("output-dir", "", true, Act::Ignore),
    ("create-dirs", "", false, Act::Ignore),
    ("remote-name", "O", false, Act::Ignore),
    ("remote-header-name", "J", false, Act::Ignore),
    ("remote-time", "R", false, Act::Ignore),
    ("write-out", "w", true, Act::Ignore),
    ("dump-header", "D", true, Act::Ignore),
    ("cookie-jar", "c", true, Act::Ignore),
    ("junk-session-cookies", "j", false, Act::Ignore),
    ("stderr", "", true, Act::Ignore),
    ("trace", "", true, Act::Ignore),
    ("trace-ascii", "", true, Act::Ignore),
    ("trace-time", "", false, Act::Ignore),
    ("disable", "q", false, Act::Ignore),
    ("parallel", "Z", false, Act::Ignore),
    ("parallel-max", "", true, Act::Ignore),
    // Connections: those of a run are its own.
    ("compressed", "", false, Act::Ignore),
    ("basic", "", false, Act::Ignore),
    ("http1.0", "0", false, Act::Ignore),
    ("http1.1", "", false, Act::Ignore),
    ("tlsv1", "1", false, Act::Ignore),
    ("tlsv1.0", "", false, Act::Ignore),
    ("tlsv1.1", "", false, Act::Ignore),
    ("tlsv1.2", "", false, Act::Ignore),
    ("tlsv1.3", "", false, Act::Ignore),
    ("tls-max", "", true, Act::Ignore),
    ("ciphers", "", true, Act::Ignore),
    ("tls13-ciphers", "", true, Act::Ignore),
    ("curves", "", true, Act::Ignore),
    ("alpn", "", false, Act::Ignore),
    ("sessionid", "", false, Act::Ignore),
    ("ssl-no-revoke", "", false, Act::Ignore),
    ("ipv4", "4", false, Act::Ignore),
    ("ipv6", "6", false, Act::Ignore),
    ("keepalive", "", false, Act::Ignore),
    ("keepalive-time", "", true, Act::Ignore),
    ("tcp-nodelay", "", false, Act::Ignore),
    ("tcp-fastopen", "", false, Act::Ignore),
    ("path-as-is", "", false, Act::Ignore),
    ("connect-timeout", "", true, Act::Ignore),
    ("expect100-timeout", "", true, Act::Ignore),
    ("retry", "", true, Act::Ignore),
    ("retry-delay", "", true, Act::Ignore),
    ("retry-max-time", "", true, Act::Ignore),
    ("retry-all-errors", "", false, Act::Ignore),
    ("retry-connrefused", "", false, Act::Ignore),
    ("max-redirs", "", true, Act::Ignore),
    ("max-filesize", "", true, Act::Ignore),
    ("limit-rate", "", true, Act::Ignore),
    ("speed-limit", "Y", true, Act::Ignore),
    ("speed-time", "y", true, Act::Ignore),
    ("proto", "", true, Act::Ignore),
    ("proto-default", "", true, Act::Ignore),
    ("proto-redir", "", true, Act::Ignore),
    ("post301", "", false, Act::Ignore),
    ("post302", "", false, Act::Ignore),
    ("post303", "", false, Act::Ignore),
    ("noproxy", "", true, Act::Ignore),
    ("proxy", "x", true, Act::Note),
    ("proxy-user", "U", true, Act::Note),
    ("proxy-insecure", "", false, Act::Note),
    ("resolve", "", true, Act::Note),
    ("connect-to", "", true, Act::Note),
    ("interface", "", true, Act::Note),
    ("local-port", "", true, Act::Note),
    ("dns-servers", "", true, Act::Note),
    ("cacert", "", true, Act::Note),
    ("capath", "", true, Act::Note),
    ("cert", "E", true, Act::Note),
    ("cert-type", "", true, Act::Note),
    ("key", "", true, Act::Note),
    ("key-type", "", true, Act::Note),
    ("pass", "", true, Act::Note),
    ("http3", "", false, Act::Note),
    ("http3-only", "", false, Act::Note),
    ("ntlm", "", false, Act::Refuse),
    ("negotiate", "", false, Act::Refuse),
    ("anyauth", "", false, Act::Refuse),
    ("netrc", "n", false, Act::Refuse),
    ("aws-sigv4", "", true, Act::Refuse),
    ("config", "K", true, Act::Refuse),
    ("unix-socket", "", true, Act::Refuse),
    ("abstract-unix-socket", "", true, Act::Refuse),
    ("request-target", "", true, Act::Refuse),
    ("continue-at", "C", true, Act::Refuse),
    ("time-cond", "z", true, Act::Refuse),
];

/// Reads the words behind `curl`, up to the end or `--next`; gives what is left behind that.
///
/// # Errors
/// An option that is unknown, has no value, or cannot be carried over.
pub(super) fn parse<'a>(
    words: &'a [String],
    line: Option<usize>,
    notes: &mut Notes,
) -> Result<(CurlCommand, &'a [String]), ConvertError> {
    let mut command = CurlCommand::default();
    let mut reader = Reader { words, at: 0, line, notes };
    let mut options_ended = false;
    while let Some(word) = reader.next() {
        match word.strip_prefix('-').filter(|rest| !rest.is_empty() && !options_ended) {
            None => command.urls.push(word.clone()),
            Some("-") => options_ended = true,
            Some("-next" | ":") => break,
            Some(option) => match option.strip_prefix('-') {
                Some(long) => reader.long(long, &mut command)?,
                None => reader.short(option, &mut command)?,
            },
        }
    }
    Ok((command, &words[reader.at..]))
}

struct Reader<'a, 'n> {
    words: &'a [String],
    at: usize,
    line: Option<usize>,
    notes: &'n mut Notes,
}

impl<'a> Reader<'a, '_> {
    fn next(&mut self) -> Option<&'a String> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    /// `--name`, `--name value`, `--name=value`, and `--no-name` for what can be switched.
    fn long(&mut self, written: &str, command: &mut CurlCommand) -> Result<(), ConvertError> {
        let (name, value) = match written.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (written, None),
        };
        let by_name = |name: &str| TABLE.iter().find(|(long, ..)| *long == name);
        if let Some(row) = by_name(name) {
            let value = match (row.2, value) {
                (false, _) => "",
                (true, Some(value)) => value,
                (true, None) => self.value(&format!("--{name}"))?,
            };
            return self.act(row, &format!("--{name}"), value, command);
        }
        match name.strip_prefix("no-").and_then(by_name) {
            // What can be switched off is off here unless asked for, or changes nothing.
            Some((_, _, false, _)) => Ok(()),
            _ => Err(self.unknown(&format!("--{name}"), name)),
        }
    }

    /// `-s`, `-sSL`, `-X POST`, `-XPOST`.
    fn short(&mut self, written: &str, command: &mut CurlCommand) -> Result<(), ConvertError> {
        for (at, letter) in written.char_indices() {
            let mut utf8 = [0; 4];
            let letter: &str = letter.encode_utf8(&mut utf8);
            let shown = format!("-{letter}");
            let Some(row) = TABLE.iter().find(|(_, short, ..)| *short == letter) else {
                return Err(self.unknown(&shown, ""));
            };
            if !row.2 {
                self.act(row, &shown, "", command)?;
                continue;
            }
            let value = match &written[at + letter.len()..] {
                "" => self.value(&shown)?,
                joined => joined,
            };
            return self.act(row, &shown, value, command);
        }
        Ok(())
    }

    fn value(&mut self, shown: &str) -> Result<&'a str, ConvertError> {
        let missing = || ConvertError::new(self.line, format!("{shown} needs a value behind it"));
        self.words.get(self.at).map(String::as_str).ok_or_else(missing).inspect(|_| self.at += 1)
    }

    fn unknown(&self, shown: &str, name: &str) -> ConvertError {
        let error = ConvertError::new(self.line, format!("unknown option {shown} of curl"));
        match did_you_mean(name, TABLE.iter().map(|(long, ..)| *long)) {
            Some(help) => error.with_help(help),
            None => error.with_help("leave it out if the request is the same without it"),
        }
    }

    fn act(&mut self, row: &Row, shown: &str, value: &str, command: &mut CurlCommand) -> Result<(), ConvertError> {
        let text = || value.to_owned();
        match row.3 {
            Act::Url => command.urls.push(text()),
            Act::Method => command.method = Some(text()),
            Act::Header => command.headers.push(text()),
            Act::Data(kind) => command.data.push((kind, text())),
            Act::Form => command.form.push((false, text())),
            Act::FormString => command.form.push((true, text())),
            Act::Cookie => command.cookies.push(text()),
            Act::Query => command.query.push(text()),
            Act::User => command.user = Some(text()),
            Act::Bearer => command.bearer = Some(text()),
            Act::Agent => command.agent = Some(text()),
            Act::Referer => command.referer = Some(text()),
            Act::Range => command.range = Some(text()),
            Act::UploadFile => command.upload_file = Some(text()),
            Act::MaxTime => match value.parse::<f64>() {
                Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => {
                    command.timeout_s = Some(seconds).filter(|seconds| *seconds > 0.0);
                }
                _ => return Err(ConvertError::new(self.line, format!("{shown} takes seconds, not \"{value}\""))),
            },
            Act::Get => command.get = true,
            Act::Head => command.head = true,
            Act::Follow => command.follow = true,
            Act::Insecure => command.insecure = true,
            Act::Digest => command.digest = true,
            Act::Http2 => command.http2 = true,
            Act::Http2AtOnce => command.http2_at_once = true,
            Act::GlobOff => command.globoff = true,
            Act::Ignore => {}
            Act::Note => self.notes.add(self.line, format!("{shown} is left out: a test case cannot say it")),
            Act::Refuse => {
                let error = ConvertError::new(self.line, format!("{shown} of curl cannot be converted"));
                return Err(error.with_help("the request would be another without it; write the test case by hand"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<CurlCommand, ConvertError> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        parse(&words, Some(1), &mut Notes::default()).map(|(command, _)| command)
    }

    #[test]
    fn options_in_all_their_spellings() {
        let command =
            parsed("-sSL -XPOST --request=PUT -d a=1 --data-raw=@x -uA:b -kom 2.5 http://h --url http://i - -- -j");
        // -o took "m" as its value.
        let command = command.unwrap();
        assert_eq!(command.method.as_deref(), Some("PUT"));
        assert_eq!(command.data, [(DataKind::Ascii, "a=1".into()), (DataKind::Raw, "@x".into())]);
        assert_eq!(command.urls, ["2.5", "http://h", "http://i", "-", "-j"]);
        assert_eq!(command.user.as_deref(), Some("A:b"));
        assert!(command.follow && command.insecure && !command.head);
        assert_eq!(parsed("-m 2.5 --no-keepalive h").unwrap().timeout_s, Some(2.5));
    }

    #[test]
    fn the_next_command_begins_behind_next() {
        let words: Vec<String> = ["a", "--next", "b"].map(str::to_owned).into();
        let (command, rest) = parse(&words, None, &mut Notes::default()).unwrap();
        assert_eq!((command.urls, rest), (vec!["a".to_owned()], &words[2..]));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (words, message) in [
            ("--heder x", "unknown option --heder of curl"),
            ("-sQ", "unknown option -Q of curl"),
            ("h -X", "-X needs a value behind it"),
            ("-m soon h", "-m takes seconds, not \"soon\""),
            ("--ntlm h", "--ntlm of curl cannot be converted"),
        ] {
            assert_eq!(parsed(words).unwrap_err().message, message);
        }
        assert_eq!(parsed("--heder x").unwrap_err().help.as_deref(), Some("did you mean \"header\"?"));
    }

    #[test]
    fn each_name_stands_once() {
        for (n, (long, short, ..)) in TABLE.iter().enumerate() {
            assert!(TABLE[..n].iter().all(|(l, s, ..)| l != long && (short.is_empty() || s != short)), "{long}");
            assert!(short.len() <= 1);
        }
    }
}
