//! What other tools say of their runs, recognised by its content, and pummel's own JSON summary.
//!
//! Guarantees: no bytes whatever make a reader panic, and what is taken from them is bounded: [`ROWS_MAX`] rows, names of
//! [`NAME_CHARS_MAX`] characters. Figures a tool does not say are not known; none is made up.
//!
//! Of what the latencies of a tool are (successes alone, or failures too) its file says.

mod hrp;
mod json;
mod k6;
mod locust;
mod oha;
mod text;
mod wrk;

use super::measured::{Measured, Source};

/// The most steps taken from a file.
pub const ROWS_MAX: usize = 10_000;
/// The longest name of a step, characters; longer ones are cut.
pub const NAME_CHARS_MAX: usize = 256;

/// What is known, for messages.
const KNOWN: &str =
    "pummel's JSON summary (--json), the console log of hrp boom, what wrk prints (with or without --latency), \
                     oha's JSON (--output-format json), k6's JSON (--summary-export) and Locust's _stats.csv";

/// Why a file is nothing to compare with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// There is nothing in it.
    #[error("is empty; known are {KNOWN}")]
    Empty,
    /// It is none of what is known.
    #[error("is of no known form; known are {KNOWN}")]
    Unknown,
    /// It begins like JSON and is none.
    #[error("is not whole JSON: {0}")]
    Json(String),
    /// A document of pummel's that is no summary of a run, or one of a later version.
    #[error("has the schema \"{0}\", and only pummel.summary/1 can be compared; write one with --json")]
    Schema(String),
    /// It is of a known form, and what matters is missing or wrong.
    #[error("looks like {tool}, but {what}")]
    Incomplete {
        /// Which form.
        tool: &'static str,
        /// What is wrong with it, and what to do.
        what: String,
    },
}

/// Reads what a run has left.
///
/// # Errors
/// See [`BaselineError`]; each is a predicate without its subject, the file.
pub fn read(bytes: &[u8]) -> Result<(Source, Measured), BaselineError> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err(BaselineError::Empty);
    }
    if text.trim_start().starts_with('{') {
        return json::read(text);
    }
    if locust::is_it(text) {
        return Ok((Source::Locust, locust::read(text)?));
    }
    if hrp::is_it(text) {
        return Ok((Source::Hrp, hrp::read(text)?));
    }
    if wrk::is_it(text) {
        return Ok((Source::Wrk, wrk::read(text)?));
    }
    Err(BaselineError::Unknown)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compare::figure::Figure;
    use crate::compare::measured::MeasuredRow;

    /// What must hold for any bytes whatever.
    fn check(bytes: &[u8]) {
        let Ok((_, measured)) = read(bytes) else { return };
        assert!(measured.rows.len() <= ROWS_MAX);
        for row in measured.rows.iter().chain([&measured.all]) {
            assert!(row.name.name.chars().count() <= NAME_CHARS_MAX);
            assert!(row.spans.len() <= crate::compare::SPANS_MAX);
            assert!(row.failures <= row.requests, "{row:?}");
        }
    }

    /// The figures of a row, `None` where not known, in the order of [`Figure::ALL`].
    pub(in crate::compare::baseline) fn figures(row: &MeasuredRow) -> [Option<f64>; 8] {
        // To the nanosecond and millionth: sums of floats differ in the last digits.
        Figure::ALL.map(|figure| row.figures.get(figure).map(|value| (value * 1e6).round() / 1e6))
    }

    /// Damages a file in one place.
    pub(in crate::compare::baseline) fn damaged(text: &str) -> impl Strategy<Value = Vec<u8>> + use<'_> {
        let bytes = text.as_bytes();
        (0..bytes.len(), 0..40_usize, proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(at, gone, new)| {
            let end = (at + gone).min(bytes.len());
            [&bytes[..at], &new, &bytes[end..]].concat()
        })
    }

    /// A test of a reader that damaged text makes it neither panic nor exceed its bounds.
    macro_rules! survives_damage {
        ($sample:expr) => {
            proptest::proptest! {
                #[test]
                fn damaged_text_breaks_nothing(bytes in $crate::compare::baseline::tests::damaged($sample)) {
                    $crate::compare::baseline::tests::checked(&bytes);
                }
            }
        };
    }
    pub(in crate::compare::baseline) use survives_damage;

    pub(in crate::compare::baseline) fn checked(bytes: &[u8]) {
        check(bytes);
    }

    proptest! {
        #[test]
        fn any_bytes_break_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            check(&bytes);
        }

        #[test]
        fn any_lines_of_the_known_words_break_nothing(
            words in proptest::collection::vec(prop_oneof![
                Just("| TYPE | NAME | # REQUESTS | # FAILS | MEDIAN | AVERAGE | MIN | MAX |\n"),
                Just("| NAME | # REQUESTS | # FAILS | MEDIAN |\n"), Just("| Total | 5 | 1 |\n"), Just("|"), Just("\n"),
                Just("Statistics Summary"), Just("Duration: "), Just("3h2m1.5s"), Just("Requests/sec: 5\n"),
                Just("Running 1m test @ http://h/\n"), Just("5 requests in 1.00m, 1B read\n"), Just("Latency 1 2 3 4\n"),
                Just("99% 5ms\n"), Just("Type,Name,Request Count,Failure Count,95%\n"), Just("\"a,b\"\"\n"), Just("GET,"),
                Just("{\"summary\":{"), Just("\"metrics\":{"), Just("}"), Just("18446744073709551615"), Just("-1"), Just("1e400"),
            ], 0..30),
        ) {
            check(words.concat().as_bytes());
        }
    }

    #[test]
    fn what_is_not_known_says_what_is() {
        for unknown in ["hello", "[1]", "a,b\n1,2\n", "\u{0}\u{1}"] {
            let error = read(unknown.as_bytes()).unwrap_err();
            assert_eq!(error, BaselineError::Unknown, "{unknown}");
            assert!(error.to_string().contains("wrk") && error.to_string().contains("_stats.csv"));
        }
        assert_eq!(read(b" \n").unwrap_err(), BaselineError::Empty);
    }

    #[test]
    fn deep_json_is_refused_rather_than_followed() {
        let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
        assert!(matches!(read(deep.as_bytes()), Err(BaselineError::Json(_))));
    }
}
