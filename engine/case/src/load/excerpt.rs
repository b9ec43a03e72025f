//! A file's text as it may be shown around a place in it.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// How much of a line is shown around a place, bytes on each side. Lines of cases are shorter; JSON made by a tool is often one
/// line of a megabyte.
const AROUND_BYTES: usize = 100;

/// The longest excerpt whose lines are shown whole.
const WHOLE_BYTES_MAX: usize = 1_000;

/// How much of a place is underlined, bytes.
pub(crate) const UNDERLINED_BYTES_MAX: usize = AROUND_BYTES;

/// A file's text, harmless to a terminal and never more than a few lines at a time.
#[derive(Debug)]
pub(crate) struct Excerpt {
    name: String,
    /// Byte for byte as long as the file, so that places mean the same in both.
    text: String,
}

impl Excerpt {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Excerpt { name: harmless(name), text: harmless(text) }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let lines = self.text.read_span(span, lines_before, lines_after)?;
        let (start, line, column, data) = if lines.data().len() <= WHOLE_BYTES_MAX {
            (lines.span().offset(), lines.line(), lines.column(), lines.data())
        } else {
            let place = self.text.floor_char_boundary(span.offset());
            let line_start = self.text[..place].rfind('\n').map_or(0, |at| at + 1);
            let line_end = self.text[place..].find('\n').map_or(self.text.len(), |at| place + at);
            let start = self.text.floor_char_boundary(place.saturating_sub(AROUND_BYTES)).max(line_start);
            let end = span.offset().saturating_add(span.len()).saturating_add(AROUND_BYTES).min(line_end);
            let end = self.text.floor_char_boundary(end);
            let line = self.text[..line_start].bytes().filter(|byte| *byte == b'\n').count();
            (start, line, start - line_start, &self.text.as_bytes()[start..end])
        };
        let shown = SourceSpan::from((start, data.len()));
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, shown, line, column, lines.line_count())))
    }
}

/// A text in which each byte of a character that could steer a terminal or turn the reading direction is `?`.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        // A carriage return that ends no line lets what follows overwrite what stands there.
        let is_space = matches!(c, '\n' | '\t') || (c == '\r' && chars.peek() == Some(&'\n'));
        if (c.is_control() && !is_space) || turns_direction(c) {
            out.extend(std::iter::repeat_n('?', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

/// Marks, embeddings, overrides and isolates of the Unicode bidirectional algorithm (UAX 9, section 2).
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, offset: usize, len: usize) -> (String, usize, usize, usize) {
        let excerpt = Excerpt::new("case.json", text);
        let contents = excerpt.read_span(&(offset, len).into(), 1, 1).unwrap();
        let data = String::from_utf8(contents.data().to_vec()).unwrap();
        (data, contents.span().offset(), contents.line(), contents.column())
    }

    #[test]
    fn short_lines_are_shown_with_their_neighbours() {
        assert_eq!(shown("a\nbb\nc\nd", 2, 2), ("a\nbb\nc\n".into(), 0, 0, 0));
    }

    #[test]
    fn of_a_long_line_only_what_lies_around_the_place_is_shown() {
        let text = format!("first\n{}HERE{}\nlast", "é".repeat(1_000), "z".repeat(5_000));
        let (data, offset, line, column) = shown(&text, 6 + 2_000, 4);
        assert_eq!(data, format!("{}HERE{}", "é".repeat(50), "z".repeat(100)));
        assert_eq!((offset, line, column), (1_906, 1, 1_900));
    }

    #[test]
    fn what_steers_a_terminal_is_replaced_byte_for_byte() {
        assert_eq!(harmless("a\u{1b}[31m\tb\n\u{9b}\u{202e}中"), "a?[31m\tb\n?????中");
        assert_eq!(harmless("a\r\nb\rc"), "a\r\nb?c");
    }
}
