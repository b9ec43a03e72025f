//! Commands as typed in a shell, cut into words (POSIX Shell Command Language, section 2.2, and the `$'...'` of bash, which browsers
//! use when they copy a request).
//!
//! Nothing is expanded: no variable, no command, no file pattern.

use super::problem::{ConvertError, Notes};

/// One command of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShellCommand {
    /// Without quotes. At least one.
    pub(super) words: Vec<String>,
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// As written, on one line.
    pub(super) text: String,
}

/// Cuts a text into its commands. Comments and empty lines are passed over; what is behind a pipe or redirection is left out.
///
/// # Errors
/// A quote that does not end, or an escape that is no text.
pub(super) fn split(text: &str, notes: &mut Notes) -> Result<Vec<ShellCommand>, ConvertError> {
    let unixed;
    let text = if is_for_cmd(text) {
        unixed = without_carets(text);
        &unixed
    } else {
        text
    };
    let mut splitter = Splitter { text, at: 0, line: 1, commands: Vec::new(), open: None, word: None, notes };
    splitter.run()?;
    Ok(splitter.commands)
}

/// Whether the text is written for the command prompt of Windows, as browsers copy it there: `^` escapes and continues lines.
fn is_for_cmd(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("curl") && [" ^\"", " ^\n", " ^\r\n"].iter().any(|mark| text.contains(mark))
}

fn without_carets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '^' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\r') if chars.next_if_eq(&'\n').is_some() => out.push_str("\\\n"),
            Some('\n') => out.push_str("\\\n"),
            Some(escaped) => out.push(escaped),
            None => {}
        }
    }
    out
}

/// A command that has begun.
struct Open {
    words: Vec<String>,
    line: usize,
    start: usize,
    /// Behind a pipe or redirection: words are passed over.
    skipping: bool,
}

/// A word that has begun.
#[derive(Default)]
struct Word {
    bytes: Vec<u8>,
    /// Some of it is quoted, so it is no operator.
    quoted: bool,
}

struct Splitter<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    commands: Vec<ShellCommand>,
    open: Option<Open>,
    word: Option<Word>,
    notes: &'a mut Notes,
}

impl Splitter<'_> {
    fn run(&mut self) -> Result<(), ConvertError> {
        while let Some(c) = self.peek() {
            match c {
                '\n' => {
                    self.end_word(self.at)?;
                    self.end_command(self.at);
                    self.next();
                }
                ' ' | '\t' | '\r' => {
                    self.end_word(self.at)?;
                    self.next();
                }
                '#' if self.word.is_none() => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.next();
                    }
                }
                '\\' => self.backslash(),
                '\'' => self.single_quoted()?,
                '"' => self.double_quoted()?,
                '$' if self.rest().starts_with("$'") => {
                    self.next();
                    self.ansi_quoted()?;
                }
                _ => {
                    self.note_expansion(c);
                    self.push_char(c);
                    self.next();
                }
            }
        }
        self.end_word(self.at)?;
        self.end_command(self.at);
        Ok(())
    }

    fn backslash(&mut self) {
        let start = self.at;
        self.next();
        match self.next() {
            // The line goes on in the next one.
            Some('\n') => {}
            Some('\r') if self.peek() == Some('\n') => {
                self.next();
            }
            Some(c) => {
                self.word_at(start).quoted = true;
                self.push_char(c);
            }
            None => self.word_at(start).bytes.push(b'\\'),
        }
    }

    fn single_quoted(&mut self) -> Result<(), ConvertError> {
        let (line, start) = (self.line, self.at);
        self.word_at(start).quoted = true;
        self.next();
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                Some(c) => self.push_char(c),
                None => return Err(unended(line, "'")),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<(), ConvertError> {
        let (line, start) = (self.line, self.at);
        self.word_at(start).quoted = true;
        self.next();
        loop {
            let Some(c) = self.peek() else { return Err(unended(line, "\"")) };
            self.note_expansion(c);
            self.next();
            match c {
                '"' => return Ok(()),
                '\\' => match self.peek() {
                    Some(c @ ('$' | '`' | '"' | '\\')) => {
                        self.next();
                        self.push_char(c);
                    }
                    Some('\n') => {
                        self.next();
                    }
                    _ => self.push_char('\\'),
                },
                c => self.push_char(c),
            }
        }
    }

    /// `$'...'`; the reader stands at the quote.
    fn ansi_quoted(&mut self) -> Result<(), ConvertError> {
        let (line, start) = (self.line, self.at - 1);
        self.word_at(start).quoted = true;
        self.next();
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                Some('\\') => self.ansi_escape(line)?,
                Some(c) => self.push_char(c),
                None => return Err(unended(line, "$'")),
            }
        }
    }

    /// What stands behind a backslash in `$'...'` (Bash Reference Manual, ANSI-C Quoting).
    fn ansi_escape(&mut self, line: usize) -> Result<(), ConvertError> {
        let Some(c) = self.next() else { return Err(unended(line, "$'")) };
        let byte = match c {
            'a' => 0x07,
            'b' => 0x08,
            'e' | 'E' => 0x1b,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            'x' | 'u' | 'U' => {
                let most = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                return self.hexadecimal(c, most);
            }
            '0'..='7' => {
                let mut n = c as u32 - '0' as u32;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    n = n * 8 + digit;
                    self.next();
                }
                n as u8
            }
            '\\' | '\'' | '"' | '?' => c as u8,
            _ => {
                self.push_char('\\');
                self.push_char(c);
                return Ok(());
            }
        };
        self.push_byte(byte);
        Ok(())
    }

    fn hexadecimal(&mut self, kind: char, most: usize) -> Result<(), ConvertError> {
        let digits = self.rest().bytes().take(most).take_while(u8::is_ascii_hexdigit).count();
        let Ok(n) = u32::from_str_radix(&self.rest()[..digits], 16) else {
            self.push_char('\\');
            self.push_char(kind);
            return Ok(());
        };
        self.at += digits;
        if kind == 'x' {
            self.push_byte(n as u8);
            return Ok(());
        }
        // JavaScript writes a character above U+FFFF as two escapes, and so do browsers.
        let low = self.rest().strip_prefix("\\u").and_then(|rest| u32::from_str_radix(rest.get(..4)?, 16).ok());
        let c = match (n, low) {
            (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                self.at += 6;
                char::from_u32(0x1_0000 + ((n - 0xd800) << 10) + (low - 0xdc00))
            }
            _ => char::from_u32(n),
        };
        let c = c.ok_or_else(|| ConvertError::new(self.line, format!("\\{kind}{n:x} is no character")))?;
        self.push_char(c);
        Ok(())
    }

    fn note_expansion(&mut self, c: char) {
        let rest = &self.rest()[c.len_utf8()..];
        let begins_name = rest.starts_with(|c: char| c.is_ascii_alphabetic() || "_{(".contains(c));
        if c == '`' || (c == '$' && begins_name) {
            let message =
                "the shell's variables and commands ($NAME, `...`) are not filled in: they are sent as written";
            self.notes.add(self.line, message);
        }
    }

    fn end_word(&mut self, at: usize) -> Result<(), ConvertError> {
        let Some(word) = self.word.take() else { return Ok(()) };
        let text = String::from_utf8(word.bytes)
            .map_err(|_| ConvertError::new(self.line, "a word is not UTF-8 text once its escapes are read"))?;
        let operator = if word.quoted { "" } else { text.as_str() };
        match operator {
            ";" | "&&" | "||" | "&" => {
                self.end_command(at - text.len());
                return Ok(());
            }
            "|" | "|&" | "<" => self.skip_rest(&text),
            _ if is_redirection(operator) => self.skip_rest(&text),
            _ => {}
        }
        if let Some(open) = &mut self.open {
            if !open.skipping {
                open.words.push(text);
            }
        }
        Ok(())
    }

    fn skip_rest(&mut self, operator: &str) {
        let Some(open) = &mut self.open else { return };
        if !open.skipping {
            open.skipping = true;
            self.notes.add(self.line, format!("what stands behind {operator} is left out"));
        }
    }

    fn end_command(&mut self, end: usize) {
        let Some(open) = self.open.take() else { return };
        if !open.words.is_empty() {
            let written = self.text.get(open.start..end).unwrap_or_default();
            self.commands.push(ShellCommand { words: open.words, line: open.line, text: on_one_line(written) });
        }
    }

    /// The word under way, or a new one of the command under way, or of a new one.
    fn word_at(&mut self, start: usize) -> &mut Word {
        let line = self.line;
        self.open.get_or_insert_with(|| Open { words: Vec::new(), line, start, skipping: false });
        self.word.get_or_insert_default()
    }

    fn push_char(&mut self, c: char) {
        let mut utf8 = [0; 4];
        let bytes = c.encode_utf8(&mut utf8).as_bytes();
        self.word_at(self.at).bytes.extend_from_slice(bytes);
    }

    fn push_byte(&mut self, byte: u8) {
        self.word_at(self.at).bytes.push(byte);
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.line += usize::from(c == '\n');
        Some(c)
    }
}

/// `>`, `2>`, `2>&1`, `>/dev/null`.
fn is_redirection(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
    word.strip_prefix('&').unwrap_or(word).starts_with('>')
}

fn unended(line: usize, quote: &str) -> ConvertError {
    ConvertError::new(line, format!("the quote {quote} that begins here does not end"))
}

/// The text with continued lines joined.
fn on_one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split('\n') {
        let line = line.trim_matches(['\r', ' ', '\t']);
        let line = line.strip_suffix('\\').unwrap_or(line).trim_end();
        if !out.is_empty() && !line.is_empty() {
            out.push(' ');
        }
        out.push_str(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        split(text, &mut Notes::default()).unwrap().into_iter().map(|command| command.words).collect()
    }

    #[test]
    fn quotes_and_escapes() {
        for (text, expected) in [
            ("a 'b c' \"d\\\"$e\" f\\ g", vec!["a", "b c", "d\"$e", "f g"]),
            ("a''b\"\" '' \"\\n\"", vec!["ab", "", "\\n"]),
            ("$'a\\n\\x41\\u4e2d\\ud83d\\ude00\\101\\'\\q\\U0001F600'", vec!["a\nA中\u{1f600}A'\\q\u{1f600}"]),
            ("$'\\xe4\\xb8\\xad' x\\", vec!["中", "x\\"]),
            ("http://h/?a=1&b=$c#d # comment", vec!["http://h/?a=1&b=$c#d"]),
        ] {
            assert_eq!(words(text), [expected], "{text}");
        }
    }

    #[test]
    fn lines_go_on_and_commands_end() {
        let text = "\n# one\ncurl a \\\n  -b \\\r\n c\n\ncurl 'x\ny' && curl z | jq . ; curl w > out 2>&1\n";
        let commands = split(text, &mut Notes::default()).unwrap();
        let shown: Vec<_> = commands.iter().map(|c| (c.line, c.words.join(" "), c.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                (3, "curl a -b c".into(), "curl a -b c"),
                (7, "curl x\ny".into(), "curl 'x y'"),
                (8, "curl z".into(), "curl z | jq ."),
                (8, "curl w".into(), "curl w > out 2>&1"),
            ]
        );
    }

    #[test]
    fn what_is_not_done_is_said() {
        let mut notes = Notes::default();
        split("curl \"$A\" '$B'\ncurl x | tee\ncurl '$C' '|'", &mut notes).unwrap();
        let lines: Vec<_> = notes.list.iter().map(|note| note.line).collect();
        assert_eq!(lines, [Some(1), Some(2)]);
    }

    #[test]
    fn quotes_that_do_not_end_are_named_where_they_begin() {
        for text in ["\n'a\n", "\n\"a\n\\\"", "\n$'a\\'"] {
            assert_eq!(split(text, &mut Notes::default()).unwrap_err().line, Some(2), "{text}");
        }
        assert!(split("$'\\ud800'", &mut Notes::default()).is_err());
        assert!(split("$'\\xff'", &mut Notes::default()).is_err());
    }

    #[test]
    fn commands_copied_for_windows() {
        let text = "curl ^\"http://h/?a=1^&b=2^\" ^\r\n  -H ^\"A: ^\\^\"x^\\^\"^\" ^\n  -d ^\"{}^\"";
        assert_eq!(words(text), [["curl", "http://h/?a=1&b=2", "-H", "A: \"x\"", "-d", "{}"]]);
    }
}
