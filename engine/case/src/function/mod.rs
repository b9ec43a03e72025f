//! Functions that expressions call: `${name(arguments)}` (hrp spec 6.8, 6.12, 6.13 and section 8).
//!
//! [`Function`] is a name resolved at load, [`Call`] a call with its compiled arguments; `arguments` converts values to what a
//! function takes, `builtin` holds what each function does, `csv_file` reads the tables of `parameterize`. [`CallOfPlugin`] is a call
//! of a function of the project's plugin, which stands before a built-in one of the same name (hrp spec 6.12).
//!
//! Expressions hold no calls: each is an operation of its step, done once and in order before the text it stands in is
//! rendered, and its result stands in a slot (`operation`). A function that takes time asks the engine to wait
//! ([`Wait`](crate::Wait)), and so does every call of a plugin that is not made at load.

mod arguments;
mod builtin;
mod call;
mod csv_file;
mod plugin_call;

pub(crate) use builtin::Function;
pub(crate) use call::{Call, CallProblem, Failure, Folded};
pub(crate) use plugin_call::CallOfPlugin;
