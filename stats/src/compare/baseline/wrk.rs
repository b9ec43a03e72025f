//! What wrk prints, and wrk2: a table of thread statistics, with `--latency` four percentiles, and the totals.
//!
//! Its latencies are of all responses, whatever their status. A request that met a socket error has no response and is in none of
//! wrk's counts but the errors'; it is counted as failed here.

use super::text::{count, number, time_us};
use super::BaselineError;
use crate::compare::figure::{Figure, Figures};
use crate::compare::measured::{Measured, MeasuredRow};

/// Whether a text is wrk's.
pub(super) fn is_it(text: &str) -> bool {
    text.contains("Requests/sec:") && text.contains(" requests in ")
}

/// Reads the last run of a text.
pub(super) fn read(text: &str) -> Result<Measured, BaselineError> {
    let missing = |what: &str| BaselineError::Incomplete {
        tool: "the output of wrk",
        what: format!("{what} is missing; give all that it printed"),
    };
    let mut run = Run::default();
    for line in text.lines() {
        run.line(line);
    }
    let responses = run.responses.ok_or_else(|| missing("the line \"N requests in TIME\""))?;
    let rps = run.rps.ok_or_else(|| missing("the line \"Requests/sec: N\""))?;
    // Time-outs are responses that came late.
    let without_response = run.socket_errors;
    let requests = responses.saturating_add(without_response);
    let failures = run.bad_status.saturating_add(without_response).saturating_add(run.timeouts).min(requests);
    let mut figures = run.figures;
    figures.set(Figure::Rps, rps);
    figures.set_failures(failures, requests);
    let all = MeasuredRow { requests, failures, samples: responses, figures, ..MeasuredRow::default() };
    Ok(Measured { all, ..Measured::default() })
}

/// One run as far as it is read.
#[derive(Default)]
struct Run {
    responses: Option<u64>,
    rps: Option<f64>,
    bad_status: u64,
    socket_errors: u64,
    timeouts: u64,
    figures: Figures,
}

impl Run {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().take(10).collect();
        match words[..] {
            // The output of several runs in one file: the last counts.
            ["Running", _, "test", "@", ..] => *self = Self::default(),
            ["Latency", mean, _stdev, max, _within] => {
                self.figures.set(Figure::Mean, time_us(mean));
                self.figures.set(Figure::Max, time_us(max));
            }
            [responses, "requests", "in", ..] => self.responses = count(responses),
            ["Requests/sec:", rps] => self.rps = number(rps),
            ["Non-2xx", "or", "3xx", "responses:", bad] => self.bad_status = count(bad).unwrap_or(0),
            ["Socket", "errors:", "connect", connect, "read", read, "write", write, "timeout", timeout] => {
                let [connect, read, write, timeout] =
                    [connect, read, write, timeout].map(|word| count(word.trim_end_matches(',')).unwrap_or(0));
                self.socket_errors = connect.saturating_add(read).saturating_add(write);
                self.timeouts = timeout;
            }
            [share, time] => self.percentile(share, time),
            _ => {}
        }
    }

    /// `99%  7.62ms`, of wrk2 `99.000%  7.62ms`.
    fn percentile(&mut self, share: &str, time: &str) {
        let Some(percent) = share.strip_suffix('%').and_then(number) else { return };
        let shares = [(50.0, Figure::P50), (90.0, Figure::P90), (95.0, Figure::P95), (99.0, Figure::P99)];
        if let Some((_, figure)) = shares.into_iter().find(|(of, _)| (of - percent).abs() < 1e-9) {
            self.figures.set(figure, time_us(time));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::baseline::read as read_any;
    use crate::compare::baseline::tests::{figures, survives_damage};
    use crate::compare::measured::Source;

    const PLAIN: &str = "\
Running 30s test @ http://127.0.0.1:8080/index.html
  12 threads and 400 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   635.91us    0.89ms  12.92ms   93.69%
    Req/Sec    56.20k     8.07k   62.00k    86.54%
  22464657 requests in 30.00s, 17.76GB read
Requests/sec: 748868.53
Transfer/sec:    606.33MB
";

    const WITH_LATENCY: &str = "\
Running 10s test @ https://example.com/
  2 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    12.50ms    3.20ms   1.02s    90.00%
    Req/Sec   160.00     20.00   200.00     70.00%
  Latency Distribution
     50%   11.80ms
     75%   13.00ms
     90%   15.00ms
     99%  850.00ms
  3200 requests in 10.01s, 50.00MB read
  Socket errors: connect 3, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 4
Requests/sec:    319.68
Transfer/sec:      5.00MB
";

    const WRK2: &str = "\
Running 30s test @ http://127.0.0.1:80/index.html
  2 threads and 100 connections
  Thread calibration: mean lat.: 9747 usec, rate sampling interval: 21 msec
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.46ms    1.93ms  12.34ms   67.66%
    Req/Sec     1.05k     1.12k    2.50k    64.84%
  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%    6.67ms
 75.000%    7.78ms
 90.000%    9.02ms
 99.000%   11.15ms
 99.900%   12.10ms
  60018 requests in 30.00s, 19.81MB read
Requests/sec:   2000.28
Transfer/sec:    676.18KB
";

    survives_damage!(WITH_LATENCY);

    fn all(text: &str) -> MeasuredRow {
        let (source, measured) = read_any(text.as_bytes()).unwrap();
        assert_eq!((source, measured.rows.len()), (Source::Wrk, 0));
        measured.all
    }

    #[test]
    fn without_latency_there_are_no_percentiles() {
        let all = all(PLAIN);
        assert_eq!((all.requests, all.failures), (22_464_657, 0));
        let expected = [Some(748_868.53), Some(0.0), Some(635.91), None, None, None, None, Some(12_920.0)];
        assert_eq!(figures(&all), expected);
    }

    #[test]
    fn with_latency_there_are_those_it_has() {
        let all = all(WITH_LATENCY);
        // 3,200 responses and 4 requests without one; 4 of a bad status, 2 late.
        assert_eq!((all.requests, all.failures, all.samples), (3_204, 10, 3_200));
        let p = [Some(11_800.0), Some(15_000.0), None, Some(850_000.0)];
        let expected = [Some(319.68), Some(0.003_121), Some(12_500.0), p[0], p[1], p[2], p[3], Some(1_020_000.0)];
        assert_eq!(figures(&all), expected);
    }

    #[test]
    fn wrk2_is_read_too_and_the_last_run_of_several() {
        let both = format!("{WITH_LATENCY}{WRK2}");
        let all = all(&both);
        assert_eq!((all.requests, all.failures), (60_018, 0));
        let p = [Some(6_670.0), Some(9_020.0), None, Some(11_150.0)];
        let expected = [Some(2000.28), Some(0.0), Some(6_460.0), p[0], p[1], p[2], p[3], Some(12_340.0)];
        assert_eq!(figures(&all), expected);
    }

    #[test]
    fn what_is_cut_off_says_what_is_missing() {
        let error = read_any(b"  x requests in 1s\nRequests/sec: 5\n").unwrap_err();
        let text =
            "looks like the output of wrk, but the line \"N requests in TIME\" is missing; give all that it printed";
        assert_eq!(error.to_string(), text);
    }
}
