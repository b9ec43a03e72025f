//! What a tool says about its own run, read from the text it prints. Whatever cannot be found is simply not known.

use serde_json::Value;

/// A tool's own figures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Said {
    /// Requests finished.
    pub(crate) requests: Option<f64>,
    /// Requests per second.
    pub(crate) rps: Option<f64>,
    /// Half of the requests took no longer.
    pub(crate) p50_us: Option<f64>,
    /// All but one in a hundred took no longer.
    pub(crate) p99_us: Option<f64>,
}

/// Pummel's summary (`--json`, schema `pummel.summary/1`).
pub(crate) fn pummel(json: &str) -> Said {
    let at = pointers(json);
    Said {
        requests: at("/totals/requests"),
        rps: at("/totals/rps"),
        p50_us: at("/totals/service_us/p50"),
        p99_us: at("/totals/service_us/p99"),
    }
}

/// The line of `examples/bare_loop`.
pub(crate) fn bare_loop(stdout: &str) -> Said {
    let at = pointers(stdout);
    Said { requests: at("/requests"), rps: at("/rps"), p50_us: at("/p50_us"), p99_us: at("/p99_us") }
}

/// gcannon with `--json`.
pub(crate) fn gcannon(stdout: &str) -> Said {
    let at = pointers(stdout);
    Said { requests: at("/responses"), rps: at("/rps"), p50_us: at("/latency_us/p50"), p99_us: at("/latency_us/p99") }
}

/// wrk with `--latency`: `  125017 requests in 1.00s, 23.61MB read`, `Requests/sec: 124667.06`, `    50%  469.00us`.
pub(crate) fn wrk(stdout: &str) -> Said {
    let percentile = |name: &str| {
        words(stdout).find_map(|line| (line.len() == 2 && line[0] == name).then(|| with_unit_us(line[1])).flatten())
    };
    Said {
        requests: words(stdout).find_map(|line| match line.as_slice() {
            [count, "requests", "in", ..] => number(count),
            _ => None,
        }),
        rps: after(stdout, "Requests/sec:"),
        p50_us: percentile("50%"),
        p99_us: percentile("99%"),
    }
}

/// ab, and the file of percentiles in ms it writes with `-e`: `50,0.491`.
pub(crate) fn ab(stdout: &str, percentiles: &str) -> Said {
    let percentile = |name: &str| {
        let ms = percentiles.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(','))?;
        Some(ms.trim().parse::<f64>().ok()? * 1000.0)
    };
    Said {
        requests: after(stdout, "Complete requests:"),
        rps: after(stdout, "Requests per second:"),
        p50_us: percentile("50"),
        p99_us: percentile("99"),
    }
}

/// h2load: `finished in 1.01s, 117383.00 req/s, 22.17MB/s`, `requests: 117383 total, 117447 started, 117383 done, ...`. It knows
/// no percentiles.
pub(crate) fn h2load(stdout: &str) -> Said {
    let before = |key: &str, unit: &str| {
        let line = stdout.lines().find_map(|line| line.strip_prefix(key))?;
        line.split(',').find_map(|part| number(part.trim().strip_suffix(unit)?.trim()))
    };
    Said { requests: before("requests:", " done"), rps: before("finished in", " req/s"), ..Said::default() }
}

/// hey and oha: `Requests/sec: 1234.5`, `  50% in 0.0010 secs` or `50.00% in 1.0 ms`, `  [200] 1234 responses`.
pub(crate) fn hey_or_oha(stdout: &str) -> Said {
    let percentile = |wanted: f64| {
        words(stdout).find_map(|line| match line.as_slice() {
            [name, "in", figure, unit] if number(name.strip_suffix('%')?) == Some(wanted) => {
                Some(number(figure)? * unit_us(unit)?)
            }
            _ => None,
        })
    };
    let responses: Vec<f64> = words(stdout)
        .filter_map(|line| match line.as_slice() {
            [status, count, "responses"] if status.starts_with('[') => number(count),
            _ => None,
        })
        .collect();
    Said {
        requests: (!responses.is_empty()).then(|| responses.iter().sum()),
        rps: after(stdout, "Requests/sec:"),
        p50_us: percentile(50.0),
        p99_us: percentile(99.0),
    }
}

/// Numbers of a JSON text by pointer (RFC 6901); none from a text that is not JSON.
fn pointers(json: &str) -> impl Fn(&str) -> Option<f64> {
    let value: Value = serde_json::from_str(json).unwrap_or(Value::Null);
    move |pointer| value.pointer(pointer)?.as_f64()
}

fn words(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect())
}

/// The number behind a key that begins a line.
fn after(text: &str, key: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.trim_start().strip_prefix(key))?;
    number(rest.split_whitespace().next()?)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|figure: &f64| figure.is_finite())
}

/// `469.00us`, `1.92ms` or `1.20s` in microseconds.
fn with_unit_us(text: &str) -> Option<f64> {
    let unit_at = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    Some(number(&text[..unit_at])? * unit_us(&text[unit_at..])?)
}

fn unit_us(unit: &str) -> Option<f64> {
    match unit {
        "us" | "µs" => Some(1.0),
        "ms" => Some(1e3),
        "s" | "sec" | "secs" => Some(1e6),
        "m" => Some(60e6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ab, bare_loop, gcannon, h2load, hey_or_oha, pummel, wrk, Said};

    fn said(requests: f64, rps: f64, p50_us: f64, p99_us: f64) -> Said {
        Said { requests: Some(requests), rps: Some(rps), p50_us: Some(p50_us), p99_us: Some(p99_us) }
    }

    #[test]
    fn json_is_read_by_pointer() {
        let summary = r#"{"totals":{"requests":10,"rps":5.5,"service_us":{"p50":400,"p99":900}}}"#;
        assert_eq!(pummel(summary), said(10.0, 5.5, 400.0, 900.0));
        assert_eq!(bare_loop(r#"{"requests":7,"rps":3.5,"p50_us":1,"p99_us":2}"#), said(7.0, 3.5, 1.0, 2.0));
        assert_eq!(gcannon(r#"{"responses":7,"rps":3.5,"latency_us":{"p50":1,"p99":2}}"#), said(7.0, 3.5, 1.0, 2.0));
    }

    #[test]
    fn wrk_prints_units_with_its_latencies() {
        let text = "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   506.01us  452.45us   8.44ms   98.55%\n  \
                    Latency Distribution\n     50%  469.00us\n     99%    1.92ms\n  125017 requests in 1.00s, 23.61MB read\n\
                    Requests/sec: 124667.06\n";
        assert_eq!(wrk(text), said(125_017.0, 124_667.06, 469.0, 1920.0));
    }

    #[test]
    fn ab_keeps_its_percentiles_in_a_file() {
        let text = "Complete requests:      127010\nRequests per second:    127000.98 [#/sec] (mean)\n";
        let file = "Percentage served,Time in ms\n0,0.229\n50,0.500\n99,0.750\n";
        assert_eq!(ab(text, file), said(127_010.0, 127_000.98, 500.0, 750.0));
    }

    #[test]
    fn h2load_knows_no_percentiles() {
        let text = "finished in 1.01s, 117383.00 req/s, 22.17MB/s\n\
                    requests: 117447 total, 117447 started, 117383 done, 117383 succeeded, 0 failed, 0 errored, 0 timeout\n";
        assert_eq!(h2load(text), Said { requests: Some(117_383.0), rps: Some(117_383.0), ..Said::default() });
    }

    #[test]
    fn h2load_prints_alike_whatever_it_speaks() {
        let http2 = "starting benchmark...\nWarm-up phase is over for thread #0.\nTLS Protocol: TLSv1.3\nApplication protocol: h2\n\n\
                     finished in 2.00s, 48029.50 req/s, 3.11MB/s\nrequests: 96059 total, 96159 started, 96059 done, \
                     96059 succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: 96059 2xx, 0 3xx, 0 4xx, 0 5xx\n\
                     traffic: 6.23MB (6532502) total, 4.40MB (4610832) headers (space savings 51.02%), 187.62KB (192118) data\n\
                     time for request:       72us     14.51ms      1.83ms      1.74ms    84.07%\n";
        assert_eq!(h2load(http2), Said { requests: Some(96_059.0), rps: Some(48_029.5), ..Said::default() });
        // A count in place of a time, and a connection for each; some could not be opened.
        let each = "progress: 100% done\n\nfinished in 2.78s, 718.65 req/s, 0B/s\n\
                    requests: 2000 total, 2000 started, 1998 done, 1998 succeeded, 2 failed, 2 errored, 0 timeout\n";
        assert_eq!(h2load(each), Said { requests: Some(1998.0), rps: Some(718.65), ..Said::default() });
    }

    #[test]
    fn hey_and_oha_print_alike() {
        let hey = "  Requests/sec:\t2000.5\n\nLatency distribution:\n  50% in 0.0010 secs\n  99% in 0.0040 secs\n\n\
                   Status code distribution:\n  [200]\t4000 responses\n  [500]\t1 responses\n";
        assert_eq!(hey_or_oha(hey), said(4001.0, 2000.5, 1000.0, 4000.0));
        let oha = "  Requests/sec:\t2000.5\n\nResponse time distribution:\n  50.00% in 1.0 ms\n  99.00% in 4.0 ms\n  99.90% in 9.0 ms\n\n\
                   Status code distribution:\n  [200] 4001 responses\n";
        assert_eq!(hey_or_oha(oha), said(4001.0, 2000.5, 1000.0, 4000.0));
    }

    #[test]
    fn what_is_not_there_is_not_known() {
        for read in [pummel, bare_loop, gcannon, wrk, h2load, hey_or_oha] {
            assert_eq!(read("usage: nothing of the kind"), Said::default());
        }
        assert_eq!(ab("", ""), Said::default());
    }
}
