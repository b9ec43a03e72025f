//! What a server says about how long it keeps an idle connection.

use crate::syntax::trim;

/// The `Keep-Alive` field of a response: `timeout=5, max=100` (RFC 9112 appendix C.2.2, RFC 2068 section 19.7.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// `timeout`: seconds the server keeps the connection while it is idle.
    pub timeout_s: Option<u32>,
    /// `max`: requests it still takes, or takes in all, on the connection: servers differ.
    pub max: Option<u32>,
}

impl KeepAlive {
    /// Adds what one field says; of two values of a parameter the smaller counts. What is no number is passed over, and one too
    /// large for its type is as good as none.
    pub(crate) fn read(&mut self, value: &[u8]) {
        for parameter in value.split(|byte| *byte == b',') {
            let Some(equals) = parameter.iter().position(|byte| *byte == b'=') else { continue };
            let (name, number) = (trim(&parameter[..equals]), number(trim(&parameter[equals + 1..])));
            if name.eq_ignore_ascii_case(b"timeout") {
                self.timeout_s = least(self.timeout_s, number);
            } else if name.eq_ignore_ascii_case(b"max") {
                self.max = least(self.max, number);
            }
        }
    }
}

fn least(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

/// A number, which may stand in quotes.
fn number(text: &[u8]) -> Option<u32> {
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    // A sign is no digit, though a number may have one for the standard library.
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::KeepAlive;

    fn read(values: &[&str]) -> (Option<u32>, Option<u32>) {
        let mut keep_alive = KeepAlive::default();
        for value in values {
            keep_alive.read(value.as_bytes());
        }
        (keep_alive.timeout_s, keep_alive.max)
    }

    #[test]
    fn what_servers_write() {
        assert_eq!(read(&["timeout=5, max=100"]), (Some(5), Some(100)));
        assert_eq!(read(&["timeout=60"]), (Some(60), None));
        assert_eq!(read(&["Max = 3 ,TIMEOUT=\"7\""]), (Some(7), Some(3)));
        assert_eq!(read(&["timeout=5", "timeout=2, timeout=9"]), (Some(2), None));
        assert_eq!(read(&["timeout=0,max=0"]), (Some(0), Some(0)));
    }

    #[test]
    fn what_means_nothing_is_passed_over() {
        for nothing in
            ["", ",", "timeout", "timeout=", "timeout=soon", "timeout=+5", "timeout=-1", "timeout=\"5", "idle=5"]
        {
            assert_eq!(read(&[nothing]), (None, None), "{nothing}");
        }
        assert_eq!(read(&["timeout=99999999999999999999, max=4"]), (None, Some(4)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(value in prop::collection::vec(any::<u8>(), 0..64)) {
            KeepAlive::default().read(&value);
        }

        #[test]
        fn numbers_are_found_among_other_parameters(timeout in any::<u32>(), max in any::<u32>(), other in "[a-z]{0,6}=?[a-z0-9]{0,6}") {
            prop_assume!(!other.starts_with("timeout") && !other.starts_with("max"));
            let found = read(&[&format!("{other}, timeout={timeout} , {other},max={max}")]);
            prop_assert_eq!(found, (Some(timeout), Some(max)));
        }
    }
}
