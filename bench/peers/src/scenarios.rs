//! What is measured: a table, and the run through it.

use crate::{
    bench::Bench,
    capacity, closing, csv_load,
    error::BenchError,
    first_request,
    flags::Flags,
    freeze,
    goals::{self, Verdict},
    machine, memory,
    nginx::Listener,
    open_gaps, open_rate, outputs,
    peers::{wrk_script, Ask, How, Work, WrkRequest, BARE_LOOP, H2LOAD, H2LOAD_H1, WRK},
    plugin_calls, plugins, queue_theory, record,
    rounds::{self, Goal},
    soak, sockets,
};

/// A thing to measure.
struct Scenario {
    name: &'static str,
    about: &'static str,
    /// Whether it runs when nothing is asked for by name.
    by_default: bool,
    kind: Kind,
}

/// How a thing is measured.
enum Kind {
    /// Tools taking turns with the same load.
    Rounds { users: u32, load: Load, goals: &'static [Goal] },
    /// Pummel's memory at two numbers of connections, and the slope.
    Memory,
    /// The time from its start to its first request.
    FirstRequest,
    /// What a user of a case costs.
    UserMemory,
    /// What a user with TLS costs.
    TlsMemory,
    /// A connection for each request, for a minute.
    Closing,
    /// Sockets opened, and the server's count against ours.
    Sockets,
    /// The time a large CSV file adds to the start.
    CsvLoad,
    /// What calls cost a plugin's process, with our runner and with stock funppy.
    PluginCalls,
    /// A call of a plugin in every iteration, against the embedded target.
    PluginDemo,
    /// A plugin that nothing calls.
    PluginIdle,
    /// Two calls in every iteration, against wrk.
    PluginTwoCalls,
    /// Memory and processes with many users that call.
    PluginMemory,
    /// Rate and punctuality of open runs, against other tools.
    OpenRate,
    /// The times between requests of open runs.
    OpenGaps,
    /// A server that stands still.
    Freeze,
    /// Whether the search for a known capacity finds it.
    Capacity,
    /// Percentiles against theory, at loads in percent.
    QueueTheory { loads: &'static [u32], seconds: u64 },
    /// What keeping and telling of a run costs.
    Outputs,
    /// Speed and memory over a long run.
    Soak,
}

/// What tools taking turns request.
enum Load {
    /// This path of the plain listener, on connections that stay.
    Path(&'static str),
    /// The path of the greeting.
    Greeting { listener: Listener, how: How },
    /// A case of the project, and the requests it comes to for wrk.
    Case { file: &'static str, requests: &'static [WrkRequest] },
}

/// The peers that are at their best with one URL.
const FAST_PEERS: &[&str] = &["ab -k", "h2load --h1", "gcannon"];

/// The path of the plain GET.
const HELLO: &str = "/hello/yangfan";

static SCENARIOS: [Scenario; 29] = [
    Scenario {
        name: "hit-64",
        about: "GET of one URL, 64 keep-alive connections",
        by_default: true,
        kind: Kind::Rounds {
            users: 64,
            load: Load::Path(HELLO),
            goals: &[
                Goal { versus: &[WRK], least: 1.10 },
                Goal { versus: FAST_PEERS, least: 1.00 },
                Goal { versus: &[BARE_LOOP], least: 0.90 },
            ],
        },
    },
    Scenario {
        name: "hit-1000",
        about: "GET of one URL, 1,000 keep-alive connections",
        by_default: true,
        kind: Kind::Rounds {
            users: 1000,
            load: Load::Path(HELLO),
            goals: &[
                Goal { versus: &[WRK], least: 1.15 },
                Goal { versus: FAST_PEERS, least: 1.00 },
                Goal { versus: &[BARE_LOOP], least: 0.90 },
            ],
        },
    },
    Scenario {
        name: "https-64",
        about: "GET of one URL over TLS 1.3, 64 keep-alive connections",
        by_default: true,
        kind: Kind::Rounds {
            users: 64,
            load: Load::Greeting { listener: Listener::Tls, how: How::KeptAlive },
            goals: &[Goal { versus: &[WRK], least: 1.30 }],
        },
    },
    Scenario {
        name: "handshakes",
        about: "a connection with a full TLS 1.3 handshake (ECDSA P-256) for each request, 16 at a time; requests are handshakes",
        by_default: true,
        kind: Kind::Rounds {
            users: 16,
            load: Load::Greeting { listener: Listener::FullHandshakes, how: How::OneEach },
            goals: &[Goal { versus: &[H2LOAD_H1], least: 1.00 }],
        },
    },
    Scenario {
        name: "http2-10x10",
        about: "GET of one URL over HTTP/2 with TLS, 10 connections of 10 streams",
        by_default: true,
        kind: Kind::Rounds {
            users: 10,
            load: Load::Greeting { listener: Listener::Tls, how: How::Streams(10) },
            goals: &[Goal { versus: &[H2LOAD], least: 1.00 }],
        },
    },
    Scenario {
        name: "h2c-10x10",
        about: "the same without TLS, by prior knowledge",
        by_default: false,
        kind: Kind::Rounds {
            users: 10,
            load: Load::Greeting { listener: Listener::H2c, how: How::Streams(10) },
            goals: &[Goal { versus: &[H2LOAD], least: 1.00 }],
        },
    },
    Scenario {
        name: "demo",
        about: "the comparison case: 2 requests in a transaction, status checks, 200 users",
        by_default: true,
        kind: Kind::Rounds {
            users: 200,
            load: Load::Case {
                file: "scripts/cases/demo.yml",
                requests: &[
                    WrkRequest { method: "GET", path: HELLO, headers: &[], json: "" },
                    WrkRequest { method: "GET", path: "/api/order", headers: &[], json: "" },
                ],
            },
            goals: &[Goal { versus: &[WRK], least: 1.00 }, Goal { versus: &["hrp boom"], least: 15.0 }],
        },
    },
    Scenario {
        name: "bodies",
        about: "4 steps, each a JSON body, variables in URL, headers and body, 2 extracts, 4 asserts; 200 users",
        by_default: true,
        kind: Kind::Rounds {
            users: 200,
            load: Load::Case {
                file: "scripts/cases/bodies.yml",
                requests: &[
                    WrkRequest {
                        method: "POST",
                        path: HELLO,
                        headers: &[("X-Trace", "yangfan/home"), ("X-User", "yangfan")],
                        json: r#"{"page":"home","user":"yangfan"}"#,
                    },
                    WrkRequest {
                        method: "POST",
                        path: "/api/order?user=yangfan",
                        headers: &[("X-Trace", "yangfan/0"), ("X-User", "yangfan")],
                        json: r#"{"greeting":"hello yangfan","items":[1,2],"quantity":3,"user":"yangfan"}"#,
                    },
                    WrkRequest {
                        method: "PUT",
                        path: "/api/order/12345?user=yangfan",
                        headers: &[("X-Trace", "yangfan/12345"), ("X-User", "yangfan")],
                        json: r#"{"id":12345,"items":[3],"note":"changed by yangfan"}"#,
                    },
                    WrkRequest {
                        method: "POST",
                        path: "/api/order/12345/payment",
                        headers: &[("X-Trace", "ok/5"), ("X-User", "yangfan")],
                        json: r#"{"amount":12.5,"item":5,"order":12345,"state":"ok"}"#,
                    },
                ],
            },
            goals: &[Goal { versus: &[WRK], least: 0.70 }],
        },
    },
    Scenario {
        name: "checks",
        about: "2 steps, each 5 extracts and 20 asserts, 200 users",
        by_default: true,
        kind: Kind::Rounds {
            users: 200,
            load: Load::Case {
                file: "scripts/cases/checks.yml",
                requests: &[
                    WrkRequest {
                        method: "POST",
                        path: "/api/order?user=yangfan",
                        headers: &[("X-User", "yangfan")],
                        json: r#"{"quantity":3,"user":"yangfan"}"#,
                    },
                    WrkRequest {
                        method: "GET",
                        path: "/api/order/12345?item=1",
                        headers: &[("X-State", "ok"), ("X-User", "yangfan")],
                        json: "",
                    },
                ],
            },
            goals: &[Goal { versus: &[WRK], least: 0.40 }],
        },
    },
    Scenario {
        name: "csv-load",
        about: "from the start of the program to its first request where the case takes 100,000 rows from a CSV file",
        by_default: true,
        kind: Kind::CsvLoad,
    },
    Scenario {
        name: "plugin-calls",
        about: "calls of a trivial Python function, 200 in flight: our runner against stock funppy, by the plugin's CPU",
        by_default: true,
        kind: Kind::PluginCalls,
    },
    Scenario {
        name: "memory",
        about: "resident memory of `hit` at 200 and 10,000 connections, and the slope between them",
        by_default: true,
        kind: Kind::Memory,
    },
    Scenario {
        name: "user-memory",
        about: "what a user of a 4-step case costs: the slope of `boom` between 200 and 5,000 users",
        by_default: true,
        kind: Kind::UserMemory,
    },
    Scenario {
        name: "tls-memory",
        about: "what a user with TLS costs: the slope of `hit` between 200 and 4,000 connections",
        by_default: true,
        kind: Kind::TlsMemory,
    },
    Scenario {
        name: "first-request",
        about: "from the start of the program to the first byte of its first request, ten times",
        by_default: true,
        kind: Kind::FirstRequest,
    },
    Scenario {
        name: "sockets",
        about: "200 users for 60 s: sockets opened, TIME_WAIT, and the server's count of requests against ours",
        by_default: true,
        kind: Kind::Sockets,
    },
    Scenario {
        name: "close-60s",
        about: "64 users for 60 s at full speed, a connection for each request: no address error without a warning",
        by_default: true,
        kind: Kind::Closing,
    },
    Scenario {
        name: "plugin-demo",
        about: "the comparison case with a call of debugtalk.py in every iteration, against the embedded target",
        by_default: true,
        kind: Kind::PluginDemo,
    },
    Scenario {
        name: "plugin-idle",
        about: "the comparison case, which calls nothing, in a project with a debugtalk.py and in one without",
        by_default: true,
        kind: Kind::PluginIdle,
    },
    Scenario {
        name: "plugin-two-calls",
        about: "2 requests in a transaction, 2 calls of debugtalk.py, 200 users, beside wrk with the same requests",
        by_default: true,
        kind: Kind::PluginTwoCalls,
    },
    Scenario {
        name: "plugin-memory",
        about: "1,000 users with a call in every iteration: memory of Python and of Pummel, and processes",
        by_default: true,
        kind: Kind::PluginMemory,
    },
    Scenario {
        name: "open-rate",
        about: "open runs at 1/s, 1,000/s, 50 % and 80 % of capacity: the rate and how punctual requests are, by the server's stamps",
        by_default: true,
        kind: Kind::OpenRate,
    },
    Scenario {
        name: "open-gaps",
        about: "the times between requests of open runs: even ones, and Poisson ones of three seeds",
        by_default: true,
        kind: Kind::OpenGaps,
    },
    Scenario {
        name: "freeze",
        about: "an open run of 10 s at 1,000/s whose server stands still for 2 s: percentiles against the closed form",
        by_default: true,
        kind: Kind::Freeze,
    },
    Scenario {
        name: "queue-theory",
        about: "Poisson arrivals at one server with exponential service times: p99 against M/M/1 at 20, 40 and 60 % load",
        by_default: true,
        kind: Kind::QueueTheory { loads: &[20, 40, 60], seconds: 60 },
    },
    Scenario {
        name: "queue-theory-80",
        about: "the same at 80 % load, for 5 minutes",
        by_default: false,
        kind: Kind::QueueTheory { loads: &[80], seconds: 300 },
    },
    Scenario {
        name: "capacity",
        about: "the search for the capacity of services with a known limit, five times each (15 minutes)",
        by_default: false,
        kind: Kind::Capacity,
    },
    Scenario {
        name: "outputs",
        about: "200 users at full speed with the store and all outputs on, against none; and with a locked database and a silent gateway",
        by_default: true,
        kind: Kind::Outputs,
    },
    Scenario {
        name: "soak",
        about: "64 connections for 10 minutes: speed and memory at the end against the beginning",
        by_default: false,
        kind: Kind::Soak,
    },
];

/// Runs what the flags ask for, prints each table when it is there, and records them at the end if asked.
///
/// # Errors
/// When something to measure could not be. Goals not reached are printed and are no error: the machine may be busy.
pub(crate) fn run(flags: &Flags) -> Result<(), BenchError> {
    if flags.list {
        for scenario in &SCENARIOS {
            let asked = if scenario.by_default { "" } else { " (only when asked for)" };
            println!("{:<16} {}{asked}", scenario.name, scenario.about);
        }
        return Ok(());
    }
    let chosen = chosen(flags)?;
    let bench = Bench::start(flags)?;
    let heading = machine::description(&bench)?;
    println!("{heading}");
    let mut sections = String::new();
    for scenario in chosen {
        bench.check()?;
        let (text, verdicts) = measure(&bench, scenario, flags)?;
        let list = goals::list(&verdicts);
        let body = [text.trim_end(), list.as_str()].join("\n\n");
        let section = format!("### {}: {}\n\n{}\n", scenario.name, scenario.about, body.trim_end());
        println!("{section}");
        sections += &section;
        sections.push('\n');
    }
    if flags.record {
        let path = record::append(&bench.root, &format!("{heading}\n{sections}"))?;
        println!("recorded in {}", path.display());
    }
    Ok(())
}

/// The scenarios asked for, or those that run by default.
fn chosen(flags: &Flags) -> Result<Vec<&'static Scenario>, BenchError> {
    let known = |name: &String| SCENARIOS.iter().any(|scenario| scenario.name == name);
    if let Some(name) = flags.only.iter().find(|name| !known(name)) {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        return Err(BenchError::Usage(format!("no scenario {name}; there are {}", names.join(", "))));
    }
    let wanted = |scenario: &&Scenario| {
        if flags.only.is_empty() {
            scenario.by_default
        } else {
            flags.only.iter().any(|name| name == scenario.name)
        }
    };
    Ok(SCENARIOS.iter().filter(wanted).collect())
}

fn measure(bench: &Bench, scenario: &Scenario, flags: &Flags) -> Result<(String, Vec<Verdict>), BenchError> {
    match &scenario.kind {
        Kind::Rounds { users, load, goals } => {
            let work = work(bench, load)?;
            let how = match load {
                Load::Greeting { how, .. } => *how,
                Load::Path(_) | Load::Case { .. } => How::KeptAlive,
            };
            let ask = Ask { users: *users, seconds: flags.seconds, cpu: bench.client_cpu, work, how };
            rounds::run(bench, scenario.name, &ask, flags.rounds, goals)
        }
        Kind::Memory => memory::connections(bench),
        Kind::UserMemory => memory::users(bench),
        Kind::TlsMemory => memory::tls(bench),
        Kind::Closing => closing::run(bench),
        Kind::FirstRequest => first_request::run(bench),
        Kind::Sockets => sockets::run(bench),
        Kind::CsvLoad => csv_load::run(bench),
        Kind::PluginCalls => plugin_calls::run(bench, flags.rounds, flags.seconds),
        Kind::PluginDemo => plugins::demo(bench, flags.seconds),
        Kind::PluginIdle => plugins::idle(bench, flags.rounds, flags.seconds),
        Kind::PluginTwoCalls => plugins::two_calls(bench, flags.rounds, flags.seconds),
        Kind::PluginMemory => plugins::memory(bench),
        Kind::OpenRate => open_rate::run(bench, flags.rounds),
        Kind::OpenGaps => open_gaps::run(bench),
        Kind::Freeze => freeze::run(bench),
        Kind::Capacity => capacity::run(bench),
        Kind::QueueTheory { loads, seconds } => queue_theory::run(bench, loads, *seconds),
        Kind::Outputs => outputs::run(bench, flags.rounds),
        Kind::Soak => soak::run(bench, flags.soak_seconds),
    }
}

fn work(bench: &Bench, load: &Load) -> Result<Work, BenchError> {
    let base_url = bench.nginx.base_url();
    match load {
        Load::Path(path) => Ok(Work::Url(base_url + path)),
        Load::Greeting { listener, .. } => Ok(Work::Url(bench.nginx.base_url_of(*listener) + HELLO)),
        Load::Case { file, requests } => {
            let script = bench.work.write("requests.lua", &wrk_script(requests))?;
            Ok(Work::Case { case: bench.case_for_nginx(file)?, script, base_url })
        }
    }
}
