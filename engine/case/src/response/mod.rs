//! Looking into a response: what the engine hands over, and JMESPath or regular expressions over it (hrp spec 10).
//!
//! [`ResponseView`] is the input; `search` compiles an extract or check expression; `body` parses a body at most once; `path`
//! walks its tape; everything a path cannot express goes to the jmespath crate (`jmes`).

mod body;
mod cookies;
mod jmes;
mod object;
mod path;
mod search;
mod view;

pub(crate) use body::{with_scratch, ParsedBody, ResponseParts};
pub(crate) use jmes::ROOTS;
pub(crate) use object::response_value;
pub(crate) use search::{repair_quotes, Search};
pub use view::{Headers, ResponseView};
