//! Values that stand between marks: parts of a multipart body, elements of XML.

use memchr::{memchr_iter, memmem};

use super::names::{is_secret, NAME_BYTES_MAX};
use super::scan::Edited;
use super::secrets::Secrets;
use super::MASK;

/// The field that names a part (RFC 7578 section 4.2).
const DISPOSITION: &[u8] = b"content-disposition";

/// Masks the parts of a multipart body whose names are those of secrets.
pub(super) fn masked(text: String, secrets: &mut Secrets) -> String {
    let lowered = text.to_ascii_lowercase();
    let bytes = lowered.as_bytes();
    let delimiter = delimiter(bytes);
    let mut edited = Edited::new(&text);
    let mut floor = 0;
    for field in memmem::find_iter(bytes, DISPOSITION) {
        if field < floor {
            continue;
        }
        let line_end = memchr::memchr(b'\n', &bytes[field..]).map_or(bytes.len(), |end| field + end);
        floor = line_end;
        let Some(name) = name_of(&text[field..line_end]) else { continue };
        if !is_secret(name) {
            continue;
        }
        let Some(from) = behind_blank_line(bytes, line_end) else { continue };
        let end = part_end(bytes, from, delimiter);
        let value = text[from..end].trim_end_matches(['\r', '\n']);
        if !value.is_empty() && value != MASK {
            edited.mask(from, from + value.len(), secrets);
        }
        floor = end;
    }
    edited.done().unwrap_or(text)
}

/// The name in a `Content-Disposition`.
fn name_of(field: &str) -> Option<&str> {
    let mut parameters = field.split(';').skip(1).map(str::trim_start);
    let name = parameters.find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim_end().eq_ignore_ascii_case("name").then_some(value)
    })?;
    Some(name.trim().trim_matches('"'))
}

/// Where a part's contents begin; none where the text ends before.
fn behind_blank_line(bytes: &[u8], line_end: usize) -> Option<usize> {
    let mut end = line_end;
    while end < bytes.len() {
        let next = end + 1;
        match &bytes[next..] {
            [b'\r', b'\n', ..] => return Some(next + 2),
            [b'\n', ..] => return Some(next + 1),
            rest => end = next + memchr::memchr(b'\n', rest)?,
        }
    }
    None
}

/// The line between the parts: what a body begins with. None where that is no such line.
fn delimiter(bytes: &[u8]) -> Option<&[u8]> {
    let first = &bytes[..memchr::memchr(b'\n', bytes)?];
    let first = first.strip_suffix(b"\r").unwrap_or(first);
    (first.len() > 2 && first.starts_with(b"--")).then_some(first)
}

/// Where a part's contents end: before the next delimiter at the begin of a line, or with the text.
fn part_end(bytes: &[u8], from: usize, delimiter: Option<&[u8]>) -> usize {
    let ends = |at: &usize| bytes[at - 1] == b'\n';
    let next =
        delimiter.and_then(|delimiter| memmem::find_iter(&bytes[from..], delimiter).map(|at| from + at).find(ends));
    next.unwrap_or(bytes.len())
}

/// Masks the contents of XML elements whose names are those of secrets.
pub(super) fn elements_masked(text: String, secrets: &mut Secrets) -> String {
    let bytes = text.as_bytes();
    let mut edited = Edited::new(&text);
    let mut floor = 0;
    for open in memchr_iter(b'<', bytes) {
        if open < floor {
            continue;
        }
        let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte);
        let length = bytes[open + 1..].iter().take(NAME_BYTES_MAX).take_while(|byte| is_of_name(byte)).count();
        if length == 0 || !is_secret(&text[open + 1..open + 1 + length]) {
            continue;
        }
        let Some(close) = memchr::memchr(b'>', &bytes[open..]).map(|close| open + close) else { break };
        floor = close;
        if bytes[close - 1] == b'/' {
            continue;
        }
        let end = memmem::find(&bytes[close..], b"</").map_or(bytes.len(), |end| close + end);
        let value = &text[close + 1..end];
        if !value.trim().is_empty() && value != MASK {
            edited.mask(close + 1, end, secrets);
        }
        floor = end;
    }
    edited.done().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_multipart_body() {
        let of = |text: &str| masked(text.to_owned(), &mut Secrets::default());
        let body = |password: &str| {
            format!(
                "--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nanna\r\n\
                 --b\r\nContent-Disposition: form-data; name=\"password\"\r\nContent-Type: text/plain\r\n\r\n{password}\r\n\
                 --b\r\ncontent-disposition: form-data; name=file; filename=\"token.txt\"\r\n\r\ntext\r\n--b--\r\n"
            )
        };
        assert_eq!(of(&body("one\r\n--two\r\nthree")), body("***"));
        let whole = body("one");
        let cut = &whole[..whole.find("one").unwrap() + 2];
        assert_eq!(of(cut), cut.replace("\r\n\r\non", "\r\n\r\n***"), "cut within the secret");
        let cut = &whole[..whole.find("text/plain").unwrap()];
        assert_eq!(of(cut), cut, "cut before it");
    }

    #[test]
    fn elements_of_xml() {
        let of = |text: &str| elements_masked(text.to_owned(), &mut Secrets::default());
        assert_eq!(
            of("<a><w:Password x=\"1\">p</w:Password><b>c</b></a>"),
            "<a><w:Password x=\"1\">***</w:Password><b>c</b></a>"
        );
        assert_eq!(of("<token><![CDATA[a<b]]></token>"), "<token>***</token>");
        assert_eq!(of("<token/><token></token><b>c"), "<token/><token></token><b>c");
        assert_eq!(of("<token>cut"), "<token>***");
    }
}
