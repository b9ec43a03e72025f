//! Pieces of text the displays share: safe lines, colours, columns without a frame.

use comfy_table::{presets, CellAlignment, Table};

/// A column of words.
pub(super) const LEFT: CellAlignment = CellAlignment::Left;
/// A column of numbers.
pub(super) const RIGHT: CellAlignment = CellAlignment::Right;

/// Spaces between two columns without a frame.
const GAP: u16 = 2;

/// Longest name shown, characters. A step of `hit` is named after its URL, and one of these must not push every figure
/// out of sight.
pub(super) const NAME_CHARS_MAX: usize = 60;

/// Longest message shown, characters; the JSON summary has all of it.
pub(super) const MESSAGE_CHARS_MAX: usize = 200;

/// Longest line of a request or a response shown, characters: what stands behind it in a wide terminal is a URL's query.
pub(super) const LINE_CHARS_MAX: usize = 110;

/// A text from outside on one line, at most `chars_max` characters long. White space becomes a space and everything that
/// could steer a terminal or turn the reading direction becomes `?`.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let mut safe = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() || turns_direction(c) => '?',
        c => c,
    });
    let mut line: String = safe.by_ref().take(chars_max).collect();
    if safe.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

/// Words on lines of at most `chars_max` characters, where no word is longer.
pub(super) fn wrapped(text: &str, chars_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let at_last = lines.len() - 1;
        let line = &mut lines[at_last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= chars_max {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Marks, embeddings, overrides and isolates of the Unicode bidirectional algorithm (UAX 9, section 2).
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Colours of a terminal; without them texts stay as they are.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// The caller says that a terminal reads.
    pub colour: bool,
}

impl Paint {
    /// What failed.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What is well.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What to look at.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// What stands out.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Select Graphic Rendition, ECMA-48 section 8.3.117.
    fn with(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Columns without a frame: the header's line, then one line for each row, without spaces at their ends. A cell holds no
/// line break.
pub(super) fn columns(header: &[&str], alignments: &[CellAlignment], rows: &[Vec<String>]) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec()).add_rows(rows.iter().cloned());
    for (column, &alignment) in table.column_iter_mut().zip(alignments) {
        column.set_padding((0, GAP)).set_cell_alignment(alignment);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_outside_cannot_steer_a_terminal() {
        assert_eq!(one_line("a\r\nb\tc", 20), "a  b c");
        assert_eq!(one_line("\x1b[2Jgone\u{9b}31m", 20), "?[2Jgone?31m");
        assert_eq!(one_line("cat\u{202e}gpj", 20), "cat?gpj");
        assert_eq!(one_line("größer 商品", 20), "größer 商品");
    }

    #[test]
    fn long_texts_end_in_an_ellipsis() {
        assert_eq!(one_line("abcd", 4), "abcd");
        assert_eq!(one_line("abcde", 4), "abc…");
        assert_eq!(one_line("", 4), "");
    }

    #[test]
    fn sentences_wrap_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 6), ["one", "two", "three"]);
        assert_eq!(wrapped("incomprehensibilities of it", 5), ["incomprehensibilities", "of it"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn colour_is_only_where_it_was_asked_for() {
        assert_eq!(Paint { colour: false }.red("x"), "x");
        assert_eq!(Paint { colour: true }.red("x"), "\x1b[31mx\x1b[0m");
    }

    #[test]
    fn columns_align_and_end_without_spaces() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), "100".to_owned()]];
        assert_eq!(columns(&["NAME", "N"], &[LEFT, RIGHT], &rows), ["NAME    N", "a       1", "long  100"]);
    }
}
