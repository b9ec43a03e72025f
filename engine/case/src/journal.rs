//! What a functional run writes down of a step (hrp spec 13.8). A load run keeps none.

use serde_json::Value;

/// What a step's checks looked at and found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journal {
    /// The validators that were looked at; the first that does not hold is the last.
    pub validators: Vec<ValidatorRecord>,
    /// Names and values of what was extracted, in the file's order.
    pub extracted: Vec<(Box<str>, Value)>,
}

/// A validator and how it came out.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatorRecord {
    /// What is checked, as written.
    pub check: Box<str>,
    /// The assert's name, as written.
    pub assertion: Box<str>,
    /// The expectation, evaluated.
    pub expect: Value,
    /// The author's message; empty where there is none.
    pub message: Box<str>,
    /// What was found.
    pub actual: Value,
    /// Whether it holds.
    pub passed: bool,
}
