//! Calls in expressions, taken out of them: what has to be done before an expression has its value.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::Expr;
use crate::operation::{Operation, SlotPlace};

/// What becomes of a call when the text it stands in is compiled.
#[derive(Debug, Clone, Default)]
pub(crate) enum Calls {
    /// It is made at once and its result is a constant: the config is evaluated once, at load (hrp spec 7.3).
    #[default]
    AtOnce,
    /// It becomes work of the step being compiled, which all clones of a scope share.
    OfStep(Rc<RefCell<StepWork>>),
}

/// The work of one step, as it comes up.
#[derive(Debug, Default)]
pub(crate) struct StepWork {
    /// Since it was last taken.
    operations: Vec<Operation>,
    /// What has to be done when the request is built, for the sake of an expression that is looked at after the response.
    late_setup: Vec<Operation>,
    /// Slots given out.
    slots: usize,
    request_slot: Option<usize>,
    response_slot: Option<usize>,
    name_slot: Option<usize>,
    /// The step's name, where values of the session are part of it, and as written.
    name: Option<(Option<Expr>, Arc<str>)>,
}

/// How far a step is where an expression stands: the special variables come to be one after the other (hrp spec 7.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Phase {
    /// Its request is not built yet.
    #[default]
    Building,
    /// Its request is built: `request` and `hrp_step_name` are there.
    Built,
    /// Its response has come: `response` is there too.
    Answered,
}

impl StepWork {
    /// Adds an operation that fills a slot of its own, and gives that slot.
    pub(crate) fn add(&mut self, make: impl FnOnce(SlotPlace) -> Operation) -> usize {
        let slot = self.next_slot();
        self.operations.push(make(SlotPlace::Step(slot)));
        slot
    }

    /// What has come up since the last time.
    pub(crate) fn take(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.operations)
    }

    /// What has to be added to the setup, once all of the step is compiled.
    pub(crate) fn take_late_setup(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.late_setup)
    }

    /// How many slots the step has.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    pub(crate) fn name_step(&mut self, template: Option<Expr>, written: Arc<str>) {
        self.name = Some((template, written));
    }

    /// The slot of a special variable that is there in this phase; the value is made only for steps that name it.
    pub(super) fn special(&mut self, name: &str, phase: Phase) -> Option<usize> {
        match name {
            "hrp_step_name" if phase >= Phase::Built => {
                let (template, written) = self.name.clone()?;
                if self.name_slot.is_none() {
                    self.name_slot = Some(self.add(|slot| Operation::Name { slot, template, written }));
                }
                self.name_slot
            }
            "request" | "hrp_step_request" if phase >= Phase::Built => {
                if self.request_slot.is_none() {
                    let slot = self.next_slot();
                    let operation = Operation::Request { slot: SlotPlace::Step(slot) };
                    let setup = if phase == Phase::Built { &mut self.operations } else { &mut self.late_setup };
                    setup.push(operation);
                    self.request_slot = Some(slot);
                }
                self.request_slot
            }
            "response" | "hrp_step_response" if phase == Phase::Answered => {
                if self.response_slot.is_none() {
                    self.response_slot = Some(self.add(|slot| Operation::Response { slot }));
                }
                self.response_slot
            }
            _ => None,
        }
    }

    fn next_slot(&mut self) -> usize {
        self.slots += 1;
        self.slots - 1
    }
}
