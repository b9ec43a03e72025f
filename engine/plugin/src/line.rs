//! Texts of plugins as one line of a message.

/// What is kept of the text of an error: enough for any message written for people. The rest is in the plugin's own log.
const TEXT_CHARS_MAX: usize = 1_000;

/// A text with each run of white space as one space, cut where it is too long.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(TEXT_CHARS_MAX) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_cut_where_it_is_too_long() {
        let exact = "ü".repeat(1_000);
        assert_eq!(one_line(&exact), exact);
        assert_eq!(one_line(&format!("{exact} b")), format!("{exact}…"));
    }

    #[test]
    fn white_space_is_one_space() {
        assert_eq!(one_line(" a\n  b\tc "), "a b c");
    }
}
