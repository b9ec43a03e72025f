//! A plugin whose process is a script of the test: it speaks the protocol of our own runner, and misbehaves where it is asked to.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pummel_case::{load_text, Case, LoadOptions, Plugins};
use pummel_plugin::{PluginHost, PluginOptions};

/// The launcher of the plugin's processes: it executes the script below in place of our own runner, and all else as it is told. Its
/// arguments are the name of the sub-command, the parent's id, the script's name, the program and its arguments.
const LAUNCHER: &str = r#"#!/bin/sh
script="$3"
shift 3
if [ "$script" = own ]; then
    exec "$1" "$(dirname "$0")/fake.py" "$2"
fi
exec "$@"
"#;

/// The functions: `echo(x)`; `most()`, the most calls that came in one frame; `generation()`, which process of the plugin this is;
/// `fail(text)`; `slow(s)`, which takes so many seconds; `hang_in(n)`, `die_in(n)`, `mute_in(n)`, behind which no process says anything
/// any more, `babble_in(n)`: they do so in process n and return 0 in others. Replies of a frame go out in reverse order, in one write.
const FAKE: &str = r#"
import json, os, socket, struct, sys, threading, time

folder = os.path.dirname(os.path.abspath(sys.argv[1]))
with open(os.path.join(folder, "starts"), "a+") as starts:
    starts.write("x")
    starts.flush()
    generation = starts.tell()
if generation > 1 and os.path.exists(os.path.join(folder, "mute")):
    time.sleep(60)
listener = socket.socket(fileno=os.dup(0))
names = ["echo", "most", "generation", "fail", "slow", "hang_in", "die_in", "mute_in", "babble_in"]
most = 0


def reply(number, status, payload):
    payload = payload.encode()
    return struct.pack("<IIB", len(payload), number, status) + payload


def answer(number, name, arguments):
    if name == "echo":
        return reply(number, 0, json.dumps(arguments[0]))
    if name == "most":
        return reply(number, 0, str(most))
    if name == "fail":
        return reply(number, 1, arguments[0])
    if name == "slow":
        time.sleep(arguments[0])
    if name.endswith("_in") and arguments[0] == generation:
        if name == "mute_in":
            open(os.path.join(folder, "mute"), "w").close()
        if name in ("die_in", "mute_in"):
            os._exit(3)
        return b"" if name == "hang_in" else b"\xff" * 16
    return reply(number, 0, str(generation) if name == "generation" else "0")


def serve(stream):
    global most
    received = stream.makefile("rb")
    stream.sendall(reply(0xFFFFFFFF, 0, json.dumps({"own": names, "imported": [], "python": "3"})))
    while True:
        head = received.read(4)
        if len(head) < 4:
            return
        calls = json.loads(received.read(struct.unpack("<I", head)[0]))
        most = max(most, len(calls))
        out = [answer(*call) for call in reversed(calls)]
        try:
            stream.sendall(b"".join(out))
        except OSError:
            return


while True:
    stream, _ = listener.accept()
    threading.Thread(target=serve, args=(stream,), daemon=True).start()
"#;

/// A project with the plugin, and what starts it. Its processes end with it.
pub(crate) struct FakePlugin {
    folder: PathBuf,
    pub(crate) host: PluginHost,
}

impl FakePlugin {
    /// In a folder of this name of its own.
    pub(crate) fn new(name: &str, workers: usize, timeout: Duration) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let launcher = folder.join("launcher");
        for (file, text) in [("debugtalk.py", ""), ("fake.py", FAKE), ("launcher", LAUNCHER)] {
            fs::write(folder.join(file), text).expect("a file");
        }
        fs::set_permissions(&launcher, PermissionsExt::from_mode(0o755)).expect("its permissions");
        let options = PluginOptions { workers, timeout, launcher, ..PluginOptions::default() };
        Self { folder, host: PluginHost::new(options) }
    }

    /// A case of the project.
    pub(crate) fn case(&self, text: &str) -> Case {
        let options = LoadOptions {
            plugins: Some(Plugins(Arc::new(self.host.clone()))),
            project_dir: Some(self.folder.clone()),
            ..LoadOptions::default()
        };
        load_text("case.yml", text, &options).expect("a valid case").cases.remove(0)
    }
}

impl Drop for FakePlugin {
    fn drop(&mut self) {
        self.host.end();
    }
}
