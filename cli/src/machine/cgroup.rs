//! The CPU quota of the cgroup this process is in: a container with `--cpus 2` on a 64-CPU machine shows all 64 in its
//! affinity mask, yet is stopped once two CPUs' worth of time is used.

use super::SystemFiles;

/// CPUs' worth of time this process may use, or none if nothing bounds it. The least of its cgroup and all above it
/// (cgroup v2, `cpu.max`; version 1, `cpu.cfs_quota_us` over `cpu.cfs_period_us`; Documentation/admin-guide/cgroup-v2).
pub(crate) fn cpu_quota(files: &SystemFiles) -> Option<f64> {
    let membership = files.read("/proc/self/cgroup")?;
    let mut least: Option<f64> = None;
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let quota = if controllers.is_empty() {
            least_of_ancestors(path, |dir| parse_cpu_max(&files.read(&format!("/sys/fs/cgroup{dir}/cpu.max"))?))
        } else if controllers.split(',').any(|controller| controller == "cpu") {
            least_of_ancestors(path, |dir| {
                let file = |name: &str| files.read(&format!("/sys/fs/cgroup/{controllers}{dir}/{name}"));
                parse_cfs(&file("cpu.cfs_quota_us")?, &file("cpu.cfs_period_us")?)
            })
        } else {
            None
        };
        least = min_of(least, quota);
    }
    least
}

/// Asks for the path and each of its parents, the root (an empty path) last. Inside a container's own cgroup namespace
/// the path is `/`, and the root holds the container's limit.
fn least_of_ancestors(path: &str, quota_of: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let mut dir = path.trim_end_matches('/');
    let mut least = quota_of(dir);
    while let Some(slash) = dir.rfind('/') {
        dir = &dir[..slash];
        least = min_of(least, quota_of(dir));
    }
    least
}

fn min_of(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// `cpu.max` holds "max 100000" or "200000 100000": microseconds of each period.
fn parse_cpu_max(text: &str) -> Option<f64> {
    let (quota, period) = text.split_once(' ')?;
    parse_cfs(quota, period)
}

/// A quota of -1 or "max" is none.
fn parse_cfs(quota_us: &str, period_us: &str) -> Option<f64> {
    let quota: f64 = quota_us.trim().parse().ok()?;
    let period: f64 = period_us.trim().parse().ok()?;
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_time_over_period() {
        assert_eq!(parse_cpu_max("200000 100000"), Some(2.0));
        assert_eq!(parse_cpu_max("150000 100000"), Some(1.5));
        assert_eq!(parse_cpu_max("max 100000"), None);
        assert_eq!(parse_cpu_max(""), None);
        assert_eq!(parse_cfs("-1", "100000"), None);
        assert_eq!(parse_cfs("50000", "0"), None);
    }

    #[test]
    fn the_least_of_a_cgroup_and_its_parents_counts() {
        let quotas = |dir: &str| match dir {
            "/a/b" => Some(4.0),
            "/a" => Some(1.5),
            "" => None,
            other => panic!("{other} was not to be asked for"),
        };
        assert_eq!(least_of_ancestors("/a/b", quotas), Some(1.5));
        assert_eq!(least_of_ancestors("/", |dir| dir.is_empty().then_some(2.0)), Some(2.0));
    }

    #[test]
    fn files_of_both_versions_are_read() {
        let root = std::env::temp_dir().join(format!("pummel-cgroup-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n0::/job\n");
        write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "300000\n");
        write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
        let files = SystemFiles::under(&root);
        assert_eq!(cpu_quota(&files), Some(3.0));
        write("sys/fs/cgroup/job/cpu.max", "250000 100000\n");
        assert_eq!(cpu_quota(&files), Some(2.5));
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(cpu_quota(&files), None);
    }
}
