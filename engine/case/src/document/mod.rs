//! Test case files as trees: every value with its place and the text it was written as.
//!
//! Both YAML and JSON become the same [`Node`]s, so everything after reading knows one form.

mod json;
mod scalar;
mod tree;
mod yaml;

pub(crate) use json::parse_json;
pub(crate) use scalar::{Scalar, ScalarKind};
pub(crate) use tree::{FileId, Key, Node, NodeKind, Place, SyntaxError, MAX_DEPTH, MAX_NODES};
pub(crate) use yaml::parse_yaml;
