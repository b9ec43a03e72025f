//! The profile file of `boom`: flags in a file. What it holds overrides the command line (hrp spec 14.2).
//!
//! Keys are hrp's, which are its flags' names, and those of our own flags of the network and of functions; values are read by the
//! parsers of the flags, so `run-time: 2m` works in both places. `threshold` may be one text or a list of them, and replaces all of
//! the command line. An unknown key is a warning, a value a flag would refuse is wrong usage.

use std::{path::Path, time::Duration};

use clap::builder::{BoolishValueParser, TypedValueParser};
use pummel_stats::SAMPLES_PER_SORT_MAX;
use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::{
    exit,
    failure::Failure,
    files::{read_text, FileKind},
    flags::{not_built, BoomFlags, NetworkFlags, ABORT_AFTER},
    profile_load::set_load_value,
    profile_metrics::set_metrics_value,
    profile_network::{opposite, set_value, switch},
    profile_plugin::set_plugin_value,
    values::{parse_duration, parse_rate, parse_rate_limit, parse_threshold, parse_users},
};

/// The keys that change the run; hrp's other keys are those of [`crate::flags::LaterFlags`].
const KEYS: &[&str] = &[
    "spawn-count",
    "spawn-rate",
    "run-time",
    "loop-count",
    "max-rps",
    "iterations",
    "pacing",
    "rate",
    "stages",
    "poisson",
    "seed",
    "max-users",
    "catch-up",
    "disable-keepalive",
    "disable-compression",
    "disable-console-output",
    "http-stat",
    "chart",
    "warmup",
    "threshold",
    "abort-on-threshold",
    "sample-failures",
    "show-secrets",
    "store",
];

/// The one key that may hold a list.
const LIST_KEY: &str = "threshold";

/// One key of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// As written.
    key: String,
    /// The value's text.
    value: String,
    /// Line and column, from 1, where the format tells.
    place: Option<(usize, usize)>,
}

/// Reads the file and puts what it holds over the flags. Gives the warnings.
///
/// # Errors
/// The exit codes of load errors when the file cannot be read or is not a flat map; wrong usage for a value the flag
/// would refuse.
pub(crate) fn apply_profile(path: &Path, flags: &mut BoomFlags) -> Result<Vec<String>, Failure> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let read_entries = match extension.as_str() {
        "json" => json_entries,
        "yml" | "yaml" => yaml_entries,
        _ => {
            return Err(Failure::with_code(
                exit::EXTENSION,
                format!("{}: a profile is a .yml, .yaml or .json file", path.display()),
                "rename it after what it holds",
            ))
        }
    };
    let text = read_text(path, FileKind::Profile)?;
    let mut warnings = Vec::new();
    let entries = read_entries(path, &text)?;
    if entries.iter().any(|entry| entry.key == LIST_KEY) {
        flags.run.thresholds.thresholds.clear();
    }
    for entry in entries {
        apply_entry(path, &entry, flags, &mut warnings)?;
    }
    Ok(warnings)
}

fn apply_entry(path: &Path, entry: &Entry, flags: &mut BoomFlags, warnings: &mut Vec<String>) -> Result<(), Failure> {
    let value = entry.value.as_str();
    flags.run.load.given.note(&entry.key);
    let set = set_value(&mut flags.run.network, &entry.key, value)
        .or_else(|| set_load_value(&mut flags.run.load, &entry.key, value))
        .or_else(|| set_plugin_value(&mut flags.plugin, &entry.key, value))
        .or_else(|| set_metrics_value(&mut flags.run.output.metrics, &entry.key, value));
    let result = match entry.key.as_str() {
        _ if set.is_some() => set.unwrap_or(Ok(())),
        "spawn-count" => parse_users(value).map(|users| flags.run.load.spawn_count = users),
        "spawn-rate" => parse_rate(value).map(|rate| flags.run.load.spawn_rate = rate),
        "run-time" => parse_duration(value).map(|time| flags.run.load.run_time = time),
        "loop-count" => parse_whole(value).map(|loops| flags.run.load.loop_count = loops),
        "max-rps" => parse_rate_limit(value).map(|limit| flags.run.load.max_rps = limit),
        "disable-console-output" => parse_switch(value).map(|on| flags.run.output.disable_console_output = on),
        "http-stat" => parse_switch(value).map(|on| flags.run.output.http_stat = on),
        "chart" => parse_switch(value).map(|on| flags.run.output.chart = on),
        "warmup" => parse_duration(value).map(|time| flags.run.warmup.warmup = Some(time)),
        "sample-failures" => parse_samples(value).map(|samples| flags.run.output.sample_failures = samples),
        "store" => {
            flags.run.output.store.store = Some(value.into());
            Ok(())
        }
        "show-secrets" => parse_switch(value).map(|on| flags.run.output.show_secrets = on),
        LIST_KEY => parse_threshold(value).map(|condition| flags.run.thresholds.thresholds.push(condition)),
        "abort-on-threshold" => parse_delay(value).map(|delay| flags.run.thresholds.abort_on_threshold = delay),
        "install-deps" => parse_switch(value).map(|on| flags.plugin.install_deps = on),
        key if switch(&mut flags.run.network, key).is_some() => {
            parse_switch(value).map(|on| turn(&mut flags.run.network, key, on))
        }
        // The file's name for --mem-profile and its duration is longer.
        key => {
            let flag = key.replacen("memory-profile", "mem-profile", 1);
            match not_built(&flag, value) {
                Some(given) => flags.later.given.push(given),
                None if crate::flags::is_later_flag(&flag) => {}
                None => warnings.push(format!(
                    "{}: unknown key \"{key}\" in the profile, ignored; it may hold {} and the flags of network, TLS, addresses, functions and metrics",
                    at(path, entry.place),
                    KEYS.join(", ")
                )),
            }
            Ok(())
        }
    };
    result.map_err(|reason| {
        Failure::usage(
            format!("{}: {} \"{value}\" {reason}", at(path, entry.place), entry.key),
            format!("see --{} in pummel boom --help", entry.key),
        )
    })
}

/// Turns a switch, and off the one it excludes.
fn turn(flags: &mut NetworkFlags, key: &str, on: bool) {
    if let Some(other) = opposite(key).filter(|_| on).and_then(|other| switch(flags, other)) {
        *other = false;
    }
    if let Some(switch) = switch(flags, key) {
        *switch = on;
    }
}

fn parse_whole(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "is not a whole number".into())
}

fn parse_samples(text: &str) -> Result<u32, String> {
    let samples = text.parse().ok().filter(|samples| *samples <= SAMPLES_PER_SORT_MAX);
    samples.ok_or_else(|| format!("is not in 0..={SAMPLES_PER_SORT_MAX}"))
}

/// A time, or true for the flag without one, or false for none.
fn parse_delay(text: &str) -> Result<Option<Duration>, String> {
    match text {
        "false" => Ok(None),
        "true" => parse_duration(ABORT_AFTER).map(Some),
        delay => parse_duration(delay).map(Some),
    }
}

pub(crate) fn parse_switch(text: &str) -> Result<bool, String> {
    BoolishValueParser::new()
        .parse_ref(&clap::Command::new(""), None, text.as_ref())
        .map_err(|_| "is not true or false".into())
}

/// `path:line:column`, as far as it is known.
fn at(path: &Path, place: Option<(usize, usize)>) -> String {
    match place {
        Some((line, column)) => format!("{}:{line}:{column}", path.display()),
        None => path.display().to_string(),
    }
}

fn not_flat(path: &Path, place: Option<(usize, usize)>, what: &str, exit_code: u8) -> Failure {
    Failure::with_code(
        exit_code,
        format!("{}: {what}", at(path, place)),
        "a profile is a flat map of flags, such as\n  spawn-count: 200\n  spawn-rate: 50\n  run-time: 1m",
    )
}

/// A null value leaves the flag as it is, as decoding it in hrp does.
fn json_entries(path: &Path, text: &str) -> Result<Vec<Entry>, Failure> {
    let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(|error| {
        not_flat(path, Some((error.line(), error.column())), &format!("not a JSON object: {error}"), exit::LOAD_JSON)
    })?;
    let mut entries = Vec::new();
    for (key, value) in map {
        use serde_json::Value;
        let values = match value {
            Value::Array(values) if key == LIST_KEY => values,
            value => vec![value],
        };
        for value in values {
            let value = match value {
                Value::Null => continue,
                Value::Bool(switch) => switch.to_string(),
                Value::Number(number) => number.to_string(),
                Value::String(text) => text,
                Value::Array(_) | Value::Object(_) => {
                    let what = format!("the value of \"{key}\" is not one value");
                    return Err(not_flat(path, None, &what, exit::LOAD_JSON));
                }
            };
            entries.push(Entry { key: key.clone(), value, place: None });
        }
    }
    Ok(entries)
}

/// An empty file is an empty map.
fn yaml_entries(path: &Path, text: &str) -> Result<Vec<Entry>, Failure> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut pending_key: Option<String> = None;
    let (mut in_map, mut in_list) = (false, false);
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let place = (error.marker().line(), error.marker().col() + 1);
            not_flat(path, Some(place), &format!("not YAML: {}", error.info()), exit::LOAD_YAML)
        })?;
        let place = Some((span.start.line(), span.start.col() + 1));
        let refuse = |what: &str| Err(not_flat(path, place, what, exit::LOAD_YAML));
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return refuse("a second document begins here");
                }
            }
            Event::MappingStart(..) if !in_map => in_map = true,
            Event::MappingEnd => in_map = false,
            Event::SequenceStart(..) if !in_list && pending_key.as_deref() == Some(LIST_KEY) => in_list = true,
            Event::SequenceEnd if in_list => {
                in_list = false;
                pending_key = None;
            }
            Event::Scalar(value, ..) if in_list => {
                entries.push(Entry { key: LIST_KEY.to_owned(), value: value.into_owned(), place });
            }
            Event::MappingStart(..) | Event::SequenceStart(..) | Event::SequenceEnd | Event::Alias(_) => {
                return refuse("not one value")
            }
            Event::Scalar(value, style, ..) => match pending_key.take() {
                _ if !in_map => {
                    // An empty file comes as one empty scalar.
                    if !value.is_empty() {
                        return refuse("not a map of flags");
                    }
                }
                None => {
                    if entries.iter().any(|entry| entry.key == value) {
                        return refuse(&format!("the key \"{value}\" is there twice"));
                    }
                    pending_key = Some(value.into_owned());
                }
                Some(key) => {
                    let null = style == ScalarStyle::Plain && matches!(&*value, "" | "~" | "null");
                    if !null {
                        entries.push(Entry { key, value: value.into_owned(), place });
                    }
                }
            },
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::flags::{command, Cli, Command, PluginRunner};

    fn boom_flags(args: &[&str]) -> BoomFlags {
        let typed = ["pummel", "boom", "case.yml"].iter().chain(args);
        let matches = command().try_get_matches_from(typed).unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            Command::Boom(flags) => *flags,
            other => panic!("{other:?}"),
        }
    }

    /// A profile in a file of its own, applied to the flags.
    fn apply(name: &str, text: &str, flags: &mut BoomFlags) -> Result<Vec<String>, Failure> {
        let dir = std::env::temp_dir().join(format!("pummel-profile-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        let result = apply_profile(&path, flags);
        std::fs::remove_dir_all(&dir).unwrap();
        result
    }

    #[test]
    fn keys_of_the_file_override_flags_and_absent_keys_keep_them() {
        let mut flags = boom_flags(&["--spawn-count", "7", "--spawn-rate", "9", "--run-time", "3"]);
        let text = "spawn-count: 4\nrun-time: 2m\nmax-rps: 5\nrequest-increase-rate: \"-1\"\ndisable-keepalive: yes\nloop-count: ~\n";
        assert!(apply("a.yml", text, &mut flags).unwrap().is_empty());
        assert_eq!(flags.run.load.spawn_count, 4);
        assert!((flags.run.load.spawn_rate - 9.0).abs() < f64::EPSILON);
        assert_eq!(flags.run.load.run_time.as_secs(), 120);
        assert_eq!(flags.run.load.max_rps, Some(5.0));
        assert_eq!(flags.run.load.loop_count, -1);
        assert!(flags.run.network.transport.disable_keepalive);
        assert!(flags.later.given.is_empty());
    }

    #[test]
    fn flags_of_the_network_are_read_as_on_the_command_line() {
        let mut flags = boom_flags(&["--insecure", "--proxy", "http://a:1"]);
        let text = "http2: true\nstreams: 8\nverify: true\nproxy: http://b:2\nkey: k.pem\ncert: c.pem\ndns-ttl: off\n\
                    source-ip: 127.0.0.2-127.0.0.3\nconnections: shared:20\nauth: basic:anna:secret\n";
        let warnings = apply("g.yml", text, &mut flags).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let network = &flags.run.network;
        let reach = &network.transport.reach;
        assert!(reach.http2.http2 && reach.http2.streams == 8 && reach.tls.verify && !reach.tls.insecure);
        assert_eq!(reach.proxy.proxy.as_deref(), Some("http://b:2"));
        assert_eq!(reach.tls.key.as_deref(), Some(Path::new("k.pem")));
        assert_eq!(reach.tls.cert.as_deref(), Some(Path::new("c.pem")));
        assert_eq!((reach.addresses.dns_ttl, reach.addresses.source_ip.len()), (None, 1));
        assert_eq!(reach.auth.auth.as_deref(), Some("basic:anna:secret"));
        let mut refused = |text: &str| apply("h.yml", text, &mut flags).unwrap_err().message();
        assert!(refused("streams: 0\n").contains("h.yml:1:10: streams \"0\" is not in 1..=10000"));
        assert!(refused("tls-min: 1.1\n").contains("tls-min \"1.1\" is not a value it takes"));
        assert!(refused("http2: perhaps\n").contains("http2 \"perhaps\" is not true or false"));
    }

    #[test]
    fn flags_of_functions_are_keys_too() {
        let mut flags = boom_flags(&["--plugin-workers", "3"]);
        let text = "plugin-timeout: 2m\nplugin-runner: funppy\nplugin-threads: 9\ninstall-deps: true\n";
        assert!(apply("h.yml", text, &mut flags).unwrap().is_empty());
        let plugin = &flags.plugin;
        assert_eq!((plugin.plugin_workers, plugin.plugin_timeout.as_secs(), plugin.plugin_threads), (3, 120, 9));
        assert_eq!((plugin.plugin_runner, plugin.install_deps), (PluginRunner::Funppy, true));
        let refused = apply("i.yml", "plugin-workers: 65\n", &mut flags).unwrap_err();
        assert!(refused.message().contains("plugin-workers \"65\" is not in 1..=64"), "{}", refused.message());
    }

    #[test]
    fn json_holds_the_same() {
        let mut flags = boom_flags(&[]);
        let text = r#"{"spawn-count": 4, "spawn-rate": 2.5, "loop-count": 5, "disable-console-output": true, "max-rps": null}"#;
        assert!(apply("b.json", text, &mut flags).unwrap().is_empty());
        assert_eq!((flags.run.load.spawn_count, flags.run.load.loop_count), (4, 5));
        assert!(flags.run.output.disable_console_output);
        apply("b.yml", "sample-failures: 7\nshow-secrets: yes\nchart: true\n", &mut flags).unwrap();
        assert!(flags.run.output.chart);
        assert_eq!((flags.run.output.sample_failures, flags.run.output.show_secrets), (7, true));
    }

    #[test]
    fn what_is_not_built_yet_is_reported_as_the_flag_would_be() {
        let mut flags = boom_flags(&[]);
        apply("c.yaml", "prometheus-gateway: http://gw:9091\nmemory-profile: mem.prof\ncpu-profile: ''\n", &mut flags)
            .unwrap();
        let given: Vec<&str> = flags.later.given.iter().map(|given| given.flag.as_str()).collect();
        assert_eq!(given, ["--mem-profile"]);
        assert_eq!(flags.run.output.metrics.prometheus_gateway.as_deref(), Some("http://gw:9091"));
    }

    #[test]
    fn an_unknown_key_is_a_warning_with_its_place() {
        let mut flags = boom_flags(&[]);
        let warnings = apply("d.yml", "spawn-count: 2\nspawn_rate: 3\n", &mut flags).unwrap();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("d.yml:2:13: unknown key \"spawn_rate\""), "{}", warnings[0]);
    }

    #[test]
    fn files_that_are_wrong_say_where_and_have_hrps_codes() {
        let mut flags = boom_flags(&[]);
        let mut failure = |name: &str, text: &str| {
            let failure = apply(name, text, &mut flags).unwrap_err();
            (failure.exit_code(), failure.message())
        };
        for (name, text, code, part) in [
            ("e.yml", "spawn-count: many\n", 2, "e.yml:1:14: spawn-count \"many\" is not a whole number"),
            ("e.yml", "spawn-count: 0\n", 2, "must be at least 1"),
            ("e.yml", "sample-failures: 101\n", 2, "sample-failures \"101\" is not in 0..=100"),
            ("e.yml", "- spawn-count\n", 12, "e.yml:1:1: not one value"),
            ("e.yml", "text\n", 12, "not a map of flags"),
            ("e.yml", "spawn-count: [1]\n", 12, "not one value"),
            ("e.yml", "spawn-count: 1\nspawn-count: 2\n", 12, "e.yml:2:1: the key \"spawn-count\" is there twice"),
            ("e.yml", "a: 'x\n", 12, "not YAML"),
            ("e.json", "{\"a\": ", 11, "not a JSON object"),
            ("e.json", "[1]", 11, "not a JSON object"),
            ("e.json", "{\"spawn-count\": [1]}", 11, "not one value"),
            ("e.toml", "", 16, "a profile is a .yml"),
        ] {
            let (got, message) = failure(name, text);
            assert_eq!(got, code, "{text}: {message}");
            assert!(message.contains(part), "{text}: {message}");
        }
        assert!(apply("f.yml", "", &mut flags).unwrap().is_empty());
    }
}
