//! The formats of the kernel's files. Each function takes a file's text and gives `None` for anything it does not know.

/// `/proc/<pid>/schedstat` (Documentation/scheduler/sched-stats): time on the CPU and time waiting for it, nanoseconds.
pub(super) fn schedstat(text: &str) -> Option<(u64, u64)> {
    let mut fields = text.split_ascii_whitespace().map(str::parse);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}

/// A named figure after a line's label, such as `tw` in the `TCP:` line of `/proc/net/sockstat`.
pub(super) fn sockstat(text: &str, label: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(':'))?;
    let mut fields = line.split_ascii_whitespace();
    fields.find(|field| *field == name)?;
    fields.next()?.parse().ok()
}

/// A counter of `/proc/net/snmp` or `/proc/net/netstat`: a line of names and a line of figures share their label.
pub(super) fn net_counter(text: &str, label: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(label)?.strip_prefix(':'));
    let (names, figures) = (lines.next()?, lines.next()?);
    let place = names.split_ascii_whitespace().position(|field| field == name)?;
    figures.split_ascii_whitespace().nth(place)?.parse().ok()
}

/// The `cpu` line of `/proc/stat` (proc(5)): steal and the sum of all states, in ticks. Guest time is part of user time
/// and not added again.
pub(super) fn steal(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_ascii_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    Some((*ticks.get(7)?, ticks.iter().sum()))
}

/// Time held back by a CPU quota, microseconds, from a `cpu.stat` of cgroup v2 (`throttled_usec`) or v1
/// (`throttled_time`, nanoseconds).
pub(super) fn throttled_us(text: &str) -> Option<u64> {
    let figure = |name: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?.trim().parse().ok()
    };
    figure("throttled_usec").or_else(|| figure("throttled_time").map(|ns| ns / 1_000))
}

/// Where `cpu.stat` of this process may stand below `/sys/fs/cgroup`, from `/proc/self/cgroup`: the v1 `cpu` hierarchy
/// where there is one, else the v2 one.
pub(super) fn cpu_cgroup(text: &str) -> Option<String> {
    let entries = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let v1 = entries().find(|(controllers, _)| controllers.split(',').any(|c| c == "cpu"));
    let v2 = entries().find(|(controllers, _)| controllers.is_empty());
    match (v1, v2) {
        (Some((controllers, path)), _) => Some(format!("{controllers}/{}", path.trim_matches('/'))),
        (None, Some((_, path))) => Some(path.trim_matches('/').to_owned()),
        (None, None) => None,
    }
}

/// A figure of `/proc/self/status` in kB, as bytes.
pub(super) fn status_bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// How many ports `/proc/sys/net/ipv4/ip_local_port_range` holds.
pub(super) fn port_range_len(text: &str) -> Option<u64> {
    let mut ends = text.split_ascii_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    last.checked_sub(first).map(|width| width + 1)
}

/// How many CPUs a list such as `0,2-3` names.
pub(super) fn cpu_list_len(text: &str) -> Option<u64> {
    text.trim()
        .split(',')
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
            last.checked_sub(first).map(|width| width + 1)
        })
        .sum()
}

/// The first CPU's model in `/proc/cpuinfo`.
pub(super) fn cpu_model(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_and_sockets() {
        assert_eq!(schedstat("2500000000 17000 12\n"), Some((2_500_000_000, 17_000)));
        assert_eq!(schedstat("x 1 2"), None);
        let text = "sockets: used 19\nTCP: inuse 2 orphan 0 tw 31 alloc 2 mem 228\nUDP: inuse 0 mem 0\n";
        assert_eq!(sockstat(text, "TCP", "tw"), Some(31));
        assert_eq!(sockstat(text, "UDP", "tw"), None);
        assert_eq!(sockstat("", "TCP", "tw"), None);
    }

    #[test]
    fn network_counters_are_found_by_name() {
        let text = "Tcp: RtoMin ActiveOpens RetransSegs\nTcp: 200 40 9\nUdp: InDatagrams\nUdp: 5\n";
        assert_eq!(net_counter(text, "Tcp", "RetransSegs"), Some(9));
        assert_eq!(net_counter(text, "Udp", "InDatagrams"), Some(5));
        assert_eq!(net_counter(text, "Tcp", "Missing"), None);
        assert_eq!(net_counter("Tcp: A B\nTcp: 1\n", "Tcp", "B"), None);
    }

    #[test]
    fn steal_is_the_eighth_state() {
        assert_eq!(steal("cpu  100 0 50 800 10 0 20 20 7 0\ncpu0 1 2\n"), Some((20, 1000)));
        assert_eq!(steal("cpu  100 0 50\n"), None);
        assert_eq!(steal("intr 5\n"), None);
    }

    #[test]
    fn both_generations_of_cgroups() {
        assert_eq!(throttled_us("nr_periods 5\nnr_throttled 2\nthrottled_usec 1234\n"), Some(1234));
        assert_eq!(throttled_us("nr_periods 5\nthrottled_time 5000000\n"), Some(5000));
        assert_eq!(throttled_us("usage_usec 1\n"), None);
        assert_eq!(cpu_cgroup("0::/user.slice/x\n").as_deref(), Some("user.slice/x"));
        assert_eq!(cpu_cgroup("0::/\n").as_deref(), Some(""));
        assert_eq!(cpu_cgroup("3:cpuset:/\n2:cpu,cpuacct:/box\n0::/\n").as_deref(), Some("cpu,cpuacct/box"));
        assert_eq!(cpu_cgroup(""), None);
    }

    #[test]
    fn memory_ports_and_cpus() {
        let status = "VmHWM:\t   20480 kB\nVmRSS:\t    1024 kB\nThreads:\t2\n";
        assert_eq!(status_bytes(status, "VmRSS"), Some(1_048_576));
        assert_eq!(status_bytes(status, "Threads"), None);
        assert_eq!(port_range_len("32768\t60999\n"), Some(28_232));
        assert_eq!(port_range_len("5 4"), None);
        assert_eq!(cpu_list_len("0,2-3\n"), Some(3));
        assert_eq!(cpu_list_len("0-a"), None);
        assert_eq!(cpu_model("processor : 0\nmodel name\t: A CPU @ 2 GHz\n").as_deref(), Some("A CPU @ 2 GHz"));
    }
}
