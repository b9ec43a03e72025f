//! An nginx of our own: one worker on one CPU, on a free port of the loopback, stopped when dropped.

use std::{
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{getrlimit, kill_process, Pid, Resource, Signal};

use crate::{
    certificate::{self, CERTIFICATE, KEY},
    error::{BenchError, Doing},
    work_dir::WorkDir,
};

/// Descriptors the worker asks for: connections and a few files. More than any scenario's clients need.
const FILES_MAX: u64 = 19_000;
/// Connections of the worker: the 10,000 of the memory scenario, those still closing, and room.
const CONNECTIONS_MAX: u64 = 15_000;
/// How long nginx may take to come up, to answer, to see its clients gone, or to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// A path that is answered so many times a second at most, with bursts of a fiftieth of that, and else with 429.
pub(crate) const LIMITED_PATH: &str = "/limited";
/// That number.
pub(crate) const LIMITED_PER_S: u32 = 2_000;

/// Where it tells its counts.
const STATUS_PATH: &str = "/__nginx_status";

/// Where nginx listens and what it speaks there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    /// HTTP/1.1.
    Plain,
    /// TLS 1.3 with session tickets; HTTP/1.1, or HTTP/2 where ALPN asks for it.
    Tls,
    /// TLS 1.3 without tickets or sessions: nobody can resume, so every handshake is a full one, whatever a client would do.
    FullHandshakes,
    /// HTTP/2 by prior knowledge.
    H2c,
}

/// The addresses of the listeners.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    plain: SocketAddr,
    tls: SocketAddr,
    full_handshakes: SocketAddr,
    h2c: SocketAddr,
}

/// A running nginx.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    addresses: Addresses,
    counts_requests: bool,
}

/// nginx's counts since its start (`ngx_http_stub_status_module`), our own questions included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Connections accepted.
    pub(crate) accepted: u64,
    /// Requests begun.
    pub(crate) requests: u64,
    /// Connections open now.
    open: u64,
}

/// What clients did between two moments, our own questions taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Served {
    /// Connections accepted.
    pub(crate) connections: u64,
    /// Requests begun.
    pub(crate) requests: u64,
}

impl Nginx {
    /// Starts it on a CPU, with its files in `work`, and waits until it answers.
    pub(crate) fn start(cpu: usize, work: &WorkDir) -> Result<Self, BenchError> {
        let counts_requests = has_status_module()?;
        certificate::make(work)?;
        let addresses = Addresses::free()?;
        let config = work.write("nginx.conf", &configuration(&addresses, counts_requests))?;
        let log = File::create(work.file("nginx.log")).doing("create nginx.log")?;
        // setpriv has the kernel stop nginx even when this program is killed and can stop nothing itself.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "taskset", "-c", &cpu.to_string(), "nginx", "-e", "stderr", "-p"])
            .arg(work.path())
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .doing("start nginx through setpriv and taskset")?;
        let mut nginx = Self { child, addresses, counts_requests };
        let start = Instant::now();
        while TcpStream::connect(addresses.plain).is_err() {
            let ended = nginx.child.try_wait().doing("wait for nginx")?.is_some();
            if ended || start.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(work.file("nginx.log")).unwrap_or_default();
                return Err(BenchError::Nginx(log.trim().into()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }

    /// Scheme and authority of the plain listener, without a path.
    pub(crate) fn base_url(&self) -> String {
        self.base_url_of(Listener::Plain)
    }

    /// Scheme and authority of a listener, without a path.
    pub(crate) fn base_url_of(&self, listener: Listener) -> String {
        let Addresses { plain, tls, full_handshakes, h2c } = self.addresses;
        match listener {
            Listener::Plain => format!("http://{plain}"),
            Listener::Tls => format!("https://{tls}"),
            Listener::FullHandshakes => format!("https://{full_handshakes}"),
            Listener::H2c => format!("http://{h2c}"),
        }
    }

    /// Runs `work` and returns what it served meanwhile; none where this nginx does not count. The clients of before are
    /// gone when the work begins, its own when it is counted.
    pub(crate) fn serving<T>(
        &self,
        work: impl FnOnce() -> Result<T, BenchError>,
    ) -> Result<(T, Option<Served>), BenchError> {
        if !self.counts_requests {
            return Ok((work()?, None));
        }
        let (before, _) = self.settled()?;
        let result = work()?;
        let (after, questions) = self.settled()?;
        let served = Served {
            connections: (after.accepted - before.accepted).saturating_sub(questions),
            requests: (after.requests - before.requests).saturating_sub(questions),
        };
        Ok((result, Some(served)))
    }

    /// The counts once no connection but our own is open, and how many questions that took.
    fn settled(&self) -> Result<(Counts, u64), BenchError> {
        let start = Instant::now();
        for questions in 1.. {
            let counts = self.counts()?;
            if counts.open <= 1 {
                return Ok((counts, questions));
            }
            if start.elapsed() > PATIENCE {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(BenchError::Nginx(format!("connections were still open {} s after their client ended", PATIENCE.as_secs())))
    }

    fn counts(&self) -> Result<Counts, BenchError> {
        let ask = || {
            let mut socket = TcpStream::connect_timeout(&self.addresses.plain, PATIENCE)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.write_all(format!("GET {STATUS_PATH} HTTP/1.0\r\n\r\n").as_bytes())?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = ask().doing("ask nginx for its counts")?;
        counts_in(&answer).ok_or_else(|| BenchError::Nginx(format!("its counts cannot be read:\n{answer}")))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its worker when told to end; killing it at once would leave the worker.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The counts in an answer of the status module: three numbers below a line that names them, after one with the open ones.
fn counts_in(answer: &str) -> Option<Counts> {
    let open = answer.lines().find_map(|line| line.strip_prefix("Active connections:"))?;
    let mut lines = answer.lines().skip_while(|line| !line.starts_with("server accepts"));
    lines.next()?;
    let numbers: Vec<u64> = lines.next()?.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let &[accepted, _, requests] = numbers.as_slice() else { return None };
    Some(Counts { accepted, requests, open: open.trim().parse().ok()? })
}

fn has_status_module() -> Result<bool, BenchError> {
    let output =
        Command::new("nginx").arg("-V").output().doing("run nginx -V (Debian: apt-get install nginx-light)")?;
    Ok(String::from_utf8_lossy(&output.stderr).contains("http_stub_status_module"))
}

impl Addresses {
    /// Ports that were free a moment ago. Who takes one in between makes nginx fail with a clear sentence.
    fn free() -> Result<Self, BenchError> {
        // Held until all are found, so that they differ.
        let mut held = Vec::new();
        let mut free = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("find a free port")?;
            let address = listener.local_addr().doing("find a free port")?;
            held.push(listener);
            Ok(address)
        };
        Ok(Self { plain: free()?, tls: free()?, full_handshakes: free()?, h2c: free()? })
    }
}

/// One worker, kept-alive connections without end, the two endpoints of the comparison case, and one that closes its connection
/// after the response.
fn configuration(addresses: &Addresses, counts_requests: bool) -> String {
    let hard_limit = getrlimit(Resource::Nofile).maximum.unwrap_or(FILES_MAX);
    let files = FILES_MAX.min(hard_limit);
    let connections = CONNECTIONS_MAX.min(files);
    let status = if counts_requests { format!("location = {STATUS_PATH} {{ stub_status; }}") } else { String::new() };
    let Addresses { plain, tls, full_handshakes, h2c } = addresses;
    let burst = LIMITED_PER_S / 50;
    format!(
        r#"daemon off;
worker_processes 1;
pid nginx.pid;
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  ssl_certificate {CERTIFICATE};
  ssl_certificate_key {KEY};
  ssl_protocols TLSv1.3;
  limit_req_zone $server_port zone=limited:1m rate={LIMITED_PER_S}r/s;
  limit_req_status 429;
  limit_req_log_level info;
  server {{
    listen {plain} backlog=8192;
    listen {h2c} http2 backlog=8192;
    listen {tls} ssl http2 backlog=8192;
    ssl_session_tickets on;
    {status}
    # `return` answers before a limit is looked at, so the answer stands behind try_files.
    location {LIMITED_PATH} {{
      limit_req zone=limited burst={burst} nodelay;
      try_files /none @limited;
    }}
    location @limited {{
      return 200 'ok';
    }}
    location /hello/ {{
      default_type application/json;
      return 200 '{{"code":0,"msg":"hello yangfan","data":null}}';
    }}
    location /api/ {{
      default_type application/json;
      return 200 '{{"code":0,"msg":"ok","data":{{"id":12345,"items":[1,2,3,4,5],"name":"yangfan"}}}}';
    }}
  }}
  server {{
    listen {full_handshakes} ssl backlog=8192;
    ssl_session_tickets off;
    ssl_session_cache off;
    location /hello/ {{
      keepalive_timeout 0;
      default_type application/json;
      return 200 '{{"code":0,"msg":"hello yangfan","data":null}}';
    }}
  }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::{counts_in, Counts};

    #[test]
    fn the_counts_stand_below_their_names() {
        let answer =
            "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nActive connections: 3 \nserver accepts handled requests\n \
                      195 195 369550 \nReading: 0 Writing: 1 Waiting: 2 \n";
        assert_eq!(counts_in(answer), Some(Counts { accepted: 195, requests: 369_550, open: 3 }));
        assert_eq!(counts_in("HTTP/1.1 404 Not Found\r\n\r\n"), None);
    }
}
