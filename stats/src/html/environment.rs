//! What surrounds the load: the machine, the plan, the load generator, as names and values.

use serde::Serialize;
use serde_json::Value;

use super::text::short;
use crate::collector::Model;
use crate::display::units::{bytes, latency, rate};
use crate::kept::{KeptRun, RunState};
use crate::latency::Latency;
use crate::summary::{Client, CpuCore, Summary};

/// Values of a plan that are shown. A plan has some dozens; more are in the lists of one with very many stages.
const PLAN_ROWS_MAX: usize = 200;

/// How deep a plan's value may lie for its parts to stand on rows of their own.
const PLAN_DEPTH_MAX: usize = 8;

/// Entries of a list that is shown: cores, processes.
const LIST_MAX: usize = 256;

/// Values that belong together.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) rows: Vec<(String, String)>,
}

/// Groups that have something to say, in their order.
pub(super) fn groups(run: &KeptRun) -> Vec<Group> {
    let summary = &run.summary;
    let mut groups = vec![group("Run", run_rows(run)), group("Plan", plan_rows(&summary.plan))];
    groups.push(group("Machine", machine_rows(summary)));
    if run.state == RunState::Ended {
        groups.push(group("Load generator", client_rows(&summary.client)));
        groups.push(group("Cores of the load", summary.client.cpu_cores.iter().take(LIST_MAX).map(core_row).collect()));
    }
    groups.push(group("On the wire", wire_rows(summary)));
    groups.push(group("Plugins", plugin_rows(summary)));
    groups.retain(|group| !group.rows.is_empty());
    groups
}

fn group(title: &'static str, rows: Vec<(String, String)>) -> Group {
    Group { title, rows }
}

/// Rows that are written one after the other; a value that is not known is left out.
#[derive(Default)]
struct Rows(Vec<(String, String)>);

impl Rows {
    fn add(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.0.push((name.to_owned(), short(&value)));
        }
    }

    fn add_known(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

fn run_rows(run: &KeptRun) -> Vec<(String, String)> {
    let of = &run.summary.run;
    let mut rows = Rows::default();
    rows.add("Id", of.id.as_str());
    rows.add_known("Label", run.label.clone());
    rows.add("Name", of.name.as_str());
    rows.add("Command", of.command.as_str());
    rows.add(
        "Load model",
        match of.model {
            Model::Closed => "closed: a number of users; percentiles are of service time",
            Model::Open => "open: arrivals at intended times; percentiles are of response time",
        },
    );
    rows.add("Version", of.version.as_str());
    rows.add("Started", of.started_at.as_str());
    rows.add("Duration", format!("{:.3} s", of.duration_s));
    rows.add("Load window", format!("{:.3} s", of.load_s));
    if of.warmup_s > 0.0 {
        rows.add("Warm-up", format!("{:.3} s", of.warmup_s));
    }
    let iterations = &run.summary.iterations;
    rows.add("Iterations", format!("{}, {}/s", iterations.count, rate(iterations.per_s)));
    rows.add_known("Mean iteration", iterations.mean_us.map(latency));
    if let Some(arrivals) = &run.summary.arrivals {
        rows.add(
            "Arrivals",
            format!("{} intended, {} made, {} missed", arrivals.intended, arrivals.made, arrivals.missed),
        );
        rows.add("Users", format!("{} at most of {}", arrivals.users_peak, arrivals.users_max));
    }
    rows.0
}

fn machine_rows(summary: &Summary) -> Vec<(String, String)> {
    let host = &summary.run.host;
    let mut rows = Rows::default();
    rows.add("Kernel", host.kernel.as_str());
    if host.cpus > 0 {
        rows.add("CPUs", format!("{}, load on {}", host.cpus, host.cores_used));
    }
    rows.add_known("CPU model", host.cpu_model.clone());
    rows.add_known("CPU governor", host.cpu_governor.clone());
    rows.0
}

/// The plan's values by the way to each: `stages[0].users`.
fn plan_rows(plan: &Value) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let left_out = flatten(plan, "", 0, &mut rows);
    if left_out > 0 {
        rows.push(("…".to_owned(), format!("{left_out} more")));
    }
    rows
}

/// Adds the values below one, and gives the number of those for which there was no room.
fn flatten(value: &Value, way: &str, depth: usize, rows: &mut Vec<(String, String)>) -> usize {
    match value {
        Value::Object(fields) if !fields.is_empty() && depth < PLAN_DEPTH_MAX => fields
            .iter()
            .map(|(name, value)| {
                let way = if way.is_empty() { name.clone() } else { format!("{way}.{name}") };
                flatten(value, &way, depth + 1, rows)
            })
            .sum(),
        // A list of plain values is one value.
        Value::Array(values)
            if values.iter().any(|value| value.is_object() || value.is_array()) && depth < PLAN_DEPTH_MAX =>
        {
            values.iter().enumerate().map(|(n, value)| flatten(value, &format!("{way}[{n}]"), depth + 1, rows)).sum()
        }
        Value::Null => 0,
        _ if rows.len() >= PLAN_ROWS_MAX => 1,
        value => {
            rows.push((short(way), short(&plain(value))));
            0
        }
    }
}

/// A value as one would say it: texts without quotes, lists with commas.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.len() <= LIST_MAX => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Array(values) => format!("{} values", values.len()),
        value => value.to_string(),
    }
}

fn client_rows(client: &Client) -> Vec<(String, String)> {
    let mut rows = Rows::default();
    let count = |value: Option<u64>| value.map(|value| value.to_string());
    let of = &client.connections;
    rows.add(
        "Connections",
        format!("{} opened, {} open at most, {} closed, {} not established", of.opened, of.peak, of.closed, of.errors),
    );
    rows.add("Connections reused", format!("{} times, {} found dead", of.reused, of.stale));
    rows.add_known("Lateness p50, p99, max", lateness(&client.lateness_us));
    rows.add_known(
        "Little's law",
        client.little.as_ref().map(|law| {
            format!(
                "{:.1} users, {}/s x {}: ratio {:.3}",
                law.users,
                rate(law.iterations_per_s),
                latency(law.iteration_mean_us),
                law.ratio
            )
        }),
    );
    let system = &client.system;
    rows.add_known("Sockets in TIME_WAIT, most", count(system.time_wait_max));
    rows.add_known("Descriptors, most", count(system.descriptors_max));
    rows.add_known("Descriptors, limit", count(system.descriptors_limit));
    rows.add_known("Ephemeral ports", count(system.ports));
    rows.add_known("TCP retransmits", count(system.tcp_retransmits));
    rows.add_known("Listen drops", count(system.listen_drops));
    rows.add_known("Listen overflows", count(system.listen_overflows));
    rows.add_known("CPU time stolen", system.steal_share.map(percent));
    rows.add_known("Throttled by the cgroup", system.throttled_us.map(|us| latency(us as f64)));
    rows.add_known("Memory at the end", client.memory.resident_bytes.map(bytes));
    rows.add_known("Memory, most", client.memory.resident_peak_bytes.map(bytes));
    rows.add("Memory of histograms", bytes(client.memory.histograms_bytes));
    rows.0
}

fn lateness(of: &Latency) -> Option<String> {
    let text = |us: u64| latency(us as f64);
    Some(format!("{}, {}, {}", text(of.p50?), text(of.p99?), text(of.max?)))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn core_row(core: &CpuCore) -> (String, String) {
    let name = core.cpu.map_or_else(|| "not pinned".to_owned(), |cpu| format!("CPU {cpu}"));
    let shares = [
        ("mean", core.share_mean),
        ("busy", core.share_busy),
        ("max", core.share_max),
        ("waiting for the CPU", core.run_queue_share),
        ("kept awake", core.awake_share.filter(|share| *share > 0.0)),
    ];
    let known = shares.iter().filter_map(|(name, share)| Some(format!("{name} {}", percent((*share)?))));
    (name, known.collect::<Vec<_>>().join(", "))
}

fn wire_rows(summary: &Summary) -> Vec<(String, String)> {
    let mut rows = Rows::default();
    let (wire, totals) = (&summary.totals.exchanges, &summary.totals);
    rows.add("Exchanges sent, answered", format!("{}, {}", wire.sent, wire.answered));
    rows.add("Exchanges unsent", wire.unsent.to_string());
    rows.add("Redirects", wire.redirects.to_string());
    rows.add("Rounds of authentication", wire.auth_rounds.to_string());
    rows.add("Stale connections replaced", wire.stale_retries.to_string());
    rows.add("Bytes received", bytes(totals.bytes_received));
    rows.add("Bytes sent", bytes(totals.bytes_sent));
    if totals.bytes_decoded > 0 {
        rows.add("Bytes once decoded", bytes(totals.bytes_decoded));
    }
    if let Some(tls) = &summary.tls {
        rows.add(
            "TLS handshakes",
            format!("{}, {} resumed, {}/s", tls.handshakes, tls.resumed, rate(tls.handshakes_per_s)),
        );
        rows.add("TLS certificates", if tls.unverified { "not verified" } else { "verified" });
    }
    let of = &summary.conservation;
    if of.started > 0 {
        rows.add(
            "Requests begun",
            format!("{} = {} succeeded + {} failed + {} abandoned", of.started, of.succeeded, of.failed, of.abandoned),
        );
    }
    rows.0
}

fn plugin_rows(summary: &Summary) -> Vec<(String, String)> {
    let mut rows = Rows::default();
    if let Some(plugin) = &summary.plugin {
        rows.add("Calls", format!("{}, {} gave no value", plugin.calls, plugin.errors));
        rows.add_known("Calls p50, p99, max", lateness(&plugin.call_us));
        rows.add_known("Share of the iterations' time", plugin.share_of_iterations.map(percent));
        for of in plugin.processes.iter().take(LIST_MAX) {
            rows.add(
                "Process",
                format!("{} ({}), {} side by side, {} restarts", of.path, of.runner, of.workers, of.restarts),
            );
        }
    }
    rows.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_flat_and_bounded() {
        let plan = serde_json::json!({
            "users": 200, "name": "a\nb", "none": null, "empty": {}, "hosts": ["a", "b"],
            "stages": [{"users": 1}, {"users": 2}],
        });
        let rows = plan_rows(&plan);
        let seen: Vec<_> = rows.iter().map(|(way, value)| (way.as_str(), value.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("users", "200"),
                ("name", "a b"),
                ("empty", "{}"),
                ("hosts", "a, b"),
                ("stages[0].users", "1"),
                ("stages[1].users", "2"),
            ]
        );
        let many = plan_rows(&serde_json::json!({ "stages": vec![serde_json::json!({ "users": 1 }); 1_000] }));
        assert_eq!(many.len(), PLAN_ROWS_MAX + 1);
        assert_eq!(many[PLAN_ROWS_MAX].1, "800 more");
    }
}
