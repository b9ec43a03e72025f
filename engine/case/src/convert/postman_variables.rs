//! `{{name}}` of Postman as variables of a case (hrp spec 22.1).

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    draft::literal,
    problem::{ConvertError, Notes},
};

/// How deep variables may be made of variables.
const MAX_DEPTH: usize = 10;

/// The longest text a variable may stand for once those in it are filled in: a few that name each other twice could otherwise
/// ask for more memory than there is.
const MAX_FILLED_BYTES: usize = 64 * 1024;

/// How many variables may be filled in for one text, for the same reason where they stand for nothing.
const MAX_FILLED: usize = 10_000;

/// The variables of a collection, and those it uses.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// In the collection's order, then in that of their use.
    list: Vec<Variable>,
    by_name: HashMap<String, usize>,
    identifiers: HashMap<String, usize>,
}

#[derive(Debug)]
struct Variable {
    name: String,
    identifier: String,
    /// As in the collection; none where it defines none.
    value: Option<String>,
    /// What stands for a value that is missing.
    placeholder: &'static str,
}

impl Variables {
    /// Takes in a variable of the collection. The first of a name counts.
    pub(super) fn define(&mut self, name: &str, value: &str) {
        let at = self.index(name);
        self.list[at].value.get_or_insert_with(|| value.to_owned());
    }

    /// The text in the case language.
    pub(super) fn fill(&mut self, text: &str, notes: &mut Notes) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(&literal(text)),
                Piece::Variable { name, written } => {
                    if name.starts_with('$') {
                        let message = format!("{written} is sent as written: a test case has no such variable");
                        notes.add(None, message);
                        out.push_str(&literal(written));
                        continue;
                    }
                    let at = self.index(name);
                    out.push_str("${");
                    out.push_str(&self.list[at].identifier);
                    out.push('}');
                }
            }
        }
        out
    }

    /// The text with the values filled in; none where they go in circles or grow too long.
    pub(super) fn resolved(&mut self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut left = MAX_FILLED;
        self.resolve_into(text, 0, &mut left, &mut out).then_some(out)
    }

    fn resolve_into(&mut self, text: &str, depth: usize, left: &mut usize, out: &mut String) -> bool {
        for piece in pieces(text) {
            match piece {
                Piece::Variable { name, .. } if !name.starts_with('$') => {
                    let Some(rest) = left.checked_sub(1) else { return false };
                    *left = rest;
                    let at = self.index(name);
                    let value = self.list[at].value.clone().filter(|value| !value.is_empty());
                    let value = value.unwrap_or_else(|| self.list[at].placeholder.to_owned());
                    if depth == MAX_DEPTH || !self.resolve_into(&value, depth + 1, left, out) {
                        return false;
                    }
                }
                Piece::Text(text) | Piece::Variable { written: text, .. } => out.push_str(text),
            }
            if out.len() > MAX_FILLED_BYTES {
                return false;
            }
        }
        true
    }

    /// A URL's text with a scheme, and placeholders for the parts of its origin that have no value, so that the case loads.
    pub(super) fn complete_url(&mut self, url: &str) -> String {
        let url = url.trim();
        let origin_end = match url.find("://") {
            Some(at) => url[at + 3..].find(['/', '?', '#']).map_or(url.len(), |end| at + 3 + end),
            None => url.find(['/', '?', '#']).unwrap_or(url.len()),
        };
        let first = match pieces(url).first() {
            Some(Piece::Variable { name, written }) => Some(((*name).to_owned(), written.len())),
            _ => None,
        };
        for piece in pieces(&url[..origin_end]) {
            let Piece::Variable { name, written } = piece else { continue };
            // Where a piece begins is told by its address in the text it borrows.
            let start = written.as_ptr() as usize - url.as_ptr() as usize;
            let behind = &url[start + written.len()..];
            let placeholder = if behind.starts_with("://") {
                "http"
            } else if start == 0 {
                "http://127.0.0.1"
            } else if url[..start].ends_with(':') {
                "80"
            } else {
                "127.0.0.1"
            };
            let at = self.index(name);
            if self.list[at].placeholder.is_empty() {
                self.list[at].placeholder = placeholder;
            }
        }
        let scheme_is_there = match first {
            Some((name, len)) if !url[len..].starts_with("://") => {
                let value = self.resolved(&format!("{{{{{name}}}}}"));
                value.is_none_or(|value| value.contains("://"))
            }
            _ => url.split(['/', '?']).next().is_some_and(|scheme| scheme.ends_with(':')) && url.contains("://"),
        };
        if scheme_is_there {
            url.to_owned()
        } else {
            format!("http://{url}")
        }
    }

    /// `config.variables`.
    pub(super) fn into_config(mut self, notes: &mut Notes) -> Result<Option<Value>, ConvertError> {
        let mut map = Map::new();
        let mut at = 0;
        // Values may use variables that nothing has used before.
        while at < self.list.len() {
            let Variable { name, identifier, value, placeholder } = &self.list[at];
            let (name, identifier, placeholder) = (name.clone(), identifier.clone(), *placeholder);
            let value = value.clone();
            if name != identifier {
                notes.add(None, format!("the variable {{{{{name}}}}} is called {identifier} in the test case"));
            }
            let text = match value {
                Some(value) if !value.is_empty() || placeholder.is_empty() => {
                    if self.resolved(&format!("{{{{{name}}}}}")).is_some() {
                        self.fill(&value, notes)
                    } else {
                        notes.add(
                            None,
                            format!(
                                "the variable {name} refers to itself, or to too much: its text is kept as written"
                            ),
                        );
                        literal(&value)
                    }
                }
                _ => {
                    let message = format!(
                        "the collection gives {name} no value: \"{placeholder}\" stands in the test case; change it there, or give -e \
                         {identifier}=..."
                    );
                    notes.add(None, message);
                    placeholder.to_owned()
                }
            };
            map.insert(identifier, Value::String(text));
            at += 1;
            if at > crate::document::MAX_NODES {
                return Err(ConvertError::new(None, "the collection has too many variables"));
            }
        }
        Ok((!map.is_empty()).then(|| map.into()))
    }

    /// The place of a variable, which gets an identifier of its own where it is new.
    fn index(&mut self, name: &str) -> usize {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        let word: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let word = if word.starts_with(|c: char| c.is_ascii_digit()) { format!("_{word}") } else { word };
        let word = if word.is_empty() { "_".to_owned() } else { word };
        let uses = self.identifiers.get(&word).copied().unwrap_or(0);
        let mut next = uses + 1;
        let mut identifier = if next == 1 { word.clone() } else { format!("{word}_{next}") };
        while self.identifiers.contains_key(&identifier) {
            next += 1;
            identifier = format!("{word}_{next}");
        }
        self.identifiers.insert(word, next);
        self.identifiers.entry(identifier.clone()).or_insert(1);
        let at = self.list.len();
        self.list.push(Variable { name: name.to_owned(), identifier, value: None, placeholder: "" });
        self.by_name.insert(name.to_owned(), at);
        at
    }
}

enum Piece<'a> {
    Text(&'a str),
    Variable { name: &'a str, written: &'a str },
}

/// Cuts a text at its `{{name}}`; a name holds no braces and no line break.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut literal = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find("{{") {
        let open = at + found;
        let inner = &text[open + 2..];
        let len = inner.find(['{', '}', '\n']).unwrap_or(inner.len());
        let name = inner[..len].trim();
        if name.is_empty() || !inner[len..].starts_with("}}") {
            at = open + 1;
            continue;
        }
        if literal < open {
            pieces.push(Piece::Text(&text[literal..open]));
        }
        at = open + 2 + len + 2;
        pieces.push(Piece::Variable { name, written: &text[open..at] });
        literal = at;
    }
    if literal < text.len() {
        pieces.push(Piece::Text(&text[literal..]));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_become_identifiers_of_their_own() {
        let mut variables = Variables::default();
        let filled =
            variables.fill("{{a}}$x{{ a-b }}{{a_b}}{{1}}{{{c}}}{{}}{{用户}}{{密码}}{{$guid}}", &mut Notes::default());
        assert_eq!(filled, "${a}$$x${a_b}${a_b_2}${_1}{${c}}{{}}${__}${___2}{{$$guid}}");
    }

    #[test]
    fn values_are_filled_in_until_they_go_in_circles() {
        let mut variables = Variables::default();
        for (name, value) in [("a", "1{{b}}"), ("b", "2"), ("c", "{{d}}"), ("d", "{{c}}"), ("e", "{{f}}{{f}}")] {
            variables.define(name, value);
        }
        assert_eq!(variables.resolved("x{{a}}{{none}}").as_deref(), Some("x12"));
        assert_eq!(variables.resolved("{{c}}"), None);
        let mut notes = Notes::default();
        let config = variables.into_config(&mut notes).unwrap().unwrap();
        assert_eq!(
            config,
            json!({"a": "1${b}", "b": "2", "c": "{{d}}", "d": "{{c}}", "e": "${f}${f}", "f": "", "none": ""})
        );
        assert_eq!(notes.list.len(), 4);
    }

    #[test]
    fn urls_get_what_they_need_to_be_one() {
        let mut variables = Variables::default();
        variables.define("host", "h:1");
        variables.define("base", "https://h");
        for (url, complete, resolved) in [
            ("h/x", "http://h/x", "http://h/x"),
            ("http://h/x", "http://h/x", "http://h/x"),
            ("{{host}}/x", "http://{{host}}/x", "http://h:1/x"),
            ("{{base}}/x", "{{base}}/x", "https://h/x"),
            ("{{new}}/x?u=http://y", "{{new}}/x?u=http://y", "http://127.0.0.1/x?u=http://y"),
            ("{{s}}://{{n}}:{{p}}/x", "{{s}}://{{n}}:{{p}}/x", "http://127.0.0.1:80/x"),
        ] {
            assert_eq!(variables.complete_url(url), complete);
            assert_eq!(variables.resolved(complete).as_deref(), Some(resolved));
        }
    }
}
