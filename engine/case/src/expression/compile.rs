//! From strings and trees of the case file to [`Expr`].

use std::sync::Arc;

use super::{scope::Callee, tokens, Calls, Expr, MapEntry, Piece, Scope, Token, Variable};
use crate::{
    document::{Node, NodeKind, Place},
    function::{Call, CallOfPlugin, CallProblem, Failure, Folded},
    operation::Operation,
    plugin::PluginFailure,
    value::{Map, Value, MAX_VALUE_DEPTH},
};

/// Why a string does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompileError {
    pub(crate) kind: CompileErrorKind,
    pub(crate) place: Place,
}

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CompileErrorKind {
    /// Nothing can have defined the name here.
    Undefined(String),
    /// No function has the name.
    UnknownFunction(String),
    /// The project's plugin, which may have the function, is not there.
    Plugin(PluginFailure),
    /// A call that fails every time, or has the wrong number of arguments.
    Call { function: String, failure: Failure },
    /// A call that is made at load, with an argument that is known only later.
    NotConstant(String),
    /// Variables within variables grow beyond every measure.
    TooLarge,
}

/// Whether surrounding white space is part of the text (hrp spec 6.7: values are trimmed, URLs and map keys are not).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    Trimmed,
    Verbatim,
}

/// Compiles one string for one place; constants are folded.
pub(crate) fn compile_text(text: &str, scan: Scan, place: Place, scope: &Scope) -> Result<Expr, CompileError> {
    let text = if scan == Scan::Trimmed { text.trim() } else { text };
    let found = tokens(text);
    let resolve = |name: &str| {
        scope.resolve(name).ok_or_else(|| CompileError { kind: CompileErrorKind::Undefined(name.into()), place })
    };
    match found[..] {
        [Token::Variable(name)] => return resolve(name),
        [Token::Call { name, arguments }] => return compile_call(name, arguments, place, scope),
        _ => {}
    }
    let mut pieces: Vec<Piece> = Vec::new();
    let mut literal = String::new();
    for token in found {
        let value = match token {
            Token::Literal(text) => {
                literal.push_str(text);
                continue;
            }
            Token::Dollar => {
                literal.push('$');
                continue;
            }
            Token::Call { name, arguments } => compile_call(name, arguments, place, scope)?,
            Token::Variable(name) => resolve(name)?,
        };
        if let Expr::Variable(variable) = value {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            pieces.push(Piece::Variable(variable));
        } else {
            literal.push_str(&value.const_text().unwrap_or_default());
            if !scope.spend(literal.len()) {
                return Err(too_large(place));
            }
        }
    }
    if pieces.is_empty() {
        return Ok(Expr::constant(Value::Text(literal.into())));
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(Expr::Text(pieces.into()))
}

/// A call (hrp spec 6.8): its value where that is known, else a slot that an operation of the step fills.
fn compile_call(name: &str, arguments: &str, place: Place, scope: &Scope) -> Result<Expr, CompileError> {
    let error = |kind| CompileError { kind, place };
    let callee = scope.callee(name).map_err(|failure| error(CompileErrorKind::Plugin(failure)))?;
    let Some(callee) = callee else {
        return Err(error(CompileErrorKind::UnknownFunction(name.into())));
    };
    let mut compiled = Vec::new();
    if !arguments.trim().is_empty() {
        for argument in arguments.split(',') {
            compiled.push(compile_argument(argument.trim(), place, scope)?);
        }
    }
    let at_once = matches!(scope.calls, Calls::AtOnce);
    let failed = |failure| error(CompileErrorKind::Call { function: name.into(), failure });
    let slot_of = |slot| Variable::Step { slot, missing: Arc::from(format!("function {name} gave no value")) };
    let function = match callee {
        Callee::BuiltIn(function) => function,
        Callee::Plugin(plugin, function) => {
            let call = CallOfPlugin::new(plugin, function, compiled);
            if !at_once {
                let operation = |slot| Operation::CallPlugin { slot, call: Box::new(call) };
                return Ok(Expr::Variable(slot_of(scope.work(|work| work.add(operation)))));
            }
            return match call.make_now() {
                Ok(value) if scope.spend_value(&value, MAX_VALUE_DEPTH) => Ok(Expr::Const(value)),
                Ok(_) => Err(too_large(place)),
                Err(CallProblem::Failed(failure)) => Err(failed(failure)),
                Err(CallProblem::NotConstant) => Err(error(CompileErrorKind::NotConstant(name.into()))),
            };
        }
    };
    let call = Call::new(function, compiled, scope.project.clone()).map_err(failed)?;
    match call.fold(at_once) {
        Ok(Folded::Known(value)) if function.reads_files() || scope.spend_value(&value, MAX_VALUE_DEPTH) => {
            Ok(Expr::Const(value))
        }
        Ok(Folded::EachTime { text_bytes }) if scope.spend(text_bytes) => {
            Ok(Expr::Variable(slot_of(scope.work(|work| work.add(|slot| Operation::Call { slot, call })))))
        }
        Ok(_) => Err(too_large(place)),
        Err(CallProblem::Failed(failure)) => Err(failed(failure)),
        Err(CallProblem::NotConstant) => Err(error(CompileErrorKind::NotConstant(name.into()))),
    }
}

/// An argument: nothing is null, digits are a number, all else is text that may hold variables.
fn compile_argument(text: &str, place: Place, scope: &Scope) -> Result<Expr, CompileError> {
    if text.is_empty() {
        return Ok(Expr::constant(Value::Null));
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return compile_text(text, Scan::Trimmed, place, scope);
    }
    let float = || text.parse().map_or(Value::Null, Value::Float);
    let number = if unsigned.contains('.') { float() } else { text.parse().map_or_else(|_| float(), Value::Int) };
    Ok(Expr::constant(number))
}

/// Compiles a tree: strings anywhere in it are templates, keys too.
pub(crate) fn compile_value(node: &Node, scope: &Scope) -> Result<Expr, CompileError> {
    match &node.kind {
        NodeKind::Scalar(scalar) => match scalar.resolve() {
            Value::Text(text) => compile_text(&text, Scan::Trimmed, node.place, scope),
            value => Ok(Expr::constant(value)),
        },
        NodeKind::List(items) => {
            let items = items.iter().map(|item| compile_value(item, scope)).collect::<Result<Vec<_>, _>>()?;
            check_growth(items.iter(), node.place, scope)?;
            Ok(match items.iter().map(|item| item.as_const().map(|value| Value::clone(value))).collect::<Option<_>>() {
                Some(list) => Expr::constant(Value::List(list)),
                None => Expr::List(items.into()),
            })
        }
        NodeKind::Map(entries) => {
            let mut compiled = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let key = compile_text(&key.text, Scan::Verbatim, key.place, scope)?;
                compiled.push(MapEntry { key: key_text(key), value: compile_value(value, scope)? });
            }
            check_growth(compiled.iter().map(|entry| &entry.value), node.place, scope)?;
            Ok(fold_map(compiled))
        }
    }
}

/// Folding copies constants into the list or map that holds them.
fn check_growth<'a>(items: impl Iterator<Item = &'a Expr>, place: Place, scope: &Scope) -> Result<(), CompileError> {
    let fits = items.filter_map(Expr::as_const).all(|value| scope.spend_value(value, MAX_VALUE_DEPTH - 1));
    if fits {
        Ok(())
    } else {
        Err(too_large(place))
    }
}

fn too_large(place: Place) -> CompileError {
    CompileError { kind: CompileErrorKind::TooLarge, place }
}

/// A key that is a constant is text, whatever it was as a value.
fn key_text(key: Expr) -> Expr {
    match key.const_text() {
        Some(text) => Expr::constant(Value::Text(text.into())),
        None => key,
    }
}

fn fold_map(mut entries: Vec<MapEntry>) -> Expr {
    let key = |entry: &MapEntry| match entry.key.as_const().map(Arc::as_ref) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    if entries.iter().all(|entry| key(entry).is_some()) {
        entries.sort_by_key(key);
        // Two keys may become one only now ("$a" and "1"); the later one in the file stays.
        entries.reverse();
        entries.dedup_by(|a, b| key(a) == key(b));
        entries.reverse();
        let folded: Option<Map> = entries.iter().map(|e| Some((key(e)?, Value::clone(e.value.as_const()?)))).collect();
        if let Some(map) = folded {
            return Expr::constant(Value::Map(map));
        }
    }
    Expr::Map(entries.into())
}
