//! Texts from outside, bounded and without what is none.

use crate::display::text::one_line;

/// Longest name, message or value on the page, characters.
pub(super) const TEXT_CHARS_MAX: usize = 256;

/// A name, a message or a value.
pub(super) fn short(text: &str) -> String {
    one_line(text, TEXT_CHARS_MAX)
}

/// Several lines of at most `chars_max` characters together, and whether that is all there was.
pub(super) fn lines(text: &str, chars_max: usize) -> (String, bool) {
    let mut safe = text.chars().filter(|c| *c != '\r').map(|c| match c {
        '\n' | '\t' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    let kept = safe.by_ref().take(chars_max).collect();
    (kept, safe.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_bounded() {
        assert_eq!(lines("a\r\nb\u{1b}[0m", 100), ("a\nb\u{fffd}[0m".to_owned(), true));
        assert_eq!(lines("abcd", 4), ("abcd".to_owned(), true));
        assert_eq!(lines("abcde", 4), ("abcd".to_owned(), false));
    }

    #[test]
    fn a_name_is_one_line_of_256_characters() {
        let long = short(&"é\n".repeat(5_000));
        assert_eq!(long.chars().count(), TEXT_CHARS_MAX);
        assert!(long.starts_with("é é") && long.ends_with('…'));
    }
}
