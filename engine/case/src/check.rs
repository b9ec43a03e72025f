//! What is done with a response: extract, then validate (hrp spec 11.2).

use std::sync::Arc;

use regex::Regex;

use crate::{
    assertion::Assertion,
    error::{StepError, StepErrorKind},
    expression::Expr,
    response::{with_scratch, ParsedBody, ResponseParts, ResponseView, Search},
    session::Session,
    step::Needs,
    value::{Evaluated, Value},
    Journal, Prepared, Progress,
};

/// The compiled `extract` and `validate` of a step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks {
    pub(crate) extracts: Box<[Extract]>,
    pub(crate) validators: Box<[Validator]>,
}

/// One extracted variable.
#[derive(Debug, Clone)]
pub(crate) struct Extract {
    pub(crate) slot: usize,
    pub(crate) source: Source,
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
pub(crate) enum Validator {
    /// `status_code` equals a constant: the check nearly every step makes, so it compares two integers.
    Status {
        expected: u16,
        message: Arc<str>,
    },
    General(Box<GeneralValidator>),
}

#[derive(Debug, Clone)]
pub(crate) struct GeneralValidator {
    pub(crate) check: Source,
    pub(crate) assertion: Assertion,
    pub(crate) expect: Expr,
    /// The expected pattern of `regex_match`, where it is constant.
    pub(crate) regex: Option<Regex>,
    /// What the step's error says; holds what stands in the case and nothing of the response.
    pub(crate) message: Arc<str>,
}

impl Checks {
    pub(crate) fn is_empty(&self) -> bool {
        self.extracts.is_empty() && self.validators.is_empty()
    }

    /// The parts of the response that are read.
    pub(crate) fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        let checked = self.validators.iter().filter_map(|validator| match validator {
            Validator::Status { .. } => None,
            Validator::General(general) => Some(&general.check),
        });
        for source in self.extracts.iter().map(|extract| &extract.source).chain(checked) {
            let of_source = match source {
                Source::Search(search) => search.needs(),
                Source::Value(_) => Needs::default(),
                Source::Template(_) => Needs { head: true, body: true },
            };
            needs.head |= of_source.head;
            needs.body |= of_source.body;
        }
        needs
    }

    /// Extracts all, then validates until the first failure.
    pub(crate) fn run(
        &self,
        needs: Needs,
        session: &mut Session,
        response: &ResponseView<'_>,
        _progress: &mut Progress,
        _journal: Option<&mut Journal>,
    ) -> Result<Prepared, StepError> {
        if needs.body {
            with_scratch(response.body, |body| self.run_on(session, &ResponseParts::new(response, body)))?;
        } else {
            self.run_on(session, &ResponseParts::new(response, ParsedBody::Text("")))?;
        }
        Ok(Prepared::Done)
    }

    fn run_on(&self, session: &mut Session, response: &ResponseParts<'_>) -> Result<(), StepError> {
        for extract in &self.extracts {
            if let Source::Search(search) = &extract.source {
                search.give(response, &mut |value| session.set_kept(extract.slot, value));
            } else {
                let value = extract.source.evaluate(session, response)?.into_value();
                session.set_kept_value(extract.slot, value);
            }
        }
        for validator in &self.validators {
            let (holds, message) = match validator {
                Validator::Status { expected, message } => (response.status == *expected, message),
                Validator::General(general) => (general.holds(session, response)?, &general.message),
            };
            if !holds {
                return Err(StepError { kind: StepErrorKind::Assertion, message: message.clone(), exit_code: 1 });
            }
        }
        Ok(())
    }
}

impl GeneralValidator {
    fn holds(&self, session: &Session, response: &ResponseParts<'_>) -> Result<bool, StepError> {
        let actual = self.check.evaluate(session, response)?;
        let expected = match self.expect.borrowed(session) {
            Some(expected) => Evaluated::Ref(expected?),
            None => Evaluated::Owned(self.expect.evaluate(session)?),
        };
        Ok(self.assertion.holds(actual.operand(), expected.operand(), self.regex.as_ref()))
    }
}

impl Source {
    fn evaluate<'a>(&'a self, session: &'a Session, response: &ResponseParts<'a>) -> Result<Evaluated<'a>, StepError> {
        Ok(match self {
            Source::Search(search) => search.find(response),
            Source::Value(expr) => match expr.borrowed(session) {
                Some(value) => Evaluated::Ref(value?),
                None => Evaluated::Owned(expr.evaluate(session)?),
            },
            Source::Template(expr) => match expr.evaluate(session)? {
                Value::Text(text) => match Search::compile(&text) {
                    Ok(Some(search)) => Evaluated::Owned(search.find(response).into_value()),
                    Ok(None) | Err(_) => Evaluated::Owned(Value::Text(text)),
                },
                other => Evaluated::Owned(other),
            },
        })
    }
}
