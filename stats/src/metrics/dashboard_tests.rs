//! The dashboard of `scripts/grafana/` and what the endpoint exposes are of one mind.

use std::collections::BTreeSet;

use serde_json::Value;

use super::family::Kind;
use super::state::{MetricsFacts, State};
use crate::collector::Model;
use crate::sample;

/// Every expression and every query of a variable.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if matches!(key.as_str(), "expr" | "query" | "definition") => {
                        found.push(text.clone());
                    }
                    value => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("pummel_"))
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(include_str!("../../../scripts/grafana/pummel.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(39));
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");

    let mut state = State::new(MetricsFacts { model: Model::Open, ..MetricsFacts::default() });
    state.add(&sample::snapshot(0));
    let mut exposed = BTreeSet::new();
    for family in state.families() {
        exposed.insert(family.name.to_owned());
        if matches!(family.kind, Kind::Histogram) {
            exposed.extend(["_bucket", "_sum", "_count"].map(|ending| format!("{}{ending}", family.name)));
        }
    }
    let mut asked = Vec::new();
    expressions(&dashboard, &mut asked);
    let asked: BTreeSet<_> = asked.iter().flat_map(|expression| names(expression)).collect();
    assert!(asked.len() >= 15, "{asked:?}");
    for name in asked {
        assert!(exposed.contains(name), "{name} is not exposed");
    }
}
