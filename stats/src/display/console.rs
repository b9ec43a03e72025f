//! The console: interval tables and a progress line while the load runs, the report at the end.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::progress::Progress;
use super::report::{report, ReportOptions};
use super::table::{Interval, State, TABLE_EVERY_S};
use crate::output::{Delivery, Output, OutputSpec};
use crate::snapshot::Snapshot;
use crate::summary::Summary;

/// What the console shows, and where.
pub struct ConsoleOptions {
    /// Every [`TABLE_EVERY_S`] seconds hrp's table, to `out`.
    pub interval_table: bool,
    /// A progress line on stderr, if that is a terminal; nothing otherwise.
    pub progress: bool,
    /// Colours in the report; only if `out` is a terminal.
    pub colour: bool,
    /// Charts in the report.
    pub chart: bool,
    /// Where tables and the report go.
    pub out: Box<dyn Write + Send>,
    /// How long load is to be made, for the time left; `None` where that is open.
    pub run_time: Option<Duration>,
}

/// An output for people. Live texts may be skipped when the reader lags; the report never is.
pub struct Console {
    /// `None` after it has failed: what is left is for nobody.
    out: Option<Box<dyn Write + Send>>,
    interval_table: bool,
    report: ReportOptions,
    progress: Option<Progress>,
    interval: Interval,
    latest: Option<Arc<Snapshot>>,
}

impl Console {
    /// A console that has shown nothing yet.
    pub fn new(options: ConsoleOptions) -> Self {
        let ConsoleOptions { interval_table, progress, colour, chart, out, run_time } = options;
        Self {
            out: Some(out),
            interval_table,
            report: ReportOptions { colour, chart },
            progress: progress.then(|| Progress::on_terminal(run_time)).flatten(),
            interval: Interval::default(),
            latest: None,
        }
    }

    /// The console as one of a collector's outputs.
    pub fn into_spec(self) -> OutputSpec {
        OutputSpec { name: "console".to_owned(), delivery: Delivery::MaySkip, output: Box::new(self) }
    }

    /// A table holds seconds of the warm-up or measured ones: the first of these ends the table of those.
    fn end_warmup(&mut self, next: &Snapshot) {
        let last = self.latest.take_if(|latest| latest.point.warmup && !next.point.warmup);
        if let Some(last) = last.filter(|_| !self.interval.is_empty()) {
            self.print_interval(&last, State::WarmUp);
        }
    }

    fn print_interval(&mut self, latest: &Snapshot, state: State) {
        let text = std::mem::take(&mut self.interval).render(latest, state, SystemTime::now());
        // Tables follow each other for minutes; an empty line keeps them apart.
        self.print(&format!("{text}\n"));
    }

    fn print(&mut self, text: &str) {
        let Some(out) = &mut self.out else { return };
        let mut write = || out.write_all(text.as_bytes()).and_then(|()| out.flush());
        let written = match &self.progress {
            Some(progress) => progress.aside(write),
            None => write(),
        };
        if let Err(error) = written {
            self.out = None;
            if error.kind() != io::ErrorKind::BrokenPipe {
                // Where stderr is gone as well there is nobody left to tell.
                let _ = writeln!(io::stderr(), "warning: tables and report end here, they cannot be written: {error}");
            }
        }
    }
}

impl Output for Console {
    fn snapshot(&mut self, snapshot: &Arc<Snapshot>) {
        if let Some(progress) = &self.progress {
            progress.show(snapshot);
        }
        if self.interval_table {
            self.end_warmup(snapshot);
            self.interval.add(snapshot);
            let point = &snapshot.point;
            if !point.drain && (point.t_s + 1).is_multiple_of(TABLE_EVERY_S) {
                self.print_interval(snapshot, if point.warmup { State::WarmUp } else { State::Running });
            }
        }
        self.latest = Some(Arc::clone(snapshot));
    }

    fn finish(&mut self, summary: &Arc<Summary>) {
        if let Some(progress) = self.progress.take() {
            progress.clear();
        }
        if let Some(latest) = self.latest.take().filter(|_| !self.interval.is_empty()) {
            self.print_interval(&latest, State::Stopped);
        }
        self.print(&report(summary, self.report));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::sample;

    /// Keeps what is written; fails once `room` bytes are full.
    #[derive(Clone)]
    struct Paper {
        text: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl Paper {
        fn new(room: usize) -> Self {
            Self { text: Arc::default(), room }
        }

        fn text(&self) -> String {
            String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut text = self.text.lock().unwrap();
            if text.len() + bytes.len() > self.room {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            text.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn console(paper: &Paper, interval_table: bool) -> Console {
        Console::new(ConsoleOptions {
            interval_table,
            progress: false,
            colour: false,
            chart: false,
            out: Box::new(paper.clone()),
            run_time: None,
        })
    }

    fn play(console: &mut Console, seconds: u64) {
        (0..seconds).for_each(|second| console.snapshot(&Arc::new(sample::snapshot(second))));
        console.finish(&Arc::new(sample::summary()));
    }

    fn states(text: &str) -> Vec<&str> {
        let headers = text.lines().filter(|line| line.starts_with("Current time: "));
        headers.map(|line| line.split("State: ").nth(1).unwrap().split(',').next().unwrap()).collect()
    }

    #[test]
    fn a_table_every_three_seconds_and_one_for_the_rest() {
        let paper = Paper::new(1 << 20);
        play(&mut console(&paper, true), 7);
        assert_eq!(states(&paper.text()), ["running", "running", "stopped"]);
        assert!(paper.text().ends_with(&report(&sample::summary(), ReportOptions::default())));
    }

    #[test]
    fn a_run_of_whole_intervals_has_no_table_for_the_rest() {
        let paper = Paper::new(1 << 20);
        play(&mut console(&paper, true), 6);
        assert_eq!(states(&paper.text()), ["running", "running"]);
    }

    #[test]
    fn the_warmups_end_ends_a_table() {
        let paper = Paper::new(1 << 20);
        let mut console = console(&paper, true);
        for t_s in 0..6 {
            let mut second = sample::snapshot(t_s);
            second.point.warmup = t_s < 4;
            console.snapshot(&Arc::new(second));
        }
        let text = paper.text();
        assert_eq!(states(&text), ["warm-up", "warm-up", "running"]);
        // Seconds 0 to 2, second 3, seconds 4 and 5: 1,000 requests of `hello` in each.
        let hello = text.lines().filter(|line| line.contains("hello"));
        let counts: Vec<_> = hello.map(|line| line.split('|').nth(3).unwrap().trim()).collect();
        assert_eq!(counts, ["3000", "1000", "2000"]);
    }

    #[test]
    fn a_second_that_was_skipped_delays_the_table_and_no_more() {
        let paper = Paper::new(1 << 20);
        let mut console = console(&paper, true);
        for second in [0, 1, 3, 4, 5] {
            console.snapshot(&Arc::new(sample::snapshot(second)));
        }
        let text = paper.text();
        assert_eq!(states(&text), ["running"]);
        // 5 seconds of 1,000 requests.
        let hello: Vec<_> = text.lines().find(|line| line.contains("hello")).unwrap().split('|').collect();
        assert_eq!((hello[3].trim(), hello[10].trim()), ("5000", "1000.00"));
    }

    #[test]
    fn without_tables_there_is_the_report_alone() {
        let paper = Paper::new(1 << 20);
        play(&mut console(&paper, false), 7);
        assert!(paper.text().starts_with("\nSummary: demo\n"));
    }

    #[test]
    fn a_run_without_a_second_is_reported() {
        let paper = Paper::new(1 << 20);
        play(&mut console(&paper, true), 0);
        assert!(paper.text().starts_with("\nSummary: demo\n"));
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_output_and_nothing_else() {
        let paper = Paper::new(2000);
        let mut console = console(&paper, true);
        play(&mut console, 7);
        assert!(console.out.is_none());
        assert_eq!(states(&paper.text()), ["running"]);
    }
}
