//! The readings of a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{getrlimit, Resource};

use super::{kernel_text, AwakeClock};
use crate::summary::{CpuCore, System};

/// Shares over less than this are mostly the clock tick's own grain, so such a reading waits for the next.
pub(crate) const SHORTEST_SPAN: Duration = Duration::from_millis(200);

/// A share counts as reached when this part of the seconds reached it: a core that is full for a quarter of a run (the
/// time after a long ramp, say) is full.
const REACHED_BY: f64 = 0.25;

/// What a thread had of its CPU.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTime {
    ran: Duration,
    waited: Duration,
    /// Part of `ran`: see [`AwakeClock`].
    awake: Duration,
}

impl CpuTime {
    /// That of the thread that asks; `None` where the kernel does not tell.
    pub(crate) fn own(awake: &AwakeClock) -> Option<Self> {
        cpu_time(Path::new("/proc/thread-self/schedstat"), awake)
    }

    /// What it worked.
    fn busy(&self) -> Duration {
        self.ran.saturating_sub(self.awake)
    }
}

fn cpu_time(path: &Path, awake: &AwakeClock) -> Option<CpuTime> {
    let (ran_ns, waited_ns) = kernel_text::schedstat(&fs::read_to_string(path).ok()?)?;
    let ns = Duration::from_nanos;
    Some(CpuTime { ran: ns(ran_ns), waited: ns(waited_ns), awake: ns(awake.ns()) })
}

/// One core's thread.
#[derive(Default)]
struct CoreThread {
    cpu: Option<u64>,
    /// `None` until the thread said it runs.
    schedstat: Option<PathBuf>,
    awake: AwakeClock,
    /// Spans of the warm-up; what is said of the core leaves them out.
    warmup_spans: usize,
    /// When it was last read, and what it said.
    last: Option<(Instant, CpuTime)>,
    /// Its load has stopped: what it does from there on is no part of it.
    stopped: bool,
    /// Running, less the time it kept awake; one share for each span.
    running: Vec<f32>,
    /// Keeping awake.
    keeping_awake: Vec<f32>,
    /// Waiting for the CPU.
    waiting: Vec<f32>,
}

impl CoreThread {
    fn sample(&mut self, now: Instant) {
        if let Some(read) = self.read().filter(|_| !self.stopped) {
            self.enter(now, read);
        }
    }

    fn enter(&mut self, now: Instant, read: CpuTime) {
        if let Some((then, before)) = self.last {
            let span = now.saturating_duration_since(then);
            if span < SHORTEST_SPAN {
                return;
            }
            let share = |now: Duration, before: Duration| now.saturating_sub(before).div_duration_f32(span).min(1.0);
            self.running.push(share(read.busy(), before.busy()));
            self.keeping_awake.push(share(read.awake, before.awake));
            self.waiting.push(share(read.waited, before.waited));
        }
        self.last = Some((now, read));
    }

    /// What was seen so far is the warm-up's, and a new span begins here.
    fn begin_anew(&mut self, now: Instant) {
        self.warmup_spans = self.running.len();
        self.last = self.read().map(|read| (now, read));
    }

    fn measured(&self) -> (&[f32], &[f32]) {
        (&self.running[self.warmup_spans..], &self.waiting[self.warmup_spans..])
    }

    fn read(&self) -> Option<CpuTime> {
        cpu_time(self.schedstat.as_ref()?, &self.awake)
    }

    fn summary(&self) -> CpuCore {
        let (running, waiting) = self.measured();
        CpuCore {
            cpu: self.cpu,
            share_mean: mean(running),
            share_busy: reached(running.to_vec()),
            share_max: running.iter().copied().reduce(f32::max).map(rounded),
            run_queue_share: mean(waiting),
            share_occupied: self.occupied().map(|share| share.min(1.0)),
            awake_share: mean(&self.keeping_awake[self.warmup_spans.min(self.keeping_awake.len())..]),
        }
    }

    /// Running or waiting, as the verdict looks at it.
    fn occupied(&self) -> Option<f64> {
        let (running, waiting) = self.measured();
        reached(running.iter().zip(waiting).map(|(ran, waited)| ran + waited).collect())
    }
}

/// Shares are good to a tenth of a percent; more digits would claim what a tick cannot give.
fn rounded(share: f32) -> f64 {
    (f64::from(share) * 1000.0).round() / 1000.0
}

fn mean(shares: &[f32]) -> Option<f64> {
    (!shares.is_empty())
        .then(|| rounded((shares.iter().map(|&s| f64::from(s)).sum::<f64>() / shares.len() as f64) as f32))
}

/// The share that [`REACHED_BY`] of the samples reached or passed.
fn reached(mut shares: Vec<f32>) -> Option<f64> {
    shares.sort_by(|a, b| b.total_cmp(a));
    let rank = (shares.len() as f64 * REACHED_BY).ceil() as usize;
    shares.get(rank.checked_sub(1)?).copied().map(rounded)
}

/// The machine's counters at one moment.
#[derive(Clone, Copy, Default)]
struct Counters {
    retransmits: Option<u64>,
    listen_drops: Option<u64>,
    listen_overflows: Option<u64>,
    /// Steal and all ticks.
    steal: Option<(u64, u64)>,
    throttled_us: Option<u64>,
}

/// Samples the cores' threads and the machine.
pub(crate) struct Sampler {
    cores: Vec<CoreThread>,
    load_stopped: bool,
    cpu_stat: Option<PathBuf>,
    first: Counters,
    last: Counters,
    time_wait: Option<u64>,
    time_wait_max: Option<u64>,
    /// Descriptors open before the load, for kernels that do not give their number away cheaply.
    descriptors_before: Option<u64>,
    descriptors_max: Option<u64>,
    resident_bytes: Option<u64>,
    resident_peak_bytes: Option<u64>,
}

impl Sampler {
    pub(crate) fn new(cores: usize) -> Self {
        let cgroup = fs::read_to_string("/proc/self/cgroup").ok().as_deref().and_then(kernel_text::cpu_cgroup);
        let mut sampler = Self {
            cores: std::iter::repeat_with(CoreThread::default).take(cores).collect(),
            load_stopped: false,
            cpu_stat: cgroup.map(|path| PathBuf::from("/sys/fs/cgroup").join(path).join("cpu.stat")),
            first: Counters::default(),
            last: Counters::default(),
            time_wait: None,
            time_wait_max: None,
            descriptors_before: fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64),
            descriptors_max: None,
            resident_bytes: None,
            resident_peak_bytes: None,
        };
        sampler.first = sampler.counters();
        sampler.last = sampler.first;
        sampler
    }

    /// What a core adds here is left out of its share.
    pub(crate) fn leave_out(&mut self, core: usize, awake: AwakeClock) {
        self.cores[core].awake = awake;
    }

    /// Samples this thread as core `core` from now on.
    pub(crate) fn watch(&mut self, core: usize, cpu: Option<usize>, tid: u32) {
        let Some(thread) = self.cores.get_mut(core) else { return };
        thread.cpu = cpu.map(|cpu| cpu as u64);
        thread.schedstat = Some(format!("/proc/self/task/{tid}/schedstat").into());
        thread.sample(Instant::now());
    }

    /// Takes one reading of everything.
    pub(crate) fn sample(&mut self, connections_open: u64) {
        let now = Instant::now();
        if !self.load_stopped {
            self.cores.iter_mut().for_each(|core| core.sample(now));
        }
        self.last = self.counters();
        self.time_wait =
            fs::read_to_string("/proc/net/sockstat").ok().and_then(|text| kernel_text::sockstat(&text, "TCP", "tw"));
        self.time_wait_max = self.time_wait_max.max(self.time_wait);
        self.descriptors_max = self.descriptors_max.max(self.descriptors(connections_open));
    }

    /// The warm-up is over: the cores' shares, steal and throttling begin anew, for the verdict is about what is measured. The
    /// network's counters go on, as the connections do.
    pub(crate) fn warmup_ended(&mut self) {
        let now = Instant::now();
        self.cores.iter_mut().for_each(|core| core.begin_anew(now));
        self.last = self.counters();
        (self.first.steal, self.first.throttled_us) = (self.last.steal, self.last.throttled_us);
    }

    /// A core's load stopped, and so much its thread had had by then. It tells itself, as it may be gone before anybody looks.
    pub(crate) fn core_stopped(&mut self, core: usize, at: Instant, read: CpuTime) {
        let Some(thread) = self.cores.get_mut(core) else { return };
        if !thread.stopped && !self.load_stopped {
            thread.enter(at, read);
        }
        thread.stopped = true;
    }

    /// The load stops: one more reading, and the cores' shares are complete.
    pub(crate) fn load_stopped(&mut self, connections_open: u64) {
        if !self.load_stopped {
            self.sample(connections_open);
            self.load_stopped = true;
        }
    }

    /// The last reading of a run.
    pub(crate) fn finish(&mut self) {
        self.last = self.counters();
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            self.resident_bytes = kernel_text::status_bytes(&status, "VmRSS");
            self.resident_peak_bytes = kernel_text::status_bytes(&status, "VmHWM");
        }
    }

    /// Share of the busiest core in the last span.
    pub(crate) fn cpu_share_max(&self) -> Option<f64> {
        self.cores.iter().filter_map(|core| core.running.last().copied()).reduce(f32::max).map(rounded)
    }

    /// Sockets in TIME_WAIT at the last sample.
    pub(crate) fn time_wait(&self) -> Option<u64> {
        self.time_wait
    }

    /// How busy each core was, and the share it was running or waiting for its CPU.
    pub(crate) fn cores(&self) -> (Vec<CpuCore>, Vec<Option<f64>>) {
        (self.cores.iter().map(CoreThread::summary).collect(), self.cores.iter().map(CoreThread::occupied).collect())
    }

    /// The machine's counters over the run.
    pub(crate) fn system(&self) -> System {
        let (first, last) = (&self.first, &self.last);
        let grown = |last: Option<u64>, first: Option<u64>| Some(last?.saturating_sub(first?));
        let steal_share = match (first.steal, last.steal) {
            (Some((stolen_before, ticks_before)), Some((stolen, ticks))) if ticks > ticks_before => {
                Some(rounded((stolen.saturating_sub(stolen_before)) as f32 / (ticks - ticks_before) as f32))
            }
            _ => None,
        };
        System {
            time_wait_max: self.time_wait_max,
            descriptors_max: self.descriptors_max,
            descriptors_limit: getrlimit(Resource::Nofile).current,
            ports: fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
                .ok()
                .and_then(|text| kernel_text::port_range_len(&text)),
            tcp_retransmits: grown(last.retransmits, first.retransmits),
            listen_drops: grown(last.listen_drops, first.listen_drops),
            listen_overflows: grown(last.listen_overflows, first.listen_overflows),
            steal_share,
            throttled_us: grown(last.throttled_us, first.throttled_us),
        }
    }

    /// Resident memory at the end and at its peak, bytes.
    pub(crate) fn resident_bytes(&self) -> (Option<u64>, Option<u64>) {
        (self.resident_bytes, self.resident_peak_bytes)
    }

    /// What could not be read, in sentences.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut missing = |is_missing: bool, note: &str| {
            if is_missing {
                notes.push(note.to_owned());
            }
        };
        missing(self.last.retransmits.is_none(), "TCP retransmits are unknown: /proc/net/snmp cannot be read");
        missing(self.last.listen_drops.is_none(), "listen drops are unknown: /proc/net/netstat cannot be read");
        missing(self.last.steal.is_none(), "steal time is unknown: /proc/stat cannot be read");
        missing(self.last.throttled_us.is_none(), "CPU throttling is unknown: this process has no cgroup cpu.stat");
        notes
    }

    fn counters(&self) -> Counters {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (snmp, netstat) = (text("/proc/net/snmp"), text("/proc/net/netstat"));
        Counters {
            retransmits: kernel_text::net_counter(&snmp, "Tcp", "RetransSegs"),
            listen_drops: kernel_text::net_counter(&netstat, "TcpExt", "ListenDrops"),
            listen_overflows: kernel_text::net_counter(&netstat, "TcpExt", "ListenOverflows"),
            steal: kernel_text::steal(&text("/proc/stat")),
            throttled_us: self
                .cpu_stat
                .as_ref()
                .and_then(|path| fs::read_to_string(path).ok())
                .and_then(|text| kernel_text::throttled_us(&text)),
        }
    }

    /// Descriptors this process has open. Kernels from 6.2 on say so in the size of the directory; before, listing
    /// thousands each second would cost more than it tells, so the sockets are added to what was open before the load.
    fn descriptors(&self, connections_open: u64) -> Option<u64> {
        let listed = fs::metadata("/proc/self/fd").ok().map(|directory| directory.len()).filter(|&count| count > 0);
        listed.or_else(|| Some(self.descriptors_before? + connections_open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_a_quarter_of_the_seconds_reached() {
        assert_eq!(reached(vec![]), None);
        assert_eq!(reached(vec![0.5]), Some(0.5));
        assert_eq!(reached(vec![0.1, 0.9, 0.2, 0.3]), Some(0.9));
        assert_eq!(reached(vec![0.1, 0.9, 0.2, 0.8, 0.3]), Some(0.8));
        assert_eq!(mean(&[0.25, 0.75]), Some(0.5));
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn a_core_is_occupied_while_it_runs_or_waits() {
        // In one second of four both are high: a quarter of the seconds reached 0.5 + 0.45, and the mean wait is 0.12.
        let core = CoreThread {
            running: vec![0.2, 0.5, 0.3, 0.4],
            waiting: vec![0.01, 0.45, 0.01, 0.01],
            keeping_awake: vec![0.0; 4],
            ..CoreThread::default()
        };
        let seen = core.summary();
        assert_eq!((seen.share_busy, seen.run_queue_share, seen.share_occupied), (Some(0.5), Some(0.12), Some(0.95)));
        assert_eq!(seen.share_occupied, core.occupied());
    }

    #[test]
    fn a_core_nobody_announced_is_unknown() {
        let mut sampler = Sampler::new(1);
        sampler.sample(0);
        let (cores, occupied) = sampler.cores();
        assert_eq!(cores, [CpuCore::default()]);
        assert_eq!(occupied, [None]);
        assert_eq!(sampler.cpu_share_max(), None);
    }

    #[test]
    fn a_thread_that_does_not_exist_is_unknown_and_no_error() {
        let mut sampler = Sampler::new(1);
        sampler.watch(0, Some(7), u32::MAX);
        sampler.watch(5, None, 1);
        sampler.sample(0);
        let (cores, _) = sampler.cores();
        assert_eq!((cores[0].cpu, cores[0].share_mean), (Some(7), None));
    }

    #[test]
    fn a_thread_that_runs_has_a_share_until_the_load_stops() {
        let mut sampler = Sampler::new(1);
        sampler.watch(0, Some(1), rustix::thread::gettid().as_raw_pid() as u32);
        std::thread::sleep(SHORTEST_SPAN);
        sampler.load_stopped(0);
        std::thread::sleep(SHORTEST_SPAN);
        sampler.sample(0);
        let readable = fs::metadata("/proc/self/schedstat").is_ok();
        assert_eq!(sampler.cores[0].running.len(), usize::from(readable));
        let (cores, occupied) = sampler.cores();
        assert_eq!(cores[0].share_mean.is_some(), readable);
        assert!(occupied[0].is_none_or(|share| (0.0..=2.0).contains(&share)));
    }

    #[test]
    fn shares_of_the_warmup_are_left_out() {
        let mut sampler = Sampler::new(1);
        sampler.watch(0, Some(1), rustix::thread::gettid().as_raw_pid() as u32);
        let core = &mut sampler.cores[0];
        (core.running, core.waiting) = (vec![1.0, 1.0], vec![0.0, 0.0]);
        sampler.warmup_ended();
        let core = &mut sampler.cores[0];
        assert_eq!((core.summary().share_mean, core.occupied()), (None, None));
        core.running.extend([0.25, 0.5]);
        core.waiting.extend([0.25, 0.25]);
        let summary = core.summary();
        assert_eq!(
            (summary.share_mean, summary.share_max, summary.run_queue_share),
            (Some(0.375), Some(0.5), Some(0.25))
        );
        assert_eq!(core.occupied(), Some(0.75));
    }

    #[test]
    fn a_thread_that_is_gone_has_told_what_it_did() {
        let mut sampler = Sampler::new(1);
        let begun = Instant::now();
        let tid = rustix::thread::gettid().as_raw_pid() as u32;
        sampler.watch(0, Some(1), tid);
        let Some(before) = sampler.cores[0].last.map(|(_, read)| read) else { return };
        let (stopped, half) = (begun + Duration::from_secs(10), Duration::from_secs(5));
        let read = CpuTime { ran: before.ran + half, waited: before.waited + half / 2, awake: half / 5 };
        sampler.core_stopped(0, stopped, read);
        sampler.load_stopped(0);
        let (cores, occupied) = sampler.cores();
        // 5 s of 10, of which it kept awake for one.
        assert_eq!((cores[0].share_mean, cores[0].awake_share), (Some(0.4), Some(0.1)));
        assert_eq!((cores[0].run_queue_share, occupied[0]), (Some(0.25), Some(0.65)));
    }

    #[test]
    fn what_this_machine_says_is_within_bounds() {
        let mut sampler = Sampler::new(0);
        sampler.sample(3);
        sampler.finish();
        let system = sampler.system();
        assert!(system.steal_share.is_none_or(|share| (0.0..=1.0).contains(&share)));
        assert!(system.descriptors_max.is_none_or(|count| count > 0));
        let (resident, peak) = sampler.resident_bytes();
        assert!(resident.zip(peak).is_none_or(|(now, peak)| now <= peak));
    }
}
