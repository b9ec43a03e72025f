//! A connection to one process.

use std::{
    io,
    path::Path,
    sync::{mpsc, Arc},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use pummel_case::CallOutcome;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    runtime::Handle,
    time,
};
use tonic::transport::{Channel, Endpoint};

use super::{
    failure,
    proto::{controller, debugtalk},
    runtime,
};
use crate::{
    frames::{Hello, REPLY_BYTES_MAX},
    handshake::Network,
};

/// What a message has around a result: tag and length of its one field.
const RESULT_OVERHEAD_BYTES: usize = 16;

/// What a plugin may say of an error, as much as of a result. gRPC carries it in a header, of which tonic takes 16 KiB unless told
/// otherwise; beyond the limit the connection breaks, and with it the plugin is lost.
const HEADER_BYTES_MAX: u32 = REPLY_BYTES_MAX as u32;

/// How much of results may be on the way unread: beyond HTTP/2's 64 KiB, so that one large result does not hold up all others.
const WINDOW_BYTES: u32 = 2 * 1024 * 1024;

/// What stands between the names of a plugin's own functions and of those it only imports (`runner/funppy_runner.py`). No function has
/// such a name.
const IMPORTED: &str = "(imported)";

/// How long a plugin may take to answer that it ends. Those that do not know the question refuse it at once.
const SHUTDOWN_TIME: Duration = Duration::from_millis(200);

/// Gets how a call ended and what it gave; none where it took too long.
type Done = Box<dyn FnOnce(Option<(CallOutcome, String)>) + Send>;

/// A connection to one worker. Clones share it.
#[derive(Debug, Clone)]
pub struct GrpcClient {
    /// Where its connection lives.
    runtime: Handle,
    channel: Channel,
}

impl GrpcClient {
    /// Connects to a plugin where its handshake says that it listens, and asks for the names of its functions, so that it is known to
    /// take calls. What it says is given in the form our own runner has for it, without a version of Python. Blocks its thread, for up
    /// to `limit`.
    ///
    /// # Errors
    /// What went wrong, in one line.
    pub fn connect(network: Network, address: &str, limit: Duration) -> Result<(Self, Hello), String> {
        let runtime = runtime::handle().map_err(|error| format!("no thread for gRPC: {error}"))?;
        let address = address.to_owned();
        let (tell, told) = mpsc::sync_channel(1);
        let at = runtime.clone();
        runtime.spawn(async move {
            let connected = time::timeout(limit, introduce(network, &address)).await;
            let late = || format!("{address} did not answer within {} s", limit.as_secs_f64());
            let answer = connected.unwrap_or_else(|_| Err(late()));
            let _ = tell.send(answer.map(|(channel, names)| (Self { runtime: at, channel }, hello(names))));
        });
        told.recv().unwrap_or_else(|_| Err("the thread of gRPC has ended".into()))
    }

    /// Makes a call; `done` gets how it ended and what it gave ([`PluginCall::answer`](pummel_case::PluginCall::answer)), none where
    /// it took longer than `left`, on the thread of the runtime, which it must not block. Never blocks.
    pub fn call(&self, function: Arc<str>, arguments: String, left: Duration, done: Done) {
        let channel = self.channel.clone();
        self.runtime.spawn(async move {
            done(time::timeout(left, ask(channel, &function, arguments)).await.ok());
        });
    }

    /// Asks the plugin to end, as Go plugins can be; one that cannot (stock funppy) is left as it is. Blocks its thread, for up to
    /// 200 ms. The process may be there for a little while longer.
    pub fn shutdown(&self) {
        let mut client = controller::grpc_controller_client::GrpcControllerClient::new(self.channel.clone());
        let (tell, told) = mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            // It ends either way: an error here is that of a plugin that broke off in the middle of its answer, or knows no such call.
            let _ = time::timeout(SHUTDOWN_TIME, client.shutdown(controller::Empty {})).await;
            let _ = tell.send(());
        });
        let _ = told.recv_timeout(SHUTDOWN_TIME);
    }
}

/// Opens the connection, and gives it with the names of the functions.
async fn introduce(network: Network, address: &str) -> Result<(Channel, Vec<String>), String> {
    let unreachable = |error: io::Error| format!("connecting to {address} failed: {error}");
    let channel = match network {
        Network::Tcp => {
            let stream = TcpStream::connect(address).await.map_err(unreachable)?;
            // A call is one small write; it must not wait for the acknowledgement of the one before.
            stream.set_nodelay(true).map_err(unreachable)?;
            channel(stream).await
        }
        Network::Unix => channel(UnixStream::connect(Path::new(address)).await.map_err(unreachable)?).await,
    };
    let channel = channel.map_err(|error| format!("{address} does not speak gRPC: {}", failure::chain(&error)))?;
    let names = client(channel.clone()).get_names(debugtalk::Empty {}).await;
    let names =
        names.map_err(|status| format!("{address} does not name its functions: {}", failure::told(&status).1))?;
    Ok((channel, names.into_inner().names))
}

/// Which functions there are, by what the plugin says: all are its own, but for those our script for funppy lists behind [`IMPORTED`].
fn hello(mut names: Vec<String>) -> Hello {
    let end = names.iter().position(|name| name == IMPORTED).unwrap_or(names.len());
    let imported = names.drain(end..).skip(1).collect();
    Hello { own: names, imported, python: String::new() }
}

/// HTTP/2 on this stream, which is the only one that it will have.
async fn channel<S>(stream: S) -> Result<Channel, tonic::transport::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // The host is only named in requests: nothing is looked up.
    let endpoint = Endpoint::from_static("http://localhost")
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    let mut only = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        let stream = only.take().ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "its connection broke"));
        std::future::ready(stream)
    });
    endpoint.connect_with_connector(connector).await
}

fn client(channel: Channel) -> debugtalk::debug_talk_client::DebugTalkClient<Channel> {
    debugtalk::debug_talk_client::DebugTalkClient::new(channel)
        .max_decoding_message_size(REPLY_BYTES_MAX + RESULT_OVERHEAD_BYTES)
}

/// One call.
async fn ask(channel: Channel, function: &str, arguments: String) -> (CallOutcome, String) {
    let request = debugtalk::CallRequest { name: function.to_owned(), args: arguments.into_bytes() };
    match client(channel).call(request).await {
        Ok(response) => match String::from_utf8(response.into_inner().value) {
            Ok(value) => (CallOutcome::Returned, value),
            Err(_) => (CallOutcome::Failed, "it returned bytes that are no UTF-8".into()),
        },
        Err(status) => failure::told(&status),
    }
}
