//! The HTML reports in a real browser: of `pummel run`, where what a server and a case say stays text and nothing in it runs, and of a
//! load, whose charts are drawn.

#[path = "common/echo.rs"]
mod echo;
#[path = "common/load.rs"]
mod load;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use echo::Echo;
use load::{binary, run, target, url, Folder};

/// What would change the page if any of it were taken for markup.
const HOSTILE: &str =
    "</pre></script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

/// The document Chromium makes of a file, once its scripts have run.
fn document(page: &Path, profile: &Path) -> String {
    let browser = Command::new("timeout")
        .args(["60", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg("--virtual-time-budget=10000")
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}#check", page.display()))
        .stderr(Stdio::null())
        .output()
        .expect("chromium and timeout are installed");
    assert!(browser.status.success(), "chromium ended with {}", browser.status);
    String::from_utf8(browser.stdout).expect("the document is text")
}

/// The one report below a folder of results.
fn report(folder: &Path) -> PathBuf {
    let results: Vec<_> = fs::read_dir(folder.join("results")).expect("a folder of results").collect();
    assert_eq!(results.len(), 1);
    results[0].as_ref().expect("an entry").path().join("report.html")
}

#[test]
fn a_browser_shows_every_step_and_runs_nothing_of_what_a_server_said() {
    let echo = Echo::start();
    let folder = Folder::new();
    let case = serde_json::json!({
        "config": {"name": format!("case {HOSTILE}"), "base_url": echo.url(), "variables": {"hostile": HOSTILE}},
        "teststeps": [
            {"name": "passes", "request": {"method": "POST", "url": "/echo", "body": "$hostile"},
             "validate": [{"contains": ["body.text", "<script>"]}]},
            {"name": "fails", "request": {"method": "GET", "url": "/status/500", "headers": {"X-H": "$hostile"}},
             "validate": [{"eq": ["status_code", 200, "$hostile"]}]},
        ],
    });
    folder.write("case.json", &case.to_string());
    let mut command = Command::new(binary());
    command.current_dir(folder.path()).args(["run", "-c", "-g", "case.json"]).stdin(Stdio::null());
    let output = command.output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));

    let document = document(&report(folder.path()), &folder.path().join("profile"));
    assert!(document.contains("<title>failed: case &lt;/pre&gt;&lt;/script&gt;&lt;script&gt;"), "{document}");
    // The dumped document escapes text and writes elements as elements.
    for element in ["<script", "<img"] {
        assert!(!document.contains(element), "{element} in {document}");
    }
    let rows = |class: &str| document.matches(&format!("<tbody class=\"{class}\">")).count();
    assert_eq!((rows("passed"), rows("failed")), (1, 1));
    assert!(document.contains("<td>passes</td>") && document.contains("<td>fails</td>"));
}

#[test]
fn a_browser_draws_the_charts_of_a_load_made_or_kept() {
    let (target, folder) = (target(), Folder::new());
    let path = |name: &str| folder.path().join(name);
    let [db, made, kept] = ["runs.db", "made.html", "kept.html"].map(|name| path(name).display().to_string());
    let load = ["hit", &url(&target, "/hello/a"), "-c", "2", "-d", "3s", "--max-rps", "200", "--store", &db];
    let ran = run(&[&load[..], &["--html", &made]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = Command::new(binary()).args(["report", "last", "--store", &db, "--html", &kept]).status();
    assert!(report.expect("the binary starts").success());
    // The same page, whichever way it is made.
    assert_eq!(fs::read_to_string(&made).unwrap(), fs::read_to_string(&kept).unwrap());

    // Without a store, a folder of its own keeps the seconds until the page is made.
    let bare = path("bare.html").display().to_string();
    let ran = run(&[&load[..load.len() - 1], &["none", "--html", &bare]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    for page in [&made, &bare] {
        let document = document(Path::new(page), &path("profile"));
        let head = document.get(..600).unwrap_or(&document);
        // RPS, latency, failures, distribution, users, bytes, connections, CPU.
        for said in ["data-charts=\"8\"", "data-painted=\"8\"", "data-ready=\"true\"", "data-errors=\"0\""] {
            assert!(head.contains(said), "{said} in {head}");
        }
        assert!(document.contains(&url(&target, "/hello/a")) && document.contains("requests/s"));
    }
}
