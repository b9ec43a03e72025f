//! One user's variables.

use std::{ops::Range, sync::Arc};

use crate::{
    expression::Variable,
    operation::SlotPlace,
    plugin::PluginCall,
    value::{Operand, Value},
    Case, StepError,
};

/// A text buffer above this size is given back at the next iteration, so that one large extraction does not stay with every
/// user for the whole run.
const KEPT_TEXT_BYTES: usize = 1024;

/// One virtual user's variables in one case: what its steps extracted in this iteration, the current step's own variables, and the
/// row of the parameters.
///
/// It is small, belongs to one user and one case, and is used again for every iteration.
#[derive(Debug, Default)]
pub struct Session {
    /// What stays for the iteration. What the once-per-user steps extracted stands first and stays for all.
    kept: Vec<Slot>,
    step: Vec<Slot>,
    /// The row of each parameter table.
    rows: Vec<u32>,
    /// The buffers of the last call of a plugin's function, for the next.
    pub(crate) spare_call: Option<Box<PluginCall>>,
}

impl Session {
    /// A session without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts an iteration of `case`: extracted values are forgotten (hrp spec 14.7), those of its once-per-user steps and the
    /// buffers are kept.
    pub fn begin(&mut self, case: &Case) {
        for slot in self.kept.iter_mut().skip(case.lasting_slots).chain(&mut self.step) {
            slot.clear();
        }
        if self.kept.len() < case.kept_slots {
            self.kept.resize_with(case.kept_slots, Slot::default);
        }
        if self.step.len() < case.step_slots {
            self.step.resize_with(case.step_slots, Slot::default);
        }
    }

    /// The row of each parameter table, for [`Parameters::pick`](crate::Parameters::pick) to fill before an iteration.
    pub fn rows(&mut self) -> &mut Vec<u32> {
        &mut self.rows
    }

    /// The row of a parameter table in this iteration.
    pub(crate) fn row(&self, table: usize) -> Option<u32> {
        self.rows.get(table).copied()
    }

    pub(crate) fn kept(&self, slot: usize) -> Option<Operand<'_>> {
        self.kept.get(slot)?.get()
    }

    pub(crate) fn step(&self, slot: usize) -> Option<Operand<'_>> {
        self.step.get(slot)?.get()
    }

    pub(crate) fn set_kept(&mut self, slot: usize, value: Operand<'_>) {
        if let Some(slot) = self.kept.get_mut(slot) {
            slot.set(value);
        }
    }

    pub(crate) fn set_kept_value(&mut self, slot: usize, value: Value) {
        self.set_value(SlotPlace::Kept(slot), value);
    }

    /// Forgets what these slots hold.
    pub(crate) fn forget(&mut self, slots: Range<usize>) {
        if let Some(slots) = self.kept.get_mut(slots) {
            slots.iter_mut().for_each(Slot::clear);
        }
    }

    pub(crate) fn set(&mut self, place: SlotPlace, value: Operand<'_>) {
        if let Some(slot) = self.slot(place) {
            slot.set(value);
        }
    }

    /// Leaves a variable without a value.
    pub(crate) fn unset(&mut self, place: SlotPlace) {
        if let Some(slot) = self.slot(place) {
            slot.clear();
        }
    }

    /// Sets a variable to a value that others hold too, without copying it.
    pub(crate) fn set_shared(&mut self, place: SlotPlace, value: Arc<Value>) {
        if let Some(slot) = self.slot(place) {
            slot.state = State::Shared(value);
        }
    }

    pub(crate) fn set_value(&mut self, place: SlotPlace, value: Value) {
        if let Some(slot) = self.slot(place) {
            slot.set_value(value);
        }
    }

    /// Sets a variable to the value of another, in its own buffer.
    ///
    /// # Errors
    /// The other has no value.
    pub(crate) fn set_from(&mut self, place: SlotPlace, other: &Variable) -> Result<(), StepError> {
        if let (SlotPlace::Kept(slot), Variable::Kept { slot: same, .. }) = (place, other) {
            if slot == *same && self.kept(slot).is_some() {
                return Ok(());
            }
        }
        let mut own = self.slot(place).map(std::mem::take).unwrap_or_default();
        let set = other.get(self).map(|value| own.set(value));
        if let Some(slot) = self.slot(place) {
            *slot = own;
        }
        set
    }

    /// Takes a variable's buffer, to fill it with text and [put it back](Self::put_text).
    pub(crate) fn take_text(&mut self, place: SlotPlace) -> String {
        self.slot(place).map(Slot::take_text).unwrap_or_default()
    }

    pub(crate) fn put_text(&mut self, place: SlotPlace, text: String) {
        if let Some(slot) = self.slot(place) {
            slot.text = text;
            slot.state = State::Text;
        }
    }

    fn slot(&mut self, place: SlotPlace) -> Option<&mut Slot> {
        match place {
            SlotPlace::Step(slot) => self.step.get_mut(slot),
            SlotPlace::Kept(slot) => self.kept.get_mut(slot),
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
    Shared(Arc<Value>),
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
            State::Shared(value) => value.operand(),
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
            Operand::Bytes(_) | Operand::List(_) | Operand::Map(_) | Operand::Tape(_) => {
                State::Value(Box::new(value.to_value()))
            }
        };
    }

    fn set_value(&mut self, value: Value) {
        match value {
            Value::Bytes(_) | Value::List(_) | Value::Map(_) => self.state = State::Value(Box::new(value)),
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
