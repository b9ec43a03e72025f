//! The expression language of test cases: `$name`, `${name}`, `${name(arguments)}` and `$$` inside strings (hrp spec 6 and 7).
//!
//! [`tokens`] cuts a string into pieces, [`scope`] says what a name stands for at one place of a case, [`Expr`] is the
//! compiled result: constants folded, names resolved to slots, calls taken out as work to do before (`calls`).

mod calls;
mod compile;
mod expr;
mod scope;
mod tokens;

pub(crate) use calls::{Calls, Phase, StepWork};
pub(crate) use compile::{compile_text, compile_value, CompileError, CompileErrorKind, Scan};
pub(crate) use expr::{Expr, MapEntry, Piece, Variable};
pub(crate) use scope::{Binding, Scope};
pub(crate) use tokens::{sole_variable, tokens, Token};
