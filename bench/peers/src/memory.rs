//! What Pummel keeps in memory, and how that grows with connections and with users.

use crate::{
    bench::{arguments, Bench},
    error::BenchError,
    goals::Verdict,
    nginx::Listener,
    table,
};

/// Long enough for every connection to be open and used several times.
const SECONDS: u64 = 5;
/// What a user of a 4-step case may cost besides its socket, which is the kernel's memory and not ours.
const USER_BYTES_MAX: f64 = 8192.0;
/// What a user with TLS may cost besides its socket.
const TLS_USER_KIB_MAX: f64 = 64.0;
/// Long enough for 4,000 handshakes on a busy machine, and some requests on each connection.
const TLS_SECONDS: u64 = 20;
/// A case of four requests.
const FOUR_STEPS: &str = "scripts/cases/four-steps.yml";

/// The most resident memory at two numbers of something.
struct Slope {
    few: (u32, f64),
    many: (u32, f64),
}

impl Slope {
    fn kib_each(&self) -> f64 {
        (self.many.1 - self.few.1) / f64::from(self.many.0 - self.few.0)
    }

    fn kib_at(&self, number: u32) -> f64 {
        self.many.1 + self.kib_each() * (f64::from(number) - f64::from(self.many.0))
    }

    fn row(&self, name: &str) -> Vec<String> {
        let each = format!("{} bytes", table::count(self.kib_each() * 1024.0));
        let at = |(number, kib): (u32, f64)| format!("{} at {}", table::mib(kib), table::count(f64::from(number)));
        vec![name.into(), at(self.few), at(self.many), each]
    }
}

fn rendered(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut all = vec![["memory", "peak with few", "peak with many", "each"].map(String::from).to_vec()];
    all.extend(rows);
    table::markdown(&all)
}

/// `hit` with 200 and 10,000 connections; 50,000 by the slope between them, for want of descriptors.
pub(crate) fn connections(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    let slope = slope(200, 10_000, |connections| hit(bench, connections))?;
    let mib = |mib: f64| format!("{mib:.1} MiB");
    let verdicts = vec![
        Verdict::at_most("200 connections", slope.few.1 / 1024.0, 40.0, mib),
        Verdict::at_most("10,000 connections", slope.many.1 / 1024.0, 100.0, mib),
        Verdict::at_most("50,000 connections, by the slope", slope.kib_at(50_000) / 1024.0, 400.0, mib),
    ];
    Ok((rendered([slope.row("hit")]), verdicts))
}

/// `boom` of a 4-step case, and `hit` with as many connections to see what of it is the connection.
pub(crate) fn users(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    let case = bench.case_for_nginx(FOUR_STEPS)?.to_string_lossy().into_owned();
    let boom_slope = slope(200, 5000, |users| {
        let (users, seconds) = (users.to_string(), SECONDS.to_string());
        let mut args = arguments(["boom", &case, "--spawn-count", &users, "--spawn-rate", "100000"]);
        args.extend(arguments(["--run-time", &seconds, "--disable-console-output"]));
        peak_kib(bench, args)
    })?;
    let hit_slope = slope(200, 5000, |connections| hit(bench, connections))?;
    let bytes = |bytes: f64| format!("{} bytes", table::count(bytes));
    let what = "a user of a 4-step case, its connection's buffers included";
    let verdict = Verdict::at_most(what, boom_slope.kib_each() * 1024.0, USER_BYTES_MAX, bytes);
    Ok((rendered([boom_slope.row("boom, 4 steps"), hit_slope.row("hit")]), vec![verdict]))
}

/// `hit` over TLS with 200 and 4,000 connections.
pub(crate) fn tls(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    const MANY: u32 = 4000;
    let (url, seconds) = (bench.nginx.base_url_of(Listener::Tls) + "/hello/yangfan", TLS_SECONDS.to_string());
    let mut open = 0;
    let slope = slope(200, MANY, |connections| {
        let args =
            ["hit", &url, "--insecure", "-c", &connections.to_string(), "-d", &seconds, "--connect-timeout", &seconds];
        let ((ran, summary), _) = bench.nginx.serving(|| bench.run_pummel(arguments(args), 2 * TLS_SECONDS, |_| {}))?;
        open = summary.count("/client/connections/peak")?;
        Ok(ran.peak_kib as f64)
    })?;
    let verdicts = vec![
        Verdict::exactly("connections open at once", open, u64::from(MANY)),
        Verdict::at_most("a user with TLS", slope.kib_each(), TLS_USER_KIB_MAX, |kib| format!("{kib:.1} KiB")),
    ];
    Ok((rendered([slope.row("hit, https")]), verdicts))
}

fn slope(few: u32, many: u32, mut peak: impl FnMut(u32) -> Result<f64, BenchError>) -> Result<Slope, BenchError> {
    Ok(Slope { few: (few, peak(few)?), many: (many, peak(many)?) })
}

fn hit(bench: &Bench, connections: u32) -> Result<f64, BenchError> {
    let (url, connections) = (bench.nginx.base_url() + "/hello/yangfan", connections.to_string());
    peak_kib(bench, arguments(["hit", &url, "-c", &connections, "-d", &format!("{SECONDS}s")]))
}

fn peak_kib(bench: &Bench, args: Vec<String>) -> Result<f64, BenchError> {
    // Through `serving`, so that the connections of the run before are gone and their descriptors free.
    let ((ran, _), _) = bench.nginx.serving(|| bench.run_pummel(args, SECONDS, |_| {}))?;
    Ok(ran.peak_kib as f64)
}

#[cfg(test)]
mod tests {
    use super::Slope;

    #[test]
    fn the_slope_goes_through_both_points() {
        // 9,800 connections more take 9,800 KiB more: one KiB each.
        let slope = Slope { few: (200, 1000.0), many: (10_000, 10_800.0) };
        assert!((slope.kib_each() - 1.0).abs() < 1e-9);
        assert!((slope.kib_at(50_000) - 50_800.0).abs() < 1e-6);
    }
}
