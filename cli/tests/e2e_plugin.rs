//! Functions of a project's `debugtalk.py` with the real binary and a real Python: in every place of a case, one process for all
//! users, ended with the run.

#[path = "common/copied.rs"]
mod copied;
#[path = "common/echo.rs"]
mod echo;
#[path = "common/functions.rs"]
mod functions;
#[path = "common/load.rs"]
mod load;

use std::{fs, path::Path};

use copied::copy_to_server;
use echo::Echo;
use functions::{wait_until, Project};
use load::{target, url, Folder, Run};

/// Functions in every place.
const EVERY_PLACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/functions");

/// The specification's project with a plugin.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/case/tests/cases/plugin_project");

/// A copy of a project that goes to the server.
fn copied(from: &str, case: &str, echo: &Echo) -> Project {
    let folder = Folder::new();
    copy_to_server(Path::new(from), folder.path(), echo.url().trim_start_matches("http://"));
    fs::rename(folder.path().join(case), folder.path().join("case.yml")).expect("the case");
    Project { folder }
}

fn assert_passed(run: &Run, requests: u64) {
    assert_eq!(run.code, 0, "{}\n{}\n{:#}", run.stdout, run.stderr, run.summary["errors"]);
    assert_eq!((run.number("/totals/requests"), run.number("/totals/failures")), (requests, 0), "{:#}", run.summary);
    run.assert_conserved();
}

#[test]
fn functions_stand_in_every_place() {
    let echo = Echo::start();
    let project = copied(EVERY_PLACE, "every_place.yml", &echo);
    let once = project.run("run", &["-c"]);
    assert_eq!(once.code, 0, "{}\n{}", once.stdout, once.stderr);
    // Two rows of parameters, two steps each, and the one of the setup.
    assert_eq!(once.summary["stat"]["teststeps"]["successes"], 5, "{:#}", once.summary["stat"]);

    let many = project.run("boom", &["--spawn-count", "4", "--spawn-rate", "100", "--loop-count", "5"]);
    assert_passed(&many, 40);
    let names: Vec<_> = many.summary["steps"].as_array().unwrap().iter().map(|step| step["name"].clone()).collect();
    for name in ["step of anna", "step of ben", "counts"] {
        assert!(names.contains(&name.into()), "{names:?}");
    }
}

#[test]
fn the_sample_of_the_specification_passes() {
    let echo = Echo::start();
    let project = copied(SAMPLE, "20_plugin.yml", &echo);
    for flags in [&["-c"][..], &[]] {
        let run = project.run("run", flags);
        assert_eq!((run.code, &run.summary["stat"]["teststeps"]["successes"]), (0, &3.into()), "{}", run.stdout);
    }
    assert_passed(&project.run("boom", &["--spawn-count", "3", "--spawn-rate", "100", "--loop-count", "7"]), 63);
}

#[test]
fn a_thousand_users_share_one_process() {
    let echo = Echo::start();
    let steps = "- name: echo\n  variables: {me: \"${gen_random_string(12)}\"}\n  \
        request: {method: GET, url: /get, params: {me: $me, twice: \"${twice($me)}\", both: \"${join($me, x)}\"}}\n  \
        validate: [ {eq: [body.args.twice, $me$me]}, {eq: [body.args.both, $me-x]}, {eq: [body.args.me, \"${same($me)}\"]} ]\n";
    let functions =
        "def twice(a):\n    return a * 2\n\ndef join(a, b):\n    return a + '-' + b\n\ndef same(a):\n    return a\n";
    let project = Project::new(functions, &echo.url(), steps);
    let load = ["--spawn-count", "1000", "--spawn-rate", "1000", "--loop-count", "2"];
    let running = project.start("boom", &load);
    let processes = project.wait_for_processes(1);
    let parents: Vec<_> = processes.iter().map(|process| process.parent).collect();
    assert_eq!(parents, [i32::try_from(running.id()).unwrap()]);
    let watched = watch(&project, running);
    assert_passed(&watched.run, 2_000);
    assert_eq!((watched.most, watched.kinds), (1, 1), "one process from the begin to the end");
    assert_eq!(watched.run.number("/plugin/calls"), 6_000);
    assert_eq!(watched.run.number("/plugin/errors"), 0);
    assert_eq!(watched.run.number("/plugin/processes/0/workers"), 1);
    assert_eq!(watched.run.number("/plugin/processes/0/restarts"), 0);
    assert_eq!(project.processes().len(), 0);
}

#[test]
fn a_pool_has_as_many_processes_as_are_asked_for() {
    let target = target();
    let steps = "- {name: a, request: {method: GET, url: \"/hello/${pid()}\"}}\n";
    let functions =
        "import os, time\n\ndef pid():\n    time.sleep(0.02)\n    with open('pids', 'a') as file:\n        \
        file.write('%d\\n' % os.getpid())\n    return 1\n";
    let project = Project::new(functions, &url(&target, ""), steps);
    let load = ["--plugin-workers", "3", "--spawn-count", "30", "--spawn-rate", "1000", "--loop-count", "10"];
    let watched = watch(&project, project.start("boom", &load));
    assert_passed(&watched.run, 300);
    assert_eq!((watched.most, watched.kinds), (3, 3));
    assert_eq!(watched.run.number("/plugin/processes/0/workers"), 3);
    let pids = fs::read_to_string(project.path("pids")).unwrap();
    let mut pids: Vec<_> = pids.lines().collect();
    assert_eq!(pids.len(), 300);
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 3, "each has had calls");
    assert_eq!(project.processes().len(), 0);
}

/// A run that was watched to its end.
struct Watched {
    run: Run,
    /// Most processes at once.
    most: usize,
    /// Different processes.
    kinds: usize,
}

fn watch(project: &Project, running: load::Running) -> Watched {
    let ended = std::sync::atomic::AtomicBool::new(false);
    let (mut most, mut all) = (0, std::collections::BTreeSet::new());
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let run = running.finish();
            ended.store(true, std::sync::atomic::Ordering::Release);
            run
        });
        while !ended.load(std::sync::atomic::Ordering::Acquire) {
            let now = project.processes();
            most = most.max(now.len());
            all.extend(now.into_iter().map(|process| process.id));
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        run.join().expect("the run")
    });
    Watched { run, most, kinds: all.len() }
}

#[test]
fn a_load_that_calls_nothing_needs_no_python() {
    let target = target();
    let folder = Folder::new();
    folder.write("debugtalk.py", "def f():\n    return 1\n");
    let case = format!(
        "config: {{name: plain, base_url: \"{}\", variables: {{a: 1}}}}\nteststeps:\n\
         - {{name: a, request: {{method: GET, url: \"/hello/$a\"}}}}\n",
        url(&target, "")
    );
    folder.write("case.yml", &case);
    let project = Project { folder };
    let mut command = project.command();
    command.env("PATH", project.folder.path()).env("HOME", project.folder.path());
    let run = load::start_as(command, &["boom", "case.yml", "--loop-count", "5"]).finish();
    assert_passed(&run, 5);
    assert!(run.summary["plugin"].is_null(), "{:#}", run.summary["plugin"]);
}

#[test]
fn two_programs_run_the_same_project_at_once() {
    let target = target();
    let steps = "- {name: a, request: {method: GET, url: \"/hello/${slow()}\"}}\n";
    let project =
        Project::new("import time\n\ndef slow():\n    time.sleep(0.05)\n    return 1\n", &url(&target, ""), steps);
    let load = ["--spawn-count", "10", "--spawn-rate", "1000", "--loop-count", "20"];
    let both = [project.start("boom", &load), project.start("boom", &load)];
    let processes = project.wait_for_processes(2);
    let mut parents: Vec<_> = processes.iter().map(|process| process.parent).collect();
    let mut expected: Vec<_> = both.iter().map(|run| i32::try_from(run.id()).unwrap()).collect();
    parents.sort_unstable();
    expected.sort_unstable();
    assert_eq!(parents, expected);
    for running in both {
        assert_passed(&running.finish(), 200);
    }
}

#[test]
fn nothing_is_written_into_the_project() {
    let target = target();
    let steps = "- {name: a, request: {method: GET, url: \"/hello/${f()}\"}}\n";
    let project = Project::new("import helper\n\ndef f():\n    return helper.g()\n", &url(&target, ""), steps);
    project.folder.write("helper.py", "def g():\n    return 'x'\n");
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(project.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    assert_passed(&project.run("boom", &["--loop-count", "2"]), 2);
    assert_eq!(names(), before);
}

/// A function that sleeps for a minute: the first call holds up the others of its process.
fn sleeping() -> (pummel_target::Target, Project) {
    let target = target();
    let steps = "- {name: a, request: {method: GET, url: \"/hello/${nap()}\"}}\n";
    let functions =
        "import time\n\ndef nap():\n    open('naps', 'a').write('x\\n')\n    time.sleep(60)\n    return 1\n";
    let project = Project::new(functions, &url(&target, ""), steps);
    (target, project)
}

#[test]
fn nothing_is_left_after_ctrl_c() {
    let (_target, project) = sleeping();
    let load = ["--spawn-count", "3", "--spawn-rate", "100", "--stop-timeout", "1s", "--plugin-timeout", "50s"];
    let running = project.start("boom", &load);
    wait_until("a call", || project.lines("naps") == 1);
    running.interrupt();
    let run = running.finish();
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    assert_eq!(run.number("/totals/requests"), 0, "what waits for a function has not sent its request");
    assert_eq!(project.processes().len(), 0);
}

#[test]
fn nothing_is_left_after_a_second_ctrl_c() {
    let (_target, project) = sleeping();
    let running = project.start("boom", &["--spawn-count", "2", "--spawn-rate", "100", "--stop-timeout", "40s"]);
    wait_until("a call", || project.lines("naps") == 1);
    running.interrupt();
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.interrupt();
    let run = running.finish();
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.assert_conserved();
    assert_eq!(project.processes().len(), 0);
}

#[test]
fn nothing_is_left_after_a_kill() {
    let (_target, project) = sleeping();
    let running = project.start("boom", &["--plugin-workers", "2", "--spawn-count", "4", "--spawn-rate", "100"]);
    wait_until("a call in each", || project.lines("naps") == 2);
    assert_eq!(project.processes().len(), 2);
    running.kill();
    assert_eq!(running.finish().code, -1);
    project.wait_for_processes(0);
}

#[test]
fn a_functional_run_that_is_interrupted_leaves_nothing() {
    let (_target, project) = sleeping();
    let running = project.start("run", &[]);
    wait_until("calls", || project.lines("naps") == 1);
    running.interrupt();
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.interrupt();
    assert_eq!(running.finish().code, 38);
    assert_eq!(project.processes().len(), 0);
}

#[test]
fn memory_comes_in_small_pages_but_for_functions() {
    let target = target();
    let functions = "import os\n\ndef of(process):\n    with open('/proc/%s/status' % process) as file:\n        \
        return next(line.split()[1] for line in file if line.startswith('THP_enabled'))\n\n\
        def parent():\n    return of(os.getppid())\n\ndef own():\n    return of('self')\n";
    let steps = "- name: a\n  request: {method: GET, url: \"/hello/x\"}\n  \
        validate: [ {eq: [\"${parent()}\", \"0\"]}, {eq: [\"${own()}\", \"1\"]} ]\n";
    let project = Project::new(functions, &url(&target, ""), steps);
    let run = project.run("run", &[]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
}

#[test]
fn the_output_of_functions_is_shown_where_it_is_asked_for() {
    let target = target();
    let steps = "- {name: a, request: {method: GET, url: \"/hello/${talk()}\"}}\n";
    let functions = "print('said at import')\n\ndef talk():\n    print('said by talk')\n    return 1\n";
    let project = Project::new(functions, &url(&target, ""), steps);
    let silent = project.run("run", &[]);
    assert_eq!(silent.code, 0, "{}", silent.stderr);
    assert!(!silent.stderr.contains("said"), "{}", silent.stderr);
    let telling = project.run("run", &["--log-plugin", "--log-level", "error"]);
    assert_eq!(telling.code, 0, "{}", telling.stderr);
    for text in ["said at import", "said by talk"] {
        assert!(telling.stderr.contains(text), "{}", telling.stderr);
    }
    assert!(!telling.stderr.contains("pummel|"), "what Python is asked is no function's output: {}", telling.stderr);
    assert!(!telling.stdout.contains("said"), "{}", telling.stdout);
}
