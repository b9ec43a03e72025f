//! Text form-encoded while it is written.

use super::push_form;
use crate::value::Sink;

/// Writes everything form-encoded to the sink it wraps.
pub(crate) struct FormEncoded<'a, S: Sink>(pub(crate) &'a mut S);

impl<S: Sink> Sink for FormEncoded<'_, S> {
    fn push_str(&mut self, text: &str) {
        push_form(text, self.0);
    }

    fn push(&mut self, c: char) {
        let mut utf8 = [0; 4];
        push_form(c.encode_utf8(&mut utf8), self.0);
    }

    fn push_fmt(&mut self, text: std::fmt::Arguments<'_>) {
        // The adapter below never fails.
        let _ = std::fmt::Write::write_fmt(self, text);
    }
}

impl<S: Sink> std::fmt::Write for FormEncoded<'_, S> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        push_form(text, self.0);
        Ok(())
    }
}
