//! Think time steps and the strategy of the config (hrp spec 12.3).

use super::{
    fields::{number, text, Fields},
    report::Report,
};
use crate::{
    document::{Node, NodeKind},
    value::Value,
    ThinkTime,
};

/// What the config makes of every think time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ThinkSettings {
    strategy: Strategy,
    /// Seconds; 0 is no limit.
    limit_s: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Strategy {
    AsWritten,
    Percentage(f64, f64),
    Multiply(f64),
    Ignore,
}

impl Default for ThinkSettings {
    fn default() -> Self {
        ThinkSettings { strategy: Strategy::AsWritten, limit_s: 0.0 }
    }
}

impl ThinkSettings {
    /// Reads `config.think_time`.
    pub(crate) fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let fields = Fields::of(node, "config.think_time", report)?;
        fields.warn_unknown(&["strategy", "setting", "limit"], "config.think_time", report);
        let limit_s = match fields.get("limit") {
            Some(limit) => number(limit, "config.think_time.limit", report)?,
            None => 0.0,
        };
        let name = match fields.get("strategy") {
            Some(strategy) => text(strategy, "config.think_time.strategy", report)?,
            None => "",
        };
        let setting = fields.get("setting");
        let strategy = match name {
            "random_percentage" => {
                let bound = |name| setting.and_then(|setting| percentage(setting, name));
                match (bound("min_percentage"), bound("max_percentage")) {
                    (Some(min), Some(max)) => Strategy::Percentage(min, max),
                    _ => Strategy::Percentage(0.5, 1.5),
                }
            }
            "multiply" => {
                let factor = setting.and_then(as_number).filter(|factor| *factor > 0.0);
                Strategy::Multiply(factor.unwrap_or(1.0))
            }
            "ignore" => Strategy::Ignore,
            "" | "default" => Strategy::AsWritten,
            unknown => {
                let message = format!("unknown think time strategy \"{unknown}\": think times are taken as written");
                report.warn(node.place, message).help =
                    Some("the strategies are default, random_percentage, multiply and ignore".into());
                Strategy::AsWritten
            }
        };
        Some(ThinkSettings { strategy, limit_s })
    }

    /// The pause of a step that asks for `time_s` seconds.
    pub(crate) fn apply(&self, time_s: f64) -> ThinkTime {
        let capped = |seconds: f64| if self.limit_s > 0.0 { seconds.min(self.limit_s) } else { seconds };
        match self.strategy {
            Strategy::AsWritten => ThinkTime::fixed(capped(time_s)),
            Strategy::Multiply(factor) => ThinkTime::fixed(capped(time_s * factor)),
            Strategy::Ignore => ThinkTime::fixed(0.0),
            Strategy::Percentage(min, max) if min > max => ThinkTime::fixed(0.0),
            Strategy::Percentage(min, max) => ThinkTime::uniform(time_s * min, time_s * max, self.limit_s),
        }
    }
}

fn percentage(setting: &Node, name: &str) -> Option<f64> {
    match &setting.kind {
        NodeKind::Map(entries) => entries.iter().find(|(key, _)| &*key.text == name).and_then(|(_, v)| as_number(v)),
        NodeKind::Scalar(_) | NodeKind::List(_) => None,
    }
}

/// A number, or text that is one.
fn as_number(node: &Node) -> Option<f64> {
    match &node.kind {
        NodeKind::Scalar(scalar) => match scalar.resolve() {
            Value::Int(n) => Some(n as f64),
            Value::Float(n) => Some(n),
            Value::Text(text) => text.trim().parse::<i64>().ok().map(|n| n as f64),
            _ => None,
        },
        NodeKind::List(_) | NodeKind::Map(_) => None,
    }
}
