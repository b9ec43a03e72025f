//! HttpRunner v4 test cases: loaded, checked and compiled once.
#![forbid(unsafe_code)]

mod assertion;
mod case;
mod check;
mod document;
mod error;
mod expression;
mod load;
mod plain;
mod request;
mod response;
mod session;
mod step;
mod think;
mod value;

pub use case::Case;
pub use error::{StepError, StepErrorKind};
pub use load::{load, load_text, parse_env_file, Diagnostic, EnvFileError, LoadError, LoadOptions, Loaded};
pub use plain::{PlainRequest, PlainRequestError};
pub use request::{Origin, RenderedRequest};
pub use response::{Headers, ResponseView};
pub use session::Session;
pub use step::{Needs, RequestStep, Step, TransactionEdge, TransactionStep};
pub use think::ThinkTime;
