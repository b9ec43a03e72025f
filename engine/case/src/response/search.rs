//! What an extract or check expression stands for (hrp spec 10.2, engine rules).

use jmespath::ast::Ast;
use regex::Regex;

use super::{
    cookies::{cookie, for_each_cookie},
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
    /// several, a negation); it is a regular expression over a text body if it has a capture group with a pattern in it.
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
                            None => found(Kind::Jmes(Jmes::new(text, ast).map_err(SearchProblem)?)),
                        };
                    }
                }
                Err(error) if begins => {
                    return Err(SearchProblem(format!("it is not valid JMESPath at column {}", error.column + 1)))
                }
                Err(_) => {}
            }
        }
        if !has_pattern_group(text) {
            return Ok(None);
        }
        match Regex::new(text) {
            Ok(regex) if regex.captures_len() > 1 => found(Kind::Regex(regex)),
            Err(_) if text.contains("(.*)") => Err(SearchProblem("it is not a valid regular expression".into())),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// Whether a text with variables still in it is written as a search.
    pub(crate) fn looks_like_one(written: &str) -> bool {
        begins_with_root(written) || may_be_expression(written) || has_pattern_group(written)
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

    /// Looks it up and hands over the value, of several cookies of one name the last time the last. Unlike [`find`](Self::find) it
    /// copies no cookie.
    pub(crate) fn give(&self, response: &ResponseParts<'_>, take: &mut dyn FnMut(Operand<'_>)) {
        let Kind::Cookie(name) = &self.kind else { return take(self.find(response).operand()) };
        take(Operand::Null);
        for_each_cookie(response.headers, &mut |n, value| {
            if n == &**name {
                take(Operand::Text(value));
            }
        });
    }

    /// Whether the null it has just given stands for nothing, and not for a null of the body, as far as that can be told.
    pub(crate) fn found_nothing(&self, response: &ResponseParts<'_>) -> bool {
        match &self.kind {
            Kind::Path(path) => path.finds_nothing(response.body),
            _ => true,
        }
    }

    /// Looks it up. Nothing found is null; an expression that breaks a rule while it runs, and a pattern that does not match,
    /// give their own text.
    pub(crate) fn find<'a>(&'a self, response: &ResponseParts<'a>) -> Evaluated<'a> {
        match &self.kind {
            Kind::Status => Evaluated::Ref(response.status_operand()),
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

/// A group whose contents are a pattern, such as `(.*)` or `(\d+)`; `hello (world)` is a text.
fn has_pattern_group(text: &str) -> bool {
    text.split('(').skip(1).any(|group| {
        let contents = group.split(')').next().unwrap_or_default();
        contents.contains(['*', '+', '?', '[', '\\', '|'])
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
/// What stands behind a name in its segment stays, as in `length(headers.Content-Type)`.
pub(crate) fn repair_quotes(text: &str) -> String {
    if text.contains("(.*)") {
        return text.to_owned();
    }
    let mut repaired = String::with_capacity(text.len() + 2);
    for (n, segment) in text.split('.').enumerate() {
        if n > 0 {
            repaired.push('.');
        }
        let unopened = segment.strip_prefix('"').unwrap_or(segment);
        let len = unopened.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)).count();
        let (name, rest) = unopened.split_at(len);
        let lower = name.to_ascii_lowercase();
        if n > 0 && (lower.starts_with("content-") || lower == "user-agent") {
            repaired.push('"');
            repaired.push_str(name);
            repaired.push('"');
            repaired.push_str(rest.strip_prefix('"').unwrap_or(rest));
        } else {
            repaired.push_str(segment);
        }
    }
    repaired
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::{with_scratch, ResponseView};

    fn find(expression: &str, body: &str) -> Option<Value> {
        let search = Search::compile(expression).unwrap()?;
        let fields: &[(&str, &[u8])] =
            &[("content-type", b"application/json"), ("Set-Cookie", b"sid=42; Path=/"), ("X-Id", b"7"), ("X-Id", b"8")];
        let mut bytes = body.as_bytes().to_vec();
        let view = ResponseView { status: 201, version: "HTTP/1.1", headers: &fields, body: &mut bytes };
        Some(with_scratch(body.as_bytes(), |parsed| {
            search.find(&ResponseParts::new(&view, parsed)).operand().to_value()
        }))
    }

    const BODY: &str = r#"{"l":[1,2,3],"s":["a","b"],"o":{"k":1},"arr":[{"n":"p","age":5},{"n":"q","age":30}],"f":1.5,"i":7,
        "w":3.0,"e":1e5,"big":9007199254740993,"t":true,"nul":null,"$ref":"r","nobody":"x","d":1,"d":2}"#;

    fn json(expression: &str) -> String {
        let mut out = String::new();
        find(expression, BODY).expect(expression).operand().push_json(&mut out);
        out
    }

    #[test]
    fn every_part_of_a_response() {
        for (expression, want) in [
            ("status_code", "201"),
            ("proto", "\"HTTP/1.1\""),
            ("headers.\"Content-Type\"", "\"application/json\""),
            ("headers.\"content-type\"", "\"application/json\""),
            ("headers.\"x-id\"", "\"7\""),
            ("headers.Missing", "null"),
            ("cookies.sid", "\"42\""),
            ("cookies.none", "null"),
            ("body.i", "7"),
            ("body.arr[1].n", "\"q\""),
            ("body.arr[-1].age", "30"),
            ("body.arr[9].n", "null"),
            ("body.arr[*].age", "[5,30]"),
            ("body.arr[*].none", "[]"),
            ("body.l[1:]", "[2,3]"),
            ("body.l[::-1]", "[3,2,1]"),
            ("body.o.*", "[1]"),
            ("body.w", "3"),
            ("body.e", "100000"),
            ("body.big", "9007199254740993"),
            ("body.d", "2"),
            ("body.\"$ref\"", "\"r\""),
            ("body.nothing.here", "null"),
            ("body.arr[?age > `20`].n | [0]", "\"q\""),
            ("length(body.l)", "3"),
            ("join(',', body.s)", "\"a,b\""),
            ("max_by(body.arr, &age).n", "\"q\""),
            ("sum(body.l)", "6"),
            ("[body.i, status_code]", "[7,201]"),
            ("contains(headers.\"content-type\", 'json')", "true"),
            ("sum(body.s)", "\"sum(body.s)\""),
        ] {
            assert_eq!(json(expression), want, "{expression}");
        }
    }

    #[test]
    fn only_expressions_are_searched() {
        for text in [
            "nobody",
            "content.y",
            "bodyguard",
            "status",
            "",
            "length(x)",
            "hello (world)",
            "content.f(a.b)",
            "[1]",
            "@",
            "a | body",
        ] {
            assert!(Search::compile(text).unwrap().is_none(), "{text}");
        }
        for text in ["headers.X-Id.", "body.", "body[", "zz(.*)("] {
            assert!(Search::compile(text).is_err(), "{text}");
        }
        assert!(Search::compile(&format!("body{}", ".a".repeat(1000))).is_err());
        for deep in ["(", "!", "[", "{a:", "[?", "[[", "&", "not_null("] {
            let text = format!("body || {}", deep.repeat(1000 / deep.len()));
            assert!(Search::compile(&text).is_err(), "{deep}");
        }
    }

    #[test]
    fn patterns_search_text_bodies_only() {
        let page = r#"<b id="u">leo</b>"#;
        assert_eq!(find(r#"<b id="u">(.*)</b>"#, page), Some(Value::text("leo")));
        assert_eq!(find("zz(.*)yy", page), Some(Value::text("zz(.*)yy")));
        assert_eq!(find("\"i\":(.*),", BODY), Some(Value::text("\"i\":(.*),")));
        assert_eq!(find("body", page), Some(Value::text(page)));
        assert_eq!(find("body.a", page), Some(Value::Null));
        assert_eq!(find("length(body)", page), Some(Value::Int(17)));
    }

    #[test]
    fn header_names_get_their_quotes() {
        for (written, repaired) in [
            ("headers.Content-Type", "headers.\"Content-Type\""),
            ("headers.\"Content-Type", "headers.\"Content-Type\""),
            ("headers.user-agent", "headers.\"user-agent\""),
            ("headers.Content-Type\"", "headers.\"Content-Type\""),
            ("length(headers.Content-Type)", "length(headers.\"Content-Type\")"),
            ("contains(headers.\"Content-Type\", 'json')", "contains(headers.\"Content-Type\", 'json')"),
            ("headers.X-Id", "headers.X-Id"),
            ("content-id=(\\d+)", "content-id=(\\d+)"),
            ("content-(.*)", "content-(.*)"),
            ("body.a", "body.a"),
        ] {
            assert_eq!(repair_quotes(written), repaired);
        }
    }
}
