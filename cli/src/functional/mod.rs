//! What becomes of a functional run (`pummel run`): the engine's events as lines of text, and its results as files.
//!
//! Each output is a pure consumer: it gets the results and gives text, and none knows of another. A text from outside (a
//! name, a server's body) can steer no terminal and no browser. Bodies are bounded, one by one and in sum.
//!
//! Reading order: `results` (what is kept of the events, and the exit code), `console` and `dump` (lines while the run goes
//! on), `summary` (hrp's `summary.json`), `html`, `junit`; `body` says how the bytes of a body are shown, `folder` where
//! the files go.

mod body;
mod console;
mod dump;
mod folder;
mod html;
mod junit;
mod phases;
mod results;
#[cfg(test)]
mod sample;
mod summary;

pub(crate) use console::{Console, ConsoleOptions};
pub(crate) use folder::ResultsFolder;
pub(crate) use html::html_report;
pub(crate) use junit::junit_xml;
pub(crate) use results::{CaseFacts, Keep, Results, RunEnd};
pub(crate) use summary::summary_json;
