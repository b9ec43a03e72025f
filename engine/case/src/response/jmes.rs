//! Expressions that are more than a path, by the jmespath crate on a document built for them.

use std::collections::BTreeMap;

use jmespath::{ast::Ast, Context, Rcvar, Variable, DEFAULT_RUNTIME};

use super::{cookies::for_each_cookie, ParsedBody, ResponseParts};
use crate::{
    request::canonical_name,
    value::{Map, Operand, TapeRef, Value, MAX_VALUE_DEPTH},
};

/// Numbers of a slice or index beyond this cannot mean anything in a body and overflow the crate's arithmetic.
const MAX_INDEX: i32 = 1 << 30;

/// The parts of the response object (hrp spec 10.1).
pub(crate) const ROOTS: [&str; 5] = ["proto", "status_code", "headers", "cookies", "body"];

/// A compiled expression.
#[derive(Debug, Clone)]
pub(crate) struct Jmes {
    text: Box<str>,
    ast: Ast,
    uses: Uses,
}

/// Which parts of the response the expression reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uses {
    pub(crate) headers: bool,
    pub(crate) cookies: bool,
    pub(crate) body: bool,
}

impl Jmes {
    /// Takes a parsed expression; an error says what in it cannot be used.
    pub(crate) fn new(text: &str, mut ast: Ast) -> Result<Self, String> {
        let mut fields = Vec::new();
        let mut in_range = true;
        let mut unknown_function = None;
        visit(&mut ast, &mut |node| match node {
            Ast::Field { name, .. } => fields.push(name.clone()),
            Ast::Function { name, .. } if DEFAULT_RUNTIME.get_function(name).is_none() => {
                unknown_function.get_or_insert_with(|| name.clone());
            }
            Ast::Index { idx, .. } => in_range &= idx.unsigned_abs() <= MAX_INDEX as u32,
            Ast::Slice { start, stop, step, .. } => {
                let ends = [start.unwrap_or(0), stop.unwrap_or(0), *step];
                in_range &= ends.iter().all(|n| n.unsigned_abs() <= MAX_INDEX as u32);
            }
            // The document's names are canonical, so written names become canonical too (hrp spec 10.4).
            Ast::Subexpr { lhs, rhs, .. } => {
                if let (Ast::Field { name: root, .. }, Ast::Field { name, .. }) = (&**lhs, &mut **rhs) {
                    if root == "headers" {
                        *name = canonical_name(name);
                    }
                }
            }
            _ => {}
        });
        if !in_range {
            return Err("an index in it is beyond any list".into());
        }
        if let Some(name) = unknown_function {
            return Err(format!("JMESPath has no function {name}"));
        }
        // `@` and `*` at the root reach every part without naming it.
        let all = text.contains('@') || text.contains('*');
        let uses = |part: &str| all || fields.iter().any(|name| name == part);
        let uses = Uses { headers: uses("headers"), cookies: uses("cookies"), body: uses("body") };
        Ok(Jmes { text: text.into(), ast, uses })
    }

    pub(crate) fn uses(&self) -> Uses {
        self.uses
    }

    /// The value it finds, null where there is none; nothing where it breaks a rule of JMESPath while it runs (a function given
    /// the wrong type).
    pub(crate) fn find(&self, response: &ResponseParts<'_>) -> Option<Value> {
        let mut root = BTreeMap::new();
        root.insert("proto".into(), Rcvar::new(Variable::String(response.version.into())));
        root.insert("status_code".into(), Rcvar::new(Variable::Number(response.status.into())));
        if self.uses.headers {
            let mut headers = BTreeMap::new();
            response.headers.for_each(&mut |name, value| {
                let value = String::from_utf8_lossy(value).into_owned();
                headers.entry(canonical_name(name)).or_insert_with(|| Rcvar::new(Variable::String(value)));
            });
            root.insert("headers".into(), Rcvar::new(Variable::Object(headers)));
        }
        if self.uses.cookies {
            let mut cookies = BTreeMap::new();
            for_each_cookie(response.headers, &mut |name, value| {
                cookies.insert(name.to_owned(), Rcvar::new(Variable::String(value.into())));
            });
            root.insert("cookies".into(), Rcvar::new(Variable::Object(cookies)));
        }
        if self.uses.body {
            let body = match response.body {
                ParsedBody::Json(nodes) => variable(TapeRef::root(nodes), 0),
                ParsedBody::Text(text) => Variable::String(text.into()),
            };
            root.insert("body".into(), Rcvar::new(body));
        }
        let mut context = Context::new(&self.text, &DEFAULT_RUNTIME);
        let found = jmespath::interpret(&Rcvar::new(Variable::Object(root)), &self.ast, &mut context).ok()?;
        Some(value(&found, 0).operand().whole_as_int().to_value())
    }
}

/// Calls `each` on every node.
pub(crate) fn visit(ast: &mut Ast, each: &mut dyn FnMut(&mut Ast)) {
    each(ast);
    match ast {
        Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. } => {
            visit(lhs, each);
            visit(rhs, each);
        }
        Ast::Condition { predicate, then, .. } => {
            visit(predicate, each);
            visit(then, each);
        }
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::Not { node, .. }
        | Ast::ObjectValues { node, .. } => visit(node, each),
        Ast::Function { args: nodes, .. } | Ast::MultiList { elements: nodes, .. } => {
            for node in nodes {
                visit(node, each);
            }
        }
        Ast::MultiHash { elements, .. } => {
            for pair in elements {
                visit(&mut pair.value, each);
            }
        }
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Literal { .. } | Ast::Slice { .. } => {}
    }
}

fn variable(tape: TapeRef<'_>, depth: usize) -> Variable {
    match tape.operand() {
        Operand::Tape(_) if depth >= MAX_VALUE_DEPTH => Variable::Null,
        Operand::Tape(list) if !list.is_map() => {
            Variable::Array(list.elements().map(|e| Rcvar::new(variable(e, depth + 1))).collect())
        }
        Operand::Tape(map) => {
            let mut entries = BTreeMap::new();
            map.for_each_entry(|key, value| {
                entries.insert(key.to_owned(), Rcvar::new(variable(value, depth + 1)));
            });
            Variable::Object(entries)
        }
        Operand::Bool(b) => Variable::Bool(b),
        Operand::Text(text) => Variable::String(text.into()),
        Operand::Float(n) => serde_json::Number::from_f64(n).map_or(Variable::Null, Variable::Number),
        Operand::Int(n) => match (i64::try_from(n), u64::try_from(n)) {
            (Ok(n), _) => Variable::Number(n.into()),
            (_, Ok(n)) => Variable::Number(n.into()),
            _ => Variable::Null,
        },
        Operand::Null | Operand::Bytes(_) | Operand::List(_) | Operand::Map(_) => Variable::Null,
    }
}

fn value(variable: &Variable, depth: usize) -> Value {
    match variable {
        Variable::Array(_) | Variable::Object(_) if depth > MAX_VALUE_DEPTH => Value::Null,
        Variable::Null | Variable::Expref(_) => Value::Null,
        Variable::Bool(b) => Value::Bool(*b),
        Variable::String(text) => Value::text(text),
        Variable::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => Value::Int(n.into()),
            (_, Some(n)) => Value::Int(n.into()),
            _ => n.as_f64().map_or(Value::Null, Value::Float),
        },
        Variable::Array(items) => Value::List(items.iter().map(|item| value(item, depth + 1)).collect()),
        Variable::Object(entries) => {
            Value::Map(entries.iter().map(|(k, v)| (k.as_str().into(), value(v, depth + 1))).collect::<Map>())
        }
    }
}
