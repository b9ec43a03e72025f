//! The files a run is handed on in (`--html`, `--csv`, `--hdr`, `--junit`, `--markdown`): opened before the run, written after it.

use std::io::{self, Write};
use std::path::Path;

use pummel_stats::{
    display::{WholeFile, WholeFileError},
    html::html_report,
    kept::{merged_spans, KeptRun, KeptSecond},
    report_files::{csv, hdr_log, junit, markdown},
    Summary,
};

use crate::{exit, failure::Failure, flags::ReportFileFlags, plan::JsonTarget};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A page with charts.
    Html,
    /// A table of seconds.
    Csv,
    /// An interval log of HdrHistogram.
    Hdr,
    /// JUnit XML.
    Junit,
    /// Markdown for a pull request.
    Markdown,
}

impl Format {
    /// The flag that asks for it.
    fn flag(self) -> &'static str {
        match self {
            Self::Html => "--html",
            Self::Csv => "--csv",
            Self::Hdr => "--hdr",
            Self::Junit => "--junit",
            Self::Markdown => "--markdown",
        }
    }

    /// It is made of the kept seconds, not of the summary alone.
    fn is_of_seconds(self) -> bool {
        matches!(self, Self::Html | Self::Csv | Self::Hdr)
    }
}

/// A file that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedFile {
    /// What it will hold.
    pub(crate) format: Format,
    /// Where it goes.
    pub(crate) target: JsonTarget,
}

/// The files the flags ask for; `json` is where the JSON summary goes.
///
/// # Errors
/// Wrong usage: two of them would go to the same place.
pub(crate) fn planned_files(flags: &ReportFileFlags, json: Option<&JsonTarget>) -> Result<Vec<PlannedFile>, Failure> {
    let asked = [
        (Format::Html, &flags.html),
        (Format::Csv, &flags.csv),
        (Format::Hdr, &flags.hdr),
        (Format::Junit, &flags.junit),
        (Format::Markdown, &flags.markdown),
    ];
    let mut taken: Vec<(&str, JsonTarget)> = json.into_iter().map(|target| ("--json", target.clone())).collect();
    let mut files = Vec::new();
    for (format, path) in asked {
        let Some(target) = path.as_deref().map(JsonTarget::of) else { continue };
        if let Some((other, _)) = taken.iter().find(|(_, other)| *other == target) {
            let place = path.as_deref().map_or_else(String::new, |path: &Path| path.display().to_string());
            return Err(Failure::usage(
                format!("{other} {place} and {} {place}: one would be written over the other", format.flag()),
                "give each a file of its own; one of them may name -, which is stdout",
            ));
        }
        taken.push((format.flag(), target.clone()));
        files.push(PlannedFile { format, target });
    }
    Ok(files)
}

/// Files that can be written, as far as that can be known before the run.
#[derive(Debug)]
pub(crate) struct ReportFiles {
    open: Vec<(Format, WholeFile)>,
}

impl ReportFiles {
    /// Opens them all.
    ///
    /// # Errors
    /// Wrong usage: one cannot be written.
    pub(crate) fn open(planned: &[PlannedFile]) -> Result<Self, Failure> {
        let open = |file: &PlannedFile| match &file.target {
            JsonTarget::Stdout => Ok((file.format, WholeFile::stdout())),
            JsonTarget::File(path) => WholeFile::open(path)
                .map(|open| (file.format, open))
                .map_err(|error| failure(exit::USAGE, file.format, &error)),
        };
        Ok(Self { open: planned.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// Writes those that are made of the summary alone.
    ///
    /// # Errors
    /// The first that could not be written to its end; the others are written all the same, and what failed beside it is shown.
    pub(crate) fn write_summary(&mut self, summary: &Summary) -> Result<(), Failure> {
        let (later, now): (Vec<_>, Vec<_>) = self.open.drain(..).partition(|(format, _)| format.is_of_seconds());
        self.open = later;
        all_of(now.into_iter().map(|(format, file)| {
            let text = match format {
                Format::Junit => junit(summary),
                Format::Markdown => Ok(markdown(summary)),
                Format::Html | Format::Csv | Format::Hdr => Ok(String::new()),
            };
            write(format, file, |out| out.write_all(text?.as_bytes()))
        }))
    }

    /// Whether any is made of the kept seconds.
    pub(crate) fn want_seconds(&self) -> bool {
        self.open.iter().any(|(format, _)| format.is_of_seconds())
    }

    /// Writes those that are made of the kept seconds; `seconds` gives them from the first on, as often as it is asked.
    ///
    /// # Errors
    /// As [`Self::write_summary`].
    pub(crate) fn write_seconds<Seconds: Iterator<Item = KeptSecond>>(
        self,
        run: &KeptRun,
        mut seconds: impl FnMut() -> Seconds,
    ) -> Result<(), Failure> {
        all_of(self.open.into_iter().map(|(format, file)| match format {
            Format::Html => write(format, file, |out| out.write_all(page(run, seconds()).as_bytes())),
            Format::Csv => write(format, file, |out| csv(run, &mut seconds(), out)),
            Format::Hdr => write(format, file, |out| hdr_log(run, &mut seconds(), out)),
            Format::Junit | Format::Markdown => Ok(()),
        }))
    }
}

/// The page: more points than this would not be told apart on a screen, and an hour of 20 steps would be more than a megabyte.
fn page(run: &KeptRun, seconds: impl Iterator<Item = KeptSecond>) -> String {
    const POINTS: usize = 600;
    let ends_s = run.summary.series.iter().filter(|point| !point.drain).map(|point| point.t_s + point.span_s);
    let length_s = ends_s.max().unwrap_or(0);
    html_report(run, merged_spans(seconds, length_s, POINTS))
}

fn write(format: Format, file: WholeFile, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    file.write_with(fill).map_err(|error| failure(exit::FAILED, format, &error))
}

/// The first failure; the others are shown.
fn all_of(written: impl Iterator<Item = Result<(), Failure>>) -> Result<(), Failure> {
    let mut failures = written.filter_map(Result::err);
    let first = failures.next();
    failures.for_each(|failure| failure.print());
    first.map_or(Ok(()), Err)
}

fn failure(exit_code: u8, format: Format, error: &WholeFileError) -> Failure {
    let flag = format.flag();
    Failure::with_code(exit_code, format!("{flag} {error}"), format!("{flag} - writes to stdout"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use pummel_stats::{kept::RunState, summary::SeriesPoint};

    use super::*;

    fn flags(csv: &str, hdr: &str, junit: &str, markdown: &str) -> ReportFileFlags {
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        ReportFileFlags { html: None, csv: path(csv), hdr: path(hdr), junit: path(junit), markdown: path(markdown) }
    }

    #[test]
    fn each_file_has_a_place_of_its_own() {
        let planned = planned_files(&flags("a", "", "b", "-"), None).unwrap();
        let formats: Vec<_> = planned.iter().map(|file| file.format).collect();
        assert_eq!(formats, [Format::Csv, Format::Junit, Format::Markdown]);
        assert_eq!(planned[2].target, JsonTarget::Stdout);
        let refused = planned_files(&flags("", "", "-", "-"), None).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
        assert_eq!(refused.message(), "--junit - and --markdown -: one would be written over the other");
        let refused = planned_files(&flags("a", "", "", ""), Some(&JsonTarget::File("a".into()))).unwrap_err();
        assert_eq!(refused.message(), "--json a and --csv a: one would be written over the other");
    }

    #[test]
    fn a_path_that_cannot_be_written_is_wrong_usage_of_its_flag() {
        for (format, flag) in [(Format::Csv, "--csv"), (Format::Hdr, "--hdr"), (Format::Junit, "--junit")] {
            let target = JsonTarget::File("/nonexistent/folder/a".into());
            let refused = ReportFiles::open(&[PlannedFile { format, target }]).unwrap_err();
            assert_eq!(refused.exit_code(), 2);
            assert!(refused.message().starts_with(&format!("{flag} /nonexistent/folder/a: cannot be written")));
        }
    }

    #[test]
    fn kept_seconds_are_written_to_each_file_that_is_made_of_them() {
        let folder = std::env::temp_dir().join(format!("pummel-report-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        let planned = planned_files(&flags(&path("a.csv"), &path("a.hlog"), &path("a.xml"), ""), None).unwrap();
        let mut files = ReportFiles::open(&planned).unwrap();
        assert!(files.want_seconds());
        files.write_summary(&Summary::default()).unwrap();
        assert!(std::fs::read_to_string(path("a.xml")).unwrap().starts_with("<?xml "));
        assert!(!folder.join("a.csv").exists());

        let point = SeriesPoint { t_s: 4, requests: 7, ..SeriesPoint::default() };
        let second = KeptSecond { point, ..KeptSecond::default() };
        let run = KeptRun { label: None, state: RunState::Ended, summary: Summary::default(), rows: Vec::new() };
        files.write_seconds(&run, || [second.clone()].into_iter()).unwrap();
        let csv = std::fs::read_to_string(path("a.csv")).unwrap();
        assert!(csv.lines().nth(1).unwrap().starts_with("4,1,false,false,,all,,0,7,0,7,"), "{csv}");
        let hdr = std::fs::read_to_string(path("a.hlog")).unwrap();
        assert!(hdr.lines().last().unwrap().starts_with("4.000,1.000,0.000,"), "{hdr}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn files_that_fail_do_not_keep_others_from_being_written() {
        let full = PlannedFile { format: Format::Junit, target: JsonTarget::File("/dev/full".into()) };
        let path = std::env::temp_dir().join(format!("pummel-report-files-{}.md", std::process::id()));
        let good = PlannedFile { format: Format::Markdown, target: JsonTarget::File(path.clone()) };
        let failure = ReportFiles::open(&[full, good]).unwrap().write_summary(&Summary::default()).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.message().starts_with("--junit /dev/full: not written to its end"), "{}", failure.message());
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("## Load test"));
        std::fs::remove_file(&path).unwrap();
    }
}
