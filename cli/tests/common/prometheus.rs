//! Debian's Prometheus and Pushgateway, each of a test's own.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::load::{closed_port, Folder};

/// How long one may take to start, and to have what is asked for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a port of this machine; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: Folder,
}

impl Server {
    /// A Prometheus that scrapes an address each second, takes remote writes, and has these features.
    pub(crate) fn prometheus(scraped: SocketAddr, features: &[&str]) -> Self {
        let folder = Folder::new();
        let config = folder.write(
            "prometheus.yml",
            &format!(
                "global: {{scrape_interval: 1s}}\n\
                 scrape_configs:\n- {{job_name: scraped, static_configs: [{{targets: ['{scraped}']}}]}}\n"
            ),
        );
        let features = features.iter().map(|feature| format!("--enable-feature={feature}"));
        let data = format!("--storage.tsdb.path={}", folder.path().join("data").display());
        let own = [format!("--config.file={config}"), data, "--web.enable-remote-write-receiver".to_owned()];
        Self::start("prometheus", own.into_iter().chain(features), folder)
    }

    pub(crate) fn pushgateway() -> Self {
        Self::start("prometheus-pushgateway", [].into_iter(), Folder::new())
    }

    fn start(program: &str, arguments: impl Iterator<Item = String>, folder: Folder) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, closed_port()));
        let child = Command::new(program)
            .args(arguments)
            .arg(format!("--web.listen-address={address}"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} is installed (scripts/test.sh installs it): {error}"));
        let server = Self { child, address, _folder: folder };
        let since = Instant::now();
        while !server.get("/-/ready").is_some_and(|answer| answer.contains(" 200 OK\r\n")) {
            assert!(since.elapsed() < PATIENCE, "{program} is ready");
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// What a GET is answered with, head and body; of HTTP/1.0, so that nothing is chunked.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let mut connection = TcpStream::connect(self.address).ok()?;
        connection.write_all(format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).as_bytes()).ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The values a query of Prometheus has now, one for each series.
    pub(crate) fn query(&self, query: &str) -> Vec<f64> {
        let encoded: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        let answer = self.get(&format!("/api/v1/query?{encoded}")).expect("Prometheus answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["status"], "success", "{query}: {body}");
        let series = body["data"]["result"].as_array().expect("a vector");
        series.iter().map(|one| one["value"][1].as_str().expect("a value").parse().expect("a number")).collect()
    }

    /// Asks until there is something.
    pub(crate) fn query_until_there(&self, query: &str) -> Vec<f64> {
        let since = Instant::now();
        loop {
            let values = self.query(query);
            if !values.is_empty() {
                return values;
            }
            assert!(since.elapsed() < PATIENCE, "nothing for {query}: {:?}", self.get("/api/v1/targets"));
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
