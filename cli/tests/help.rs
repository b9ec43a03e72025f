//! Every text `--help` shows, and what is made from the same definitions.

mod common;

use common::run;

/// A snapshot of each command's long help.
macro_rules! help_snapshot {
    ($($test:ident: [$($arg:literal),*];)*) => {$(
        #[test]
        fn $test() {
            let ran = run(&[$($arg,)* "--help"]);
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
            insta::assert_snapshot!(ran.stdout);
        }
    )*};
}

help_snapshot! {
    help_of_pummel: [];
    help_of_boom: ["boom"];
    help_of_run: ["run"];
    help_of_runs: ["runs"];
    help_of_report: ["report"];
    help_of_boom_curl: ["boom", "curl"];
    help_of_hit: ["hit"];
    help_of_capacity: ["capacity"];
    help_of_compare: ["compare"];
    help_of_convert: ["convert"];
    help_of_demo: ["demo"];
    help_of_target: ["target"];
    help_of_doctor: ["doctor"];
    help_of_completions: ["completions"];
    help_of_man: ["man"];
}

#[test]
fn the_version_is_the_packages() {
    let ran = run(&["--version"]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, concat!("pummel ", env!("CARGO_PKG_VERSION"))));
    let ran = run(&["boom", "--version"]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, concat!("pummel boom ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn without_a_command_the_help_is_shown_as_wrong_usage() {
    let ran = run(&[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("Usage: pummel"), "{}", ran.stderr);
}

#[test]
fn completions_know_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{shell}");
        for word in ["boom", "run", "hit", "spawn-count", "max-rps", "continue-on-failure"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(run(&["completions", "csh"]).code, 2);
}

#[test]
fn the_man_page_has_each_command_and_its_flags() {
    let ran = run(&["man"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    for text in [
        ".TH pummel 1",
        ".SH \"PUMMEL BOOM\"",
        ".SH \"PUMMEL RUN\"",
        ".SH \"PUMMEL HIT\"",
        "\\-\\-spawn\\-count",
        "EXAMPLES",
        "EXIT STATUS",
    ] {
        assert!(ran.stdout.contains(text), "{text} is not in\n{}", ran.stdout);
    }
}
