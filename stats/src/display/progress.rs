//! The progress line: one line on the terminal that is written over each second, never in a file.

use std::io::{stderr, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::table::arrivals_behind;
use super::units::{clock, percent, whole_us};
use crate::snapshot::Snapshot;

/// The line at the foot of the terminal, on stderr.
pub(super) struct Progress {
    bar: ProgressBar,
    run_time: Option<Duration>,
}

impl Progress {
    /// `None` where stderr is not a terminal. `run_time` is how long load is to be made, if that is known.
    pub(super) fn on_terminal(run_time: Option<Duration>) -> Option<Self> {
        if !stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // `wide_msg` cuts the line to the terminal's width, so it is never more than the one line that is written over.
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            bar.set_style(style);
        }
        Some(Self { bar, run_time })
    }

    /// Shows a second.
    pub(super) fn show(&self, snapshot: &Snapshot) {
        self.bar.set_message(progress_line(snapshot, self.run_time));
    }

    /// Runs `print` with the line out of its way.
    pub(super) fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Users, rate and p99 of the second, arrivals not made and failures so far, time left. Without a run time it says how long it has been going.
fn progress_line(snapshot: &Snapshot, run_time: Option<Duration>) -> String {
    let (point, overall) = (&snapshot.point, &snapshot.overall);
    let elapsed_s = point.t_s + 1;
    let time = match run_time.map(|time| time.as_secs_f64().ceil() as u64) {
        _ if point.drain => "stopping".to_owned(),
        None => format!("{} so far", clock(elapsed_s)),
        Some(total_s) if total_s > elapsed_s => format!("{} left", clock(total_s - elapsed_s)),
        Some(_) => "stopping".to_owned(),
    };
    let time = if point.warmup { format!("warm-up, {time}") } else { time };
    let users = if point.users == 1 { "user" } else { "users" };
    let behind = arrivals_behind(overall).map_or_else(String::new, |behind| format!(" | {behind}"));
    format!(
        "{} {users} | {} req/s{behind} | {} failed ({}) | p99 {} | {time}",
        point.users,
        point.requests,
        overall.failures,
        percent(overall.failures, overall.requests),
        whole_us(point.p99_us),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_second_on_a_line() {
        let of_15s = Some(Duration::from_secs(15));
        let line = |second| progress_line(&sample::snapshot(second), of_15s);
        assert_eq!(line(1), "100 users | 2000 req/s | 8 failed (0.2%) | p99 2.75 ms | 13s left");
        assert_eq!(line(13), "200 users | 2000 req/s | 56 failed (0.2%) | p99 2.75 ms | 1s left");
        assert_eq!(line(14), "200 users | 2000 req/s | 60 failed (0.2%) | p99 2.75 ms | stopping");
    }

    #[test]
    fn arrivals_that_were_not_made_are_shown() {
        let mut behind = sample::snapshot(1);
        (behind.overall.arrivals_missed, behind.overall.arrivals_waiting) = (12, 488);
        let line = progress_line(&behind, None);
        assert!(line.starts_with("100 users | 2000 req/s | 12 MISSED, 488 waiting for a user | 8 failed"), "{line}");
    }

    #[test]
    fn a_run_without_an_end_says_how_long_it_goes() {
        let line = progress_line(&sample::snapshot(90), None);
        assert!(line.ends_with("| 1m31s so far"), "{line}");
    }

    #[test]
    fn a_second_of_the_warmup_says_so() {
        let mut second = sample::snapshot(1);
        second.point.warmup = true;
        let line = progress_line(&second, Some(Duration::from_secs(15)));
        assert!(line.ends_with("| p99 2.75 ms | warm-up, 13s left"), "{line}");
    }

    #[test]
    fn a_second_without_an_answer_has_no_p99() {
        let mut first = sample::snapshot(0);
        first.point.users = 1;
        (first.point.requests, first.point.p99_us) = (0, None);
        first.overall = crate::snapshot::Overall::default();
        let line = progress_line(&first, Some(Duration::from_millis(2_500)));
        assert_eq!(line, "1 user | 0 req/s | 0 failed (0.0%) | p99 - | 2s left");
    }
}
