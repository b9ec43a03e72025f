//! The request path allocates nothing in steady state, and next to nothing with TLS. The server is a process of its own, so that only the client's
//! allocations are counted.

#[path = "run/fake_plugin.rs"]
mod fake_plugin;

use std::{
    alloc::System,
    env,
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use fake_plugin::FakePlugin;
use pummel_case::{load_text, Case, LoadOptions, Step};
use pummel_engine::{run, ClosedLoad, Control, Cookies, Load, LoadModel, Network, Pacing, PacingUnit, Plan, Tls};
use pummel_target::{Target, TargetOptions};
use rustls::{
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer},
    ServerConfig, ServerConnection,
};
use stats_alloc::{Region, StatsAlloc, INSTRUMENTED_SYSTEM};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Set for the process that is the server.
const SERVE: &str = "PUMMEL_TEST_SERVE";

/// As [`SERVE`], for the server with TLS.
const SERVE_TLS: &str = "PUMMEL_TEST_SERVE_TLS";

/// A certificate nobody trusts, and its key.
const PEM: &[u8] = include_bytes!("../src/network/tls/localhost.test.pem");

/// Allocations of a request and its response with TLS: rustls makes a vector of each record it seals and of each record it
/// opens, and the request and the response are a record each.
const OF_TLS: f64 = 2.0;

/// Allocations of a call of a plugin's function with one argument: the box of the wait, and the result. All else is used again.
const OF_A_CALL: f64 = 2.0;

/// The allocator counts what the whole process does.
static ALONE: Mutex<()> = Mutex::new(());

/// What the server says before its address.
const LISTENS: &str = "the server listens on ";

const USERS: u32 = 8;
const SHORT_LOOPS: u64 = 200;
const LONG_LOOPS: u64 = 5_200;

/// The share of the further requests that may be matched by an allocation. The stats thread allocates for each second a run
/// lasts, and the long run lasts a few more; a request path that allocated would do so for each request, or for one in ten.
const FEW: f64 = 0.05;

/// The server's process: this program again, running the one test below.
struct Server {
    process: Child,
    address: String,
    /// Held open: the server's test harness has more to say at the end.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start() -> Self {
        Self::start_as("is_the_server_where_asked_to_be", SERVE)
    }

    fn start_as(test: &str, role: &str) -> Self {
        let mut process = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", test, "--nocapture"])
            .env(role, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let mut said = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let address = said
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once(LISTENS).map(|(_, address)| address.to_owned()))
            .expect("the server says where it listens");
        Self { process, address, _said: said }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its standard input ends, and with it the server.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[test]
fn is_the_server_where_asked_to_be() {
    if env::var_os(SERVE).is_none() {
        return;
    }
    let options = TargetOptions { listen: (Ipv4Addr::LOCALHOST, 0).into(), cpus: vec![first_cpu()] };
    let target = Target::start(options).expect("a target");
    println!("\n{LISTENS}{}", target.local_addr());
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("standard input ends");
    target.stop();
}

#[test]
fn is_the_server_with_tls_where_asked_to_be() {
    if env::var_os(SERVE_TLS).is_none() {
        return;
    }
    let chain = CertificateDer::pem_slice_iter(PEM).collect::<Result<_, _>>().expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(PEM).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map(Arc::new)
        .expect("a configuration");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    println!("\n{LISTENS}{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            thread::spawn(move || answer_all(stream, config));
        }
    });
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("standard input ends");
}

/// Answers each request, none of which has a body, until the client closes.
fn answer_all(stream: TcpStream, config: Arc<ServerConfig>) {
    let _ = stream.set_nodelay(true);
    let mut tls = rustls::StreamOwned::new(ServerConnection::new(config).expect("a connection"), stream);
    let (mut bytes, mut request) = ([0; 4096], Vec::new());
    while let Ok(count @ 1..) = tls.read(&mut bytes) {
        request.extend_from_slice(&bytes[..count]);
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
}

#[test]
fn tls_allocates_for_each_record_and_nothing_besides() {
    if env::var_os(SERVE).is_some() || env::var_os(SERVE_TLS).is_some() {
        return;
    }
    let _alone = ALONE.lock();
    let server = Server::start_as("is_the_server_with_tls_where_asked_to_be", SERVE_TLS);
    for url in ["/", "\"/?n=$n\""] {
        let text = format!(
            "config: {{name: c, base_url: \"https://{}\", variables: {{n: 7}}}}\nteststeps:\n\
             - {{name: a, request: {{method: GET, url: {url}}}, validate: [{{eq: [status_code, 200]}}]}}\n",
            server.address
        );
        allocations(&text, SHORT_LOOPS, Cookies::Off);
        let short = allocations(&text, SHORT_LOOPS, Cookies::Off);
        let long = allocations(&text, LONG_LOOPS, Cookies::Off);
        let of_each = long.saturating_sub(short) as f64 / (f64::from(USERS) * (LONG_LOOPS - SHORT_LOOPS) as f64);
        assert!((of_each - OF_TLS).abs() < FEW, "{url}: {of_each} allocations a request ({short} and {long} in all)");
    }
}

#[test]
fn neither_constant_nor_rendered_requests_allocate_once_buffers_have_grown() {
    if env::var_os(SERVE).is_some() || env::var_os(SERVE_TLS).is_some() {
        return;
    }
    let _alone = ALONE.lock();
    let server = Server::start();
    let base = format!(
        "config: {{name: c, base_url: \"http://{}\", variables: {{n: 7}}, parameters: {{row: [a, b, c]}}}}\nteststeps:\n",
        server.address
    );
    let constant = "- {name: a, request: {method: GET, url: /}, validate: [{eq: [status_code, 200]}]}\n";
    let rendered = "- {name: begin, transaction: {name: t, type: start}}\n\
                    - {name: b, request: {method: POST, url: \"/echo?n=$n\", headers: {X-N: \"$n\"}, body: \"n is $n\"}}\n\
                    - {name: end, transaction: {name: t, type: end}}\n";
    // A login in each iteration: its cookies are set, sent with both kinds of requests, and forgotten.
    let login = "- {name: a, request: {method: GET, url: /setcookie/session/0123456789abcdef}}\n\
                 - {name: b, request: {method: GET, url: /setcookie}}\n\
                 - {name: c, request: {method: GET, url: /}}\n\
                 - {name: d, request: {method: GET, url: \"/api?n=$n\", cookies: {own: \"$n\"}}}\n";
    // A loop around a referenced case that takes a value from its caller. The caller has two requests written down.
    let walked = "- {name: begin, transaction: {name: t, type: start}}\n\
                  - {name: inner, loops: 2, variables: {m: \"$n\"}, testcase: {config: {name: i}, teststeps: [\n  \
                  {name: a, request: {method: GET, url: \"/api?m=$m\"}}]}}\n\
                  - {name: end, transaction: {name: t, type: end}}\n";
    for (what, steps, cookies, samples) in [
        ("constant", constant, Cookies::Off, 0),
        ("rendered", rendered, Cookies::Off, 0),
        ("a loop around a referenced case", walked, Cookies::Off, 0),
        ("constant without a cookie", constant, Cookies::PerIteration, 0),
        ("rendered without a cookie", rendered, Cookies::PerIteration, 0),
        ("a login in each iteration", login, Cookies::PerIteration, 0),
        ("constant, failures are kept", constant, Cookies::Off, 5),
        ("a login in each iteration, failures are kept", login, Cookies::PerIteration, 5),
    ] {
        let text = format!("{base}{steps}");
        let allocations = |loops| {
            let cases = load_text("case.yml", &text, &LoadOptions::default()).expect("a valid case").cases;
            allocations_of(cases, loops, cookies, None, samples)
        };
        // What is allocated once in a process is allocated here.
        allocations(SHORT_LOOPS);
        let short = allocations(SHORT_LOOPS);
        let long = allocations(LONG_LOOPS);
        let further_requests = u64::from(USERS) * (LONG_LOOPS - SHORT_LOOPS);
        let further = long.saturating_sub(short);
        assert!(
            (further as f64) < FEW * further_requests as f64,
            "{what}: {further} allocations for {further_requests} further requests ({short} and {long} in all)"
        );
    }
}

#[test]
fn users_that_wait_for_their_turn_allocate_no_more() {
    if env::var_os(SERVE).is_some() || env::var_os(SERVE_TLS).is_some() {
        return;
    }
    let _alone = ALONE.lock();
    let server = Server::start();
    let text = format!(
        "config: {{name: c, base_url: \"http://{}\"}}\nteststeps:\n- {{name: a, request: {{method: GET, url: /}}}}\n",
        server.address
    );
    let slots = |unit| Some(Pacing { per_second: 1e6, unit });
    // The pace is a little slower than the users are, so that they wait; slots are never far away.
    for (what, pacing, pace) in [
        ("a pace", None, Some(Duration::from_micros(500))),
        ("slots for iterations", slots(PacingUnit::Iteration), None),
        ("slots for requests", slots(PacingUnit::Request), None),
    ] {
        let allocations = |loops| {
            let cases = load_text("case.yml", &text, &LoadOptions::default()).expect("a valid case").cases;
            let mut plan = plan(cases, loops, Cookies::Off);
            plan.pacing = pacing;
            let model = ClosedLoad { spawn_rate: f64::INFINITY, stages: Vec::new(), pacing: pace };
            plan.load.model = LoadModel::Closed(model);
            allocations_of_run(plan, loops)
        };
        allocations(SHORT_LOOPS);
        let (short, long) = (allocations(SHORT_LOOPS), allocations(LONG_LOOPS));
        let further_requests = u64::from(USERS) * (LONG_LOOPS - SHORT_LOOPS);
        assert!(
            (long.saturating_sub(short) as f64) < FEW * further_requests as f64,
            "{what}: {short} allocations, and {long} with {further_requests} further requests"
        );
    }
}

#[test]
fn a_call_of_a_plugin_allocates_for_its_wait_and_its_result_and_steps_without_one_as_before() {
    const FEW_LOOPS: u64 = 100;
    const MANY_LOOPS: u64 = 1_100;
    if env::var_os(SERVE).is_some() || env::var_os(SERVE_TLS).is_some() {
        return;
    }
    let _alone = ALONE.lock();
    let server = Server::start();
    let plugin = FakePlugin::new("allocations", 1, Duration::from_mins(1));
    let base = format!("config: {{name: c, base_url: \"http://{}\"}}\nteststeps:\n", server.address);
    let called = "- {name: a, variables: {v: \"${echo(77)}\"}, request: {method: GET, url: \"/api?v=$v\"}}\n";
    let text = "- {name: a, variables: {v: \"${echo(a text)}\"}, request: {method: GET, url: \"/api?v=$v\"}}\n";
    // The plugin is there, and nobody calls it.
    let uncalled = "- {name: b, variables: {v: 77}, request: {method: GET, url: \"/api?v=$v\"}}\n";
    for (what, step, expected) in
        [("a number", called, OF_A_CALL), ("a text", text, OF_A_CALL + 1.0), ("no call", uncalled, 0.0)]
    {
        let case = || {
            // For the plugin to be opened.
            let _ = plugin.case(&format!("{base}{called}"));
            plugin.case(&format!("{base}{step}"))
        };
        let run = |loops| allocations_of(vec![case()], loops, Cookies::Off, Some(&plugin), 0);
        run(FEW_LOOPS);
        let (short, long) = (run(FEW_LOOPS), run(MANY_LOOPS));
        let further = f64::from(USERS) * (MANY_LOOPS - FEW_LOOPS) as f64;
        let of_each = long.saturating_sub(short) as f64 / further;
        assert!(of_each < expected + 0.5, "{what}: {of_each} allocations a request ({short} and {long} in all)");
    }
}

/// Allocations and growths of a whole run.
fn allocations(text: &str, loops: u64, cookies: Cookies) -> usize {
    let cases = load_text("case.yml", text, &LoadOptions::default()).expect("a valid case").cases;
    allocations_of(cases, loops, cookies, None, 0)
}

/// As [`allocations`], of a case that may call a plugin, and of which so many failures of each sort are to be kept.
fn allocations_of(
    cases: Vec<Case>,
    loops: u64,
    cookies: Cookies,
    plugin: Option<&FakePlugin>,
    sample_failures: u32,
) -> usize {
    let of_a_step = |step: &Step| match step {
        Step::Request(_) => 1,
        // The only loop there is has one request.
        Step::Repeat(repeat) => u64::from(repeat.times - 1),
        _ => 0,
    };
    let requests: u64 = cases[0].steps.iter().map(of_a_step).sum();
    let mut plan = plan(cases, loops, cookies);
    plan.plugins = plugin.map(|plugin| plugin.host.clone());
    plan.failure_samples.per_kind = sample_failures;
    allocations_of_run(plan, loops * requests)
}

/// Allocations and growths of a run in which each user makes so many requests, all of which succeed.
fn allocations_of_run(plan: Plan, requests: u64) -> usize {
    let region = Region::new(COUNTING);
    let finished = run(plan, &Control::default(), Vec::new()).expect("the run starts");
    let change = region.change();
    let counts = &finished.summary.conservation;
    assert_eq!((counts.succeeded, counts.ok), (u64::from(USERS) * requests, true), "{:?}", finished.summary.errors);
    change.allocations + change.reallocations
}

fn plan(cases: Vec<Case>, loops: u64, cookies: Cookies) -> Plan {
    Plan {
        command: "test",
        name: "a test".into(),
        cases,
        load: Load { loops_per_user: Some(loops), ..Load::closed(USERS) },
        pacing: None,
        cpus: vec![first_cpu()],
        network: Network {
            connect_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_mins(1),
            user_agent: "pummel-test".into(),
            max_redirects: 10,
            tls: Tls { verify: false, ..Tls::default() },
            cookies,
            ..Network::default()
        },
        stop_timeout: Duration::from_secs(30),
        record_action: true,
        plugins: None,
        thresholds: pummel_stats::Thresholds::default(),
        warmup: None,
        failure_samples: pummel_engine::FailureSampling::default(),
        functional: None,
    }
}

fn first_cpu() -> usize {
    let allowed = rustix::thread::sched_getaffinity(None).expect("the CPUs this process may use");
    (0..rustix::thread::CpuSet::MAX_CPU).find(|&cpu| allowed.is_set(cpu)).expect("there is one")
}
