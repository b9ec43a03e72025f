//! What each command does, once its flags are known. Each gives the exit code.

mod boom;
mod capacity;
mod compare;
mod convert;
mod demo;
mod doctor;
mod hit;
mod report;
mod run;
mod runs;
mod shell;
mod target;

pub(crate) use boom::boom;
pub(crate) use capacity::capacity;
pub(crate) use compare::compare;
pub(crate) use convert::convert;
pub(crate) use demo::demo;
pub(crate) use doctor::doctor;
pub(crate) use hit::hit;
pub(crate) use report::report;
pub(crate) use run::run;
pub(crate) use runs::runs;
pub(crate) use shell::{completions, man};
pub(crate) use target::target;
