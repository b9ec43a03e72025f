//! Values of the case language and what can be done with them: text form, JSON form, comparison.

mod data;
mod json;
mod operand;

pub(crate) use data::{Map, Value};
pub(crate) use json::{push_json_escaped, push_json_string};
pub(crate) use operand::{numbers_equal, resolve_index, Evaluated, Operand, TapeRef, MAX_VALUE_DEPTH};

/// What text is written to: a `String` of the arena or the bytes of a body.
pub(crate) trait Sink {
    /// Appends text.
    fn push_str(&mut self, text: &str);
    /// Appends one character.
    fn push(&mut self, c: char);
    /// Appends formatted text without an intermediate allocation.
    fn push_fmt(&mut self, text: std::fmt::Arguments<'_>);
}

impl Sink for String {
    fn push_str(&mut self, text: &str) {
        String::push_str(self, text);
    }

    fn push(&mut self, c: char) {
        String::push(self, c);
    }

    fn push_fmt(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = std::fmt::Write::write_fmt(self, text);
    }
}

impl Sink for Vec<u8> {
    fn push_str(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }

    fn push(&mut self, c: char) {
        let mut utf8 = [0; 4];
        self.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
    }

    fn push_fmt(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a Vec cannot fail.
        let _ = std::io::Write::write_fmt(self, text);
    }
}
