//! A text without its secrets, however they are written.

use memchr::memchr2_iter;

use super::{lines, pairs, parts, quoted, secrets::Secrets, MASK};

/// How often a value is decoded to look for secrets in it: JSON within a form is common, anything deeper is not.
const DECODED_DEPTH_MAX: u8 = 2;

/// Masks every secret a text names, and learns each.
pub(super) fn masked(text: String, secrets: &mut Secrets) -> String {
    masked_at(text, secrets, 0)
}

fn masked_at(text: String, secrets: &mut Secrets, depth: u8) -> String {
    let text = parts::masked(text, secrets);
    let text = quoted::masked(text, secrets);
    let text = parts::elements_masked(text, secrets);
    let text = pairs::masked(text, secrets, depth);
    let text = pairs::passwords_of_urls_masked(text, secrets);
    lines::masked(text, secrets)
}

/// Whether values at this depth are decoded.
pub(super) fn is_decoded(depth: u8) -> bool {
    depth < DECODED_DEPTH_MAX
}

/// Whether there are secrets in a decoded value, which are learnt.
pub(super) fn has_secrets(decoded: &str, secrets: &mut Secrets, depth: u8) -> bool {
    is_decoded(depth) && masked_at(decoded.to_owned(), secrets, depth + 1) != decoded
}

/// A text of which some parts are replaced, from front to back.
pub(super) struct Edited<'t> {
    text: &'t str,
    out: String,
    copied: usize,
}

impl<'t> Edited<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, out: String::new(), copied: 0 }
    }

    /// Puts something in place of the bytes from `from` to `to`, which stand behind all that was replaced before.
    pub(super) fn replace(&mut self, from: usize, to: usize, by: &str) {
        if self.out.is_empty() {
            self.out.reserve(self.text.len());
        }
        self.out.push_str(&self.text[self.copied..from]);
        self.out.push_str(by);
        self.copied = to;
    }

    /// Masks these bytes and learns them.
    pub(super) fn mask(&mut self, from: usize, to: usize, secrets: &mut Secrets) {
        secrets.learn(&self.text[from..to]);
        self.replace(from, to, MASK);
    }

    /// None where nothing was replaced.
    pub(super) fn done(mut self) -> Option<String> {
        if self.copied == 0 && self.out.is_empty() {
            return None;
        }
        self.out.push_str(&self.text[self.copied..]);
        Some(self.out)
    }
}

/// A quotation mark with the backslashes before it. In a text within a text each level adds backslashes: 1, 3, 7 and so on.
#[derive(Clone, Copy)]
pub(super) struct Quote {
    /// Of the first backslash.
    pub(super) at: usize,
    pub(super) backslashes: usize,
    /// Behind the mark.
    pub(super) end: usize,
    pub(super) mark: u8,
}

impl Quote {
    /// Whether it ends a string that another mark of this many backslashes began: an escaped quote within has more, of odd
    /// number at its level, and one of fewer is that of a string around.
    fn ends(self, backslashes: usize) -> bool {
        self.backslashes < backslashes || self.backslashes % (2 * (backslashes + 1)) == backslashes
    }
}

/// The first quotation mark from a place on, of the kinds given.
pub(super) fn next_quote(bytes: &[u8], from: usize, marks: [u8; 2]) -> Option<Quote> {
    let found = from + memchr2_iter(marks[0], marks[1], bytes.get(from..)?).next()?;
    let backslashes = bytes[from..found].iter().rev().take_while(|&&byte| byte == b'\\').count();
    Some(Quote { at: found - backslashes, backslashes, end: found + 1, mark: bytes[found] })
}

/// The quotation mark that stands at a place.
pub(super) fn quote_at(bytes: &[u8], at: usize) -> Option<Quote> {
    let backslashes = bytes.get(at..)?.iter().take_while(|&&byte| byte == b'\\').count();
    let mark = *bytes.get(at + backslashes)?;
    matches!(mark, b'"' | b'\'').then_some(Quote { at, backslashes, end: at + backslashes + 1, mark })
}

/// Behind the string that a mark begins: at the end of the text where it is cut, before the mark that ends a string around it.
pub(super) fn string_end(bytes: &[u8], open: Quote) -> usize {
    let mut from = open.end;
    while let Some(quote) = next_quote(bytes, from, [open.mark; 2]) {
        if quote.ends(open.backslashes) {
            return if quote.backslashes < open.backslashes { quote.at } else { quote.end };
        }
        from = quote.end;
    }
    bytes.len()
}

/// Behind the spaces from a place on, line ends included.
pub(super) fn behind_spaces(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_string(text: &str) -> &str {
        let open = quote_at(text.as_bytes(), 0).unwrap();
        &text[..string_end(text.as_bytes(), open)]
    }

    #[test]
    fn strings_end_at_their_own_level() {
        assert_eq!(first_string(r#""a" b"#), r#""a""#);
        assert_eq!(first_string(r#""a\"b\\" c"#), r#""a\"b\\""#);
        assert_eq!(first_string(r#"\"a\\\"b\" c"#), r#"\"a\\\"b\""#);
        assert_eq!(first_string(r#"\"a\\\\\" c"#), r#"\"a\\\\\""#, "an escaped backslash before the end");
        assert_eq!(first_string(r#"\"a"} c"#), r#"\"a"#, "the string around it ends first");
        assert_eq!(first_string("'it\"s' c"), "'it\"s'");
        assert_eq!(first_string(r#""cut"#), r#""cut"#);
    }
}
