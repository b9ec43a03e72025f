//! HttpRunner v4 test cases: loaded, checked and compiled once, then run by any number of users.
//!
//! This crate turns files into programs and runs their parts; it opens no socket and knows no clock. Rules come from the
//! document called hrp spec here (behaviour of hrp 4.3.6 and what this engine does instead).
//!
//! What it guarantees:
//!
//! - Nothing a file or a server says makes it panic, recurse without bound or take unbounded time for its size.
//! - A key of the language that is not built yet is an error with its place, an unknown key a warning; neither is ignored in
//!   silence.
//! - Names become slots, texts become pieces and constants are folded at load, so rendering and checking a request look nothing
//!   up and, once buffers have grown, allocate nothing but what an extracted list or map needs.
//! - Values taken from responses are data: they are never scanned for expressions.
//!
//! Reading order: [`load`] (module `load`) is the way in; `document` reads YAML and JSON into one tree; `expression` compiles
//! strings, `function` holds what they call and `operation` what is done in order around a request; `request` is what a step sends, `response`, `check` and `assertion` what is done with the answer; [`Case`],
//! [`Step`] and [`Session`] are what the engine holds. [`convert`] makes cases of curl commands, recordings and collections.
//!
//! ```
//! use pummel_case::{Case, PlainRequest, Step};
//!
//! let request = PlainRequest {
//!     name: "home".into(),
//!     method: "GET".into(),
//!     url: "http://127.0.0.1:8080/?q=1".into(),
//!     headers: vec![],
//!     body: None,
//! };
//! let case = Case::from_requests("hit", vec![request]).unwrap();
//! let Step::Request(step) = &case.steps[0] else { unreachable!() };
//! assert_eq!(step.constant().unwrap().target(), "/?q=1");
//! ```
#![forbid(unsafe_code)]

mod assertion;
mod case;
mod check;
mod compiled;
pub mod convert;
mod document;
mod error;
mod expression;
mod function;
mod journal;
mod load;
mod notice;
mod operation;
mod parameters;
mod plain;
mod plugin;
mod progress;
mod project;
mod request;
mod response;
mod session;
mod step;
mod think;
mod value;

pub use case::Case;
pub use error::{StepError, StepErrorKind};
pub use journal::{Journal, ValidatorRecord};
pub use load::{
    did_you_mean, load, load_text, parse_env_file, shown_path, Diagnostic, EnvFileError, LoadError, LoadOptions,
    Loaded, UrlStyle,
};
pub use parameters::Parameters;
pub use plain::{PlainRequest, PlainRequestError};
pub use plugin::{CallOutcome, Plugin, PluginCall, PluginFailure, PluginFunction, PluginId, PluginSource, Plugins};
pub use progress::{Prepared, Progress, Wait};
pub use request::{BodyPiece, Credentials, Origin, RenderedRequest, UploadFile};
pub use response::{Headers, ResponseView};
pub use session::Session;
pub use step::{
    BrokenStep, EnterStep, EvaluateStep, LeaveStep, Needs, RendezvousStep, Repeat, RequestStep, Step, ThinkTimeStep,
    TransactionEdge, TransactionStep, WebSocketAction, WebSocketStep,
};
pub use think::ThinkTime;
