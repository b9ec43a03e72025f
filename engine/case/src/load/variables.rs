//! Maps of variables: evaluated in the order their references ask for (hrp spec 7.2, 7.4).

use std::collections::{HashMap, VecDeque};

use super::report::{code, Report};
use crate::{
    document::{Key, Node, NodeKind},
    expression::{tokens, Token},
};

/// A variable as the file defines it.
#[derive(Clone, Copy)]
pub(crate) struct Definition<'a> {
    /// The name it defines, which is the key's text except for declared keys of JSON, whose case does not matter.
    pub(crate) name: &'a str,
    pub(crate) key: &'a Key,
    pub(crate) node: &'a Node,
}

/// The definitions so that each comes after those it refers to. A variable that needs itself is reported and left out, as is
/// what needs it.
pub(crate) fn in_order<'a>(definitions: &[Definition<'a>], report: &mut Report) -> Vec<Definition<'a>> {
    let positions: HashMap<&str, usize> =
        definitions.iter().enumerate().map(|(n, definition)| (definition.name, n)).collect();
    let mut waits_for = vec![0_usize; definitions.len()];
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); definitions.len()];
    for (n, definition) in definitions.iter().enumerate() {
        let mut names = Vec::new();
        collect_names(definition.node, &mut names);
        names.sort_unstable();
        names.dedup();
        for name in names {
            if let Some(&other) = positions.get(name) {
                waits_for[n] += 1;
                needed_by[other].push(n);
            }
        }
    }
    let mut ready: VecDeque<usize> = (0..definitions.len()).filter(|n| waits_for[*n] == 0).collect();
    let mut ordered = Vec::with_capacity(definitions.len());
    while let Some(n) = ready.pop_front() {
        ordered.push(definitions[n]);
        for &waiting in &needed_by[n] {
            waits_for[waiting] -= 1;
            if waits_for[waiting] == 0 {
                ready.push_back(waiting);
            }
        }
    }
    if let Some(n) = waits_for.iter().position(|waits| *waits > 0) {
        let name = definitions[n].name;
        let message = if needed_by[n].contains(&n) {
            format!("variable {name} refers to itself")
        } else {
            format!("variable {name} is part of, or needs, a circle of references")
        };
        report.error(definitions[n].key.place, code::VARIABLES, message);
    }
    ordered
}

/// The value's text, where it is one string.
pub(crate) fn text_of(node: &Node) -> Option<&str> {
    match &node.kind {
        NodeKind::Scalar(scalar) => Some(&scalar.text),
        NodeKind::List(_) | NodeKind::Map(_) => None,
    }
}

fn collect_names<'a>(node: &'a Node, names: &mut Vec<&'a str>) {
    let of_text = |text: &'a str, names: &mut Vec<&'a str>| {
        names.extend(tokens(text).into_iter().filter_map(|token| match token {
            Token::Variable(name) => Some(name),
            _ => None,
        }));
    };
    match &node.kind {
        NodeKind::Scalar(scalar) => of_text(&scalar.text, names),
        NodeKind::List(items) => items.iter().for_each(|item| collect_names(item, names)),
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                of_text(&key.text, names);
                collect_names(value, names);
            }
        }
    }
}
