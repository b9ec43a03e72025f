//! A compiled value: constant, or made of slots when a step runs.

use std::sync::Arc;

use crate::{
    error::{StepError, StepErrorKind},
    session::Session,
    value::{push_json_escaped, push_json_string, Map, Operand, Sink, Value},
};

/// A value of the case file, compiled for one place of the case.
#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Const(Arc<Value>),
    /// The whole string is one variable: its value keeps its type (hrp spec 6.5).
    Variable(Variable),
    /// Pieces joined as text.
    Text(Box<[Piece]>),
    List(Box<[Expr]>),
    /// Sorted by key where all keys are constant, else in file order.
    Map(Box<[MapEntry]>),
}

/// An entry of a map; its key is an expression too (hrp spec 6.1).
#[derive(Debug, Clone)]
pub(crate) struct MapEntry {
    pub(crate) key: Expr,
    pub(crate) value: Expr,
}

/// A piece of a text.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Literal(Box<str>),
    Variable(Variable),
}

/// A name, resolved.
#[derive(Debug, Clone)]
pub(crate) enum Variable {
    /// A variable of the step itself, evaluated before the request is built.
    Step { slot: usize, missing: Arc<str> },
    /// A value an earlier step extracted; until it has, what the name stands for below: a constant or another variable.
    Kept { slot: usize, fallback: Option<Arc<Expr>>, missing: Arc<str> },
    /// A column of a parameter table.
    Parameter { table: usize, values: Arc<[Value]>, missing: Arc<str> },
}

impl Variable {
    /// Its value.
    ///
    /// # Errors
    /// Nothing has set it: the step that extracts it failed or was skipped (hrp spec 6.11).
    pub(crate) fn get<'a>(&'a self, session: &'a Session) -> Result<Operand<'a>, StepError> {
        let (found, missing) = match self {
            Variable::Step { slot, missing } => (session.step(*slot), missing),
            Variable::Kept { slot, fallback, missing } => {
                let below = || fallback.as_deref().and_then(|expr| expr.borrowed(session)).and_then(Result::ok);
                (session.kept(*slot).or_else(below), missing)
            }
            Variable::Parameter { table, values, missing } => {
                let value = session.row(*table).and_then(|row| values.get(row as usize));
                (value.map(Value::operand), missing)
            }
        };
        found.ok_or_else(|| StepError { kind: StepErrorKind::Variable, message: missing.clone(), exit_code: 21 })
    }
}

impl Expr {
    pub(crate) fn constant(value: Value) -> Self {
        Expr::Const(Arc::new(value))
    }

    /// The value where no variable is left in it.
    pub(crate) fn as_const(&self) -> Option<&Arc<Value>> {
        match self {
            Expr::Const(value) => Some(value),
            _ => None,
        }
    }

    /// The text form, where it never changes.
    pub(crate) fn const_text(&self) -> Option<String> {
        let mut text = String::new();
        self.as_const()?.operand().push_text(&mut text);
        Some(text)
    }

    /// The value, where it can be had without building anything: a constant or one variable.
    pub(crate) fn borrowed<'a>(&'a self, session: &'a Session) -> Option<Result<Operand<'a>, StepError>> {
        match self {
            Expr::Const(value) => Some(Ok(value.operand())),
            Expr::Variable(variable) => Some(variable.get(session)),
            Expr::Text(_) | Expr::List(_) | Expr::Map(_) => None,
        }
    }

    /// The value, built.
    pub(crate) fn evaluate(&self, session: &Session) -> Result<Value, StepError> {
        Ok(match self {
            Expr::Const(value) => Value::clone(value),
            Expr::Variable(variable) => variable.get(session)?.to_value(),
            Expr::Text(_) => {
                let mut text = String::new();
                self.push_text(session, &mut text)?;
                Value::Text(text.into())
            }
            Expr::List(list) => Value::List(list.iter().map(|item| item.evaluate(session)).collect::<Result<_, _>>()?),
            Expr::Map(entries) => {
                let mut map = Map::new();
                for entry in entries {
                    let mut key = String::new();
                    entry.key.push_text(session, &mut key)?;
                    map.insert(key.into(), entry.value.evaluate(session)?);
                }
                Value::Map(map)
            }
        })
    }

    /// The text form (hrp spec 6.6).
    pub(crate) fn push_text(&self, session: &Session, out: &mut impl Sink) -> Result<(), StepError> {
        match self {
            Expr::Const(value) => value.operand().push_text(out),
            Expr::Variable(variable) => variable.get(session)?.push_text(out),
            Expr::Text(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Literal(text) => out.push_str(text),
                        Piece::Variable(variable) => variable.get(session)?.push_text(out),
                    }
                }
            }
            Expr::List(_) | Expr::Map(_) => self.push_json(session, out)?,
        }
        Ok(())
    }

    /// The JSON form (hrp spec 11.6), written straight from the pieces.
    pub(crate) fn push_json(&self, session: &Session, out: &mut impl Sink) -> Result<(), StepError> {
        match self {
            Expr::Const(value) => value.operand().push_json(out),
            Expr::Variable(variable) => variable.get(session)?.push_json(out),
            Expr::Text(pieces) => {
                out.push('"');
                for piece in pieces {
                    match piece {
                        Piece::Literal(text) => push_json_escaped(text, out),
                        Piece::Variable(variable) => match variable.get(session)? {
                            Operand::Text(text) => push_json_escaped(text, out),
                            Operand::Null => out.push_str("\\u003cnil\\u003e"),
                            scalar @ (Operand::Bool(_) | Operand::Int(_) | Operand::Float(_)) => scalar.push_text(out),
                            container => {
                                let mut text = String::new();
                                container.push_text(&mut text);
                                push_json_escaped(&text, out);
                            }
                        },
                    }
                }
                out.push('"');
            }
            Expr::List(list) => {
                out.push('[');
                for (n, item) in list.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.push_json(session, out)?;
                }
                out.push(']');
            }
            Expr::Map(entries) if entries.iter().all(|entry| entry.key.as_const().is_some()) => {
                out.push('{');
                for (n, entry) in entries.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    match entry.key.as_const().and_then(|key| key.operand().text()) {
                        Some(key) => push_json_string(key, out),
                        None => entry.key.push_json(session, out)?,
                    }
                    out.push(':');
                    entry.value.push_json(session, out)?;
                }
                out.push('}');
            }
            // Keys known only now: they have to be sorted, so the map is built.
            Expr::Map(_) => self.evaluate(session)?.operand().push_json(out),
        }
        Ok(())
    }
}
