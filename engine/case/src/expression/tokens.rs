//! Cutting a string at its `$` (hrp spec 6.2 to 6.4).

/// A piece of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Literal(&'a str),
    /// `$$`.
    Dollar,
    /// `$name` or `${name}`.
    Variable(&'a str),
    /// `${name(arguments)}`.
    Call {
        name: &'a str,
        arguments: &'a str,
    },
}

/// The pieces of `text`, matched at each `$` and nowhere after it: `$$`, then call, then variable. A `$` that starts none of
/// these is literal and scanning goes on behind it.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut literal = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find('$') {
        let dollar = at + found;
        let Some((token, len)) = token_at(&text[dollar..]) else {
            at = dollar + 1;
            continue;
        };
        if literal < dollar {
            tokens.push(Token::Literal(&text[literal..dollar]));
        }
        tokens.push(token);
        at = dollar + len;
        literal = at;
    }
    if literal < text.len() {
        tokens.push(Token::Literal(&text[literal..]));
    }
    tokens
}

/// The name, where the whole text is exactly one variable.
pub(crate) fn sole_variable(text: &str) -> Option<&str> {
    match token_at(text)? {
        (Token::Variable(name), len) if len == text.len() => Some(name),
        _ => None,
    }
}

/// The token at the `$` that `text` begins with, and its length in bytes.
fn token_at(text: &str) -> Option<(Token<'_>, usize)> {
    let rest = text.strip_prefix('$')?;
    if rest.starts_with('$') {
        return Some((Token::Dollar, 2));
    }
    let Some(inner) = rest.strip_prefix('{') else {
        let name = name_at(rest)?;
        return Some((Token::Variable(name), 1 + name.len()));
    };
    let name = name_at(inner)?;
    let after = &inner[name.len()..];
    if after.starts_with('}') {
        return Some((Token::Variable(name), name.len() + 3));
    }
    let args = after.strip_prefix('(')?;
    let len = args.bytes().take_while(|b| is_argument_byte(*b)).count();
    args[len..].starts_with(")}").then(|| {
        // `${` + name + `(` + args + `)}`
        (Token::Call { name, arguments: &args[..len] }, name.len() + len + 5)
    })
}

fn name_at(text: &str) -> Option<&str> {
    let len = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    (len > 0 && !text.as_bytes()[0].is_ascii_digit()).then(|| &text[..len])
}

/// What may stand between the parentheses of a call; anything else makes the text literal.
fn is_argument_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"_$.-/=,\x0b".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_variables_and_literals() {
        use Token::{Dollar, Literal, Variable};
        assert_eq!(tokens("$$a"), [Dollar, Literal("a")]);
        assert_eq!(tokens("$${a}"), [Dollar, Literal("{a}")]);
        assert_eq!(tokens("x$$"), [Literal("x"), Dollar]);
        assert_eq!(tokens("ABC$$$b{"), [Literal("ABC"), Dollar, Variable("b"), Literal("{")]);
        assert_eq!(tokens("${b}$b"), [Variable("b"), Variable("b")]);
        assert_eq!(tokens("$a$"), [Variable("a"), Literal("$")]);
        assert_eq!(tokens("price: $100, name $b"), [Literal("price: $100, name "), Variable("b")]);
        assert_eq!(
            tokens("$b.x $b_x $b中"),
            [Variable("b"), Literal(".x "), Variable("b_x"), Literal(" "), Variable("b"), Literal("中")]
        );
        assert_eq!(tokens("${ a }"), [Literal("${ a }")]);
        assert_eq!(tokens(""), []);
    }

    #[test]
    fn calls_are_told_from_text_that_looks_like_one() {
        assert_eq!(tokens("${f( 1 , , 2 )}"), [Token::Call { name: "f", arguments: " 1 , , 2 " }]);
        assert_eq!(tokens("${_g1()}x"), [Token::Call { name: "_g1", arguments: "" }, Token::Literal("x")]);
        for text in [r#"${f("x")}"#, "${f(a:b)}", "${f(a@b)}", "${f(中)}", "${f(1)", "${1f(1)}", "${f(1) }"] {
            assert_eq!(tokens(text), [Token::Literal(text)], "{text}");
        }
    }

    #[test]
    fn a_sole_variable_is_the_whole_text() {
        assert_eq!(sole_variable("$a"), Some("a"));
        assert_eq!(sole_variable("${a}"), Some("a"));
        assert_eq!(sole_variable("$a "), None);
        assert_eq!(sole_variable("$$a"), None);
    }
}
