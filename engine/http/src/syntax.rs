//! The character classes of HTTP (RFC 9110 section 5.6, RFC 9112 section 3).

const TOKEN: u8 = 1;
const FIELD: u8 = 2;
const TARGET: u8 = 4;

/// One byte of class bits for each byte value, so a test costs one load.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        if value.is_ascii_alphanumeric()
            || matches!(
                value,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            )
        {
            table[byte] |= TOKEN;
        }
        if value == b'\t' || (value >= b' ' && value != 0x7f) {
            table[byte] |= FIELD;
        }
        if value.is_ascii_graphic() {
            table[byte] |= TARGET;
        }
        byte += 1;
    }
    table
}

fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// A character of a token: methods, header names, codings (RFC 9110 section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    is(byte, TOKEN)
}

/// A character of a field value: tab, space, visible characters, and everything above ASCII (RFC 9110 section 5.5).
pub(crate) fn is_field(byte: u8) -> bool {
    is(byte, FIELD)
}

/// A character a request target or an authority may hold: visible ASCII. A space would end the target.
pub(crate) fn is_target(byte: u8) -> bool {
    is(byte, TARGET)
}

/// Without the optional white space (spaces and tabs) at both ends (RFC 9110 section 5.6.3).
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(class: fn(u8) -> bool) -> usize {
        (0..=255).filter(|byte| class(*byte)).count()
    }

    #[test]
    fn classes_have_the_sizes_of_the_grammar() {
        // 62 letters and digits and 15 marks.
        assert_eq!(count(is_token), 77);
        // 256 less 32 controls but the tab, less DEL.
        assert_eq!(count(is_field), 256 - 31 - 1);
        // 0x21 to 0x7e.
        assert_eq!(count(is_target), 94);
    }

    #[test]
    fn line_ends_and_nul_are_in_no_class() {
        for byte in [b'\r', b'\n', 0, 0x7f] {
            assert!(!is_token(byte) && !is_field(byte) && !is_target(byte));
        }
    }

    #[test]
    fn trim_takes_spaces_and_tabs_only() {
        assert_eq!(trim(b" \ta b\t "), b"a b");
        assert_eq!(trim(b" \t "), b"");
        assert_eq!(trim(b"\x0ba"), b"\x0ba");
    }
}
