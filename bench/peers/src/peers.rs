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
/// The name of the practical limit.
pub(crate) const BARE_LOOP: &str = "bare ring loop";

/// The file ab writes its percentiles to.
const AB_PERCENTILES: &str = "ab-percentiles.csv";
/// ab stops at a count or a time; this many a second is more than one core can do, so that the time decides. It keeps 32
/// bytes for each, touched only when used.
const AB_REQUESTS_PER_SECOND: u64 = 500_000;
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
pub(crate) static PEERS: [Peer; 9] = [
    Peer {
        name: PUMMEL,
        program: Program::Pummel,
        args: |ask| {
            let (users, seconds) = (ask.users.to_string(), ask.seconds.to_string());
            let args = match &ask.work {
                Work::Url(url) => arguments(["hit", url, "-c", &users, "-d", &format!("{seconds}s")]),
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
            with_url(arguments(args), ask)
        },
        said: |stdout, work| {
            client_said::ab(stdout, &fs::read_to_string(work.file(AB_PERCENTILES)).unwrap_or_default())
        },
    },
    Peer {
        name: "h2load --h1",
        program: Program::OnPath("h2load"),
        args: |ask| {
            let (users, seconds) = (ask.users.to_string(), ask.seconds.to_string());
            with_url(arguments(["--h1", "-t", "1", "-c", &users, "-D", &seconds]), ask)
        },
        said: |stdout, _| client_said::h2load(stdout),
    },
    Peer {
        name: BARE_LOOP,
        program: Program::BareLoop,
        args: |ask| {
            let (users, seconds, cpu) = (ask.users.to_string(), ask.seconds.to_string(), ask.cpu.to_string());
            with_url(arguments(["--connections", &users, "--seconds", &seconds, "--cpu", &cpu, "--url"]), ask)
        },
        said: |stdout, _| client_said::bare_loop(stdout),
    },
    Peer {
        name: "gcannon",
        program: Program::OnPath("gcannon"),
        args: |ask| {
            let (users, time) = (ask.users.to_string(), format!("{}s", ask.seconds));
            with_url(arguments(["-t", "1", "-p", "1", "-c", &users, "-d", &time, "--json"]), ask)
        },
        said: |stdout, _| client_said::gcannon(stdout),
    },
    Peer {
        name: "hey",
        program: Program::OnPath("hey"),
        args: |ask| {
            let (users, time) = (ask.users.to_string(), format!("{}s", ask.seconds));
            with_url(arguments(["-cpus", "1", "-c", &users, "-z", &time]), ask)
        },
        said: |stdout, _| client_said::hey_or_oha(stdout),
    },
    Peer {
        name: "oha",
        program: Program::OnPath("oha"),
        args: |ask| {
            let (users, time) = (ask.users.to_string(), format!("{}s", ask.seconds));
            with_url(arguments(["--no-tui", "-c", &users, "-z", &time]), ask)
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
fn boom(case: &Path, users: &str, seconds: &str) -> Vec<String> {
    let case = text(case);
    let load = ["boom", &case, "--spawn-count", users, "--spawn-rate", SPAWN_RATE, "--run-time", seconds];
    let mut args = arguments(load);
    args.push("--disable-console-output".into());
    args
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
    use super::{wrk_script, Ask, Work, WrkRequest, PEERS};

    fn args(name: &str, ask: &Ask) -> Option<String> {
        let peer = PEERS.iter().find(|peer| peer.name == name).unwrap();
        (peer.args)(ask).map(|args| args.join(" "))
    }

    #[test]
    fn each_tool_is_asked_for_the_same_load() {
        let ask = Ask { users: 64, seconds: 2, cpu: 3, work: Work::Url("http://h/p".into()) };
        assert_eq!(args("pummel", &ask).unwrap(), "hit http://h/p -c 64 -d 2s --cpus 3 --json pummel.json");
        assert_eq!(args("wrk", &ask).unwrap(), "-t 1 -c 64 -d 2s --latency http://h/p");
        assert_eq!(args("ab -k", &ask).unwrap(), "-k -q -r -c 64 -t 2 -n 1000000 -e ab-percentiles.csv http://h/p");
        assert_eq!(args("h2load --h1", &ask).unwrap(), "--h1 -t 1 -c 64 -D 2 http://h/p");
        assert_eq!(args("bare ring loop", &ask).unwrap(), "--connections 64 --seconds 2 --cpu 3 --url http://h/p");
        assert_eq!(args("hrp boom", &ask), None);
    }

    #[test]
    fn a_case_goes_only_to_tools_that_can_send_it() {
        let work = Work::Case { case: "c.yml".into(), script: "s.lua".into(), base_url: "http://h".into() };
        let ask = Ask { users: 200, seconds: 2, cpu: 0, work };
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
