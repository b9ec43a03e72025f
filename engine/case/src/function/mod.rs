//! Functions that expressions call: `${name(arguments)}` (hrp spec 6.8, 6.12, 6.13 and section 8).
//!
//! [`Function`] is a name resolved at load, [`Call`] a call with its compiled arguments; `arguments` converts values to what a
//! function takes, `builtin` holds what each function does, `csv_file` reads the tables of `parameterize`.
//!
//! Expressions hold no calls: each is an operation of its step, done once and in order before the text it stands in is
//! rendered, and its result stands in a slot (`operation`). A function that takes time asks the engine to wait
//! ([`Wait`](crate::Wait)). Functions of a plugin have a place before the built-in ones in [`Function::find`] (hrp spec 6.12).

mod arguments;
mod builtin;
mod call;
mod csv_file;

pub(crate) use builtin::Function;
pub(crate) use call::{Call, CallProblem, Failure, Folded};
