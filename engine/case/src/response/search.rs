//! What an extract or check expression stands for (hrp spec 10.2, engine rules).

use jmespath::ast::Ast;
use regex::Regex;

use super::{
    cookies::cookie,
    jmes::{visit, Jmes, ROOTS},
    path::Path,
    ParsedBody, ResponseParts,
};
use crate::{
    request::canonical_name,
    step::Needs,
    value::{Evaluated, Operand, Value},
};

/// The longest expression that is searched. The longest in real cases are some 200 bytes, and the parser recurses.
const MAX_EXPRESSION_BYTES: usize = 1024;

/// A compiled search in a response.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// The expression as written: what it evaluates to where it cannot be searched.
    text: Box<str>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Status,
    Proto,
    Header(Box<str>),
    Cookie(Box<str>),
    Path(Path),
    Jmes(Jmes),
    Regex(Regex),
}

/// Why a text that looks like a search is used as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SearchProblem(pub(crate) String);

impl Search {
    /// The search a text stands for; none where the text is a value itself.
    ///
    /// It is JMESPath if it begins with a part of the response, or is any other expression over one (a function call, a list of
    /// several, a negation); it is a regular expression over a text body if it has a capture group.
    ///
    /// # Errors
    /// It looks like one and is not valid; hrp then uses the text itself, and so does the caller.
    pub(crate) fn compile(text: &str) -> Result<Option<Self>, SearchProblem> {
        let begins = begins_with_root(text);
        if text.len() > MAX_EXPRESSION_BYTES {
            return if begins { Err(SearchProblem("it is too long for an expression".into())) } else { Ok(None) };
        }
        let found = |kind| Ok(Some(Search { text: text.into(), kind }));
        if begins || may_be_expression(text) {
            match jmespath::parse(text) {
                Ok(mut ast) => {
                    if begins || names_a_root(&mut ast) {
                        return match simple(&ast) {
                            Some(kind) => found(kind),
                            None => found(Kind::Jmes(Jmes::new(text, ast).map_err(|m| SearchProblem(m.into()))?)),
                        };
                    }
                }
                Err(error) if begins => {
                    return Err(SearchProblem(format!("it is not valid JMESPath at column {}", error.column + 1)))
                }
                Err(_) => {}
            }
        }
        if !text.contains('(') {
            return Ok(None);
        }
        match Regex::new(text) {
            Ok(regex) if regex.captures_len() > 1 => found(Kind::Regex(regex)),
            Ok(_) => Ok(None),
            Err(_) if text.contains("(.*)") => Err(SearchProblem("it is not a valid regular expression".into())),
            Err(_) => Ok(None),
        }
    }

    /// The parts of the response it reads.
    pub(crate) fn needs(&self) -> Needs {
        let (head, body) = match &self.kind {
            Kind::Status | Kind::Proto => (false, false),
            Kind::Header(_) | Kind::Cookie(_) => (true, false),
            Kind::Path(_) | Kind::Regex(_) => (false, true),
            Kind::Jmes(jmes) => (jmes.uses().headers || jmes.uses().cookies, jmes.uses().body),
        };
        Needs { head, body }
    }

    pub(crate) fn is_status(&self) -> bool {
        matches!(self.kind, Kind::Status)
    }

    /// Looks it up. Nothing found is null; an expression that breaks a rule while it runs, and a pattern that does not match,
    /// give their own text.
    pub(crate) fn find<'a>(&'a self, response: &ResponseParts<'a>) -> Evaluated<'a> {
        match &self.kind {
            Kind::Status => Evaluated::Ref(Operand::Int(response.status.into())),
            Kind::Proto => Evaluated::Ref(Operand::Text(response.version)),
            Kind::Header(name) => match response.headers.get(name).map(std::str::from_utf8) {
                None => Evaluated::Ref(Operand::Null),
                Some(Ok(value)) => Evaluated::Ref(Operand::Text(value)),
                Some(Err(_)) => {
                    let bytes = response.headers.get(name).unwrap_or_default();
                    Evaluated::Owned(Value::text(&String::from_utf8_lossy(bytes)))
                }
            },
            Kind::Cookie(name) => match cookie(response.headers, name) {
                Some(value) => Evaluated::Owned(Value::text(&value)),
                None => Evaluated::Ref(Operand::Null),
            },
            Kind::Path(path) => path.find(response.body),
            Kind::Jmes(jmes) => match jmes.find(response) {
                Some(value) => Evaluated::Owned(value),
                None => Evaluated::Ref(Operand::Text(&self.text)),
            },
            Kind::Regex(regex) => {
                let group = match response.body {
                    ParsedBody::Text(body) => regex.captures(body).and_then(|captures| captures.get(1)),
                    ParsedBody::Json(_) => None,
                };
                Evaluated::Ref(Operand::Text(group.map_or(&self.text, |group| group.as_str())))
            }
        }
    }
}

/// Starts with a part's name, followed by its end, `.`, `[`, a space or `|`.
fn begins_with_root(text: &str) -> bool {
    ROOTS.iter().any(|root| {
        text.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', ' ', '|']))
    })
}

/// Worth parsing: a function call, or an expression that begins with punctuation.
fn may_be_expression(text: &str) -> bool {
    let name = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    if name > 0 {
        text[name..].starts_with('(')
    } else {
        text.starts_with(['[', '{', '@', '!', '('])
    }
}

fn names_a_root(ast: &mut Ast) -> bool {
    let mut named = false;
    visit(ast, &mut |node| {
        if let Ast::Field { name, .. } = node {
            named |= ROOTS.contains(&name.as_str());
        }
    });
    named
}

/// The forms that need no document.
fn simple(ast: &Ast) -> Option<Kind> {
    match ast {
        Ast::Field { name, .. } if name == "status_code" => Some(Kind::Status),
        Ast::Field { name, .. } if name == "proto" => Some(Kind::Proto),
        Ast::Subexpr { lhs, rhs, .. } => match (&**lhs, &**rhs) {
            (Ast::Field { name: root, .. }, Ast::Field { name, .. }) if root == "headers" => {
                Some(Kind::Header(canonical_name(name).into()))
            }
            (Ast::Field { name: root, .. }, Ast::Field { name, .. }) if root == "cookies" => {
                Some(Kind::Cookie(name.as_str().into()))
            }
            _ => Path::from_ast(ast).map(Kind::Path),
        },
        _ => Path::from_ast(ast).map(Kind::Path),
    }
}

/// Quotes header names where people leave the quotes out: `headers.Content-Type` becomes `headers."Content-Type"` (hrp spec 4).
pub(crate) fn repair_quotes(text: &str) -> String {
    if text.contains("(.*)") {
        return text.to_owned();
    }
    let mut repaired = String::with_capacity(text.len() + 2);
    for (n, segment) in text.split('.').enumerate() {
        if n > 0 {
            repaired.push('.');
        }
        let bare = segment.trim_matches('"');
        let lower = bare.to_ascii_lowercase();
        if lower.starts_with("content-") || lower == "user-agent" {
            repaired.push('"');
            repaired.push_str(bare);
            repaired.push('"');
        } else {
            repaired.push_str(segment);
        }
    }
    repaired
}
