//! The page as a whole: which sections it has, in which order.

use super::{figures, load, samples, sections};
use crate::display::chart;
use crate::display::text::{one_line, wrapped, Paint};
use crate::summary::Summary;

/// Columns sentences are wrapped to: the width of a wide terminal, which the tables need, too.
const COLUMNS: usize = 120;

/// Longest sentence of the verdict shown, characters. They come from this program; the bound is for what they may quote.
const SENTENCE_CHARS_MAX: usize = 1_000;

/// How the report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportOptions {
    /// Failures in red and a coloured verdict; only for a terminal.
    pub colour: bool,
    /// Charts below the tables: rate and p99 over time, and how the latencies lie.
    pub chart: bool,
}

/// The report, each line with its line break. It fits 120 columns where names are short enough.
pub fn report(summary: &Summary, options: ReportOptions) -> String {
    let mut text = Text::new(options);
    sections::title(&mut text, summary);
    load::arrivals(&mut text, summary);
    load::changes(&mut text, summary);
    figures::figures(&mut text, summary);
    if options.chart {
        chart::write(&mut text, summary, chart::CHART_COLUMNS);
    }
    sections::warmup(&mut text, summary);
    sections::errors(&mut text, summary);
    samples::samples(&mut text, summary);
    sections::thresholds(&mut text, summary);
    sections::wire(&mut text, summary);
    sections::endpoints(&mut text, summary);
    if summary.was_judged() {
        sections::client(&mut text, summary);
        sections::conservation(&mut text, summary);
    }
    text.into_lines()
}

/// A report as far as it is written.
pub(in crate::display) struct Text {
    written: String,
    pub(in crate::display) paint: Paint,
}

impl Text {
    pub(in crate::display) fn new(options: ReportOptions) -> Self {
        Self { written: String::new(), paint: Paint { colour: options.colour } }
    }

    pub(in crate::display) fn into_lines(self) -> String {
        self.written
    }

    pub(in crate::display) fn line(&mut self, line: &str) {
        self.written.push_str(line);
        self.written.push('\n');
    }

    pub(in crate::display) fn lines(&mut self, lines: &[String]) {
        for line in lines {
            self.line(line);
        }
    }

    /// An empty line and a heading, which begins a section.
    pub(in crate::display) fn heading(&mut self, heading: &str) {
        self.line("");
        let heading = self.paint.bold(heading);
        self.line(&heading);
    }

    /// A sentence that stands out, over as many lines as it takes.
    pub(in crate::display) fn title(&mut self, sentence: &str) {
        for line in wrapped(&one_line(sentence, SENTENCE_CHARS_MAX), COLUMNS) {
            let line = self.paint.bold(&line);
            self.line(&line);
        }
    }

    /// A sentence behind a mark, over as many lines as it takes.
    pub(in crate::display) fn sentence(&mut self, mark: &str, sentence: &str) {
        let indent = " ".repeat(mark.len());
        let sentence = one_line(sentence, SENTENCE_CHARS_MAX);
        for (at, line) in wrapped(&sentence, COLUMNS - mark.len()).iter().enumerate() {
            self.line(&format!("{}{line}", if at == 0 { mark } else { &indent }));
        }
    }
}
