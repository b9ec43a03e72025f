//! JSON with places (hrp spec 1.5, 1.6): a key twice means the last, text behind the first value is ignored.
//!
//! No crate in use keeps places, and a YAML parser would accept what JSON forbids (trailing commas, comments).

use super::{FileId, Key, Node, NodeKind, Place, Scalar, ScalarKind, SyntaxError, MAX_DEPTH};

/// Reads the first value of a text (RFC 8259), which is that of `file`.
///
/// # Errors
/// [`SyntaxError`] with the place of what is not JSON, or nests deeper than [`MAX_DEPTH`].
pub(crate) fn parse_json(text: &str, file: FileId) -> Result<Node, SyntaxError> {
    Reader { text, file, at: 0 }.value(0)
}

struct Reader<'a> {
    text: &'a str,
    file: FileId,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        self.skip_space();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                return Err(self.error(&format!("more than {MAX_DEPTH} levels of lists and maps")))
            }
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => NodeKind::Scalar(Scalar { text: self.string()?.into(), kind: ScalarKind::Quoted }),
            Some(_) => NodeKind::Scalar(Scalar { text: self.literal()?.into(), kind: ScalarKind::JsonLiteral }),
            None => return Err(self.error("a value is missing: the text ends here")),
        };
        Ok(Node { kind, place: Place { file: self.file, offset: start, len: self.at - start } })
    }

    fn map(&mut self, depth: usize) -> Result<NodeKind, SyntaxError> {
        self.at += 1;
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut positions = std::collections::HashMap::new();
        if self.skip_if(b'}') {
            return Ok(NodeKind::Map(entries));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.error("a key in double quotes is expected here"));
            }
            let offset = self.at;
            let text: Box<str> = self.string()?.into();
            let key = Key { text, place: Place { file: self.file, offset, len: self.at - offset } };
            if !self.skip_if(b':') {
                return Err(self.error("a colon is expected here"));
            }
            let value = self.value(depth + 1)?;
            // The last of several takes the place of the first.
            if let Some(&at) = positions.get(&key.text) {
                entries[at] = (key, value);
            } else {
                positions.insert(key.text.clone(), entries.len());
                entries.push((key, value));
            }
            if self.skip_if(b'}') {
                return Ok(NodeKind::Map(entries));
            }
            if !self.skip_if(b',') {
                return Err(self.error("a comma or } is expected here"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<NodeKind, SyntaxError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.skip_if(b']') {
            return Ok(NodeKind::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.skip_if(b']') {
                return Ok(NodeKind::List(items));
            }
            if !self.skip_if(b',') {
                return Err(self.error("a comma or ] is expected here"));
            }
        }
    }

    /// `null`, `true`, `false` or a number, by the grammar of RFC 8259 section 6.
    fn literal(&mut self) -> Result<String, SyntaxError> {
        let rest = &self.text[self.at..];
        let len = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
        let word = &rest[..len];
        if !(matches!(word, "null" | "true" | "false") || is_number(word)) {
            return Err(self.error("a value is expected here: text needs double quotes"));
        }
        let word = word.to_owned();
        self.at += len;
        Ok(word)
    }

    /// A string; the reader stands at its quote. Half a surrogate pair becomes U+FFFD, as in Go.
    fn string(&mut self) -> Result<String, SyntaxError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(plain) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') else {
                self.at = self.text.len();
                return Err(self.error("the text in double quotes does not end"));
            };
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                _ => return Err(self.error("a control character (a line break?) stands inside double quotes")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let c = match self.text.as_bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.error("no such escape: after \\ only \" \\ / b f n r t u may follow")),
        };
        self.at += 2;
        Ok(c)
    }

    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let Some(first) = self.hex_at(self.at) else {
            return Err(self.error("after \\u four hexadecimal digits are expected"));
        };
        self.at += 6;
        if (0xd800..0xdc00).contains(&first) {
            if let Some(second) = self.hex_at(self.at).filter(|n| (0xdc00..0xe000).contains(n)) {
                self.at += 6;
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex_at(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn skip_if(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn error(&self, message: &str) -> SyntaxError {
        SyntaxError { message: message.into(), place: Place { file: self.file, offset: self.at, len: 0 } }
    }
}

fn is_number(word: &str) -> bool {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(node: &'a Node, key: &str) -> &'a Node {
        let NodeKind::Map(entries) = &node.kind else { panic!("a map") };
        entries.iter().find_map(|(k, v)| (&*k.text == key).then_some(v)).unwrap()
    }

    fn text(node: &Node) -> &str {
        let NodeKind::Scalar(scalar) = &node.kind else { panic!("a scalar") };
        &scalar.text
    }

    #[test]
    fn values_and_places() {
        let json =
            parse_json(r#" {"a": [1, 2.50], "b": "x\u00e9\ud83d\ude00\ud800\n", "a": 7} trailing"#, FileId(0)).unwrap();
        assert_eq!(text(entry(&json, "a")), "7");
        assert_eq!(text(entry(&json, "b")), "x\u{e9}\u{1f600}\u{fffd}\n");
        assert_eq!(json.place, Place { file: FileId(0), offset: 1, len: 60 });
    }

    #[test]
    fn what_is_not_json_is_refused_where_it_stands() {
        for (text, offset) in [
            ("", 0),
            ("{\"a\":1,}", 7),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("{a:1}", 1),
            ("\"abc", 4),
            ("\"a\nb\"", 2),
            ("\"\\x\"", 1),
            ("\"\\u12g4\"", 1),
            ("01", 0),
            ("nul", 0),
            ("[1.]", 1),
            ("'a'", 0),
        ] {
            assert_eq!(parse_json(text, FileId(0)).unwrap_err().place.offset, offset, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse_json(&"[".repeat(100_000), FileId(0)).is_err());
    }
}
