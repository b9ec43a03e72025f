//! `pummel doctor` on whatever machine this is.

mod common;

use common::run;

#[test]
fn each_line_is_ok_or_says_what_to_do_and_the_code_follows() {
    let ran = run(&["doctor"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    for name in ["kernel", "io_uring", "locked memory", "open files", "ports", "CPUs", "CPU quota", "CPU governor"] {
        let at = lines.iter().position(|line| line.get(6..).is_some_and(|rest| rest.starts_with(name)));
        let at = at.unwrap_or_else(|| panic!("no line for {name} in\n{}", ran.stdout));
        let has_remedy = lines.get(at + 1).is_some_and(|line| line.trim_start().starts_with("->"));
        assert_eq!(lines[at].starts_with("ok "), !has_remedy, "{name} in\n{}", ran.stdout);
    }
    let impossible = lines.iter().any(|line| line.starts_with("FAIL"));
    assert_eq!(ran.code, i32::from(impossible), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
}
