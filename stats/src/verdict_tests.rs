//! Each rule with figures on both sides of its bound.

use super::*;
use crate::summary::PluginProcesses;

/// Facts of a run that was fine: closed, one core at 50 %, lateness p99 20 us, service p99 10 ms.
struct Run {
    model: Model,
    paced: bool,
    cores: Vec<CpuCore>,
    occupied: Vec<Option<f64>>,
    lateness: Latency,
    service: Latency,
    load_s: f64,
    little: Result<Little, String>,
    open: Option<Arrivals>,
    backlog: Option<Backlog>,
    exhausted: Vec<Exhausted>,
    broken_cores: Vec<usize>,
    plugin: Option<Plugin>,
    system: System,
}

fn p99(us: u64) -> Latency {
    Latency { count: 1000, p99: Some(us), ..Latency::default() }
}

#[allow(clippy::unnecessary_wraps, reason = "it stands where a run that was not judged has an error")]
fn little(ratio: f64) -> Result<Little, String> {
    Ok(Little { users: 200.0, iterations_per_s: 1000.0, iteration_mean_us: 200_000.0 * ratio, ratio })
}

impl Run {
    fn fine() -> Self {
        Self {
            model: Model::Closed,
            paced: false,
            cores: vec![CpuCore { cpu: Some(4), share_busy: Some(0.5), ..CpuCore::default() }],
            occupied: vec![Some(0.5)],
            lateness: p99(20),
            service: p99(10_000),
            load_s: 10.0,
            little: little(1.0),
            open: None,
            backlog: None,
            exhausted: Vec::new(),
            broken_cores: Vec::new(),
            plugin: None,
            system: System::default(),
        }
    }

    fn open(intended: u64, made: u64, users_peak: u64) -> Self {
        let open =
            Arrivals { intended, made, missed: intended - made, users_peak, users_max: 100, ..Arrivals::default() };
        Self { model: Model::Open, open: Some(open), little: Err("open".into()), ..Self::fine() }
    }

    fn busy(mut self, share: f64) -> Self {
        self.cores[0].share_busy = Some(share);
        self.occupied[0] = Some(share);
        self
    }

    fn judge(&self) -> Judgement {
        judge(&Facts {
            model: self.model,
            paced: self.paced,
            cores: &self.cores,
            occupied: &self.occupied,
            lateness: &self.lateness,
            service: &self.service,
            load_s: self.load_s,
            little: self.little.clone(),
            open: self.open.as_ref(),
            backlog: self.backlog,
            exhausted: &self.exhausted,
            broken_cores: &self.broken_cores,
            plugin: self.plugin.as_ref(),
            system: &self.system,
        })
    }

    fn outcome(&self) -> (Verdict, Limit) {
        let judgement = self.judge();
        (judgement.verdict, judgement.limit)
    }
}

#[test]
fn users_that_wait_while_the_client_idles_wait_for_the_server() {
    let judgement = Run::fine().judge();
    assert_eq!((judgement.verdict, judgement.limit), (Verdict::Valid, Limit::Server));
    assert_eq!(judgement.reasons, ["no core of the client was above 50.0 %: the users waited for answers"]);
    assert!(judgement.notes.is_empty());
}

#[test]
fn between_idle_and_saturated_nothing_can_be_told() {
    assert_eq!(Run::fine().busy(0.70).outcome(), (Verdict::Valid, Limit::Unclear));
    assert_eq!(Run::fine().busy(0.85).outcome(), (Verdict::Valid, Limit::Unclear));
    assert_eq!(Run::fine().busy(0.86).outcome(), (Verdict::Valid, Limit::Client));
}

#[test]
fn full_speed_on_a_saturated_core_is_valid_until_requests_are_late() {
    let judgement = Run::fine().busy(0.97).judge();
    assert_eq!((judgement.verdict, judgement.limit), (Verdict::Valid, Limit::Client));
    assert_eq!(judgement.reasons, ["the client's CPU 4 was busy 97.0 %: the client is the limit"]);

    // The bound is the larger of 1 ms and 5 % of the service p99.
    let late = |lateness, service| Run { lateness: p99(lateness), service: p99(service), ..Run::fine().busy(0.97) };
    assert_eq!(late(1_000, 10_000).outcome().0, Verdict::Valid);
    assert_eq!(late(1_001, 10_000).outcome().0, Verdict::Degraded);
    assert_eq!(late(5_000, 100_000).outcome().0, Verdict::Valid);
    assert_eq!(late(5_001, 100_000).outcome().0, Verdict::Degraded);
}

#[test]
fn late_requests_on_an_idle_core_leave_the_limit_unclear() {
    let run = Run { lateness: p99(9_000), ..Run::fine() };
    assert_eq!(run.outcome(), (Verdict::Valid, Limit::Unclear));
}

#[test]
fn a_core_that_ran_little_and_waited_for_its_cpu_was_in_company() {
    let mut run = Run::fine();
    run.occupied[0] = Some(0.8);
    let judgement = run.judge();
    assert_eq!(judgement.limit, Limit::Unclear);
    assert_eq!(
        judgement.reasons,
        ["the client's CPU 4 ran 50.0 % of the time and waited for its CPU 30.0 %: something else runs there"]
    );
    assert_eq!(
        Run::fine().busy(0.8).judge().reasons,
        ["the client's CPU 4 was busy 80.0 %, neither idle nor saturated"]
    );
}

#[test]
fn where_nothing_succeeded_nobody_is_the_limit() {
    let run = Run { service: Latency::default(), ..Run::fine() };
    assert_eq!(run.outcome(), (Verdict::Valid, Limit::Unclear));
    assert_eq!(run.judge().reasons, ["no request succeeded, so there is no throughput to explain"]);
}

#[test]
fn a_run_too_short_to_sample_says_so() {
    let mut run = Run { load_s: 0.011, ..Run::fine() };
    run.occupied[0] = None;
    let note = "the load lasted less than 200 ms, too short to sample the CPU, so the limit is unclear";
    assert_eq!(run.judge().notes, [note]);
    run.load_s = 5.0;
    assert!(run.judge().notes[0].contains("could not be read"));
}

#[test]
fn a_core_that_waits_for_its_cpu_is_saturated_too() {
    let mut run = Run::fine();
    run.occupied[0] = Some(0.95);
    let judgement = run.judge();
    assert_eq!(judgement.limit, Limit::Client);
    assert!(judgement.reasons[0].contains("ran 50.0 % of the time"), "{:?}", judgement.reasons);
}

#[test]
fn the_busiest_core_decides_and_an_unknown_one_leaves_it_open() {
    let mut run = Run::fine();
    run.cores.push(CpuCore { cpu: Some(5), share_busy: Some(0.9), ..CpuCore::default() });
    run.occupied.push(Some(0.9));
    assert_eq!(run.judge().reasons, ["the client's CPU 5 was busy 90.0 %: the client is the limit"]);
    run.occupied[1] = None;
    let judgement = run.judge();
    assert_eq!((judgement.verdict, judgement.limit), (Verdict::Valid, Limit::Unclear));
    assert_eq!(judgement.notes.len(), 1);
}

#[test]
fn pacing_is_nobodys_limit() {
    let run = Run { paced: true, ..Run::fine() };
    assert_eq!(run.outcome(), (Verdict::Valid, Limit::Unclear));
}

#[test]
fn littles_law_may_be_off_by_a_twentieth() {
    for (ratio, verdict) in [
        (1.0, Verdict::Valid),
        (1.049, Verdict::Valid),
        (0.951, Verdict::Valid),
        (1.051, Verdict::Degraded),
        (0.90, Verdict::Degraded),
    ] {
        assert_eq!(Run { little: little(ratio), ..Run::fine() }.outcome().0, verdict, "{ratio}");
    }
    let judgement = Run { little: little(0.90), ..Run::fine() }.judge();
    assert_eq!(
        judgement.reasons[0],
        "Little's law does not hold: 200.0 users were active, but 1000.0 iterations/s x 180000 us make 180.0"
    );
    let judgement = Run { little: Err("too short".into()), ..Run::fine() }.judge();
    assert_eq!(judgement.verdict, Verdict::Valid);
    assert_eq!(judgement.notes, ["Little's law was not judged: too short"]);
}

#[test]
fn an_open_run_is_invalid_only_when_the_client_missed_the_rate() {
    // 99 % of the rate is enough, whatever the client did.
    assert_eq!(Run::open(1000, 990, 50).outcome(), (Verdict::Valid, Limit::Unclear));
    assert_eq!(Run::open(1000, 990, 50).busy(0.9).outcome().0, Verdict::Valid);
    // Less, with a client that had time to spare: the server.
    assert_eq!(Run::open(1000, 989, 100).outcome(), (Verdict::Valid, Limit::Server));
    // Less, on a saturated core.
    assert_eq!(Run::open(1000, 989, 50).busy(0.9).outcome(), (Verdict::Invalid, Limit::Client));
    // Less, late, with users to spare; with none to spare the users were the limit, not the client's clock.
    let late = |users_peak| Run { lateness: p99(2_000), ..Run::open(1000, 989, users_peak) };
    assert_eq!(late(99).outcome(), (Verdict::Invalid, Limit::Client));
    assert_eq!(late(100).outcome(), (Verdict::Valid, Limit::Server));
    // Arrivals that are dropped for being late leave no lateness behind: users that were free say it was the client all the same.
    let dropped = Run::open(1000, 500, 99).judge();
    assert_eq!((dropped.verdict, dropped.limit), (Verdict::Invalid, Limit::Client));
    assert_eq!(
        dropped.reasons,
        ["500 of 1000 intended arrivals were made (50.0 %): the others were dropped or not begun while 99 of 100 users were busy"]
    );
    assert_eq!(
        late(99).judge().reasons,
        ["989 of 1000 intended arrivals were made (98.9 %), and lateness p99 was 2000 us (bound 1000 us) with 99 of 100 users busy"]
    );
}

#[test]
fn a_few_arrivals_of_a_slow_run_may_be_missing() {
    // Up to three, and up to one in ten: where one of 50 is missed, 98 % were made.
    for (intended, made, verdict) in [
        (50, 49, Verdict::Valid),
        (50, 47, Verdict::Valid),
        (50, 46, Verdict::Invalid),
        (10, 9, Verdict::Valid),
        (10, 8, Verdict::Invalid),
        (1, 0, Verdict::Invalid),
        (0, 0, Verdict::Valid),
    ] {
        assert_eq!(Run::open(intended, made, 5).outcome().0, verdict, "{made} of {intended}");
    }
    let reached = "the intended rate was reached, so neither side was at its limit";
    assert_eq!(Run::open(50, 49, 5).judge().reasons, [reached]);
}

#[test]
fn what_was_left_from_the_warmup_is_none_of_the_rate() {
    // 200 waited at the warm-up's end, and 400 at the stop: 80 a second were made of 100, first those that had waited.
    let mut slow = Run::open(1000, 800, 100);
    let open = slow.open.as_mut().unwrap();
    (open.carried, open.missed) = (200, 400);
    let judgement = slow.judge();
    assert_eq!((judgement.verdict, judgement.limit), (Verdict::Valid, Limit::Server));
    assert!(judgement.reasons[0].starts_with("600 of 1000 intended arrivals were made (60.0 %): "), "{judgement:?}");
    // What a service made up for does not hide what it missed later.
    let mut recovered = Run::open(1000, 1_000, 100);
    recovered.open.as_mut().unwrap().carried = 10;
    assert_eq!(recovered.outcome(), (Verdict::Valid, Limit::Unclear));
    recovered.open.as_mut().unwrap().carried = 11;
    assert_eq!(recovered.outcome(), (Verdict::Valid, Limit::Server));
}

#[test]
fn arrivals_that_waited_for_a_user_are_not_the_clients_fault() {
    // One core was out of users though the other was not.
    let mut short = Run::open(1000, 500, 80);
    short.open.as_mut().unwrap().waited_for_users = true;
    let judgement = short.judge();
    assert_eq!((judgement.verdict, judgement.limit), (Verdict::Valid, Limit::Server));
    assert_eq!(
        judgement.reasons,
        ["500 of 1000 intended arrivals were made (50.0 %): the others waited for users, of which 80 of 100 were busy, while the \
          client had time to spare; the server did not keep up, or --max-users is too low for the time it takes"]
    );
    // What the client did is not known: nothing is claimed.
    short.occupied[0] = None;
    let judgement = short.judge();
    assert_eq!((judgement.verdict, judgement.limit), (Verdict::Valid, Limit::Unclear));
    assert_eq!(
        judgement.reasons,
        ["500 of 1000 intended arrivals were made (50.0 %): the others waited for users, of which 80 of 100 were busy"]
    );
}

#[test]
fn a_server_that_falls_behind_is_the_limit_though_each_arrival_was_made() {
    // 2,000/s for 5 s on a server that does 1,000/s: those that ended took 1.25 s on average.
    let backlog = Backlog {
        made: 10_000,
        ended: 5_000,
        mean_us: Some(1_250_000.0),
        at_start: 0,
        requests_at_stop: 5_000,
        peak_per_s: 2_000.0,
    };
    let with = |backlog| Run { backlog: Some(backlog), ..Run::open(10_000, 10_000, 80) };
    let judgement = with(backlog).judge();
    assert_eq!((judgement.verdict, judgement.limit), (Verdict::Valid, Limit::Server));
    assert_eq!(
        judgement.reasons,
        ["10000 arrivals were made and 5000 iterations ended: 5000 were under way at the stop, where a load that keeps up has some \
          2500; the server fell behind"]
    );

    // 2,500 and 1 + 3 x 70.7 by chance are no pile; nor is what is within 1 % of the arrivals beyond that.
    assert_eq!(with(Backlog { ended: 7_187, ..backlog }).outcome(), (Verdict::Valid, Limit::Unclear));
    assert_eq!(with(Backlog { ended: 7_186, ..backlog }).outcome(), (Verdict::Valid, Limit::Server));

    // What the client did is not known, or it was saturated: then it is not the server's.
    let mut unknown = with(backlog);
    unknown.occupied[0] = None;
    assert_eq!(unknown.outcome(), (Verdict::Valid, Limit::Unclear));
    assert_eq!(with(backlog).busy(0.9).outcome(), (Verdict::Valid, Limit::Client));

    // Where the client was late, too, nobody can tell.
    let late = Run { lateness: p99(9_000), ..with(backlog) }.judge();
    assert_eq!((late.verdict, late.limit), (Verdict::Degraded, Limit::Unclear));
    assert!(
        late.reasons[1].ends_with("whether the server fell behind or the client did is unclear"),
        "{:?}",
        late.reasons
    );

    let none = with(Backlog { ended: 0, mean_us: None, ..backlog }).judge();
    assert_eq!(none.limit, Limit::Unclear);
    assert!(none.reasons[0].contains("none of 10000 iterations ended"), "{:?}", none.reasons);
}

#[test]
fn a_stall_of_the_client_in_an_open_run_degrades_what_it_made_late() {
    let late = |lateness| Run { lateness: p99(lateness), ..Run::open(1_000, 1_000, 50) };
    assert_eq!(late(1_000).outcome(), (Verdict::Valid, Limit::Unclear));
    let judgement = late(1_001).judge();
    assert_eq!((judgement.verdict, judgement.limit), (Verdict::Degraded, Limit::Unclear));
    assert_eq!(
        judgement.reasons,
        ["requests waited in the client: lateness p99 1001 us is above 1000 us though no core was saturated and users were to \
          spare; throughput stands, latencies are distorted"]
    );

    // One in a hundred waited for a user: that is what the p99 shows.
    let mut waited = late(1_001);
    waited.open.as_mut().unwrap().waited = 10;
    assert_eq!(waited.outcome(), (Verdict::Valid, Limit::Unclear));
    waited.open.as_mut().unwrap().waited = 9;
    assert_eq!(waited.outcome().0, Verdict::Degraded);

    // The latest of a few says nothing.
    let mut few = late(9_000);
    few.lateness.count = 999;
    assert_eq!(few.outcome().0, Verdict::Valid);
    few.lateness.count = 1_000;
    assert_eq!(few.outcome().0, Verdict::Degraded);
}

#[test]
fn what_ran_out_makes_a_run_invalid() {
    let exhausted = vec![Exhausted { resource: Resource::Ports, detail: "use --connections shared".into() }];
    let judgement = Run { exhausted, ..Run::fine() }.judge();
    assert_eq!((judgement.verdict, judgement.limit), (Verdict::Invalid, Limit::Client));
    assert_eq!(judgement.reasons, ["ephemeral ports ran out: use --connections shared"]);
}

#[test]
fn a_broken_core_degrades() {
    let judgement = Run { broken_cores: vec![1], ..Run::fine() }.judge();
    assert_eq!(judgement.verdict, Verdict::Degraded);
    assert!(judgement.reasons[0].starts_with("core 1 of the load broke down"));
}

#[test]
fn the_machines_part_is_said_and_changes_no_verdict() {
    let system = System { steal_share: Some(0.07), throttled_us: Some(1_500), ..System::default() };
    let judgement = Run { system, ..Run::fine() }.judge();
    assert_eq!(judgement.verdict, Verdict::Valid);
    assert_eq!(
        judgement.reasons[1..],
        [
            "the hypervisor took 7.0 % of the machine's CPU time (steal)",
            "the cgroup's CPU quota held this process back for 2 ms"
        ]
    );
}

#[test]
fn lost_packets_and_full_queues_are_said() {
    let fine = Run::fine();
    let (bound, waited) = (fine.service.count / 1_000, fine.judge().reasons);
    let with = |retransmits, drops| {
        let system = System { tcp_retransmits: Some(retransmits), listen_drops: Some(drops), ..System::default() };
        Run { system, ..Run::fine() }.judge()
    };
    assert_eq!(with(bound, 0).reasons, waited, "one in a thousand is the end of connections");
    let lost = with(bound + 1, 3);
    assert_eq!(lost.verdict, Verdict::Valid);
    assert!(lost.reasons[1].contains("TCP segments again: packets were lost"), "{:?}", lost.reasons);
    assert!(lost.reasons[2].starts_with("3 incoming connections found a full queue"), "{:?}", lost.reasons);
}

fn calling(share: f64, restarts: u64) -> Run {
    let processes = vec![PluginProcesses { workers: 1, restarts, ..PluginProcesses::default() }];
    let plugin = Plugin { calls: 500, share_of_iterations: Some(share), processes, ..Plugin::default() };
    Run { plugin: Some(plugin), ..Run::fine() }
}

#[test]
fn functions_that_take_long_and_processes_that_break_down_are_told_and_leave_the_run_valid() {
    let waited = "no core of the client was above 50.0 %: the users waited for answers";
    assert_eq!(calling(0.2, 0).judge().reasons, [waited]);

    let third = calling(0.34, 0).judge();
    assert_eq!((third.verdict, third.limit), (Verdict::Valid, Limit::Server));
    assert_eq!(
        third.reasons,
        [
            waited,
            "functions of the plugin took 34.0 % of the iterations' time (500 calls): call them less often, in setup_case or \
             the config's variables, or add processes with --plugin-workers",
        ]
    );

    let most = calling(0.5, 0).judge();
    assert_eq!((most.verdict, most.limit), (Verdict::Valid, Limit::Client));
    assert_eq!(most.reasons[0], "the users waited for the plugin's functions longer than for answers of the server");

    let restarts = |restarts| calling(0.0, restarts).judge().reasons.pop().unwrap();
    assert_eq!(
        restarts(1),
        "a process of the plugin ended, or was ended as it did not answer in time, and was started anew once: calls it had \
         failed; --log-level debug shows what it wrote"
    );
    assert!(restarts(7).contains(" started anew 7 times: "), "{}", restarts(7));

    let unknown = Run { plugin: Some(Plugin::default()), ..Run::fine() };
    assert_eq!(unknown.judge().reasons, [waited]);
}
