//! Can the figures be trusted, and what limited the throughput? A pure function of what was observed.

use serde::{Deserialize, Serialize};

use crate::backlog::Backlog;
use crate::client::SHORTEST_SPAN;
use crate::collector::Model;
use crate::latency::Latency;
use crate::summary::{Arrivals, CpuCore, Little, Plugin, System};

/// A core whose thread runs, or waits for its CPU, more than this share of the time cannot be relied on to be on time.
pub const SATURATED_SHARE: f64 = 0.85;

/// Below this share on every core the client had time to spare, so users that waited, waited for the server.
pub const IDLE_SHARE: f64 = 0.70;

/// Lateness below this is noise on any machine, microseconds.
pub const LATENESS_FLOOR_US: u64 = 1_000;

/// Lateness above this share of the service time distorts what is reported.
pub const LATENESS_SHARE: f64 = 0.05;

/// How far the two sides of Little's law may lie apart.
pub const LITTLE_TOLERANCE: f64 = 0.05;

/// An open run must make this share of its intended rate.
pub const ACHIEVED_SHARE: f64 = 0.99;

/// Arrivals that may be missing of a slow run, in which [`ACHIEVED_SHARE`] is less than one, and what share of its arrivals at most.
const FEW_MISSED: u64 = 3;
const FEW_MISSED_SHARE: f64 = 0.1;

/// An open run of fewer requests has no lateness p99 to go by, as it takes 10 samples beyond one
/// ([`Statistic::samples_needed`](crate::threshold::Statistic::samples_needed)): the few that are latest are the first of a run, or
/// those of a single hiccup.
const LATENESS_SAMPLES: u64 = 1_000;

/// Where fewer of the requests than this waited for a user, their lateness p99 is not for want of users.
const WAITED_SHARE: f64 = 0.01;

/// Share of the iterations' time in calls of plugin functions above which the report says so (hrp spec 19.9).
pub const PLUGIN_SHARE: f64 = 0.20;

/// From this share on the plugin, which is a part of the load generator, took more of the users' time than anything else.
const PLUGIN_MOST: f64 = 0.50;

/// Retransmitted segments above this share of the requests say that packets were lost; fewer are the end of connections.
const RETRANSMITS_WORTH_SAYING: f64 = 0.001;

/// Steal above this share of the machine's time is worth a sentence.
const STEAL_WORTH_SAYING: f64 = 0.02;

/// Whether the figures of a run can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// They can.
    #[default]
    Valid,
    /// Counts and throughput stand; latencies are distorted by the load generator.
    Degraded,
    /// The load was not the one asked for, and the load generator is the cause.
    Invalid,
}

/// What limited the throughput.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// The load generator.
    Client,
    /// The server, or the way to it.
    Server,
    /// It cannot be told, or the plan did (pacing, an arrival rate that was reached).
    #[default]
    Unclear,
}

/// A resource of the load generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Ephemeral ports.
    Ports,
    /// File descriptors.
    Descriptors,
    /// Memory.
    Memory,
}

/// A resource that ran out, which makes a run invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Which.
    pub resource: Resource,
    /// How that showed and what to do, in a sentence.
    pub detail: String,
}

/// Everything the verdict looks at.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Closed or open.
    pub model: Model,
    /// The load was held back by its plan, or by somebody while it went on: a rate limit, pacing, think time, rendezvous or pause.
    pub paced: bool,
    /// How busy the cores were, as reported.
    pub cores: &'a [CpuCore],
    /// For each core the share of the time it ran or waited for its CPU that a quarter of the seconds reached.
    pub occupied: &'a [Option<f64>],
    /// Lateness of requests.
    pub lateness: &'a Latency,
    /// Service times of the requests that succeeded.
    pub service: &'a Latency,
    /// Length of the load window, seconds.
    pub load_s: f64,
    /// Little's law, or why it was not judged.
    pub little: Result<Little, String>,
    /// Of an open run, what was intended and achieved.
    pub open: Option<&'a Arrivals>,
    /// And how its iterations went through the load window.
    pub backlog: Option<Backlog>,
    /// Resources that ran out.
    pub exhausted: &'a [Exhausted],
    /// Cores that broke down.
    pub broken_cores: &'a [usize],
    /// Calls of plugin functions, where there is a plugin.
    pub plugin: Option<&'a Plugin>,
    /// The machine's counters.
    pub system: &'a System,
}

/// The verdict with its reasons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Whether the figures can be trusted.
    pub verdict: Verdict,
    /// What limited the throughput.
    pub limit: Limit,
    /// Why, in sentences with figures; the weightiest first.
    pub reasons: Vec<String>,
    /// What could not be judged.
    pub notes: Vec<String>,
}

/// Lateness p99 above this distorts the latencies, microseconds: 1 ms or 5 % of the service p99, whichever is more.
pub fn lateness_bound_us(service: &Latency) -> u64 {
    LATENESS_FLOOR_US.max((service.p99.unwrap_or(0) as f64 * LATENESS_SHARE) as u64)
}

/// Judges a run by the rules of design section 7.
pub fn judge(facts: &Facts<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let load = Load::of(facts);

    judge_exhaustion(facts, &mut judgement);
    judge_rate(facts, &load, &mut judgement);
    judge_latency(facts, &load, &mut judgement);
    judge_little(facts, &mut judgement);
    judge_broken_cores(facts, &mut judgement);
    judge_limit(facts, &load, &mut judgement);
    say_what_plugins_did(facts, &mut judgement);
    say_what_the_machine_did(facts, &mut judgement);
    judgement
}

/// How the client was doing, digested from the facts.
struct Load {
    /// The busiest core: its place in the list, and its share of running or waiting for the CPU.
    busiest: Option<(usize, f64)>,
    /// Every core's share is known.
    all_known: bool,
    /// Some core is above [`SATURATED_SHARE`].
    saturated: bool,
    lateness_p99_us: u64,
    bound_us: u64,
}

impl Load {
    fn of(facts: &Facts<'_>) -> Self {
        let busiest = facts
            .occupied
            .iter()
            .enumerate()
            .filter_map(|(core, share)| share.map(|share| (core, share)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        Self {
            busiest,
            all_known: !facts.occupied.is_empty() && facts.occupied.iter().all(Option::is_some),
            saturated: busiest.is_some_and(|(_, share)| share > SATURATED_SHARE),
            lateness_p99_us: facts.lateness.p99.unwrap_or(0),
            bound_us: lateness_bound_us(facts.service),
        }
    }

    fn late(&self) -> bool {
        self.lateness_p99_us > self.bound_us
    }
}

impl Judgement {
    fn at_least(&mut self, verdict: Verdict, reason: String) {
        let weight = |v| match v {
            Verdict::Valid => 0,
            Verdict::Degraded => 1,
            Verdict::Invalid => 2,
        };
        if weight(verdict) > weight(self.verdict) {
            self.verdict = verdict;
        }
        self.reasons.push(reason);
    }
}

fn judge_exhaustion(facts: &Facts<'_>, judgement: &mut Judgement) {
    for exhausted in facts.exhausted {
        let what = match exhausted.resource {
            Resource::Ports => "ephemeral ports",
            Resource::Descriptors => "file descriptors",
            Resource::Memory => "memory",
        };
        judgement.at_least(Verdict::Invalid, format!("{what} ran out: {}", exhausted.detail));
    }
}

fn judge_rate(facts: &Facts<'_>, load: &Load, judgement: &mut Judgement) {
    let Some(open) = facts.open else { return };
    if !missed_the_rate(open) {
        return;
    }
    let figures = format!(
        "{} of {} intended arrivals were made ({})",
        open.made_of_intended(),
        open.intended,
        percent(open.made_of_intended() as f64 / open.intended as f64)
    );
    let users = format!("{} of {} users", open.users_peak, open.users_max);
    let waited = open.waited_for_users || open.users_peak >= open.users_max;
    if load.saturated {
        judgement.at_least(Verdict::Invalid, format!("{figures} and a core of the client was saturated"));
    } else if !waited {
        // Somebody was free to make them, so it was not the server that held them up. Those that were dropped have no lateness.
        judgement.limit = Limit::Client;
        let how = if load.late() {
            format!(", and lateness p99 was {} us (bound {} us) with {users} busy", load.lateness_p99_us, load.bound_us)
        } else {
            format!(": the others were dropped or not begun while {users} were busy")
        };
        judgement.at_least(Verdict::Invalid, format!("{figures}{how}"));
    } else if load.all_known {
        judgement.limit = Limit::Server;
        judgement.reasons.push(format!(
            "{figures}: the others waited for users, of which {} of {} were busy, while the client had time to spare; the server \
             did not keep up, or --max-users is too low for the time it takes",
            open.users_peak, open.users_max
        ));
    } else {
        judgement.reasons.push(format!(
            "{figures}: the others waited for users, of which {} of {} were busy",
            open.users_peak, open.users_max
        ));
    }
}

fn missed_the_rate(open: &Arrivals) -> bool {
    open.intended > 0 && (open.made_of_intended() as f64) < open.intended as f64 * ACHIEVED_SHARE && !is_few(open)
}

/// Whether so few arrivals were missed, if any, that a slow run may have had them at its ends.
pub(crate) fn is_few(open: &Arrivals) -> bool {
    let missed = open.intended.saturating_sub(open.made_of_intended());
    missed <= FEW_MISSED && missed as f64 <= open.intended as f64 * FEW_MISSED_SHARE
}

fn judge_latency(facts: &Facts<'_>, load: &Load, judgement: &mut Judgement) {
    let why = match facts.open {
        _ if !load.late() => return,
        _ if load.saturated => "while a core was saturated",
        // What is late in an open run is in its response times. Where arrivals were missed it has been said.
        Some(open) if !missed_the_rate(open) && late_with_users_to_spare(facts, load) => {
            "though no core was saturated and users were to spare"
        }
        _ => return,
    };
    judgement.at_least(
        Verdict::Degraded,
        format!(
            "requests waited in the client: lateness p99 {} us is above {} us {why}; throughput stands, latencies are distorted",
            load.lateness_p99_us, load.bound_us
        ),
    );
}

/// Requests of an open run were late, and too few of its arrivals waited for a user to be the reason.
fn late_with_users_to_spare(facts: &Facts<'_>, load: &Load) -> bool {
    let waited = |open: &Arrivals| open.waited as f64 >= facts.lateness.count as f64 * WAITED_SHARE;
    load.late() && facts.lateness.count >= LATENESS_SAMPLES && facts.open.is_some_and(|open| !waited(open))
}

fn judge_little(facts: &Facts<'_>, judgement: &mut Judgement) {
    match &facts.little {
        Err(why) => judgement.notes.push(format!("Little's law was not judged: {why}")),
        Ok(little) if (little.ratio - 1.0).abs() > LITTLE_TOLERANCE => judgement.at_least(
            Verdict::Degraded,
            format!(
                "Little's law does not hold: {:.1} users were active, but {:.1} iterations/s x {:.0} us make {:.1}",
                little.users,
                little.iterations_per_s,
                little.iteration_mean_us,
                little.users * little.ratio
            ),
        ),
        Ok(_) => {}
    }
}

fn judge_broken_cores(facts: &Facts<'_>, judgement: &mut Judgement) {
    for core in facts.broken_cores {
        judgement.at_least(
            Verdict::Degraded,
            format!("core {core} of the load broke down during the run; its users stopped and its open requests count as abandoned"),
        );
    }
}

fn judge_limit(facts: &Facts<'_>, load: &Load, judgement: &mut Judgement) {
    if !facts.exhausted.is_empty() {
        judgement.limit = Limit::Client;
    }
    if load.saturated {
        judgement.limit = Limit::Client;
        if let Some((core, share)) = load.busiest {
            judgement.reasons.push(saturation(facts, core, share));
        }
        return;
    }
    if !facts.exhausted.is_empty() || judgement.limit == Limit::Server {
        return;
    }
    if facts.service.count == 0 {
        judgement.reasons.push("no request succeeded, so there is no throughput to explain".to_owned());
        return;
    }
    let Some((busiest, share)) = load.busiest.filter(|_| load.all_known) else {
        judgement.notes.push(why_unknown(facts.load_s));
        return;
    };
    if facts.open.is_some_and(missed_the_rate) {
        // What kept it from it has been said.
    } else if let Some(backlog) = facts.backlog.filter(|backlog| backlog.made > 0 && backlog.ended == 0) {
        judgement.reasons.push(format!(
            "the intended rate was reached, but none of {} iterations ended before the stop: make load for longer",
            backlog.made
        ));
    } else if let Some(backlog) = facts.backlog.filter(piles_up) {
        let client_too = late_with_users_to_spare(facts, load);
        if !client_too {
            judgement.limit = Limit::Server;
        }
        judgement.reasons.push(format!(
            "{} arrivals were made and {} iterations ended: {} were under way at the stop, where a load that keeps up has some \
             {:.0}; {}",
            backlog.made,
            backlog.ended,
            backlog.at_stop(),
            backlog.settled().unwrap_or(0.0),
            if client_too { "whether the server fell behind or the client did is unclear" } else { "the server fell behind" }
        ));
    } else if facts.model == Model::Open && late_with_users_to_spare(facts, load) {
        // That requests waited in the client has been said.
    } else if facts.model == Model::Open {
        judgement.reasons.push("the intended rate was reached, so neither side was at its limit".to_owned());
    } else if facts.paced {
        judgement.reasons.push(
            "the load was held back as it was told (rate limit, pacing, think time, rendezvous or pause)".to_owned(),
        );
    } else if load.late() {
        judgement.reasons.push(format!(
            "requests waited in the client (lateness p99 {} us) though no core was above {}",
            load.lateness_p99_us,
            percent(share)
        ));
    } else if facts.plugin_share() >= PLUGIN_MOST {
        judgement.limit = Limit::Client;
        judgement
            .reasons
            .push("the users waited for the plugin's functions longer than for answers of the server".to_owned());
    } else if share < IDLE_SHARE {
        judgement.limit = Limit::Server;
        judgement
            .reasons
            .push(format!("no core of the client was above {}: the users waited for answers", percent(share)));
    } else {
        judgement.reasons.push(neither_idle_nor_saturated(facts, busiest, share));
    }
}

/// The service fell behind by more than an open run may miss of its rate.
fn piles_up(backlog: &Backlog) -> bool {
    backlog.piled_up() > backlog.made as f64 * (1.0 - ACHIEVED_SHARE)
}

/// Why there is no CPU share to go by.
fn why_unknown(load_s: f64) -> String {
    let shortest = SHORTEST_SPAN.as_secs_f64();
    if load_s < shortest {
        let ms = SHORTEST_SPAN.as_millis();
        format!("the load lasted less than {ms} ms, too short to sample the CPU, so the limit is unclear")
    } else {
        "the CPU share of the load's cores could not be read, so the limit is unclear".to_owned()
    }
}

/// The place of a core, and the share of the time its thread ran.
fn ran(facts: &Facts<'_>, core: usize, occupied: f64) -> (String, f64) {
    let seen = facts.cores.get(core);
    let place = seen.and_then(|seen| seen.cpu).map_or_else(|| format!("core {core}"), |cpu| format!("CPU {cpu}"));
    (place, seen.and_then(|seen| seen.share_busy).unwrap_or(occupied))
}

fn neither_idle_nor_saturated(facts: &Facts<'_>, core: usize, occupied: f64) -> String {
    let (place, ran) = ran(facts, core, occupied);
    if ran >= IDLE_SHARE {
        format!("the client's {place} was busy {}, neither idle nor saturated", percent(ran))
    } else {
        format!(
            "the client's {place} ran {} of the time and waited for its CPU {}: something else runs there",
            percent(ran),
            percent((occupied - ran).max(0.0))
        )
    }
}

fn saturation(facts: &Facts<'_>, core: usize, occupied: f64) -> String {
    let (place, ran) = ran(facts, core, occupied);
    if ran > SATURATED_SHARE {
        format!("the client's {place} was busy {}: the client is the limit", percent(ran))
    } else {
        format!(
            "the client's {place} ran {} of the time and waited for its CPU most of the rest: something else runs there",
            percent(ran)
        )
    }
}

impl Facts<'_> {
    /// Share of the iterations' time in calls of plugin functions; 0 where it is not known.
    fn plugin_share(&self) -> f64 {
        self.plugin.and_then(|plugin| plugin.share_of_iterations).unwrap_or(0.0)
    }
}

/// Neither makes a run invalid: calls are no part of a request's time, and those a broken process lost are counted as failed.
fn say_what_plugins_did(facts: &Facts<'_>, judgement: &mut Judgement) {
    let Some(plugin) = facts.plugin else { return };
    let share = facts.plugin_share();
    if share > PLUGIN_SHARE {
        judgement.reasons.push(format!(
            "functions of the plugin took {} of the iterations' time ({} calls): call them less often, in setup_case or the \
             config's variables, or add processes with --plugin-workers",
            percent(share),
            plugin.calls
        ));
    }
    match plugin.restarts() {
        0 => {}
        restarts => judgement.reasons.push(format!(
            "a process of the plugin ended, or was ended as it did not answer in time, and was started anew {}: calls it had \
             failed; --log-level debug shows what it wrote",
            if restarts == 1 { "once".to_owned() } else { format!("{restarts} times") }
        )),
    }
}

fn say_what_the_machine_did(facts: &Facts<'_>, judgement: &mut Judgement) {
    if let Some(share) = facts.system.steal_share.filter(|&share| share > STEAL_WORTH_SAYING) {
        judgement.reasons.push(format!("the hypervisor took {} of the machine's CPU time (steal)", percent(share)));
    }
    if let Some(us) = facts.system.throttled_us.filter(|&us| us > 0) {
        judgement.reasons.push(format!("the cgroup's CPU quota held this process back for {} ms", us.div_ceil(1_000)));
    }
    let bound = facts.service.count as f64 * RETRANSMITS_WORTH_SAYING;
    if let Some(count) = facts.system.tcp_retransmits.filter(|&count| count > 0 && count as f64 > bound) {
        judgement.reasons.push(format!(
            "this machine sent {count} TCP segments again: packets were lost, and those requests waited"
        ));
    }
    if let Some(count) = facts.system.listen_drops.filter(|&count| count > 0) {
        judgement.reasons.push(format!(
            "{count} incoming connections found a full queue on this machine: where the server runs here too, raise its backlog \
             and net.core.somaxconn"
        ));
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
