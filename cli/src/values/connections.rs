//! Whose connections are whose, as typed: `per-user`, `per-iteration`, `shared`, `shared:N`.

use pummel_engine::{Connections, MAX_USERS};

/// Parses the value of `--connections`.
///
/// # Errors
/// A sentence when it is another word, or the number of shared connections is not a whole number from 1 on.
pub(crate) fn parse_connections(text: &str) -> Result<Connections, String> {
    match text.split_once(':') {
        None if text == "per-user" => Ok(Connections::PerUser),
        None if text == "per-iteration" => Ok(Connections::PerIteration),
        None if text == "shared" => Ok(Connections::Shared { most: None }),
        Some(("shared", most)) => match most.parse() {
            Ok(most @ 1..=MAX_USERS) => Ok(Connections::Shared { most: Some(most) }),
            _ => Err(format!("\"{most}\" is not a number of connections; use 1 to {MAX_USERS}, as in shared:50")),
        },
        _ => Err("is not a mode; use per-user, per-iteration, shared or shared:N".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_names_and_one_has_a_number() {
        assert_eq!(parse_connections("per-user"), Ok(Connections::PerUser));
        assert_eq!(parse_connections("per-iteration"), Ok(Connections::PerIteration));
        assert_eq!(parse_connections("shared"), Ok(Connections::Shared { most: None }));
        assert_eq!(parse_connections("shared:50"), Ok(Connections::Shared { most: Some(50) }));
        for wrong in ["", "user", "per-user:3", "Shared", "shared "] {
            assert!(parse_connections(wrong).unwrap_err().contains("shared:N"), "{wrong}");
        }
        for wrong in ["shared:", "shared:0", "shared:-1", "shared:1.5", "shared:1000001"] {
            assert!(parse_connections(wrong).unwrap_err().contains("as in shared:50"), "{wrong}");
        }
    }
}
