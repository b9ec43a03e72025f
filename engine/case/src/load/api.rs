//! Steps that take their request from an API (hrp spec 12.1).

use std::{collections::HashSet, rc::Rc};

use super::{
    case::CaseBuilder,
    context::Reference,
    fields::{list, map, Fields},
    report::{code, Report},
    request::compile_request,
    uncalled::warn_uncalled,
    variables::text_of,
};
use crate::{
    document::{Key, Node, NodeKind, Place, Scalar},
    expression::sole_variable,
    response::repair_quotes,
    Step,
};

/// Keys of an API. Its `export` means nothing here, and nothing in hrp.
const KEYS: [&str; 8] =
    ["name", "request", "variables", "setup_hooks", "teardown_hooks", "extract", "validate", "export"];

/// Compiles a step whose `api` is a path from the project's root, or the API itself.
pub(crate) fn compile_api(
    step: &Fields<'_>,
    place: Place,
    node: &Node,
    builder: &mut CaseBuilder<'_>,
    report: &mut Report,
) -> Option<Step> {
    let mut reference = None;
    let root = tree(node, &mut reference, builder, report)?;
    let api = Fields::of(root, "an API", report)?;
    api.warn_unknown(&KEYS, "an API", report);
    warn_uncalled(root, &builder.scope, report);
    let Some(request) = api.get("request") else {
        let error = report.error(Place { len: 0, ..root.place }, code::INVALID_CASE, "the API has no request");
        error.help = Some("an API is a map with name and request, like a step".into());
        return None;
    };
    let merged = Node { kind: NodeKind::Map(merge(step, &api, report)?), place };
    compile_request(&Fields::of(&merged, "a step", report)?, request, builder, report)
}

/// The name of the API a step refers to, which was compiled before.
pub(crate) fn api_name(node: &Node, builder: &CaseBuilder<'_>, report: &mut Report) -> Option<String> {
    let mut reference = None;
    let root = tree(node, &mut reference, builder, report)?;
    let api = Fields::of(root, "an API", report)?;
    text_of(api.get("name")?).map(str::to_owned)
}

/// The API as written: in the file a path names, which is kept in `reference`, or where it stands.
fn tree<'n>(
    node: &'n Node,
    reference: &'n mut Option<Rc<Reference>>,
    builder: &CaseBuilder<'_>,
    report: &mut Report,
) -> Option<&'n Node> {
    let NodeKind::Scalar(scalar) = &node.kind else { return Some(node) };
    let folders = builder.scope.project.reference_folders();
    let found = builder.context.reference(&scalar.text, &folders, node.place, report)?;
    reference.insert(found).tree(report)
}

/// The step's keys over the API's.
fn merge(step: &Fields<'_>, api: &Fields<'_>, report: &mut Report) -> Option<Vec<(Key, Node)>> {
    let mut merged = Vec::new();
    let mut put = |name: &str, key: &Key, node: Node| {
        merged.push((Key { text: name.into(), place: key.place }, node));
    };
    let named = step.entry("name").filter(|(_, name)| text_of(name) != Some("")).or(api.entry("name"));
    if let Some((key, node)) = named {
        put("name", key, node.clone());
    }
    for (name, merge) in [
        ("variables", merge_variables as Merge),
        ("extract", merge_maps),
        ("setup_hooks", merge_hooks),
        ("teardown_hooks", merge_hooks),
        ("validate", merge_validators),
    ] {
        let (own, of_api) = (step.entry(name), api.entry(name));
        let Some((key, first)) = own.or(of_api) else { continue };
        let node = match (own, of_api) {
            (Some((_, own)), Some((_, of_api))) => merge(name, own, of_api, report)?,
            _ => first.clone(),
        };
        put(name, key, node);
    }
    Some(merged)
}

/// How one key of a step and of its API become one: the step's value first, the API's second.
type Merge = fn(&str, &Node, &Node, &mut Report) -> Option<Node>;

/// By name, the step's over the API's.
fn merge_maps(what: &str, step: &Node, api: &Node, report: &mut Report) -> Option<Node> {
    let own = map(step, what, report)?;
    let known: HashSet<&str> = own.iter().map(|(key, _)| &*key.text).collect();
    let of_api = map(api, what, report)?.iter().filter(|(key, _)| !known.contains(&*key.text));
    let entries = own.iter().chain(of_api).cloned().collect();
    Some(Node { kind: NodeKind::Map(entries), place: step.place })
}

/// The same, but a value that is exactly its own name means the API's (hrp spec 7.2).
fn merge_variables(what: &str, step: &Node, api: &Node, report: &mut Report) -> Option<Node> {
    let of_api: HashSet<&str> = map(api, what, report)?.iter().map(|(key, _)| &*key.text).collect();
    let own = map(step, what, report)?.iter().filter(|(key, node)| {
        let own_name = text_of(node).and_then(|text| sole_variable(text.trim())) == Some(&*key.text);
        !(own_name && of_api.contains(&*key.text))
    });
    let own = Node { kind: NodeKind::Map(own.cloned().collect()), place: step.place };
    merge_maps(what, &own, api, report)
}

/// The step's, then those of the API that are not among them.
fn merge_hooks(what: &str, step: &Node, api: &Node, report: &mut Report) -> Option<Node> {
    let own = list(step, what, report)?;
    let known: HashSet<&str> = own.iter().filter_map(text_of).collect();
    let of_api = list(api, what, report)?.iter().filter(|hook| text_of(hook).is_none_or(|text| !known.contains(text)));
    Some(Node { kind: NodeKind::List(own.iter().chain(of_api).cloned().collect()), place: step.place })
}

/// The step's, then those of the API that check something else.
fn merge_validators(what: &str, step: &Node, api: &Node, report: &mut Report) -> Option<Node> {
    let own = list(step, what, report)?;
    let checked: HashSet<String> = own.iter().filter_map(checked).collect();
    let of_api = list(api, what, report)?.iter();
    let of_api = of_api.filter(|validator| self::checked(validator).is_none_or(|check| !checked.contains(&check)));
    Some(Node { kind: NodeKind::List(own.iter().chain(of_api).cloned().collect()), place: step.place })
}

/// What a validator checks, in either of its forms (hrp spec section 4).
fn checked(validator: &Node) -> Option<String> {
    let NodeKind::Map(entries) = &validator.kind else { return None };
    let native = ["check", "assert", "expect"]
        .map(|name| entries.iter().find(|(key, _)| key.text.eq_ignore_ascii_case(name)).map(|(_, node)| node));
    let check = match (native, &entries[..]) {
        ([Some(check), Some(_), Some(_)], _) => check,
        (_, [(_, Node { kind: NodeKind::List(items), .. })]) => items.first()?,
        _ => return None,
    };
    match &check.kind {
        NodeKind::Scalar(Scalar { text, .. }) => Some(repair_quotes(text)),
        NodeKind::List(_) | NodeKind::Map(_) => None,
    }
}
