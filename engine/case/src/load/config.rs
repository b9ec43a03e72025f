//! `config` of a case (hrp spec section 2) and the variables it defines (7.1 to 7.3).

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    fields::{asks_nothing, boolean, integer, list, map, number, text, Fields},
    report::{code, Report},
    think::ThinkSettings,
    variables::{in_order, text_of, Definition},
    LoadOptions,
};
use crate::{
    document::{Key, Node},
    expression::{compile_text, compile_value, sole_variable, CompileErrorKind, Scan, Scope, Variable},
    operation::{Operation, SlotPlace},
    value::Value,
};

/// Keys that mean something here or to another engine that reads the same files.
pub(crate) const KEYS: [&str; 26] = [
    "name",
    "verify",
    "base_url",
    "headers",
    "environs",
    "variables",
    "variables_scope",
    "parameters",
    "parameters_setting",
    "setup_case",
    "think_time",
    "websocket",
    "request_timeout",
    "case_timeout",
    "export",
    "weight",
    "path",
    "plugin",
    "ios",
    "android",
    "setup_hooks",
    "teardown_hooks",
    "ai",
    "llm_service",
    "timeout",
    "auth",
];

/// Keys without effect, in hrp or here, with the reason and what to do instead.
pub(crate) const IGNORED: [(&str, &str, &str); 9] = [
    ("websocket", "nothing reads it, in hrp either", "set the timeout of each websocket step"),
    ("plugin", "it is made by hrp for its own workers", "the project's debugtalk file is found by itself"),
    ("ios", "there is no mobile testing here", "take it out"),
    ("android", "there is no mobile testing here", "take it out"),
    (
        "setup_hooks",
        "only HttpRunner's Python engine runs hooks of a config",
        "put them on the first step, or use setup_case",
    ),
    ("teardown_hooks", "only HttpRunner's Python engine runs hooks of a config", "put them on the last step"),
    ("ai", "no test case language of hrp 4.3 has it", "take it out"),
    ("llm_service", "no test case language of hrp 4.3 has it", "take it out"),
    ("timeout", "it is no key of hrp 4.3", "use request_timeout or case_timeout"),
];

/// The longest time limit of a request: a day. A longer one is a typing error.
const MAX_TIMEOUT_S: f64 = 86_400.0;

/// What the config says, evaluated.
#[derive(Clone, Default)]
pub(crate) struct Config<'a> {
    pub(crate) name: Option<String>,
    pub(crate) weight: u32,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) case_timeout: Option<Duration>,
    pub(crate) verify: Option<bool>,
    pub(crate) headers: &'a [(Key, Node)],
    /// Credentials of the steps that give none themselves.
    pub(crate) auth: Option<&'a Node>,
    pub(crate) think: ThinkSettings,
    /// Names of `export`, as written.
    pub(crate) exports: Vec<&'a str>,
    /// Keys that only the case that is run itself can have, not one it refers to.
    pub(crate) own: OwnKeys<'a>,
    /// What evaluates the variables that are to have a value of their own in each iteration.
    pub(crate) recurring: Recurring,
    /// The lowest layer of names, for every step.
    pub(crate) scope: Scope,
}

/// Work at the begin of each iteration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recurring {
    pub(crate) operations: Vec<Operation>,
    /// How many variables it sets: the first of those kept.
    pub(crate) kept_slots: usize,
    pub(crate) step_slots: usize,
}

/// What is said once for a whole run of a case.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OwnKeys<'a> {
    pub(crate) parameters: Option<(&'a Key, &'a Node)>,
    pub(crate) parameters_setting: Option<(&'a Key, &'a Node)>,
    pub(crate) setup_case: Option<(&'a Key, &'a Node)>,
    pub(crate) variables_scope: Option<(&'a Key, &'a Node)>,
    pub(crate) case_timeout: Option<(&'a Key, &'a Node)>,
}

impl OwnKeys<'_> {
    /// One warning for each that asks for something where it cannot have it.
    pub(crate) fn warn_ignored(&self, report: &mut Report) {
        for (key, node) in
            [self.parameters, self.parameters_setting, self.setup_case, self.variables_scope, self.case_timeout]
                .into_iter()
                .flatten()
        {
            if !asks_nothing(node, 0) {
                let message = format!("config.{} is ignored here: it counts in the case that is run itself", key.text);
                report.warn(key.place, message);
            }
        }
    }
}

impl<'a> Config<'a> {
    /// Reads the config; mistakes go to the report. `base` holds what does not come from the file: the project, and what is left
    /// of the budget. Only the case that is `run_itself`, and is not referred to, can have variables that recur.
    pub(crate) fn read(
        node: Option<&'a Node>,
        options: &LoadOptions,
        base: &Scope,
        run_itself: bool,
        report: &mut Report,
    ) -> Self {
        let mut config = Config { scope: base.clone(), ..Config::default() };
        let fields = node.and_then(|node| Fields::of(node, "config", report));
        if let Some(fields) = &fields {
            fields.warn_unknown(&KEYS, "config", report);
            config.read_settings(fields, report);
        }
        let recur = run_itself && config.recurs(report);
        let evaluated = variables(fields.as_ref(), options, base, recur.then_some(&mut config.recurring), report);
        config.scope.config = evaluated.config;
        config.scope.recurring = evaluated.recurring;
        if let Some(name) = fields.and_then(|fields| fields.get("name")) {
            config.name = case_name(name, &config.scope, report);
        }
        config
    }

    /// Whether variables have a value of their own in each iteration.
    fn recurs(&self, report: &mut Report) -> bool {
        let Some((_, node)) = self.own.variables_scope else { return false };
        match text(node, "config.variables_scope", report) {
            None | Some("" | "run") => false,
            Some("iteration") => true,
            Some(other) => {
                let error =
                    report.error(node.place, code::INVALID_CASE, format!("unknown variables_scope \"{other}\""));
                error.help = Some(
                    "run evaluates config.variables once, as hrp does; iteration does so for each iteration".into(),
                );
                false
            }
        }
    }

    fn read_settings(&mut self, fields: &Fields<'a>, report: &mut Report) {
        self.verify = fields.get("verify").and_then(|node| boolean(node, "config.verify", report));
        for (name, reason, help) in IGNORED {
            if let Some((key, _)) = fields.entry(name) {
                report.warn(key.place, format!("config.{name} is ignored: {reason}")).help = Some(help.into());
            }
        }
        if let Some(node) = fields.get("export") {
            let names = list(node, "config.export", report).unwrap_or_default();
            self.exports = names.iter().filter_map(|name| text(name, "a name of config.export", report)).collect();
        }
        self.own = OwnKeys {
            parameters: fields.entry("parameters"),
            parameters_setting: fields.entry("parameters_setting"),
            setup_case: fields.entry("setup_case"),
            variables_scope: fields.entry("variables_scope"),
            case_timeout: fields.entry("case_timeout"),
        };
        if let Some(node) = fields.get("case_timeout") {
            self.case_timeout = timeout(node, "config.case_timeout", report);
        }
        if let Some(node) = fields.get("headers") {
            self.headers = map(node, "config.headers", report).unwrap_or_default();
        }
        self.auth = fields.get("auth").filter(|node| !asks_nothing(node, 0));
        if let Some(node) = fields.get("weight") {
            match integer(node, "config.weight", report).map(u32::try_from) {
                Some(Ok(weight)) => self.weight = weight,
                Some(Err(_)) => {
                    let message = format!("config.weight must be from 0 to {}", u32::MAX);
                    report.error(node.place, code::INVALID_CASE, message);
                }
                None => {}
            }
        }
        if let Some(node) = fields.get("request_timeout") {
            self.request_timeout = timeout(node, "config.request_timeout", report);
        }
        if let Some(node) = fields.get("think_time") {
            self.think = ThinkSettings::read(node, report).unwrap_or_default();
        }
    }
}

/// A time limit in seconds; none where it is not above 0.
pub(crate) fn timeout(node: &Node, what: &str, report: &mut Report) -> Option<Duration> {
    let seconds = number(node, what, report)?;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(MAX_TIMEOUT_S)))
}

/// A variable of the config, and whether its layer declares text: there `8080` is "8080".
#[derive(Clone, Copy)]
struct Layered<'a> {
    definition: Definition<'a>,
    declared_text: bool,
}

/// Config variables under `base_url` under environs, all evaluated once; the project's `.env` and options stand above them and are
/// plain data. What holds a call, or needs what does, recurs where that is asked for.
fn variables(
    fields: Option<&Fields<'_>>,
    options: &LoadOptions,
    base: &Scope,
    mut recurring: Option<&mut Recurring>,
    report: &mut Report,
) -> Scope {
    let base_url = options.base_url.iter().map(|url| ("base_url", url.as_str()));
    // Those of the options stand in the project's environment too, above its `.env`.
    let environment = base.project.environment.clone();
    let variables = environment.iter().map(|(name, value)| (&**name, &**value));
    // An empty base_url hides none (hrp spec section 2).
    let given = variables.chain(base_url).filter(|(name, value)| *name != "base_url" || !value.is_empty());
    let given = given.map(|(name, value)| (Box::from(name), Arc::new(Value::text(value)))).collect();
    let base = if recurring.is_some() { base.of_step() } else { base.clone() };
    let mut scope = Scope { config: Arc::new(given), ..base };
    let mut layers = fields.map(|fields| layers(fields, report)).unwrap_or_default();
    layers.retain(|name, _| !scope.config.contains_key(*name));
    let definitions: Vec<_> = layers.values().map(|layered| layered.definition).collect();
    // What needs a variable that failed says nothing new.
    let mut failed = HashSet::new();
    for Definition { name, node, .. } in in_order(&definitions, report) {
        let declared_text = layers.get(name).is_some_and(|layered| layered.declared_text);
        let compiled = match text_of(node) {
            Some(raw) if declared_text => compile_text(raw, Scan::Trimmed, node.place, &scope),
            _ => compile_value(node, &scope),
        };
        match compiled {
            Ok(value) => {
                if let Some(value) = value.as_const() {
                    Arc::make_mut(&mut scope.config).insert(name.into(), value.clone());
                } else if let Some(recurring) = &mut recurring {
                    let slot = recurring.kept_slots;
                    recurring.kept_slots += 1;
                    scope.work(|work| work.push(Operation::Set { slot: SlotPlace::Kept(slot), value }));
                    let missing = Arc::from(format!("variable {name} not found: no iteration has begun"));
                    let variable = Variable::Kept { slot, fallback: None, missing };
                    Arc::make_mut(&mut scope.recurring).insert(name.into(), variable);
                }
            }
            Err(error) => {
                if !matches!(&error.kind, CompileErrorKind::Undefined(needed) if failed.contains(needed.as_str())) {
                    report.expression(&error, &scope, code::VARIABLES);
                }
                failed.insert(name);
            }
        }
    }
    if let Some(recurring) = recurring {
        recurring.operations = scope.take_operations();
        recurring.step_slots = scope.work(|work| work.slots());
    }
    scope
}

/// What the file defines, the highest layer of each name.
fn layers<'a>(fields: &Fields<'a>, report: &mut Report) -> BTreeMap<&'a str, Layered<'a>> {
    let mut layers: BTreeMap<&'a str, Layered<'a>> = BTreeMap::new();
    let mut define = |key: &'a Key, name: &'a str, node: &'a Node, declared_text: bool| {
        // A value that is exactly its own name means the layer below (hrp spec 7.2).
        let own_name = text_of(node).and_then(|text| sole_variable(text.trim())) == Some(name);
        if !(own_name && layers.contains_key(name)) {
            layers.insert(name, Layered { definition: Definition { name, key, node }, declared_text });
        }
    };
    if let Some(node) = fields.get("variables") {
        for (key, node) in map(node, "config.variables", report).unwrap_or_default() {
            define(key, &key.text, node, false);
        }
    }
    if let Some((key, node)) = fields.entry("base_url") {
        if text(node, "config.base_url", report).is_some_and(|url| !url.is_empty()) {
            define(key, "base_url", node, true);
        }
    }
    if let Some(node) = fields.get("environs") {
        for (key, node) in map(node, "config.environs", report).unwrap_or_default() {
            // An empty base_url here does not hide the config's (hrp spec section 2).
            let hides_nothing = &*key.text == "base_url" && asks_nothing(node, 0);
            if text(node, "a value of config.environs", report).is_some() && !hides_nothing {
                define(key, &key.text, node, true);
            }
        }
    }
    layers
}

/// The case's name, with config variables only; one that needs anything else stays as written (hrp spec section 2).
fn case_name(node: &Node, scope: &Scope, report: &mut Report) -> Option<String> {
    let raw = text(node, "config.name", report)?;
    match compile_text(raw, Scan::Trimmed, node.place, scope) {
        Ok(name) => name.const_text(),
        Err(error) => {
            if let CompileErrorKind::Undefined(name) = &error.kind {
                let message = format!("the case's name is used as written: config does not define the variable {name}");
                report.warn(node.place, message);
            } else {
                report.expression(&error, scope, code::UNDEFINED);
            }
            Some(raw.to_owned())
        }
    }
}
