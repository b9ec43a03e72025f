//! The tools that take turns: how each is asked for the same load, and where its own figures stand. A tool is a row here.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    bench::{arguments, on_path, with_summary, Bench, SUMMARY_FILE},
    client_said::{self, Said},
    work_dir::WorkDir,
};

/// The name of the row everything is about.
pub(crate) const PUMMEL: &str = "pummel";
/// The name of the row ratios are taken to first.
pub(crate) const WRK: &str = "wrk";
/// The name of the row HTTP/2 is compared with.
pub(crate) const H2LOAD: &str = "h2load";
/// The name of the row connections without keep-alive are compared with.
pub(crate) const H2LOAD_H1: &str = "h2load --h1";
/// The name of the practical limit.
pub(crate) const BARE_LOOP: &str = "bare ring loop";

/// The file ab writes its percentiles to.
const AB_PERCENTILES: &str = "ab-percentiles.csv";
/// ab stops at a count or a time; this many a second is more than one core can do, so that the time decides. It keeps 32
/// bytes for each, touched only when used.
const AB_REQUESTS_PER_SECOND: u64 = 500_000;
/// h2load stops at a count where each request has a connection of its own; about as many full handshakes a second as one core
/// does while the server's does the same, so that it runs about as long as the others.
const HANDSHAKES_PER_SECOND: u64 = 1_000;
/// hrp starts users one by one and sleeps in between; this is as good as at once.
const SPAWN_RATE: &str = "100000";

/// A load as a tool is asked for it.
#[derive(Debug)]
pub(crate) struct Ask {
    /// Virtual users, each with a connection.
    pub(crate) users: u32,
    /// How long.
    pub(crate) seconds: u64,
    /// The client's CPU, for tools that pin themselves.
    pub(crate) cpu: usize,
    /// What is requested.
    pub(crate) work: Work,
    /// How requests are put on connections.
    pub(crate) how: How,
}

/// How requests are put on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// HTTP/1.1, one after the other on connections that stay.
    KeptAlive,
    /// HTTP/1.1, a connection for each, with a full handshake where there is TLS. The server closes it.
    OneEach,
    /// HTTP/2, so many at a time on each connection.
    Streams(u32),
}

/// What a load requests.
#[derive(Debug)]
pub(crate) enum Work {
    /// One URL again and again.
    Url(String),
    /// The requests of a test case in turn.
    Case {
        /// The case, for Pummel and hrp.
        case: PathBuf,
        /// A script with the same requests, for wrk.
        script: PathBuf,
        /// The server the script goes to.
        base_url: String,
    },
}

/// A tool.
pub(crate) struct Peer {
    /// How it is called in tables.
    pub(crate) name: &'static str,
    program: Program,
    /// Its arguments for a load; none where it cannot make it.
    pub(crate) args: fn(&Ask) -> Option<Vec<String>>,
    /// Its own figures, from its stdout and its files in the folder.
    pub(crate) said: fn(&str, &WorkDir) -> Said,
}

enum Program {
    Pummel,
    BareLoop,
    OnPath(&'static str),
}

impl Peer {
    /// Where it is; none when it is not installed.
    pub(crate) fn program(&self, bench: &Bench) -> Option<PathBuf> {
        match self.program {
            Program::Pummel => Some(bench.pummel.clone()),
            Program::BareLoop => Some(bench.bare_loop.clone()),
            Program::OnPath(name) => on_path(name),
        }
    }
}

/// All tools, in the order of a round.
pub(crate) static PEERS: [Peer; 10] = [
    Peer {
        name: PUMMEL,
        program: Program::Pummel,
        args: |ask| {
            let (users, seconds) = (ask.users.to_string(), ask.seconds.to_string());
            let args = match &ask.work {
                Work::Url(url) => hit(url, &users, &seconds, ask.how),
                Work::Case { case, .. } => boom(case, &users, &seconds),
            };
            Some(with_summary(args, ask.cpu))
        },
        said: |_, work| client_said::pummel(&fs::read_to_string(work.file(SUMMARY_FILE)).unwrap_or_default()),
    },
    Peer {
        name: WRK,
        program: Program::OnPath("wrk"),
        args: |ask| {
            if matches!(ask.how, How::Streams(_)) {
                return None;
            }
            let (users, time) = (ask.users.to_string(), format!("{}s", ask.seconds));
            let mut args = arguments(["-t", "1", "-c", &users, "-d", &time, "--latency"]);
            match &ask.work {
                Work::Url(url) => args.push(url.clone()),
                Work::Case { script, base_url, .. } => args.extend(["-s".into(), text(script), base_url.clone()]),
            }
            Some(args)
        },
        said: |stdout, _| client_said::wrk(stdout),
    },
    Peer {
        name: "ab -k",
        program: Program::OnPath("ab"),
        args: |ask| {
            let (users, seconds) = (ask.users.to_string(), ask.seconds.to_string());
            let requests = (ask.seconds * AB_REQUESTS_PER_SECOND).to_string();
            // -n after -t, which would set it to 50,000.
            let args = ["-k", "-q", "-r", "-c", &users, "-t", &seconds, "-n", &requests, "-e", AB_PERCENTILES];
            on_kept_connections(arguments(args), ask)
        },
        said: |stdout, work| {
            client_said::ab(stdout, &fs::read_to_string(work.file(AB_PERCENTILES)).unwrap_or_default())
        },
    },
    Peer {
        name: H2LOAD_H1,
        program: Program::OnPath("h2load"),
        args: |ask| {
            let (users, seconds) = (ask.users.to_string(), ask.seconds.to_string());
            let amount = match ask.how {
                How::KeptAlive => ["-D".to_owned(), seconds],
                // With -D it does not end where the server closes its connections (nghttp2 1.52).
                How::OneEach => ["-n".to_owned(), (ask.seconds * HANDSHAKES_PER_SECOND).to_string()],
                How::Streams(_) => return None,
            };
            let mut args = arguments(["--h1", "-t", "1", "-c", &users]);
            args.extend(amount);
            with_url(args, ask)
        },
        said: |stdout, _| client_said::h2load(stdout),
    },
    Peer {
        name: H2LOAD,
        program: Program::OnPath("h2load"),
        args: |ask| {
            let How::Streams(streams) = ask.how else { return None };
            let (users, streams, seconds) = (ask.users.to_string(), streams.to_string(), ask.seconds.to_string());
            with_url(arguments(["-t", "1", "-c", &users, "-m", &streams, "-D", &seconds]), ask)
        },
        said: |stdout, _| client_said::h2load(stdout),
    },
    Peer {
        name: BARE_LOOP,
        program: Program::BareLoop,
        args: |ask| {
            let (users, seconds, cpu) = (ask.users.to_string(), ask.seconds.to_string(), ask.cpu.to_string());
            let args = arguments(["--connections", &users, "--seconds", &seconds, "--cpu", &cpu, "--url"]);
            on_plain_connections(args, ask)
        },
        said: |stdout, _| client_said::bare_loop(stdout),
    },
    Peer {
        name: "gcannon",
        program: Program::OnPath("gcannon"),
        args: |ask| {
            let (users, time) = (ask.users.to_string(), format!("{}s", ask.seconds));
            on_plain_connections(arguments(["-t", "1", "-p", "1", "-c", &users, "-d", &time, "--json"]), ask)
        },
        said: |stdout, _| client_said::gcannon(stdout),
    },
    Peer {
        name: "hey",
        program: Program::OnPath("hey"),
        args: |ask| {
            let (users, time) = (ask.users.to_string(), format!("{}s", ask.seconds));
            on_kept_connections(arguments(["-cpus", "1", "-c", &users, "-z", &time]), ask)
        },
        said: |stdout, _| client_said::hey_or_oha(stdout),
    },
    Peer {
        name: "oha",
        program: Program::OnPath("oha"),
        args: |ask| {
            let (users, time) = (ask.users.to_string(), format!("{}s", ask.seconds));
            on_kept_connections(arguments(["--no-tui", "--insecure", "-c", &users, "-z", &time]), ask)
        },
        said: |stdout, _| client_said::hey_or_oha(stdout),
    },
    Peer {
        name: "hrp boom",
        program: Program::OnPath("hrp"),
        args: |ask| {
            let (users, seconds) = (ask.users.to_string(), ask.seconds.to_string());
            match &ask.work {
                Work::Url(_) => None,
                Work::Case { case, .. } => Some(boom(case, &users, &seconds)),
            }
        },
        // Its report is a table for people every 3 s; nginx counts for it.
        said: |_, _| Said::default(),
    },
];

/// The flags `hrp boom` and `pummel boom` share.
pub(crate) fn boom(case: &Path, users: &str, seconds: &str) -> Vec<String> {
    let case = text(case);
    let load = ["boom", &case, "--spawn-count", users, "--spawn-rate", SPAWN_RATE, "--run-time", seconds];
    let mut args = arguments(load);
    args.push("--disable-console-output".into());
    args
}

/// The flags of `pummel hit`. Nobody has signed the server's certificate, and no tool here verifies it.
fn hit(url: &str, users: &str, seconds: &str, how: How) -> Vec<String> {
    let mut args = arguments(["hit", url, "-c", users, "-d", &format!("{seconds}s")]);
    let tls = url.starts_with("https:");
    if tls {
        args.push("--insecure".into());
    }
    match how {
        How::KeptAlive => {}
        How::OneEach => {
            args.push("--disable-keepalive".into());
            if tls {
                args.extend(arguments(["--tls-resumption", "off"]));
            }
        }
        How::Streams(streams) => args.extend(arguments(["--http2", "--streams", &streams.to_string()])),
    }
    args
}

/// Of a tool that is at its best, or only good, with HTTP/1.1 on connections that stay.
fn on_kept_connections(args: Vec<String>, ask: &Ask) -> Option<Vec<String>> {
    if ask.how == How::KeptAlive {
        with_url(args, ask)
    } else {
        None
    }
}

/// Of a tool that besides knows no TLS.
fn on_plain_connections(args: Vec<String>, ask: &Ask) -> Option<Vec<String>> {
    match &ask.work {
        Work::Url(url) if url.starts_with("https:") => None,
        _ => on_kept_connections(args, ask),
    }
}

fn with_url(mut args: Vec<String>, ask: &Ask) -> Option<Vec<String>> {
    match &ask.work {
        Work::Url(url) => args.push(url.clone()),
        Work::Case { .. } => return None,
    }
    Some(args)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A request as wrk sends it in a scenario with a case: what the case's own request comes to.
#[derive(Debug)]
pub(crate) struct WrkRequest {
    /// Method.
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) path: &'static str,
    /// Header fields besides those every request has.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// JSON body, or empty for none.
    pub(crate) json: &'static str,
}

/// The content type a JSON body of a case has.
const JSON_TYPE: &str = "application/json; charset=utf-8";

/// A wrk script that sends the requests in turn. They are rendered once, so that Lua costs wrk as little as it can.
pub(crate) fn wrk_script(requests: &[WrkRequest]) -> String {
    let mut script = String::from("local requests = {}\nlocal last = 0\n\nfunction init(args)\n");
    for WrkRequest { method, path, headers, json } in requests {
        let json_type = (!json.is_empty()).then_some(("Content-Type", JSON_TYPE));
        let fields: Vec<String> =
            headers.iter().copied().chain(json_type).map(|(name, value)| format!("['{name}'] = '{value}'")).collect();
        let mut arguments = String::new();
        if !fields.is_empty() {
            let _ = write!(arguments, ", {{{}}}", fields.join(", "));
        }
        if !json.is_empty() {
            let _ = write!(arguments, ", '{json}'");
        }
        let _ = writeln!(script, "  requests[#requests + 1] = wrk.format('{method}', '{path}'{arguments})");
    }
    script += "end\n\nfunction request()\n  last = last % #requests + 1\n  return requests[last]\nend\n";
    script
}

#[cfg(test)]
mod tests {
    use super::{wrk_script, Ask, How, Work, WrkRequest, H2LOAD, H2LOAD_H1, PEERS};

    fn args(name: &str, ask: &Ask) -> Option<String> {
        let peer = PEERS.iter().find(|peer| peer.name == name).unwrap();
        (peer.args)(ask).map(|args| args.join(" "))
    }

    #[test]
    fn each_tool_is_asked_for_the_same_load() {
        let ask = Ask { users: 64, seconds: 2, cpu: 3, work: Work::Url("http://h/p".into()), how: How::KeptAlive };
        assert_eq!(args("pummel", &ask).unwrap(), "hit http://h/p -c 64 -d 2s --cpus 3 --json pummel.json");
        assert_eq!(args("wrk", &ask).unwrap(), "-t 1 -c 64 -d 2s --latency http://h/p");
        assert_eq!(args("ab -k", &ask).unwrap(), "-k -q -r -c 64 -t 2 -n 1000000 -e ab-percentiles.csv http://h/p");
        assert_eq!(args("h2load --h1", &ask).unwrap(), "--h1 -t 1 -c 64 -D 2 http://h/p");
        assert_eq!(args("bare ring loop", &ask).unwrap(), "--connections 64 --seconds 2 --cpu 3 --url http://h/p");
        assert_eq!(args("hrp boom", &ask), None);
    }

    #[test]
    fn tls_goes_to_tools_that_know_it() {
        let work = Work::Url("https://h/p".into());
        let ask = Ask { users: 64, seconds: 2, cpu: 3, work, how: How::KeptAlive };
        assert_eq!(args("pummel", &ask).unwrap(), "hit https://h/p -c 64 -d 2s --insecure --cpus 3 --json pummel.json");
        assert_eq!(args("wrk", &ask).unwrap(), "-t 1 -c 64 -d 2s --latency https://h/p");
        assert_eq!(args(H2LOAD_H1, &ask).unwrap(), "--h1 -t 1 -c 64 -D 2 https://h/p");
        assert_eq!(["bare ring loop", "gcannon", H2LOAD, "hrp boom"].map(|name| args(name, &ask)), [const { None }; 4]);
    }

    #[test]
    fn a_connection_for_each_request_has_a_handshake_of_its_own() {
        let work = Work::Url("https://h/p".into());
        let ask = Ask { users: 16, seconds: 2, cpu: 3, work, how: How::OneEach };
        assert_eq!(
            args("pummel", &ask).unwrap(),
            "hit https://h/p -c 16 -d 2s --insecure --disable-keepalive --tls-resumption off --cpus 3 --json pummel.json"
        );
        assert_eq!(args("wrk", &ask).unwrap(), "-t 1 -c 16 -d 2s --latency https://h/p");
        assert_eq!(args(H2LOAD_H1, &ask).unwrap(), "--h1 -t 1 -c 16 -n 2000 https://h/p");
        assert_eq!(["ab -k", "hey", "oha", "gcannon", H2LOAD].map(|name| args(name, &ask)), [const { None }; 5]);
    }

    #[test]
    fn streams_share_connections() {
        let work = Work::Url("https://h/p".into());
        let ask = Ask { users: 10, seconds: 2, cpu: 3, work, how: How::Streams(10) };
        assert_eq!(
            args("pummel", &ask).unwrap(),
            "hit https://h/p -c 10 -d 2s --insecure --http2 --streams 10 --cpus 3 --json pummel.json"
        );
        assert_eq!(args(H2LOAD, &ask).unwrap(), "-t 1 -c 10 -m 10 -D 2 https://h/p");
        assert_eq!(["wrk", "ab -k", H2LOAD_H1].map(|name| args(name, &ask)), [const { None }; 3]);
    }

    #[test]
    fn a_case_goes_only_to_tools_that_can_send_it() {
        let work = Work::Case { case: "c.yml".into(), script: "s.lua".into(), base_url: "http://h".into() };
        let ask = Ask { users: 200, seconds: 2, cpu: 0, work, how: How::KeptAlive };
        let boom = "boom c.yml --spawn-count 200 --spawn-rate 100000 --run-time 2 --disable-console-output";
        assert_eq!(args("pummel", &ask).unwrap(), format!("{boom} --cpus 0 --json pummel.json"));
        assert_eq!(args("hrp boom", &ask).unwrap(), boom);
        assert_eq!(args("wrk", &ask).unwrap(), "-t 1 -c 200 -d 2s --latency -s s.lua http://h");
        assert_eq!(args("ab -k", &ask), None);
    }

    #[test]
    fn the_script_renders_its_requests_once() {
        let requests = [
            WrkRequest { method: "GET", path: "/a", headers: &[], json: "" },
            WrkRequest { method: "GET", path: "/h", headers: &[("X-A", "1"), ("X-B", "2")], json: "" },
            WrkRequest { method: "POST", path: "/b", headers: &[("X-A", "1")], json: "{\"n\":1}" },
        ];
        assert_eq!(
            wrk_script(&requests),
            "local requests = {}\nlocal last = 0\n\nfunction init(args)\n  \
             requests[#requests + 1] = wrk.format('GET', '/a')\n  \
             requests[#requests + 1] = wrk.format('GET', '/h', {['X-A'] = '1', ['X-B'] = '2'})\n  \
             requests[#requests + 1] = wrk.format('POST', '/b', {['X-A'] = '1', \
             ['Content-Type'] = 'application/json; charset=utf-8'}, '{\"n\":1}')\n\
             end\n\nfunction request()\n  last = last % #requests + 1\n  return requests[last]\nend\n"
        );
    }
}
