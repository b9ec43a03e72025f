//! The files of a run and its charts, from the real binary against the embedded target.

#[path = "common/load.rs"]
mod load;

use std::fs;

use load::{run, target, url, Folder};

#[test]
fn junit_and_markdown_say_what_the_summary_says() {
    let (target, folder) = (target(), Folder::new());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (junit, markdown) = (path("junit.xml"), path("run.md"));
    let hello = url(&target, "/hello/a|b`c<d>");
    let ran = run(&[
        "hit",
        &hello,
        "-n",
        "2000",
        "--threshold",
        "requests>=2000",
        "--threshold",
        "requests<2000",
        "--junit",
        &junit,
        "--markdown",
        &markdown,
    ]);
    assert_eq!(ran.code, 99, "{}\n{}", ran.stdout, ran.stderr);
    let junit = fs::read_to_string(&junit).unwrap();
    assert!(junit.contains("tests=\"4\" skipped=\"0\" failures=\"1\" errors=\"0\""), "{junit}");
    assert!(junit.contains("message=\"requests&lt;2000 was missed: was 2000, exactly the limit"), "{junit}");
    assert!(junit.contains("requests: 2000\n"), "{junit}");
    let markdown = fs::read_to_string(&markdown).unwrap();
    assert!(markdown.starts_with("## Load test "), "{markdown}");
    assert!(markdown.lines().next().unwrap().ends_with(": 1 of 2 thresholds missed"), "{markdown}");
    assert!(markdown.contains("| **MISSED** | `requests<2000` | was 2000, exactly the limit"), "{markdown}");
    let row = markdown.lines().find(|line| line.starts_with("| ``") && line.contains("/hello/a")).unwrap();
    assert!(row.contains(" | 2000 | 0 | "), "{row}");
}

#[test]
fn a_file_on_stdout_sends_the_report_to_stderr() {
    let target = target();
    let ran = run(&["hit", &url(&target, "/hello/a"), "-n", "10", "--markdown", "-"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("## Load test "), "{}", ran.stdout);
    assert!(ran.stderr.contains("Summary: "), "{}", ran.stderr);
}

#[test]
fn files_that_cannot_be_written_cost_no_run() {
    for flag in ["--csv", "--hdr", "--junit", "--markdown"] {
        let ran = run(&["hit", "http://127.0.0.1:1/", "-n", "1", flag, "/nonexistent/folder/file"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("{flag} /nonexistent/folder/file: cannot be written")), "{}", ran.stderr);
    }
    let ran = run(&["hit", "http://127.0.0.1:1/", "-n", "1", "--junit", "-", "--markdown", "-"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--junit - and --markdown -: one would be written over the other"), "{}", ran.stderr);
}

#[test]
fn charts_are_drawn_where_they_were_asked_for() {
    let target = target();
    let hello = url(&target, "/hello/a");
    let ran = run(&["hit", &hello, "-c", "2", "-d", "2s", "--max-rps", "200", "--chart"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for section in
        ["\nRPS over time (requests finished)\n", "\np99 over time (service time)\n", "\nLatencies (service time of "]
    {
        assert!(ran.stdout.contains(section), "{section} is not in\n{}", ran.stdout);
    }
    // Every request that succeeded is in the histogram.
    let histogram = ran.stdout.split("\n\n").find(|section| section.starts_with("Latencies (")).unwrap();
    let counts = histogram.lines().skip(2).map(|line| line.split_whitespace().nth(2).unwrap().parse::<u64>().unwrap());
    assert_eq!(counts.sum::<u64>(), ran.number("/totals/service_us/count"), "{histogram}");
    assert!(histogram.lines().last().unwrap().contains(" 100.0% |"), "{histogram}");

    let plain = run(&["hit", &hello, "-n", "100"]);
    assert!(!plain.stdout.contains(" over time ("), "{}", plain.stdout);
}
