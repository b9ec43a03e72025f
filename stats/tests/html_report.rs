//! The HTML report in a real browser: every chart is painted, nothing goes wrong, a hostile name does nothing, and the page fits its
//! window, from a phone's to a large screen's, in light and dark.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use common::{key, spec, start_spec, Keep, S};
use pummel_stats::html::html_report;
use pummel_stats::kept::{KeptClient, KeptPart, KeptRun, KeptSecond, RunState};
use pummel_stats::summary::Threshold;
use pummel_stats::threshold::Unit;
use pummel_stats::{
    ArrivalsPart, CollectorSpec, Delivery, Exchanges, FailureSample, FinalFacts, LiveChange, Model, Recorder, RowId,
    RowKey, RowKind, RunFacts, Sample, SampleTiming, SampledMessage, Snapshot, Summary,
};

/// Seconds of the made-up run, the first ten of which are its warm-up.
const SECONDS: u64 = 90;

/// What would change the page if any of it were taken for markup.
const HOSTILE: &str = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";

/// A run of several steps, latencies that change with time, failures, and a step that is called once in a while.
struct Played {
    summary: Summary,
    snapshots: Vec<Arc<Snapshot>>,
}

fn play(model: Model) -> Played {
    let keep = Keep::default();
    let (collector, mut recorders) = start_spec(CollectorSpec {
        model,
        warmup: Some(std::time::Duration::from_secs(10)),
        run: RunFacts {
            id: "20261122-015220-4f2a".into(),
            name: "checkout under load".into(),
            command: "boom".into(),
            version: "0.1.0".into(),
            plan: serde_json::json!({"users": 200, "spawn_rate": 50, "run_time_s": SECONDS, "hosts": ["shop.example"]}),
            ..RunFacts::default()
        },
        outputs: vec![keep.spec(Delivery::Lossless)],
        ..spec(1)
    });
    let mut recorder = recorders.pop().expect("a core");
    let names = ["list products", "show product", "add to cart", "pay", HOSTILE];
    let rows: Vec<RowId> = names.iter().map(|name| recorder.row(key(RowKind::Request, name))).collect();
    let transaction = recorder.row(key(RowKind::Transaction, "buy"));
    for user in 0..20 {
        recorder.user_started(user * S / 4);
    }
    for second in 0..SECONDS {
        for (n, &row) in rows.iter().enumerate() {
            // The last step is called in every fifth second alone.
            if n == 4 && second % 5 != 0 {
                continue;
            }
            play_step(&mut recorder, row, n as u64, second);
        }
        (0..40).for_each(|n| recorder.transaction(transaction, n > 0, 40_000 + n * 700));
        if model == Model::Open {
            recorder.arrivals(ArrivalsPart {
                intended: 40 + u64::from(second > 60),
                made: 40,
                missed: u64::from(second > 60),
                ..ArrivalsPart::default()
            });
        }
        if second == 9 {
            recorder.warmup_ended(10 * S);
        }
        recorder.hand_over(second + 1);
        // A core that is ahead of the stats thread would hand over several seconds as one.
        keep.wait_for(second as usize + 1);
    }
    for _ in 0..20 {
        recorder.user_finished(SECONDS * S);
    }
    recorder.finish(SECONDS * S);
    let changes = vec![LiveChange { t_s: 45.0, change: "users 20".into() }];
    let finished = collector.finish(FinalFacts { changes, ..FinalFacts::default() }).expect("a summary");
    let snapshots = keep.snapshots.lock().expect("nobody panicked").clone();
    Played { summary: (*finished.summary).clone(), snapshots }
}

/// One second of a step: a hundred requests whose latencies have a tail and a hump around the fiftieth second.
fn play_step(recorder: &mut Recorder, row: RowId, step: u64, second: u64) {
    let hump = 1 + 400 / (10 + second.abs_diff(50).pow(2));
    let count = 60 + 30 * ((second + 7 * step) % 5) / (step + 1);
    for n in 1..=count {
        let tail = count * 12 / n;
        let service_us = (2_000 + 1_500 * step + 40 * ((n * 37 + second * 11) % 50)) * hump + 90 * tail * hump;
        recorder.started();
        recorder.exchanges(row, Exchanges { sent: 1, answered: 1, ..Exchanges::default() });
        if step == 3 && second > 47 && second < 56 && n % 9 == 0 {
            recorder.failed(row, service_us, 300, 120, "assertion", "status_code: expected 200, got 503");
        } else {
            let response_us = service_us + 300 * hump;
            recorder.succeeded(
                row,
                Sample { service_us, response_us, bytes_received: 1_800 + 100 * step, bytes_sent: 240 },
            );
        }
    }
}

/// The run as a store would have it.
fn kept(played: &Played, state: RunState) -> (KeptRun, Vec<KeptSecond>) {
    let open = played.summary.run.model == Model::Open;
    let mut rows: Vec<RowKey> = Vec::new();
    let mut seconds = Vec::new();
    for snapshot in &played.snapshots {
        let mut parts = Vec::new();
        for of in &snapshot.rows {
            let row = rows.iter().position(|known| known == &*of.key).unwrap_or_else(|| {
                rows.push((*of.key).clone());
                rows.len() - 1
            });
            let mut part = KeptPart {
                row,
                succeeded: of.succeeded,
                failed: of.failed,
                bytes_received: of.bytes_received,
                bytes_sent: of.bytes_sent,
                service_us: of.latency.clone(),
                failed_us: of.failed_us.clone(),
                ..KeptPart::default()
            };
            if open && of.key.kind == RowKind::Request {
                part.response_us = of.latency.clone();
            }
            parts.push(part);
        }
        let t_s = snapshot.point.t_s;
        let client = KeptClient {
            cpu_share_max: Some(0.3 + 0.004 * t_s as f64),
            connections_open: snapshot.point.users,
            connections_opened: 20,
            time_wait: Some(0),
        };
        seconds.push(KeptSecond { point: snapshot.point.clone(), client, parts });
    }
    let mut summary = played.summary.clone();
    let threshold = |expression: &str, value, limit, ok| Threshold {
        expression: expression.into(),
        value: Some(value),
        limit: Some(limit),
        ok,
        unit: Unit::Us,
        by: (!ok).then(|| value / limit - 1.0),
        first_failed_s: (!ok).then_some(51),
        ..Threshold::default()
    };
    summary.thresholds =
        vec![threshold("p50<50ms", 9_800.0, 50_000.0, true), threshold("pay:p99<100ms", 161_000.0, 100_000.0, false)];
    summary.failure_samples = vec![FailureSample {
        case: "case".into(),
        step: HOSTILE.into(),
        kind: "assertion".into(),
        message: format!("body: expected {HOSTILE}"),
        at_s: 48.2,
        request: SampledMessage {
            head: "POST /pay HTTP/1.1\r\nHost: shop.example\r\n".into(),
            ..SampledMessage::default()
        },
        response: Some(SampledMessage {
            head: "HTTP/1.1 503 Service Unavailable\r\n".into(),
            body: HOSTILE.into(),
            body_bytes: 101,
            ..SampledMessage::default()
        }),
        timing: SampleTiming { service_us: 81_000, response_us: 82_000, ..SampleTiming::default() },
        ..FailureSample::default()
    }];
    (KeptRun { label: Some("before the fix".into()), state, summary, rows }, seconds)
}

/// A page in a folder of its own.
fn page(name: &str, run: &KeptRun, spans: &[KeptSecond]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("html_report").join(name);
    fs::create_dir_all(&folder).expect("a folder for the page");
    let path = folder.join("report.html");
    fs::write(&path, html_report(run, spans.to_vec())).expect("the page is written");
    path
}

/// How a browser is to look at a page.
#[derive(Clone, Copy)]
struct Look {
    width: u32,
    dark: bool,
}

/// A page that shows the report as wide as it is told, which may be less than a browser's window, and uses its first chart: points at
/// a quarter of it, drags from there to three quarters, clicks twice, and does the same with a finger. Then it clicks all that can be clicked once and chooses all
/// that can be chosen, and becomes the report, with what that led to in notes.
const FRAME: &str = r#"<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe src="report.html#check" style="width:WIDTHpx;height:1500px;border:0"></iframe>
<script>
const frame = document.querySelector("iframe");
const pause = () => new Promise((done) => setTimeout(done, 50));
onload = async () => {
  const page = frame.contentDocument, notes = page.documentElement.dataset;
  while (notes.ready !== "true") await pause();
  const over = page.querySelector(".chart .u-over");
  if (over) {
    const box = over.getBoundingClientRect();
    const place = (share) => ({ clientX: box.left + box.width * share, clientY: box.top + 20, movementX: 9, button: 0, bubbles: true });
    const mouse = async (type, share) => {
      over.dispatchEvent(new frame.contentWindow.MouseEvent(type, place(share)));
      await pause();
    };
    const finger = async (type, share) => {
      over.dispatchEvent(new frame.contentWindow.PointerEvent(type, { ...place(share), pointerType: "touch" }));
      await pause();
    };
    await mouse("mousemove", 0.25);
    notes.hover = [...page.querySelectorAll(".chart")].find((chart) => chart.textContent.startsWith("Users")).querySelector(".legend").textContent;
    await mouse("mousedown", 0.25);
    await mouse("mousemove", 0.75);
    await mouse("mouseup", 0.75);
    notes.zoomed = notes.shown;
    await mouse("dblclick", 0.5);
    notes.reset = notes.shown;
    await finger("pointerdown", 0.75);
    await finger("pointermove", 0.5);
    await finger("pointerup", 0.25);
    notes.swiped = notes.shown;
    for (const type of ["pointerdown", "pointerup", "pointerdown", "pointerup"]) await finger(type, 0.5);
  }
  for (const target of page.querySelectorAll("button, summary, .legend th")) {
    target.click();
    await pause();
  }
  for (const choice of page.querySelectorAll("option")) {
    choice.selected = true;
    choice.parentElement.dispatchEvent(new Event("change"));
    await pause();
  }
  // The colours go from the system's to light to dark and back.
  page.getElementById("theme").click();
  page.getElementById("theme").click();
  document.documentElement.replaceWith(document.importNode(page.documentElement, true));
};
</script>"#;

/// What a browser made of it.
struct Seen {
    document: String,
    console: String,
}

impl Seen {
    /// The report as Chromium has it once its scripts have run. Chromium's windows are at least 500 wide, so a phone's is a frame.
    fn of(page: &Path, look: Look) -> Self {
        let name = format!("{}-{}", look.width, if look.dark { "dark" } else { "light" });
        let frame = page.with_file_name(format!("frame-{name}.html"));
        fs::write(&frame, FRAME.replace("WIDTH", &look.width.to_string())).expect("the frame is written");
        let profile = page.with_file_name(format!("profile-{name}"));
        let mut browser = Command::new("timeout");
        browser.args([
            "120",
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--dump-dom",
        ]);
        browser.args([
            "--virtual-time-budget=30000",
            "--enable-logging=stderr",
            "--v=0",
            "--allow-file-access-from-files",
        ]);
        browser.arg(format!("--user-data-dir={}", profile.display()));
        browser.arg(format!("--window-size={},1600", look.width.max(500)));
        if look.dark {
            browser.arg("--blink-settings=preferredColorScheme=0");
        }
        let output =
            browser.arg(format!("file://{}", frame.display())).output().expect("chromium and timeout are installed");
        let console = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "chromium ended with {}: {console}", output.status);
        let _ = fs::remove_dir_all(profile);
        Self { document: String::from_utf8(output.stdout).expect("the document is text"), console }
    }

    /// What a person sees: the document without its scripts.
    fn body(&self) -> String {
        let mut parts = self.document.split("<script");
        let mut body = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            body.push_str(part.split_once("</script>").expect("a script ends").1);
        }
        body
    }

    /// A `data-` attribute of the document's element.
    fn note(&self, name: &str) -> &str {
        let (_, head) = self.document.split_once("<html").expect("a document");
        let (head, _) = head.split_once('>').expect("the element's end");
        let (_, value) =
            head.split_once(&format!("data-{name}=\"")).unwrap_or_else(|| panic!("no data-{name} in {head}"));
        value.split_once('"').expect("the attribute's end").0
    }

    /// Checks what must hold of any page.
    fn assert_well(&self, look: Look, charts: usize) {
        let errors = (self.note("errors"), self.document.contains("data-error="));
        assert_eq!(errors, ("0", false), "{}", self.console);
        assert!(!self.console.contains("CONSOLE"), "{}", self.console);
        assert_eq!(self.note("ready"), "true");
        let charts = charts.to_string();
        assert_eq!((self.note("charts"), self.note("painted")), (charts.as_str(), charts.as_str()));
        assert_eq!((self.note("width"), self.note("fits")), (look.width.to_string().as_str(), "true"));
        assert_eq!(self.note("theme"), if look.dark { "dark" } else { "light" });
        let body = self.body();
        assert!(!body.contains("<title>owned"), "a text ran as a script");
        assert!(!body.contains("<img"), "a text became an element");
    }
}

#[test]
fn a_closed_run_is_drawn_on_a_phone_and_on_a_large_screen_in_light_and_dark() {
    let played = play(Model::Closed);
    let (run, spans) = kept(&played, RunState::Ended);
    let page = page("closed", &run, &spans);
    for look in [Look { width: 360, dark: false }, Look { width: 1400, dark: true }, Look { width: 3840, dark: false }]
    {
        let seen = Seen::of(&page, look);
        seen.assert_well(look, 8);
        // The frame holds four scripts, and no text added one.
        assert_eq!(seen.document.matches("<script").count(), 4);
        for text in [
            "before the fix",
            "1 of 2 thresholds missed",
            "list products",
            "shop.example",
            "status_code: expected 200, got 503",
        ] {
            assert!(seen.body().contains(text), "{text} is not on the page");
        }
        // The cursor is on all charts over time; a mouse and a finger zoom, and two clicks or taps show all of it again.
        let hover = seen.note("hover");
        assert!(hover.starts_with("Time0:2") && hover.ends_with("Users20"), "{hover}");
        for note in ["zoomed", "swiped"] {
            let shown: Vec<u64> = seen.note(note).split(' ').map(|s| s.parse().expect("seconds")).collect();
            assert!((22..=23).contains(&shown[0]) && (67..=68).contains(&shown[1]), "{note}: {shown:?}");
        }
        assert_eq!(seen.note("reset"), "0 90");
        assert_eq!(seen.note("shown"), "0 90");
    }
}

#[test]
fn an_open_run_has_its_arrivals_too() {
    let (run, spans) = kept(&play(Model::Open), RunState::Ended);
    let look = Look { width: 360, dark: true };
    let seen = Seen::of(&page("open", &run, &spans), look);
    seen.assert_well(look, 9);
    assert!(seen.body().contains("Arrivals per second") && seen.body().contains("p99 response time"));
}

#[test]
fn a_run_that_was_cut_off_says_so() {
    let (run, mut spans) = kept(&play(Model::Closed), RunState::CutOff);
    spans.truncate(30);
    let look = Look { width: 1000, dark: false };
    let seen = Seen::of(&page("cut_off", &run, &spans), look);
    seen.assert_well(look, 8);
    let body = seen.body();
    assert!(body.contains("This run was cut off.") && body.contains("30 seconds"));
    assert!(!body.contains("the figures can be trusted") && !body.contains("thresholds missed"));
}

#[test]
fn a_run_of_one_second_and_one_of_none_are_drawn() {
    let (run, spans) = kept(&play(Model::Closed), RunState::Ended);
    let look = Look { width: 1000, dark: false };
    Seen::of(&page("second", &run, &spans[..1]), look).assert_well(look, 8);
    Seen::of(&page("none", &run, &[]), look).assert_well(look, 0);
}
