//! `config.parameters` and `parameters_setting`: tables of rows that iterations take in turn (hrp spec 7.6, 7.7).

use std::{collections::HashMap, sync::Arc};

use super::{
    config::Config,
    fields::{asks_nothing, boolean, integer, map, text, Fields},
    names::did_you_mean,
    report::{code, Report},
};
use crate::{
    document::{Key, Node, NodeKind},
    expression::{compile_value, tokens, Expr, Scope, Token, Variable},
    parameters::ParameterTable,
    value::Value,
    Parameters,
};

/// How many rows one table may have: row numbers are 32 bits wide.
const MAX_ROWS: usize = u32::MAX as usize;

/// Names with the values their rows give them.
type Columns = HashMap<Box<str>, Variable>;

/// The parameters of a case and what its steps see of them. Mistakes go to the report.
pub(crate) fn read_parameters(config: &Config<'_>, report: &mut Report) -> (Option<Parameters>, Columns) {
    let mut columns = Columns::new();
    let mut tables = Vec::new();
    let mut keys: Vec<&str> = Vec::new();
    let given = config.own.parameters.filter(|(_, node)| !asks_nothing(node, 0));
    let entries = given.and_then(|(_, node)| map(node, "config.parameters", report)).unwrap_or_default();
    for (key, node) in entries {
        let Some(table) = read_table(key, node, &config.scope, report) else { continue };
        let index = tables.len();
        tables.push(ParameterTable { rows: table.rows, random: false });
        keys.push(&key.text);
        for (name, values) in table.columns {
            let missing = Arc::from(format!(
                "variable {name} not found: the iteration has no row of the parameters {}",
                key.text
            ));
            let column = Variable::Parameter { table: index, values, missing };
            if columns.insert(name.into(), column).is_some() {
                report.warn(key.place, format!("the parameter {name} is defined twice: this one counts"));
            }
        }
    }
    let setting = config.own.parameters_setting;
    if tables.is_empty() {
        if let Some((key, _)) = setting.filter(|(_, node)| given.is_none() && !asks_nothing(node, 0)) {
            report.warn(key.place, "parameters_setting is ignored: there are no parameters");
        }
        return (None, columns);
    }
    let written: Vec<&str> = entries.iter().map(|(key, _)| &*key.text).collect();
    let mut setting = setting.and_then(|(_, node)| Setting::read(node, &written, report)).unwrap_or_default();
    for (table, key) in tables.iter_mut().zip(&keys) {
        table.random = setting.order_of(key) == Order::Random;
    }
    let unique = setting.unique_rows && keys.iter().any(|key| setting.order_of(key) == Order::Unique);
    if setting.unique_rows && !unique {
        setting.warn_not_unique(report);
    }
    (Some(Parameters { tables: tables.into(), limit: setting.limit, unique }), columns)
}

/// One key of `parameters`, turned into columns.
struct Table<'a> {
    rows: u32,
    columns: Vec<(&'a str, Arc<[Value]>)>,
}

fn read_table<'a>(key: &'a Key, node: &Node, scope: &Scope, report: &mut Report) -> Option<Table<'a>> {
    let names: Vec<&str> = key.text.split('-').collect();
    if let Some(bad) = names.iter().find(|name| !is_name(name)) {
        let message = format!("{bad:?} in the parameters key \"{}\" is no variable name", key.text);
        report.error(key.place, code::INVALID_CASE, message).help =
            Some("a key is one name, or several joined by -; a name holds letters, digits and _".into());
        return None;
    }
    if let Some(n) = (1..names.len()).find(|n| names[..*n].contains(&names[*n])) {
        let message = format!("the parameters key \"{}\" holds {} twice", key.text, names[n]);
        report.error(key.place, code::INVALID_CASE, message);
        return None;
    }
    if matches!(node.kind, NodeKind::List(_)) {
        warn_calls(node, scope, report);
    }
    let compiled = match compile_value(node, scope) {
        Ok(compiled) => compiled,
        Err(error) => {
            report.expression(&error, scope, code::VARIABLES);
            return None;
        }
    };
    // Config variables are constants, so is what is made of them. A file's rows are nobody else's, and moved.
    let constant = match compiled {
        Expr::Const(value) => Arc::unwrap_or_clone(value),
        _ => Value::Null,
    };
    let Value::List(rows) = constant else {
        let message = format!("the parameters \"{}\" must be a list, or an expression that gives one", key.text);
        report.error(node.place, code::INVALID_CASE, message).help = Some(FORMS.into());
        return None;
    };
    if rows.is_empty() || rows.len() > MAX_ROWS {
        let problem = if rows.is_empty() { "no row" } else { "more rows than can be counted" };
        report.error(node.place, code::INVALID_CASE, format!("the parameters \"{}\" have {problem}", key.text));
        return None;
    }
    let count = rows.len() as u32;
    let mut columns: Vec<Vec<Value>> = names.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for (n, row) in rows.into_iter().enumerate() {
        if let Err(problem) = take_row(row, &names, &mut columns) {
            let message = format!("row {} of the parameters \"{}\" {problem}", n + 1, key.text);
            report.error(node.place, code::INVALID_CASE, message).help = Some(FORMS.into());
            return None;
        }
    }
    Some(Table { rows: count, columns: names.into_iter().zip(columns.into_iter().map(Arc::from)).collect() })
}

/// Rows are evaluated once, at load; hrp evaluates those that stand in the case in every step.
fn warn_calls(node: &Node, scope: &Scope, report: &mut Report) {
    match &node.kind {
        NodeKind::List(items) => items.iter().for_each(|item| warn_calls(item, scope, report)),
        NodeKind::Map(entries) => entries.iter().for_each(|(_, value)| warn_calls(value, scope, report)),
        NodeKind::Scalar(scalar) => {
            for token in tokens(&scalar.text) {
                let Token::Call { name, .. } = token else { continue };
                if scope.changes(name) {
                    let message = format!("{name} is called once for this row: every iteration gets the same value");
                    report.warn(node.place, message).help =
                        Some("call it in the variables of a step for a new value each time".into());
                }
            }
        }
    }
}

/// What may stand in a list of rows.
const FORMS: &str =
    "a row is a list with a value for each name, a map with each name, or, for a single name, the value itself";

/// Adds one row to the columns (hrp spec 7.6).
fn take_row(row: Value, names: &[&str], columns: &mut [Vec<Value>]) -> Result<(), String> {
    match row {
        Value::List(values) if values.len() == names.len() => {
            columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
        Value::List(values) => {
            let of = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
            return Err(format!("has {} for {}", of(values.len(), "value"), of(names.len(), "name")));
        }
        Value::Map(mut map) => {
            for (column, name) in columns.iter_mut().zip(names) {
                column.push(map.remove(*name).ok_or_else(|| format!("has no {name}"))?);
            }
        }
        value => match columns {
            [column] => column.push(value),
            _ => return Err(format!("is one value for {} names", names.len())),
        },
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(word)
}

/// How a table's rows are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Order {
    #[default]
    Sequential,
    Random,
    /// As sequential, unless `unique_rows` asks for more (hrp spec 7.7).
    Unique,
}

/// `parameters_setting`.
#[derive(Default)]
struct Setting<'a> {
    order: Order,
    of_key: HashMap<&'a str, Order>,
    limit: u64,
    unique_rows: bool,
    /// Where `unique_rows` stands.
    unique_key: Option<&'a Key>,
}

impl<'a> Setting<'a> {
    fn read(node: &'a Node, keys: &[&str], report: &mut Report) -> Option<Self> {
        const WHAT: &str = "config.parameters_setting";
        let mut setting = Setting::default();
        let fields = Fields::of(node, WHAT, report)?;
        fields.warn_unknown(&["pick_order", "strategies", "limit", "unique_rows"], WHAT, report);
        setting.order = order(&fields, report);
        if let Some(limit) = fields.get("limit") {
            match integer(limit, "parameters_setting.limit", report).map(u64::try_from) {
                Some(Ok(limit)) => setting.limit = limit,
                Some(Err(_)) => {
                    report.warn(limit.place, "parameters_setting.limit is below 0 and taken as 0, which is none");
                }
                None => {}
            }
        }
        if let Some((key, unique)) = fields.entry("unique_rows") {
            setting.unique_rows = boolean(unique, "parameters_setting.unique_rows", report) == Some(true);
            setting.unique_key = Some(key);
        }
        let strategies = fields.get("strategies");
        let strategies = strategies.and_then(|node| map(node, "parameters_setting.strategies", report));
        for (key, node) in strategies.unwrap_or_default() {
            if !keys.contains(&&*key.text) {
                let message = format!("there are no parameters \"{}\" for this strategy", key.text);
                report.warn(key.place, message).help = did_you_mean(&key.text, keys.iter().copied());
            }
            if let Some(fields) = Fields::of(node, "a strategy", report) {
                fields.warn_unknown(&["name", "pick_order"], "a strategy", report);
                if fields.get("pick_order").is_some() {
                    setting.of_key.insert(&key.text, order(&fields, report));
                }
            }
        }
        Some(setting)
    }

    fn order_of(&self, key: &str) -> Order {
        self.of_key.get(key).copied().unwrap_or(self.order)
    }

    fn warn_not_unique(&mut self, report: &mut Report) {
        if let Some(key) = self.unique_key {
            let message = "unique_rows has no effect: no parameters have the pick_order unique";
            report.warn(key.place, message).help = Some("add pick_order: unique".into());
        }
    }
}

/// `pick_order`; what hrp does not know is sequential there too.
fn order(fields: &Fields<'_>, report: &mut Report) -> Order {
    let Some(node) = fields.get("pick_order") else { return Order::default() };
    match text(node, "pick_order", report) {
        Some("random") => Order::Random,
        Some("unique") => Order::Unique,
        Some("sequential" | "") | None => Order::Sequential,
        Some(unknown) => {
            let message = format!("unknown pick_order \"{unknown}\": rows are taken in sequence");
            report.warn(node.place, message).help =
                did_you_mean(unknown, ["sequential", "random", "unique"].into_iter())
                    .or_else(|| Some("the orders are sequential, random and unique".into()));
            Order::Sequential
        }
    }
}
