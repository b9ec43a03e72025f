//! What the failures of calls mean, and how they are told.

use std::error::Error;

use pummel_case::CallOutcome;
use tonic::{Code, Status};

use crate::{frames::REPLY_BYTES_MAX, line::one_line};

/// What Python's gRPC puts before the text of an exception (hrp spec 19.7).
const RAISED: &str = "Exception calling application: ";

/// How a call ended that gave this instead of a result, and what is wrong, in one line.
pub(super) fn told(status: &Status) -> (CallOutcome, String) {
    // A status that the plugin sent has no source; one that tonic made of a broken connection, or of bytes that are no HTTP/2, has.
    let lost = status.source().is_some() || matches!(status.code(), Code::Unavailable | Code::Cancelled);
    if lost {
        return (CallOutcome::Lost, "the plugin's process ended, or its connection broke, during the call".into());
    }
    let text = match status.code() {
        // Only tonic says so, of a message that it did not take.
        Code::OutOfRange if status.message().contains("decoded message length too large") => {
            format!("its result is larger than {} MiB", REPLY_BYTES_MAX / (1024 * 1024))
        }
        Code::ResourceExhausted => format!("the plugin refused the call: {}", one_line(status.message())),
        Code::Unimplemented => format!("the plugin does not offer this call of gRPC: {}", one_line(status.message())),
        _ => raised(status.message()),
    };
    (CallOutcome::Failed, text)
}

/// An error with all that it stands on, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    one_line(&text)
}

/// The text of an exception.
fn raised(message: &str) -> String {
    // The prefix without a text has lost its last space on the way, for it was the end of a header.
    let text = one_line(message.strip_prefix(RAISED.trim_end()).unwrap_or(message));
    if text.is_empty() {
        return "it raised an exception without a text".into();
    }
    let refused = text.starts_with("Function return type ") && text.ends_with(" not supported!");
    if refused {
        return format!(
            "{text} Stock funppy takes numbers, strings, dicts and lists; --plugin-runner own takes None too"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(text: &str) -> (CallOutcome, String) {
        (CallOutcome::Failed, text.to_owned())
    }

    #[test]
    fn the_text_of_an_exception_stands_in_one_line_without_what_grpc_adds() {
        let status = Status::unknown("Exception calling application: bad\n  pin:\t7");
        assert_eq!(told(&status), failed("bad pin: 7"));
        assert_eq!(told(&Status::unknown("arg0 must be int")), failed("arg0 must be int"));
        let silent = failed("it raised an exception without a text");
        assert_eq!(told(&Status::unknown("Exception calling application: ")), silent);
        assert_eq!(told(&Status::unknown("Exception calling application:")), silent);
        assert_eq!(told(&Status::unknown("")), silent);
    }

    #[test]
    fn what_stock_funppy_cannot_return_is_explained() {
        let status =
            Status::unknown("Exception calling application: Function return type <class 'NoneType'> not supported!");
        let (outcome, text) = told(&status);
        assert_eq!(outcome, CallOutcome::Failed);
        assert!(text.starts_with("Function return type <class 'NoneType'> not supported! "), "{text}");
        assert!(text.contains("--plugin-runner own"), "{text}");
    }

    #[test]
    fn a_long_text_is_cut() {
        let told = told(&Status::unknown(format!("{} {}", "a".repeat(600), "b".repeat(600)))).1;
        assert_eq!(told, format!("{} {}…", "a".repeat(600), "b".repeat(399)));
    }

    #[test]
    fn a_connection_that_broke_is_the_plugins_fault() {
        let broken = Status::from_error(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
        for status in [broken, Status::unavailable("stopping"), Status::cancelled("stopping")] {
            assert_eq!(told(&status).0, CallOutcome::Lost, "{status:?}");
        }
    }

    #[test]
    fn a_call_too_large_is_not_the_end_of_the_plugin() {
        let text = "SERVER: Received message larger than max (5000000 vs. 4194304)";
        assert_eq!(told(&Status::resource_exhausted(text)), failed(&format!("the plugin refused the call: {text}")));
    }
}
