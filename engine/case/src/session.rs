//! One user's variables.

use crate::{
    expression::Variable,
    value::{Operand, Value},
    Case, StepError,
};

/// A text buffer above this size is given back at the next iteration, so that one large extraction does not stay with every
/// user for the whole run.
const KEPT_TEXT_BYTES: usize = 1024;

/// One virtual user's variables: what its steps extracted in this iteration, and the current step's own variables.
///
/// It is small, belongs to one user, and is used again for every iteration.
#[derive(Debug, Default)]
pub struct Session {
    extracted: Vec<Slot>,
    step: Vec<Slot>,
}

impl Session {
    /// A session without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts an iteration of `case`: extracted values are forgotten (hrp spec 14.7), buffers are kept.
    pub fn begin(&mut self, case: &Case) {
        for slot in self.extracted.iter_mut().chain(&mut self.step) {
            slot.clear();
        }
        // A user may pick another case each iteration; slots beyond this case's number just stay empty.
        if self.extracted.len() < case.extracted_slots {
            self.extracted.resize_with(case.extracted_slots, Slot::default);
        }
        if self.step.len() < case.step_slots {
            self.step.resize_with(case.step_slots, Slot::default);
        }
    }

    pub(crate) fn extracted(&self, slot: usize) -> Option<Operand<'_>> {
        self.extracted.get(slot)?.get()
    }

    pub(crate) fn step(&self, slot: usize) -> Option<Operand<'_>> {
        self.step.get(slot)?.get()
    }

    pub(crate) fn set_extracted(&mut self, slot: usize, value: Operand<'_>) {
        if let Some(slot) = self.extracted.get_mut(slot) {
            slot.set(value);
        }
    }

    pub(crate) fn set_extracted_value(&mut self, slot: usize, value: Value) {
        if let Some(slot) = self.extracted.get_mut(slot) {
            slot.set_value(value);
        }
    }

    pub(crate) fn set_step_value(&mut self, slot: usize, value: Value) {
        if let Some(slot) = self.step.get_mut(slot) {
            slot.set_value(value);
        }
    }

    /// Sets a step variable to the value of another variable, in its own buffer.
    ///
    /// # Errors
    /// The other has no value.
    pub(crate) fn set_step_from(&mut self, slot: usize, other: &Variable) -> Result<(), StepError> {
        let mut own = self.step.get_mut(slot).map(std::mem::take).unwrap_or_default();
        let set = other.get(self).map(|value| own.set(value));
        if let Some(slot) = self.step.get_mut(slot) {
            *slot = own;
        }
        set
    }

    /// Fills a step variable with text, in its own buffer.
    pub(crate) fn take_step_text(&mut self, slot: usize) -> String {
        self.step.get_mut(slot).map(Slot::take_text).unwrap_or_default()
    }

    pub(crate) fn put_step_text(&mut self, slot: usize, text: String) {
        if let Some(slot) = self.step.get_mut(slot) {
            slot.text = text;
            slot.state = State::Text;
        }
    }
}

/// A variable: text in a buffer that is used again, anything else as a value.
#[derive(Debug, Default)]
struct Slot {
    text: String,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Unset,
    Text,
    Value(Box<Value>),
    Scalar(Scalar),
}

#[derive(Debug, Clone, Copy)]
enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
}

impl Slot {
    fn get(&self) -> Option<Operand<'_>> {
        Some(match &self.state {
            State::Unset => return None,
            State::Text => Operand::Text(&self.text),
            State::Value(value) => value.operand(),
            State::Scalar(Scalar::Null) => Operand::Null,
            State::Scalar(Scalar::Bool(b)) => Operand::Bool(*b),
            State::Scalar(Scalar::Int(n)) => Operand::Int((*n).into()),
            State::Scalar(Scalar::Float(n)) => Operand::Float(*n),
        })
    }

    fn set(&mut self, value: Operand<'_>) {
        self.state = match value {
            Operand::Text(text) => {
                self.text.clear();
                self.text.push_str(text);
                State::Text
            }
            Operand::Null => State::Scalar(Scalar::Null),
            Operand::Bool(b) => State::Scalar(Scalar::Bool(b)),
            Operand::Float(n) => State::Scalar(Scalar::Float(n)),
            Operand::Int(n) => match i64::try_from(n) {
                Ok(n) => State::Scalar(Scalar::Int(n)),
                Err(_) => State::Value(Box::new(Value::Int(n))),
            },
            Operand::List(_) | Operand::Map(_) | Operand::Tape(_) => State::Value(Box::new(value.to_value())),
        };
    }

    fn set_value(&mut self, value: Value) {
        match value {
            Value::List(_) | Value::Map(_) => self.state = State::Value(Box::new(value)),
            _ => self.set(value.operand()),
        }
    }

    fn take_text(&mut self) -> String {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        text
    }

    fn clear(&mut self) {
        self.state = State::Unset;
        if self.text.capacity() > KEPT_TEXT_BYTES {
            self.text = String::new();
        }
    }
}
