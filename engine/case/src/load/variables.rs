//! Maps of variables: evaluated in the order their references ask for (hrp spec 7.2, 7.4).

use std::collections::{HashMap, VecDeque};

use super::report::{code, Report};
use crate::{
    document::{Key, Node, NodeKind},
    expression::{tokens, Token},
};

/// How many names of a circle are shown.
const MAX_CHAIN: usize = 20;

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
    let mut needs: Vec<Vec<usize>> = Vec::with_capacity(definitions.len());
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); definitions.len()];
    for (n, definition) in definitions.iter().enumerate() {
        let mut names = Vec::new();
        collect_names(definition.node, &mut names);
        names.sort_unstable();
        names.dedup();
        needs.push(names.into_iter().filter_map(|name| positions.get(name).copied()).collect());
        for &other in &needs[n] {
            waits_for[n] += 1;
            needed_by[other].push(n);
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
        let open: Vec<bool> = waits_for.iter().map(|waits| *waits > 0).collect();
        let (start, chain) = chain(definitions, &needs, &open, n);
        let name = definitions[start].name;
        let message = if needs[start].contains(&start) {
            format!("variable {name} refers to itself")
        } else {
            format!("variables refer to each other in a circle: {chain}")
        };
        let step_message = format!("parse step variables failed: {message}");
        report.step_error(definitions[start].key.place, code::VARIABLES, message, &step_message);
    }
    ordered
}

fn variable(token: Token<'_>) -> Option<&str> {
    match token {
        Token::Variable(name) => Some(name),
        _ => None,
    }
}

/// The first circle one gets into by following references from `from`, as a chain of names that ends where it begins.
fn chain(definitions: &[Definition<'_>], needs: &[Vec<usize>], open: &[bool], from: usize) -> (usize, String) {
    let mut path = vec![from];
    loop {
        let here = path[path.len() - 1];
        // What is left over needs something that is left over too.
        let Some(next) = needs[here].iter().copied().find(|next| open[*next]) else { break };
        if let Some(start) = path.iter().position(|step| *step == next) {
            let circle = path[start..].iter().chain([&next]);
            let names: Vec<&str> = circle.take(MAX_CHAIN).map(|step| definitions[*step].name).collect();
            return (next, names.join(" -> "));
        }
        path.push(next);
    }
    (from, definitions[from].name.to_owned())
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
        for token in tokens(text) {
            match token {
                Token::Variable(name) => names.push(name),
                Token::Call { arguments, .. } => names.extend(tokens(arguments).into_iter().filter_map(variable)),
                Token::Literal(_) | Token::Dollar => {}
            }
        }
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
