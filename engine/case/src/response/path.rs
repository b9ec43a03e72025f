//! JMESPath on the tape: fields, indexes, wildcards, slices and flattening, without building a tree.

use std::collections::BTreeMap;

use jmespath::ast::Ast;

use super::ParsedBody;
use crate::value::{resolve_index, Evaluated, Operand, TapeRef, Value};

/// An expression over the body that the tape evaluator covers.
#[derive(Debug, Clone)]
pub(crate) enum Path {
    /// Fields and indexes only, from left to right: nothing is built.
    Chain(Box<[Link]>),
    Tree(Tree),
}

#[derive(Debug, Clone)]
pub(crate) enum Link {
    Field(Box<str>),
    Index(i32),
}

#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Current,
    Link(Link),
    Slice { start: Option<i32>, stop: Option<i32>, step: i32 },
    Then(Box<Tree>, Box<Tree>),
    Project(Box<Tree>, Box<Tree>),
    Values(Box<Tree>),
    Flatten(Box<Tree>),
}

impl Path {
    /// The path of an expression that starts at `body`; none where it needs more than a path.
    pub(crate) fn from_ast(ast: &Ast) -> Option<Self> {
        let tree = Tree::from_ast(ast, true)?;
        let mut chain = Vec::new();
        Some(if tree.flatten_into(&mut chain) { Path::Chain(chain.into()) } else { Path::Tree(tree) })
    }

    /// Whether there is no value where it leads, not even null.
    pub(crate) fn finds_nothing(&self, body: ParsedBody<'_>) -> bool {
        let ParsedBody::Json(nodes) = body else { return true };
        match self {
            Path::Chain(chain) => follow(chain, TapeRef::root(nodes)).is_none(),
            Path::Tree(tree) => matches!(tree.walk(Cursor::At(TapeRef::root(nodes))), Cursor::Null),
        }
    }

    /// The value it finds; null where there is none.
    pub(crate) fn find<'a>(&self, body: ParsedBody<'a>) -> Evaluated<'a> {
        let root = match body {
            ParsedBody::Json(nodes) => TapeRef::root(nodes),
            ParsedBody::Text(text) => {
                let whole = matches!(self, Path::Chain(chain) if chain.is_empty());
                return Evaluated::Ref(if whole { Operand::Text(text) } else { Operand::Null });
            }
        };
        match self {
            Path::Chain(chain) => Evaluated::Ref(follow(chain, root).map_or(Operand::Null, TapeRef::operand)),
            Path::Tree(tree) => match tree.walk(Cursor::At(root)) {
                Cursor::Null => Evaluated::Ref(Operand::Null),
                Cursor::At(value) => Evaluated::Ref(value.operand()),
                list @ Cursor::List(_) => Evaluated::Owned(list.into_value()),
            },
        }
    }
}

/// The value at the end of a chain.
fn follow<'a>(chain: &[Link], root: TapeRef<'a>) -> Option<TapeRef<'a>> {
    let mut at = Some(root);
    for link in chain {
        at = at.and_then(|value| match link {
            Link::Field(name) => value.field(name),
            Link::Index(index) => value.element(*index),
        });
    }
    at
}

/// Where a walk stands: at a value of the tape, or at a list the walk has made.
enum Cursor<'a> {
    Null,
    At(TapeRef<'a>),
    List(Vec<Cursor<'a>>),
}

impl<'a> Cursor<'a> {
    fn or_null(value: Option<TapeRef<'a>>) -> Self {
        value.map_or(Cursor::Null, Cursor::At)
    }

    fn is_null(&self) -> bool {
        match self {
            Cursor::Null => true,
            Cursor::At(value) => matches!(value.operand(), Operand::Null),
            Cursor::List(_) => false,
        }
    }

    fn into_elements(self) -> Option<Vec<Cursor<'a>>> {
        match self {
            Cursor::Null => None,
            Cursor::At(value) => value.list_len().map(|_| value.elements().map(Cursor::At).collect()),
            Cursor::List(list) => Some(list),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Cursor::Null => Value::Null,
            Cursor::At(value) => value.to_inner_value(),
            Cursor::List(list) => Value::List(list.into_iter().map(Cursor::into_value).collect()),
        }
    }
}

impl Tree {
    fn from_ast(ast: &Ast, at_root: bool) -> Option<Self> {
        let boxed = |ast: &Ast, at_root| Tree::from_ast(ast, at_root).map(Box::new);
        Some(match ast {
            Ast::Field { name, .. } if at_root => (name == "body").then_some(Tree::Current)?,
            Ast::Subexpr { lhs, rhs, .. } => Tree::Then(boxed(lhs, at_root)?, boxed(rhs, false)?),
            Ast::Projection { lhs, rhs, .. } => Tree::Project(boxed(lhs, at_root)?, boxed(rhs, false)?),
            Ast::ObjectValues { node, .. } => Tree::Values(boxed(node, at_root)?),
            Ast::Flatten { node, .. } => Tree::Flatten(boxed(node, at_root)?),
            _ if at_root => return None,
            Ast::Identity { .. } => Tree::Current,
            Ast::Field { name, .. } => Tree::Link(Link::Field(name.as_str().into())),
            Ast::Index { idx, .. } => Tree::Link(Link::Index(*idx)),
            Ast::Slice { start, stop, step, .. } if *step != 0 => {
                Tree::Slice { start: *start, stop: *stop, step: *step }
            }
            _ => return None,
        })
    }

    /// True where the tree is a plain chain, which then stands in `chain`.
    fn flatten_into(&self, chain: &mut Vec<Link>) -> bool {
        match self {
            Tree::Current => true,
            Tree::Link(link) => {
                chain.push(link.clone());
                true
            }
            Tree::Then(first, then) => first.flatten_into(chain) && then.flatten_into(chain),
            Tree::Slice { .. } | Tree::Project(..) | Tree::Values(_) | Tree::Flatten(_) => false,
        }
    }

    fn walk<'a>(&self, at: Cursor<'a>) -> Cursor<'a> {
        match self {
            Tree::Current => at,
            Tree::Link(Link::Field(name)) => match at {
                Cursor::At(value) => Cursor::or_null(value.field(name)),
                Cursor::Null | Cursor::List(_) => Cursor::Null,
            },
            Tree::Link(Link::Index(index)) => match at {
                Cursor::At(value) => Cursor::or_null(value.element(*index)),
                Cursor::Null => Cursor::Null,
                Cursor::List(mut list) => match resolve_index(list.len(), *index) {
                    Some(index) => list.swap_remove(index),
                    None => Cursor::Null,
                },
            },
            Tree::Slice { start, stop, step } => match at.into_elements() {
                Some(list) => Cursor::List(slice(list, *start, *stop, *step)),
                None => Cursor::Null,
            },
            Tree::Then(first, then) => then.walk(first.walk(at)),
            Tree::Project(over, each) => match over.walk(at).into_elements() {
                Some(list) => Cursor::List(list.into_iter().map(|e| each.walk(e)).filter(|e| !e.is_null()).collect()),
                None => Cursor::Null,
            },
            Tree::Values(of) => match of.walk(at) {
                Cursor::At(map) if map.is_map() => {
                    // By key, so that the order does not depend on the server's.
                    let mut sorted = BTreeMap::new();
                    map.for_each_entry(|key, value| {
                        sorted.insert(key, value);
                    });
                    Cursor::List(sorted.into_values().map(Cursor::At).collect())
                }
                _ => Cursor::Null,
            },
            Tree::Flatten(of) => match of.walk(at).into_elements() {
                None => Cursor::Null,
                Some(list) => {
                    let mut flat = Vec::new();
                    for element in list {
                        match element {
                            Cursor::At(value) if value.list_len().is_some() => {
                                flat.extend(value.elements().map(Cursor::At));
                            }
                            Cursor::List(inner) => flat.extend(inner),
                            other => flat.push(other),
                        }
                    }
                    Cursor::List(flat)
                }
            },
        }
    }
}

/// A slice as in Python (JMESPath specification, slices). `step` is not 0.
fn slice<T>(list: Vec<T>, start: Option<i32>, stop: Option<i32>, step: i32) -> Vec<T> {
    let len = list.len() as i64;
    let step = i64::from(step);
    let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let end = |given: Option<i32>, default: i64| match given {
        None => default,
        Some(n) if n < 0 => (i64::from(n) + len).clamp(lowest, highest),
        Some(n) => i64::from(n).clamp(lowest, highest),
    };
    let (mut at, stop) = if step > 0 { (end(start, 0), end(stop, len)) } else { (end(start, len - 1), end(stop, -1)) };
    let mut list: Vec<Option<T>> = list.into_iter().map(Some).collect();
    let mut taken = Vec::new();
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        taken.extend(list.get_mut(at as usize).and_then(Option::take));
        at += step;
    }
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::response::{jmes::Jmes, with_scratch, ResponseParts, ResponseView};

    /// Bodies of few keys and small lists, so that random paths find something.
    fn body() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            (-5_i64..5).prop_map(Into::into),
            (-2.0_f64..2.0).prop_map(Into::into),
            "[a-c]{0,2}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn expression() -> impl Strategy<Value = String> {
        let step = prop_oneof![
            4 => "\\.[a-c]",
            2 => "\\[(0|-?[1-3])\\]",
            1 => Just("[*]".to_owned()),
            1 => Just(".*".to_owned()),
            1 => Just("[]".to_owned()),
            1 => "\\[(0|-?[1-4])?:(0|-?[1-4])?(:-?[1-2])?\\]",
        ];
        prop::collection::vec(step, 0..5).prop_map(|steps| format!("body{}", steps.concat()))
    }

    proptest! {
        #[test]
        fn the_tape_gives_what_the_crate_gives(body in body(), text in expression()) {
            let ast = jmespath::parse(&text).unwrap();
            let path = Path::from_ast(&ast).expect("a path");
            let crates = Jmes::new(&text, ast).unwrap();
            let mut bytes = body.to_string().into_bytes();
            let fields: &[(&str, &[u8])] = &[];
            let view = ResponseView { status: 200, version: "HTTP/1.1", headers: &fields, body: &mut bytes };
            with_scratch(body.to_string().as_bytes(), |parsed| {
                let own = path.find(parsed).operand().to_value();
                let theirs = crates.find(&ResponseParts::new(&view, parsed)).unwrap();
                prop_assert_eq!(own, theirs, "{} on {}", text, body);
                Ok(())
            })?;
        }
    }
}
