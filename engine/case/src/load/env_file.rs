//! Files of NAME=value lines (hrp spec 5.2).

/// A line that is no assignment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text:?} is neither NAME=value nor NAME: value")]
pub struct EnvFileError {
    /// The line, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
}

impl EnvFileError {
    /// The exit code of hrp for it (hrp spec 13.6).
    pub fn exit_code(&self) -> u8 {
        13
    }
}

/// The pairs of a file, in order: lines are trimmed, empty ones and those that begin with `#` skipped, the rest split at the
/// first `=`, or at the first `:` where there is no `=`. Quotes are kept, nothing is expanded.
///
/// # Errors
/// The first line that has neither sign, or no name before it.
pub fn parse_env_file(text: &str) -> Result<Vec<(String, String)>, EnvFileError> {
    let mut pairs = Vec::new();
    for (n, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=').or_else(|| line.split_once(':')) {
            Some((name, value)) if !name.trim().is_empty() => pairs.push((name.trim().into(), value.trim().into())),
            _ => return Err(EnvFileError { line: n + 1, text: line.into() }),
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_both_forms() {
        let text = "\u{feff}# comment\nENV_ONLY=from_env\n\n  BOTH = env_wins \ncolon_key: colon value=1\nurl: http//x\nq=\"a b\"\n";
        let pairs = parse_env_file(text).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("ENV_ONLY", "from_env"),
                ("BOTH", "env_wins"),
                ("colon_key: colon value", "1"),
                ("url", "http//x"),
                ("q", "\"a b\"")
            ]
        );
    }

    #[test]
    fn a_line_that_assigns_nothing_is_named() {
        assert_eq!(
            parse_env_file("a=1\nnothing").unwrap_err().to_string(),
            "line 2: \"nothing\" is neither NAME=value nor NAME: value"
        );
        assert_eq!(parse_env_file("=1").unwrap_err().line, 1);
    }
}
