//! What is done with a response: teardown hooks, extract, then validate (hrp spec 11.2).

use std::{cell::Cell, sync::Arc, thread::LocalKey};

use regex::Regex;

use crate::{
    assertion::Assertion,
    compiled,
    error::{StepError, StepErrorKind},
    expression::Expr,
    notice::Notice,
    operation::{self, Operation, SlotPlace, Surroundings},
    response::{with_scratch, ParsedBody, ResponseParts, ResponseView, Search},
    session::Session,
    step::Needs,
    value::{Operand, Value},
    Journal, Prepared, Progress, ValidatorRecord,
};

/// Text buffers above this size are given back after use.
const KEPT_TEXT_BYTES: usize = 64 * 1024;

thread_local! {
    /// For texts that are put together to be looked at once: what is checked, and what is expected.
    static CHECK_TEXT: Cell<String> = const { Cell::new(String::new()) };
    static EXPECT_TEXT: Cell<String> = const { Cell::new(String::new()) };
}

/// The compiled teardown hooks, `extract` and `validate` of a step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks {
    /// In the order of work. A call stands right before the first that needs its result, so it is not made where a validator
    /// before it fails.
    pub(crate) actions: Box<[Action]>,
}

/// One piece of work.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Of a teardown hook.
    Teardown(Operation),
    /// What the next validator needs.
    Prepare(Operation),
    /// What the next extraction needs, which may fail: an extraction never fails a step (hrp spec 10.5).
    PrepareExtract(Operation),
    Extract(Extract),
    Validate(Validator),
}

/// One extracted variable.
#[derive(Debug, Clone)]
pub(crate) struct Extract {
    pub(crate) name: Box<str>,
    /// The expression as written: its value where it cannot be evaluated (hrp spec 10.2).
    pub(crate) written: Box<str>,
    pub(crate) slot: usize,
    pub(crate) source: Source,
    /// That it found nothing (hrp spec 10.5).
    pub(crate) nothing: Notice,
}

/// Where a value comes from (hrp spec 10.2).
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A search known at load.
    Search(Search),
    /// A value of the case or of a variable; data is never taken for an expression.
    Value(Expr),
    /// A text with variables in it: whether it is a search is known when it is rendered.
    Template(Expr),
}

/// One validator.
#[derive(Debug, Clone)]
pub(crate) struct Validator {
    pub(crate) kind: ValidatorKind,
    /// What the step's error says; holds what stands in the case and nothing of the response.
    pub(crate) message: Arc<str>,
    pub(crate) written: Box<WrittenValidator>,
}

/// How a validator looks.
#[derive(Debug, Clone)]
pub(crate) enum ValidatorKind {
    /// `status_code` equals a constant: the check nearly every step makes, so it compares two integers.
    Status(u16),
    /// `status_code` is below a constant: what a plain request is asked for.
    StatusBelow(u16),
    General(Box<GeneralValidator>),
}

#[derive(Debug, Clone)]
pub(crate) struct GeneralValidator {
    pub(crate) check: Source,
    pub(crate) assertion: Assertion,
    pub(crate) expect: Expr,
    /// The expected pattern of `regex_match`, where it is constant.
    pub(crate) regex: Option<Regex>,
    /// Of `ne`: that numbers of different kinds have one value, which hrp takes for different (hrp spec section 9).
    pub(crate) same_value: Option<Notice>,
}

/// A validator as the author wrote it, for a journal.
#[derive(Debug, Clone)]
pub(crate) struct WrittenValidator {
    pub(crate) check: Box<str>,
    pub(crate) assertion: Box<str>,
    pub(crate) message: Box<str>,
}

impl Checks {
    pub(crate) fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The parts of the response that are read.
    pub(crate) fn needs(&self) -> Needs {
        let everything = Needs { head: true, body: true };
        let mut needs = Needs::default();
        for action in &self.actions {
            let of_action = match action {
                Action::Teardown(operation) | Action::Prepare(operation) | Action::PrepareExtract(operation) => {
                    if matches!(operation, Operation::Response { .. }) {
                        everything
                    } else {
                        continue;
                    }
                }
                Action::Extract(extract) => extract.source.needs(),
                Action::Validate(Validator {
                    kind: ValidatorKind::Status(_) | ValidatorKind::StatusBelow(_), ..
                }) => continue,
                Action::Validate(Validator { kind: ValidatorKind::General(general), .. }) => general.check.needs(),
            };
            needs.head |= of_action.head;
            needs.body |= of_action.body;
        }
        needs
    }

    /// Does what is not done yet, up to the next wait; behind one the body is parsed again.
    pub(crate) fn run(
        &self,
        needs: Needs,
        session: &mut Session,
        response: &ResponseView<'_>,
        progress: &mut Progress,
        journal: Option<&mut Journal>,
    ) -> Result<Prepared, StepError> {
        if needs.body {
            with_scratch(response.body, |body| {
                self.run_on(session, &ResponseParts::new(response, body), progress, journal)
            })
        } else {
            self.run_on(session, &ResponseParts::new(response, ParsedBody::Text("")), progress, journal)
        }
    }

    fn run_on(
        &self,
        session: &mut Session,
        response: &ResponseParts<'_>,
        progress: &mut Progress,
        mut journal: Option<&mut Journal>,
    ) -> Result<Prepared, StepError> {
        let surroundings = Surroundings { request: None, response: Some(response) };
        while let Some(action) = self.actions.get(progress.done) {
            progress.done += 1;
            let returned = progress.returned.take();
            let wait = match action {
                Action::Teardown(operation) => operation
                    .run(session, surroundings, returned)
                    .map_err(|error| error.within("run teardown hooks failed"))?,
                Action::Prepare(operation) => operation.run(session, surroundings, returned)?,
                Action::PrepareExtract(operation) => {
                    operation.run(session, surroundings, returned).unwrap_or_else(|_| {
                        session.unset(operation.slot());
                        None
                    })
                }
                Action::Extract(extract) => {
                    if extract.run(session, response).is_err() {
                        session.set_kept(extract.slot, Operand::Text(&extract.written));
                    }
                    if let Some(journal) = journal.as_deref_mut() {
                        let value = session.kept(extract.slot).map_or(Value::Null, Operand::to_value);
                        journal.extracted.push((extract.name.clone(), value.to_json()));
                    }
                    None
                }
                Action::Validate(validator) => {
                    validator.run(session, response, journal.as_deref_mut())?;
                    None
                }
            };
            if let Some(wait) = wait {
                return Ok(Prepared::Wait(wait));
            }
        }
        Ok(Prepared::Done)
    }
}

impl Extract {
    fn run(&self, session: &mut Session, response: &ResponseParts<'_>) -> Result<(), StepError> {
        let (expr, may_search) = match &self.source {
            Source::Search(search) => {
                self.search(search, session, response);
                return Ok(());
            }
            Source::Value(expr) => (expr, false),
            Source::Template(expr) => (expr, true),
        };
        if matches!(expr, Expr::Text(_)) {
            // Not in the variable's own buffer: its last value may be part of the text.
            let mut text = take_buffer(&CHECK_TEXT);
            let rendered = expr.push_text(session, &mut text);
            if rendered.is_ok() {
                session.set_kept(self.slot, Operand::Text(&text));
            }
            keep_buffer(&CHECK_TEXT, text);
            rendered?;
        } else {
            operation::set(SlotPlace::Kept(self.slot), expr, session)?;
        }
        if may_search {
            if let Some(search) = session.kept(self.slot).and_then(Operand::text).and_then(compiled::search) {
                self.search(&search, session, response);
            }
        }
        Ok(())
    }

    fn search(&self, search: &Search, session: &mut Session, response: &ResponseParts<'_>) {
        let mut is_null = false;
        search.give(response, &mut |value| {
            is_null = matches!(value, Operand::Null);
            session.set_kept(self.slot, value);
        });
        if is_null {
            self.nothing.give_if(|| search.found_nothing(response));
        }
    }
}

impl Validator {
    fn run(
        &self,
        session: &Session,
        response: &ResponseParts<'_>,
        journal: Option<&mut Journal>,
    ) -> Result<(), StepError> {
        let passed = match (&self.kind, journal) {
            (ValidatorKind::Status(expected), None) => response.status == *expected,
            (ValidatorKind::StatusBelow(bound), None) => response.status < *bound,
            (ValidatorKind::StatusBelow(bound), Some(journal)) => {
                let passed = response.status < *bound;
                self.record(response.status_operand(), Operand::Int((*bound).into()), passed, journal);
                passed
            }
            (ValidatorKind::Status(expected), Some(journal)) => {
                let passed = response.status == *expected;
                let (actual, expected) = (response.status_operand(), Operand::Int((*expected).into()));
                self.record(actual, expected, passed, journal);
                passed
            }
            (ValidatorKind::General(general), journal) => general.check.with(session, response, |actual| {
                with_expr(&EXPECT_TEXT, &general.expect, session, |expected| {
                    let passed = general.holds(actual, expected);
                    if let Some(journal) = journal {
                        self.record(actual, expected, passed, journal);
                    }
                    passed
                })
            })??,
        };
        if passed {
            Ok(())
        } else {
            Err(StepError { kind: StepErrorKind::Assertion, message: self.message.clone(), exit_code: 1 })
        }
    }

    fn record(&self, actual: Operand<'_>, expected: Operand<'_>, passed: bool, journal: &mut Journal) {
        journal.validators.push(ValidatorRecord {
            check: self.written.check.clone(),
            assertion: self.written.assertion.clone(),
            expect: expected.to_value().to_json(),
            message: self.written.message.clone(),
            actual: actual.to_value().to_json(),
            passed,
        });
    }
}

impl GeneralValidator {
    fn holds(&self, actual: Operand<'_>, expected: Operand<'_>) -> bool {
        if self.assertion != Assertion::RegexMatch {
            let holds = self.assertion.holds(actual, expected, None);
            if let (Some(notice), false) = (&self.same_value, holds) {
                notice.give_if(|| actual.is_float() != expected.is_float());
            }
            return holds;
        }
        if let Some(regex) = &self.regex {
            return self.assertion.holds(actual, expected, Some(regex));
        }
        let pattern = match expected {
            Operand::Text(text) => compiled::pattern(text),
            other => {
                let mut text = String::new();
                other.push_text(&mut text);
                compiled::pattern(&text)
            }
        };
        pattern.is_some_and(|regex| self.assertion.holds(actual, expected, Some(&regex)))
    }
}

impl Source {
    fn needs(&self) -> Needs {
        match self {
            Source::Search(search) => search.needs(),
            Source::Value(_) => Needs::default(),
            Source::Template(_) => Needs { head: true, body: true },
        }
    }

    /// Hands the value over.
    fn with<R>(
        &self,
        session: &Session,
        response: &ResponseParts<'_>,
        look: impl FnOnce(Operand<'_>) -> R,
    ) -> Result<R, StepError> {
        match self {
            Source::Search(search) => Ok(look(search.find(response).operand())),
            Source::Value(expr) => with_expr(&CHECK_TEXT, expr, session, look),
            Source::Template(expr) => {
                with_expr(&CHECK_TEXT, expr, session, |value| match value.text().and_then(compiled::search) {
                    Some(search) => look(search.find(response).operand()),
                    None => look(value),
                })
            }
        }
    }
}

/// Hands over the value of an expression; a text is put together in the buffer.
fn with_expr<R>(
    buffer: &'static LocalKey<Cell<String>>,
    expr: &Expr,
    session: &Session,
    look: impl FnOnce(Operand<'_>) -> R,
) -> Result<R, StepError> {
    if let Some(value) = expr.borrowed(session) {
        return Ok(look(value?));
    }
    if !matches!(expr, Expr::Text(_)) {
        return Ok(look(expr.evaluate(session)?.operand()));
    }
    let mut text = take_buffer(buffer);
    let result = expr.push_text(session, &mut text).map(|()| look(Operand::Text(&text)));
    keep_buffer(buffer, text);
    result
}

fn take_buffer(buffer: &'static LocalKey<Cell<String>>) -> String {
    let mut text = buffer.take();
    text.clear();
    text
}

fn keep_buffer(buffer: &'static LocalKey<Cell<String>>, text: String) {
    if text.capacity() <= KEPT_TEXT_BYTES {
        buffer.set(text);
    }
}
