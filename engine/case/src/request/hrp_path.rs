//! Paths as hrp 4.3.6 sends them, which is what Go's URL type makes of its changes (hrp spec 11.3).

use crate::value::Sink;

const CONTROL: &str = "the URL holds a control character";
const NOT_TEXT: &str = "the path is not UTF-8 text once its % are decoded";

/// Writes the path: `own` as it is, or joined to `base` and cleaned; a single `/` forced at its end where there is no query.
///
/// The author's encoding stays only where it still says the same as the changed path; otherwise the path is encoded anew, so a
/// `%2F` becomes a `/`.
///
/// # Errors
/// A control character, or a `%` without two hexadecimal digits.
pub(super) fn push_hrp_path(
    base: Option<&str>,
    own: &str,
    has_query: bool,
    target: &mut String,
) -> Result<(), &'static str> {
    if own.bytes().chain(base.unwrap_or_default().bytes()).any(|byte| byte < b' ' || byte == 0x7f) {
        return Err(CONTROL);
    }
    let decoded = decode(own)?;
    let mut path = match base {
        Some(base) => join(&decode(base)?, &decoded),
        None => decoded.clone(),
    };
    if !has_query {
        path.truncate(path.trim_end_matches('/').len());
        path.push('/');
    }
    if path == decoded && own.bytes().all(may_stand) {
        target.push_str(own);
    } else {
        encode(&path, target);
    }
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    Ok(())
}

/// Go's `path.Join` of two: one clean path, without a slash at its end; empty where both are.
fn join(base: &str, own: &str) -> String {
    let rooted = if base.is_empty() { own } else { base }.starts_with('/');
    let mut segments: Vec<&str> = Vec::new();
    for segment in base.split('/').chain(own.split('/')) {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            _ => segments.push(segment),
        }
    }
    format!("{}{}", if rooted { "/" } else { "" }, segments.join("/"))
}

fn decode(text: &str) -> Result<String, &'static str> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            decoded.push(bytes[at]);
            at += 1;
            continue;
        }
        let digits = text.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.ok_or("a % in the path is not followed by two hexadecimal digits")?);
        at += 3;
    }
    String::from_utf8(decoded).map_err(|_| NOT_TEXT)
}

/// What Go leaves as the author encoded it.
fn may_stand(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*[]%".contains(&byte)
}

/// Go's own encoding of a path.
fn encode(path: &str, target: &mut String) {
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            target.push(byte as char);
        } else {
            target.push_fmt(format_args!("%{byte:02X}"));
        }
    }
}
