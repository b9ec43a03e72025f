//! `config` of a case (hrp spec section 2) and the variables it defines (7.1 to 7.3).

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    fields::{asks_nothing, boolean, integer, map, number, text, Fields},
    report::{code, Report},
    think::ThinkSettings,
    variables::{in_order, text_of, Definition},
    LoadOptions,
};
use crate::{
    document::{Key, Node},
    expression::{compile_text, compile_value, sole_variable, CompileErrorKind, Scan, Scope},
    value::Value,
};

/// Keys that mean something here or to another engine that reads the same files.
const KEYS: [&str; 18] = [
    "name",
    "verify",
    "base_url",
    "headers",
    "environs",
    "variables",
    "parameters",
    "parameters_setting",
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
];

/// Keys of hrp that are not built yet; an empty value asks for nothing and passes.
const NOT_BUILT: [&str; 4] = ["parameters", "parameters_setting", "case_timeout", "export"];

/// The longest time limit of a request: a day. A longer one is a typing error.
const MAX_TIMEOUT_S: f64 = 86_400.0;

/// What the config says, evaluated.
#[derive(Default)]
pub(crate) struct Config<'a> {
    pub(crate) name: Option<String>,
    pub(crate) weight: u32,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) headers: &'a [(Key, Node)],
    pub(crate) think: ThinkSettings,
    /// The lowest layer of names, for every step.
    pub(crate) scope: Scope,
}

impl<'a> Config<'a> {
    /// Reads the config; mistakes go to the report.
    pub(crate) fn read(node: Option<&'a Node>, options: &LoadOptions, report: &mut Report) -> Self {
        let mut config = Config::default();
        let fields = node.and_then(|node| Fields::of(node, "config", report));
        if let Some(fields) = &fields {
            fields.warn_unknown(&KEYS, "config", report);
            config.read_settings(fields, report);
        }
        config.scope.config = Arc::new(variables(fields.as_ref(), options, report));
        if let Some(name) = fields.and_then(|fields| fields.get("name")) {
            config.name = case_name(name, &config.scope, report);
        }
        config
    }

    fn read_settings(&mut self, fields: &Fields<'a>, report: &mut Report) {
        for name in NOT_BUILT {
            if let Some((key, node)) = fields.entry(name) {
                if !asks_nothing(node, 0) {
                    report.not_built(key.place, &format!("config.{name}"));
                }
            }
        }
        if let Some((key, node)) = fields.entry("verify") {
            if boolean(node, "config.verify", report) == Some(true) {
                report.not_built(key.place, "checking certificates (config.verify)");
            }
        }
        for name in ["ios", "android"] {
            if let Some((key, _)) = fields.entry(name) {
                report.warn(key.place, format!("config.{name} is ignored: there is no mobile testing here"));
            }
        }
        if let Some(node) = fields.get("headers") {
            self.headers = map(node, "config.headers", report).unwrap_or_default();
        }
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

/// Config variables under `base_url` under environs, all evaluated once; options stand above them and are plain data.
fn variables(
    fields: Option<&Fields<'_>>,
    options: &LoadOptions,
    report: &mut Report,
) -> BTreeMap<Box<str>, Arc<Value>> {
    let base_url = options.base_url.iter().map(|url| ("base_url", url));
    let variables = options.variables.iter().map(|(name, value)| (name.as_str(), value));
    // An empty base_url hides none (hrp spec section 2).
    let given = variables.chain(base_url).filter(|(name, value)| *name != "base_url" || !value.is_empty());
    let given = given.map(|(name, value)| (Box::from(name), Arc::new(Value::text(value)))).collect();
    let mut scope = Scope { config: Arc::new(given), ..Scope::default() };
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
    Arc::unwrap_or_clone(scope.config)
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
