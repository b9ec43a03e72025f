//! The assertions of `validate` (hrp spec section 9, engine column).

use std::{cmp::Ordering, io::Write};

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
        Compare, ContainedBy, Contains, EndsWith, Equal, EqualFold, Length, NotEqual, RegexMatch, StartsWith,
        TextEqual, TypeMatch,
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
            Assertion::Compare(relation) => order(actual, expected).is_some_and(|ordering| relation.admits(ordering)),
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
        (Operand::Bytes(a), Operand::Bytes(b)) => a == b,
        (Operand::List(a), Operand::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a.operand(), b.operand()))
        }
        (Operand::Map(a), Operand::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, a), (kb, b))| ka == kb && equal(a.operand(), b.operand()))
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
        Operand::Bytes(bytes) => Some(bytes.len()),
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
        Operand::Bytes(_) => "bytes",
        Operand::Map(_) => "dict",
        Operand::Tape(tape) if tape.is_map() => "dict",
        Operand::List(_) | Operand::Tape(_) => "list",
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
    match value {
        Operand::Text(text) => check(text),
        Operand::Int(n) => {
            // Status codes and counts are matched against patterns in every iteration, so no text is allocated for them.
            let mut digits = [0; 40];
            let mut rest = &mut digits[..];
            // The longest i128 has 40 characters.
            let _ = write!(rest, "{n}");
            let unused = rest.len();
            check(std::str::from_utf8(&digits[..digits.len() - unused]).unwrap_or_default())
        }
        _ => {
            let mut text = String::new();
            value.push_text(&mut text);
            check(&text)
        }
    }
}

/// Letters without their case, one for one: what takes several letters in the other case stays itself (Unicode simple case
/// folding; hrp spec section 9).
fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    fn single(mut mapped: impl Iterator<Item = char>, c: char) -> char {
        match (mapped.next(), mapped.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    }
    text.chars().map(|c| {
        // The dotless i of Turkish has no partner.
        if c == '\u{131}' {
            return c;
        }
        let upper = single(c.to_uppercase(), c);
        single(upper.to_lowercase(), upper)
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Map;

    fn int(n: i128) -> Value {
        Value::Int(n)
    }

    fn text(t: &str) -> Value {
        Value::text(t)
    }

    fn list(items: &[Value]) -> Value {
        Value::List(items.to_vec())
    }

    fn map(entries: &[(&str, Value)]) -> Value {
        Value::Map(entries.iter().map(|(k, v)| ((*k).into(), v.clone())).collect::<Map>())
    }

    fn holds(name: &str, actual: &Value, expected: &Value) -> bool {
        Assertion::from_name(name).expect(name).holds(actual.operand(), expected.operand(), None)
    }

    #[test]
    fn equality_is_by_value_and_deep() {
        for (a, b) in [
            (int(1), Value::Float(1.0)),
            (text("a"), text("a")),
            (Value::Null, Value::Null),
            (list(&[int(1), int(2)]), list(&[Value::Float(1.0), int(2)])),
            (map(&[("k", int(1))]), map(&[("k", Value::Float(1.0))])),
        ] {
            for name in ["eq", "equals", "equal"] {
                assert!(holds(name, &a, &b), "{a:?} {name} {b:?}");
            }
            assert!(!holds("ne", &a, &b) && !holds("not_equal", &a, &b));
        }
        for (a, b) in [
            (int(12), Value::Float(12.7)),
            (text("1"), int(1)),
            (text("A"), int(65)),
            (Value::Null, text("")),
            (Value::Bool(true), int(1)),
            (list(&[int(1)]), list(&[int(1), int(2)])),
            (map(&[("k", int(1))]), map(&[("x", int(1))])),
        ] {
            assert!(!holds("eq", &a, &b), "{a:?} eq {b:?}");
            assert!(holds("ne", &a, &b), "{a:?} ne {b:?}");
        }
    }

    #[test]
    fn order_is_across_numbers_and_among_texts() {
        for (name, below, equal, above) in [
            ("lt", true, false, false),
            ("less_than", true, false, false),
            ("le", true, true, false),
            ("less_or_equals", true, true, false),
            ("gt", false, false, true),
            ("greater_than", false, false, true),
            ("ge", false, true, true),
            ("greater_or_equals", false, true, true),
        ] {
            assert_eq!(holds(name, &int(7), &Value::Float(7.5)), below, "{name}");
            assert_eq!(holds(name, &int(7), &Value::Float(7.0)), equal, "{name}");
            assert_eq!(holds(name, &text("b"), &text("a")), above, "{name}");
            assert!(!holds(name, &text("7"), &int(7)), "{name}");
            assert!(!holds(name, &Value::Null, &Value::Null), "{name}");
        }
    }

    #[test]
    fn lengths_are_bytes_elements_and_entries() {
        assert!(holds("len_eq", &text("中"), &int(3)));
        assert!(holds("length_equals", &list(&[int(1), int(2)]), &Value::Float(2.9)));
        assert!(holds("length_equal", &map(&[("k", int(1))]), &int(1)));
        for name in ["len_gt", "count_gt", "length_greater_than"] {
            assert!(holds(name, &text("abc"), &int(2)) && !holds(name, &text("abc"), &int(3)), "{name}");
        }
        for name in ["len_ge", "count_ge", "length_greater_or_equals"] {
            assert!(holds(name, &text("abc"), &int(3)) && !holds(name, &text("abc"), &int(4)), "{name}");
        }
        for name in ["len_lt", "count_lt", "length_less_than"] {
            assert!(holds(name, &text("abc"), &int(4)) && !holds(name, &text("abc"), &int(3)), "{name}");
        }
        for name in ["len_le", "count_le", "length_less_or_equals"] {
            assert!(holds(name, &text("abc"), &int(3)) && !holds(name, &text("abc"), &int(2)), "{name}");
        }
        assert!(!holds("len_eq", &text("abc"), &text("3")));
        assert!(!holds("len_eq", &int(3), &int(3)));
    }

    #[test]
    fn containers_contain() {
        assert!(holds("contains", &text("hello"), &text("ell")));
        assert!(holds("contains", &list(&[int(1)]), &Value::Float(1.0)));
        assert!(holds("contains", &map(&[("k", int(1))]), &text("k")));
        assert!(!holds("contains", &text("1"), &int(1)));
        assert!(!holds("contains", &int(1), &int(1)));
        assert!(holds("contained_by", &int(7), &list(&[int(5), int(7)])));
        assert!(holds("contained_by", &text("ell"), &text("hello")));
    }

    #[test]
    fn types_match_by_value_or_by_name() {
        assert!(holds("type_match", &text("x"), &text("str")));
        assert!(holds("type_match", &int(5), &int(1)));
        assert!(!holds("type_match", &int(5), &Value::Float(1.0)));
        for (value, name) in [
            (int(1), "int"),
            (Value::Float(1.5), "float"),
            (Value::Bool(true), "bool"),
            (list(&[]), "list"),
            (map(&[]), "dict"),
            (Value::Null, "NoneType"),
            (Value::Null, "null"),
        ] {
            assert!(holds("type_match", &value, &text(name)), "{name}");
            assert!(!holds("type_match", &value, &text("str")), "{name}");
        }
    }

    #[test]
    fn text_assertions() {
        assert!(holds("startswith", &text("abc"), &text("ab")) && !holds("startswith", &int(12), &int(1)));
        assert!(holds("endswith", &text("abc"), &text("bc")) && !holds("endswith", &text("abc"), &Value::Null));
        assert!(holds("str_eq", &int(7), &text("7")) && holds("string_equals", &Value::Null, &text("<nil>")));
        assert!(holds("equal_fold", &text("STRASSE Ä"), &text("strasse ä")) && !holds("equal_fold", &int(1), &int(1)));
        for (a, b, same) in
            [("ß", "ẞ", true), ("ß", "ss", false), ("ς", "Σ", true), ("\u{212a}", "k", true), ("ı", "I", false)]
        {
            assert_eq!(holds("equal_fold", &text(a), &text(b)), same, "{a} {b}");
        }
        assert!(holds("str_eq", &int(i128::MIN), &text("-170141183460469231731687303715884105728")));
        assert!(holds("regex_match", &int(200), &text("^2..$")) && holds("regex_match", &int(200), &int(20)));
        assert!(holds("regex_match", &Value::Null, &text("<nil>")));
        assert!(!holds("regex_match", &text("a"), &text("(")));
    }

    #[test]
    fn names_are_all_different() {
        let mut names: Vec<_> = Assertion::names().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
        assert!(Assertion::from_name("nope").is_none());
    }
}
