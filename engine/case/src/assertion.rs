//! The assertions of `validate` (hrp spec section 9, engine column).

use std::cmp::Ordering;

use regex::Regex;

use crate::value::{numbers_equal, Operand, Value};

/// How a checked value is held against an expected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assertion {
    Equal,
    NotEqual,
    Compare(Relation),
    Length(Relation),
    Contains,
    ContainedBy,
    TypeMatch,
    StartsWith,
    EndsWith,
    TextEqual,
    EqualFold,
    RegexMatch,
}

/// An order relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Every name with its meaning.
const NAMES: [(&str, Assertion); 37] = {
    use Assertion::{
        Compare, ContainedBy, Contains, EndsWith, Equal, EqualFold, Length, NotEqual, RegexMatch, StartsWith, TextEqual,
        TypeMatch,
    };
    use Relation::{Greater, GreaterOrEqual, Less, LessOrEqual};
    [
        ("eq", Equal),
        ("equals", Equal),
        ("equal", Equal),
        ("ne", NotEqual),
        ("not_equal", NotEqual),
        ("lt", Compare(Less)),
        ("less_than", Compare(Less)),
        ("le", Compare(LessOrEqual)),
        ("less_or_equals", Compare(LessOrEqual)),
        ("gt", Compare(Greater)),
        ("greater_than", Compare(Greater)),
        ("ge", Compare(GreaterOrEqual)),
        ("greater_or_equals", Compare(GreaterOrEqual)),
        ("contains", Contains),
        ("contained_by", ContainedBy),
        ("type_match", TypeMatch),
        ("startswith", StartsWith),
        ("endswith", EndsWith),
        ("len_eq", Length(Relation::Equal)),
        ("length_equals", Length(Relation::Equal)),
        ("length_equal", Length(Relation::Equal)),
        ("len_gt", Length(Greater)),
        ("count_gt", Length(Greater)),
        ("length_greater_than", Length(Greater)),
        ("len_ge", Length(GreaterOrEqual)),
        ("count_ge", Length(GreaterOrEqual)),
        ("length_greater_or_equals", Length(GreaterOrEqual)),
        ("len_lt", Length(Less)),
        ("count_lt", Length(Less)),
        ("length_less_than", Length(Less)),
        ("len_le", Length(LessOrEqual)),
        ("count_le", Length(LessOrEqual)),
        ("length_less_or_equals", Length(LessOrEqual)),
        ("str_eq", TextEqual),
        ("string_equals", TextEqual),
        ("equal_fold", EqualFold),
        ("regex_match", RegexMatch),
    ]
};

impl Assertion {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find_map(|(n, assertion)| (*n == name).then_some(*assertion))
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Whether it holds. `regex` is the expected pattern where it was compiled at load; a pattern that is not valid never holds.
    pub(crate) fn holds(self, actual: Operand<'_>, expected: Operand<'_>, regex: Option<&Regex>) -> bool {
        match self {
            Assertion::Equal => equal(actual, expected),
            Assertion::NotEqual => !equal(actual, expected),
            Assertion::Compare(relation) => {
                order(actual, expected).is_some_and(|ordering| relation.admits(ordering))
            }
            Assertion::Length(relation) => match (length(actual), whole(expected)) {
                (Some(length), Some(expected)) => relation.admits((length as i128).cmp(&expected)),
                _ => false,
            },
            Assertion::Contains => contains(actual, expected),
            Assertion::ContainedBy => contains(expected, actual),
            Assertion::TypeMatch => type_match(actual, expected),
            Assertion::StartsWith => texts(actual, expected).is_some_and(|(a, b)| a.starts_with(b)),
            Assertion::EndsWith => texts(actual, expected).is_some_and(|(a, b)| a.ends_with(b)),
            Assertion::TextEqual => with_text(actual, |a| with_text(expected, |b| a == b)),
            Assertion::EqualFold => texts(actual, expected).is_some_and(|(a, b)| folded(a).eq(folded(b))),
            Assertion::RegexMatch => with_text(actual, |text| match regex {
                Some(regex) => regex.is_match(text),
                None => with_text(expected, |p| Regex::new(p).is_ok_and(|regex| regex.is_match(text))),
            }),
        }
    }
}

impl Relation {
    fn admits(self, ordering: Ordering) -> bool {
        match self {
            Relation::Equal => ordering.is_eq(),
            Relation::Less => ordering.is_lt(),
            Relation::LessOrEqual => ordering.is_le(),
            Relation::Greater => ordering.is_gt(),
            Relation::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Numbers by value, lists and maps deep, all else only with its own kind.
fn equal(a: Operand<'_>, b: Operand<'_>) -> bool {
    match (a, b) {
        (Operand::Null, Operand::Null) => true,
        (Operand::Bool(a), Operand::Bool(b)) => a == b,
        (Operand::Text(a), Operand::Text(b)) => a == b,
        (Operand::List(a), Operand::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a.operand(), b.operand()))
        }
        (Operand::Map(a), Operand::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((ka, a), (kb, b))| ka == kb && equal(a.operand(), b.operand()))
        }
        (Operand::Tape(tape), other) | (other, Operand::Tape(tape)) => {
            // Only containers stay on the tape, so against a scalar there is nothing to build.
            matches!(other, Operand::List(_) | Operand::Map(_) | Operand::Tape(_))
                && equal(tape.to_value().operand(), other)
        }
        _ => match (a.number(), b.number()) {
            (Some(a), Some(b)) => numbers_equal(a, b),
            _ => false,
        },
    }
}

fn order(a: Operand<'_>, b: Operand<'_>) -> Option<Ordering> {
    match (a, b) {
        (Operand::Text(a), Operand::Text(b)) => Some(a.cmp(b)),
        _ => a.number()?.compare(b.number()?),
    }
}

/// Bytes of a text, elements of a list, entries of a map.
fn length(value: Operand<'_>) -> Option<usize> {
    match value {
        Operand::Text(text) => Some(text.len()),
        Operand::List(list) => Some(list.len()),
        Operand::Map(map) => Some(map.len()),
        Operand::Tape(tape) => Some(tape.len()),
        _ => None,
    }
}

/// A number cut to whole.
fn whole(value: Operand<'_>) -> Option<i128> {
    match value {
        Operand::Int(n) => Some(n),
        Operand::Float(n) if n.is_finite() => Some(n.trunc() as i128),
        _ => None,
    }
}

fn contains(container: Operand<'_>, item: Operand<'_>) -> bool {
    match container {
        Operand::Text(text) => item.text().is_some_and(|item| text.contains(item)),
        Operand::List(list) => list.iter().any(|element| equal(element.operand(), item)),
        Operand::Map(map) => item.text().is_some_and(|key| map.contains_key(key)),
        Operand::Tape(tape) if tape.is_map() => item.text().is_some_and(|key| tape.field(key).is_some()),
        Operand::Tape(tape) => tape.elements().any(|element| equal(element.operand(), item)),
        _ => false,
    }
}

/// The kinds a value can be of, by the names that `type_match` accepts for them.
fn kind(value: Operand<'_>) -> &'static str {
    match value {
        Operand::Null => "NoneType",
        Operand::Bool(_) => "bool",
        Operand::Int(_) => "int",
        Operand::Float(_) => "float",
        Operand::Text(_) => "str",
        Operand::List(_) => "list",
        Operand::Map(_) => "dict",
        Operand::Tape(tape) if tape.is_map() => "dict",
        Operand::Tape(_) => "list",
    }
}

fn type_match(actual: Operand<'_>, expected: Operand<'_>) -> bool {
    if kind(actual) == kind(expected) {
        return true;
    }
    match expected {
        Operand::Text("null") => kind(actual) == "NoneType",
        Operand::Text(name) => kind(actual) == name,
        _ => false,
    }
}

fn texts<'a>(a: Operand<'a>, b: Operand<'a>) -> Option<(&'a str, &'a str)> {
    Some((a.text()?, b.text()?))
}

fn with_text(value: Operand<'_>, check: impl FnOnce(&str) -> bool) -> bool {
    if let Operand::Text(text) = value {
        return check(text);
    }
    let mut text = String::new();
    value.push_text(&mut text);
    check(&text)
}

/// Letters without their case.
fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// A pattern compiled at load.
///
/// # Errors
/// It is not a valid pattern; the text says where.
pub(crate) fn compile_pattern(expected: &Value) -> Result<Regex, String> {
    let mut text = String::new();
    expected.operand().push_text(&mut text);
    Regex::new(&text).map_err(|error| error.to_string())
}
