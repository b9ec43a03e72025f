//! JSON as Go's encoder writes it, because signatures computed over a body depend on every byte (hrp spec 11.6).

use super::Sink;

/// A quoted string: `"` `\` and controls escaped, and `<` `>` `&` and U+2028/9 as `\u003c` and so on.
pub(crate) fn push_json_string(text: &str, out: &mut impl Sink) {
    out.push('"');
    push_json_escaped(text, out);
    out.push('"');
}

/// The inside of a quoted string, for strings that are put together from several pieces.
pub(crate) fn push_json_escaped(text: &str, out: &mut impl Sink) {
    // Most texts need nothing escaped; 0xe2 begins U+2028 and U+2029.
    if !text.bytes().any(|b| b < b' ' || matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&' | 0xe2)) {
        return out.push_str(text);
    }
    let mut done = 0;
    for (at, c) in text.char_indices() {
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => "",
            _ => continue,
        };
        out.push_str(&text[done..at]);
        if short.is_empty() {
            out.push_fmt(format_args!("\\u{:04x}", u32::from(c)));
        } else {
            out.push_str(short);
        }
        done = at + c.len_utf8();
    }
    out.push_str(&text[done..]);
}

/// The shortest form that reads back as the same number; an exponent below 1e-6 and from 1e21 (hrp spec 11.6). What is not a
/// number cannot stand in JSON and becomes null.
pub(crate) fn push_json_float(n: f64, out: &mut impl Sink) {
    let size = n.abs();
    if !n.is_finite() {
        out.push_str("null");
    } else if size >= 1e21 {
        // Rust writes 1e21 where Go writes 1e+21.
        let text = format!("{n:e}");
        out.push_str(&text.replacen('e', "e+", 1));
    } else if size != 0.0 && size < 1e-6 {
        out.push_fmt(format_args!("{n:e}"));
    } else {
        out.push_fmt(format_args!("{n}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        let mut out = String::new();
        push_json_string("<&>\"\\\n\u{1}\u{2028}中", &mut out);
        assert_eq!(out, "\"\\u003c\\u0026\\u003e\\\"\\\\\\n\\u0001\\u2028中\"");
    }

    #[test]
    fn floats_are_shortest() {
        for (n, want) in [
            (1.0, "1"),
            (2.50, "2.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e-7, "-1.5e-7"),
            (0.0, "0"),
        ] {
            let mut out = String::new();
            push_json_float(n, &mut out);
            assert_eq!(out, want);
        }
    }
}
