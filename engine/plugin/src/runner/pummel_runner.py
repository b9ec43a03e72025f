"""Runs the functions of one debugtalk.py for Pummel.

    python3 pummel_runner.py DEBUGTALK_PY --threads N

The file descriptor 0 is a Unix socket that listens. The protocol spoken there stands in engine/plugin/src/frames.rs: frames of
calls come in, replies go out in any order, and what this program says first on a connection is which functions there are, or why
there are none.

Calls run one after the other in the main thread, many to a read and a write. A function that was found to be slow runs in a pool
of threads instead, so that it holds up nobody else.
"""

import ast
import functools
import gc
import io
import json
import json.encoder
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading
import traceback
import types
from collections import deque
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from queue import SimpleQueue
from time import perf_counter, sleep

# What one read takes at most: more than a hundred calls of the usual size, and small enough to come from the allocator's heap.
READ_BYTES = 64 * 1024
# The largest result (frames.rs, REPLY_BYTES_MAX).
RESULT_BYTES_MAX = 16 * 1024 * 1024
# The longest text that says what is wrong, but for its place: it goes into logs and reports, one line each.
FAILURE_CHARACTERS_MAX = 2000
# Replies that are ready wait at most this long for others to go out with, beside the one call that runs meanwhile.
FLUSH_SECONDS = 200e-6
# A function that takes longer is slow.
SLOW_SECONDS = 1e-3
# A function goes back to the main thread after so many quick calls in a row: the slow one had something to import or to prepare.
# Each further slow call takes four times as many, so that one that is slow now and then stays in the pool.
QUICK_CALLS_TO_RETURN = 16
# The longest name of a file that is told with an exception.
NAME_CHARACTERS_MAX = 200
# Different tracebacks that are written; each is remembered, so that it is written once.
TRACEBACKS_MAX = 1000
# The longest traceback that is written; of a longer one the begin and the end.
TRACEBACK_CHARACTERS_MAX = 16000
# How long one that cannot run waits to say so. Pummel connects at once.
BROKEN_WAIT_SECONDS = 60
# Pause after a connection could not be accepted, mostly for want of file descriptors: they come back as others close.
ACCEPT_RETRY_SECONDS = 0.01

HELLO = 0xFFFFFFFF
RETURNED = 0
FAILED = 1

length_of_frame = struct.Struct("<I")
head_of_reply = struct.Struct("<IIB").pack
decode_json = json.JSONDecoder().raw_decode


def main():
    """Prepares the process, imports the plugin and serves until the process is ended."""
    path = os.path.abspath(sys.argv[1])
    threads = int(sys.argv[sys.argv.index("--threads") + 1])
    listener = take_listener()
    prepare_process(path)
    functions = Functions(os.path.dirname(path))
    install_funppy(functions)
    try:
        module, names = import_plugin(path)
    except BaseException as error:  # Even sys.exit() in the file only means that it cannot be used.
        show_traceback(error.__cause__ if isinstance(error, NoPython) else error)
        say_broken(listener, describe_broken(error, path))
        return
    hello = functions.discover(module, names)
    # What was imported stays; without it in the collector's lists each collection is quick.
    gc.freeze()
    Server(listener, functions, hello, threads).run()


def take_listener():
    """Moves the listening socket away from file descriptor 0, so that user code finds an empty input there."""
    listener = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return listener


def prepare_process(path):
    """Makes the process what user code expects of a plugin of hrp."""
    # Ctrl-C in a terminal reaches all processes there; Pummel decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # A thread that computes gives way to one that has a quick answer.
    sys.setswitchinterval(SLOW_SECONDS)
    # Nothing is written into the project's folder.
    sys.dont_write_bytecode = True
    # The project's folder takes the place of this program's, which is first unless PYTHONSAFEPATH is set.
    sys.path[: 0 if getattr(sys.flags, "safe_path", False) else 1] = [os.path.dirname(path)]
    script = sys.argv[0]
    if script.startswith("/proc/self/fd/"):
        # The source of this program; children of user code have no use for it.
        os.set_inheritable(int(script.rpartition("/")[2]), False)
    sys.argv[:] = [path]
    # A child of `multiprocessing` would otherwise run this program first.
    globals().pop("__file__", None)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is not None:
            stream = io.TextIOWrapper(
                io.BufferedWriter(Output(descriptor, "w", closefd=False)),
                encoding="utf-8",
                errors="backslashreplace",
                line_buffering=True,
            )
            setattr(sys, name, stream)
            setattr(sys, "__%s__" % name, stream)


class Output(io.FileIO):
    """An output that takes all there is to write even when nobody reads it any more: printing must not break a call."""

    def write(self, data):
        """Writes, or drops what can no longer be written."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def install_funppy(functions):
    """Makes `import funppy` give what debugtalk.py uses of it, installed or not: `register`, and a `serve` that does nothing.

    The real package needs gRPC, which takes 30 MB that nobody uses here. Its other modules are found where it is installed.
    """
    package = types.ModuleType("funppy", "Stands in for funppy: Pummel serves the functions.")
    plugin = types.ModuleType("funppy.plugin", package.__doc__)
    installed = PathFinder.find_spec("funppy")
    package.__path__ = list(installed.submodule_search_locations or ()) if installed else []
    package.__spec__ = ModuleSpec("funppy", None, is_package=True)
    package.__spec__.submodule_search_locations = package.__path__
    plugin.__spec__ = ModuleSpec("funppy.plugin", None)
    plugin.__package__ = package.__package__ = "funppy"
    package.__version__ = "v0.5.2"
    package.plugin = plugin
    for module in (package, plugin):
        module.register = functions.register
        module.serve = lambda: None
        module.__all__ = ["register", "serve"]
    sys.modules["funppy"] = package
    sys.modules["funppy.plugin"] = plugin


class NoPython(Exception):
    """The file is no Python; its cause is what the compiler says."""


def import_plugin(path):
    """Imports the file as the module `debugtalk`; gives it and the names of the functions defined at its top level."""
    with open(path, "rb") as file:
        source = file.read()
    try:
        tree = ast.parse(source, path)
        code = compile(tree, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NoPython from error
    spec = spec_from_file_location("debugtalk", path)
    module = module_from_spec(spec)
    sys.modules["debugtalk"] = module
    exec(code, module.__dict__)
    return module, [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def describe_broken(error, path):
    """Why the plugin cannot run, as `BrokenPlugin` of frames.rs."""
    syntax = isinstance(error, NoPython)
    if syntax:
        error = error.__cause__
    folder = os.path.dirname(path)
    place = innermost_place(folder, error)
    if isinstance(error, SyntaxError) and error.filename:
        file = name_within(folder, error.filename)
        place = "%s:%s" % (file, error.lineno or 1) if file else place
    return {"syntax": syntax, "error": one_line(error), "place": place}


def innermost_place(folder, error):
    """Where in the project's own files an exception came from, `file:line` as seen from the folder; empty where from none."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = name_within(folder, frame.f_code.co_filename)
        if file:
            place = "%s:%s" % (file, line or 1)
    return place


@functools.lru_cache(maxsize=1024)
def name_within(folder, file):
    """The file as seen from the folder; empty where it is not in it, or in an environment of packages there."""
    file = os.path.relpath(os.path.abspath(file), folder) if not file.startswith("<") else os.pardir
    foreign = file.startswith(os.pardir) or "site-packages" in file.split(os.sep)
    return file if not foreign and file.isprintable() and len(file) <= NAME_CHARACTERS_MAX else ""


def say_broken(listener, reason):
    """Tells the first that connects why there are no functions."""
    listener.settimeout(BROKEN_WAIT_SECONDS)
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            if is_ours(peer):
                peer.settimeout(BROKEN_WAIT_SECONDS)
                payload = json.dumps(reason).encode()
                peer.sendall(head_of_reply(len(payload), HELLO, FAILED) + payload)
                return


class Function:
    """A function of the plugin, and what is known of its speed."""

    __slots__ = ("name", "run", "pooled", "quick_calls", "quick_calls_to_return")

    def __init__(self, name, run):
        self.name = name
        self.run = run
        # True where its calls go to the pool.
        self.pooled = False
        # Its calls in the pool since the last slow one.
        self.quick_calls = 0
        # So many of them bring it back to the main thread; four times as many after each slow call there.
        self.quick_calls_to_return = QUICK_CALLS_TO_RETURN // 4


class Functions:
    """The functions by their names."""

    # What counts as a function among the things a plugin imports. Classes and modules do not.
    KINDS = (
        types.FunctionType,
        types.BuiltinFunctionType,
        types.MethodType,
        functools.partial,
        type(functools.lru_cache()(len)),
    )

    def __init__(self, folder):
        # Of the project.
        self.folder = folder
        self.all = {}
        # Those known to be quick, which the main thread calls with as little ado as possible.
        self.quick = {}
        self.registered = []

    def register(self, func_name, func):
        """`funppy.register`: adds a function under a name of its own. Names that no case can write are left out."""
        if can_be_written(func_name):
            if func_name not in self.registered:
                self.registered.append(func_name)
            self.add(func_name, func)

    def add(self, name, run):
        """Adds or replaces a function, of whose speed nothing is known."""
        self.quick.pop(name, None)
        self.all[name] = Function(name, run)

    def discover(self, module, defined):
        """Adds what the module has; gives the `Hello` of frames.rs (hrp spec 19.3, 19.9)."""
        own = list(self.registered)
        imported = []
        for name, value in list(vars(module).items()):
            if name.startswith("_") or not can_be_written(name):
                continue
            if name in defined and callable(value):
                # funppy's generated script registers these last, so they stand above what was registered before.
                if name not in own:
                    own.append(name)
            elif isinstance(value, self.KINDS) and name not in own:
                imported.append(name)
            else:
                continue
            self.add(name, value)
        return {"own": own, "imported": imported, "python": sys.version.split()[0]}


def can_be_written(name):
    """True for names of functions that a case can write."""
    return isinstance(name, str) and name.isascii() and name.isidentifier()


class Unserialisable(Exception):
    """A function returned what JSON cannot hold."""


class Foreign(Exception):
    """A value of a type that JSON does not know."""


def refuse(value):
    """What the encoder calls for such values."""
    raise Foreign(type(value).__name__)


def make_encoder():
    """A function that gives a value's JSON as text; lists and tuples are arrays, what JSON cannot hold raises."""
    encoder = json.JSONEncoder(
        ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"), default=refuse
    )
    c_encoder = json.encoder.c_make_encoder
    if c_encoder is None:
        return encoder.encode
    # `encode` makes a new one for each value. Without the check for circles none remembers anything: a circle ends as
    # RecursionError.
    parts = c_encoder(None, refuse, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    return lambda value: "".join(parts(value, 0))


text_of_json = make_encoder()
json_of_str = json.encoder.encode_basestring


def encode(result):
    """The result of a function as JSON, in bytes; what is awaited first is awaited here."""
    if hasattr(type(result), "__await__"):
        # Few plugins need it and its import takes a while.
        import asyncio

        result = asyncio.run(wait_for(result))
    try:
        payload = text_of_json(result).encode()
    except Foreign as error:
        kind = type(result).__name__
        foreign = str(error)
        inside = "" if kind == foreign else "%s that holds a " % kind
        raise Unserialisable("returned a %s%s, which JSON cannot hold" % (inside, foreign)) from None
    except (TypeError, ValueError) as error:
        raise Unserialisable("returned a %s that JSON cannot hold: %s" % (type(result).__name__, error)) from None
    if len(payload) > RESULT_BYTES_MAX:
        raise Unserialisable("returned %d bytes of JSON, more than %d" % (len(payload), RESULT_BYTES_MAX))
    return payload


async def wait_for(result):
    """Makes a coroutine of anything that can be awaited."""
    return await result


def one_line(error):
    """The last line of an exception's traceback, `ValueError: no such user`."""
    if isinstance(error, Unserialisable):
        return str(error)
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else kind.__module__ + "." + kind.__qualname__
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:
        text = "(its text cannot be shown)"
    text = " ".join(text[: 2 * FAILURE_CHARACTERS_MAX].split())
    text = "%s: %s" % (name, text) if text else name
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= FAILURE_CHARACTERS_MAX else text[: FAILURE_CHARACTERS_MAX - 3] + "..."


tracebacks_shown = set()


def show_traceback(error, function=""):
    """Writes the traceback to the standard error, once for each function, type of exception and line."""
    inner = error.__traceback__
    # Frames of this program come first and tell nothing.
    while inner and inner.tb_frame.f_code.co_filename == main.__code__.co_filename:
        inner = inner.tb_next
    line = 0
    for _, line in traceback.walk_tb(inner):
        pass
    key = (function, type(error).__qualname__, line)
    if key in tracebacks_shown or len(tracebacks_shown) >= TRACEBACKS_MAX:
        return
    tracebacks_shown.add(key)
    try:
        text = "".join(traceback.format_exception(type(error), error, inner))
        if len(text) > TRACEBACK_CHARACTERS_MAX:
            half = TRACEBACK_CHARACTERS_MAX // 2
            text = "%s\n...\n%s" % (text[:half], text[-half:])
        sys.stderr.write("%s%s" % ("in %s: " % function if function else "", text))
    except BaseException:
        # An exception that cannot be shown, or a replaced standard error, must not become a failure of its own.
        pass


def failure(ident, name, error, folder):
    """The reply to a call that failed: the exception's last line, and where in the project it came from."""
    if isinstance(error, Unserialisable):
        return failure_of_text(ident, one_line(error))
    show_traceback(error, name)
    place = innermost_place(folder, error)
    return failure_of_text(ident, "%s (%s)" % (one_line(error), place) if place else one_line(error))


def failure_of_text(ident, text):
    """The reply that says what is wrong."""
    payload = text.encode("utf-8", "replace")
    return head_of_reply(len(payload), ident, FAILED) + payload


def is_ours(peer):
    """True where the process at the other end belongs to the same user."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
    return struct.unpack("iII", credentials)[1] == os.geteuid()


class Connection:
    """One peer. The main thread reads; all threads send, under the lock."""

    def __init__(self, peer, poll):
        self.peer = peer
        self.number = peer.fileno()
        self.poll = poll
        self.lock = threading.Lock()
        # The begin of a frame that is not complete.
        self.received = bytearray()
        # Replies that the peer has no room for yet, the oldest first; none is copied, however many wait.
        self.unsent = deque()
        self.closed = False

    def send(self, replies):
        """Sends whole replies, or as much as there is room for and the rest later."""
        with self.lock:
            if self.closed:
                return
            if self.unsent:
                self.unsent.append(memoryview(replies))
                return
            try:
                sent = self.peer.send(replies)
            except BlockingIOError:
                sent = 0
            except OSError:
                # The main thread sees the same when it reads, and closes.
                return
            if sent < len(replies):
                self.unsent.append(memoryview(replies)[sent:])
                # No more calls are taken from a peer that does not take replies.
                self.poll.modify(self.number, select.EPOLLOUT)

    def send_rest(self):
        """Sends what there was no room for."""
        unsent = self.unsent
        with self.lock:
            try:
                while unsent:
                    sent = self.peer.send(unsent[0])
                    if sent < len(unsent[0]):
                        unsent[0] = unsent[0][sent:]
                        return
                    unsent.popleft()
            except BlockingIOError:
                return
            except OSError:
                unsent.clear()
            self.poll.modify(self.number, select.EPOLLIN)

    def close(self):
        """Ends the connection; results of calls still under way are dropped."""
        with self.lock:
            self.closed = True
            self.unsent.clear()
            # Closing alone does not do it where a child of user code shares the socket.
            self.poll.unregister(self.number)
            self.peer.close()


class Pool:
    """Threads for slow functions, made as they are needed."""

    def __init__(self, functions, limit):
        self.functions = functions
        self.limit = max(limit, 1)
        self.threads = 0
        self.jobs = SimpleQueue()
        # One entry for each thread that waits; the ends of a deque may be used by several threads at once.
        self.idle = deque(maxlen=limit)

    def call(self, connection, ident, function, arguments):
        """Has a thread make the call and send its reply."""
        try:
            self.idle.pop()
        except IndexError:
            if self.threads < self.limit:
                try:
                    threading.Thread(target=self.work, daemon=True).start()
                    self.threads += 1
                except RuntimeError:
                    # The system gives no more threads; those that are there take the call, or else this one.
                    self.limit = max(self.threads, 1)
                    if self.threads == 0:
                        self.run(connection, ident, function, arguments)
                        return
        self.jobs.put((connection, ident, function, arguments))

    def work(self):
        """What a thread does until the process ends."""
        take = self.jobs.get
        while True:
            self.run(*take())
            self.idle.append(None)

    def run(self, connection, ident, function, arguments):
        """Makes one call and sends its reply."""
        if connection.closed:
            return
        began = perf_counter()
        try:
            payload = encode(function.run(*arguments))
            reply = head_of_reply(len(payload), ident, RETURNED) + payload
        except BaseException as error:
            reply = failure(ident, function.name, error, self.functions.folder)
        if perf_counter() - began > SLOW_SECONDS:
            function.quick_calls = 0
        else:
            function.quick_calls += 1
            if function.quick_calls >= function.quick_calls_to_return:
                function.pooled = False
        connection.send(reply)


class Server:
    """The main thread: reads calls of all connections and answers them."""

    def __init__(self, listener, functions, hello, threads):
        self.listener = listener
        self.functions = functions
        self.pool = Pool(functions, threads)
        self.poll = select.epoll()
        self.connections = {}
        self.waits_are_counted = voluntary_waits_are_counted()
        payload = json.dumps(hello, ensure_ascii=False).encode()
        self.hello = head_of_reply(len(payload), HELLO, RETURNED) + payload

    def run(self):
        """Serves for ever."""
        self.listener.setblocking(False)
        listening = self.listener.fileno()
        self.poll.register(listening, select.EPOLLIN)
        connections = self.connections
        while True:
            for number, events in self.poll.poll():
                if number == listening:
                    self.accept()
                    continue
                connection = connections[number]
                if events & select.EPOLLOUT:
                    connection.send_rest()
                elif not self.read(connection):
                    del connections[number]
                    connection.close()

    def accept(self):
        """Takes a new connection and says which functions there are."""
        try:
            peer, _ = self.listener.accept()
        except BlockingIOError:
            return
        except OSError:
            sleep(ACCEPT_RETRY_SECONDS)
            return
        if not is_ours(peer):
            peer.close()
            return
        peer.setblocking(False)
        connection = Connection(peer, self.poll)
        self.connections[connection.number] = connection
        self.poll.register(connection.number, select.EPOLLIN)
        connection.send(self.hello)

    def read(self, connection):
        """Reads once and answers every frame that is complete; false where the connection is at its end."""
        try:
            data = connection.peer.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        received = connection.received
        if received:
            received += data
            data = received
        begin = 0
        while len(data) - begin >= 4:
            end = begin + 4 + length_of_frame.unpack_from(data, begin)[0]
            if len(data) < end:
                break
            try:
                calls, _ = decode_json(str(data[begin + 4 : end], "utf-8"))
                self.answer(connection, calls)
            except (ValueError, TypeError, RecursionError) as error:
                # Not of the protocol: nothing that follows can be trusted.
                show_traceback(error)
                return False
            begin = end
        if data is received:
            del received[:begin]
        else:
            received += data[begin:]
        return True

    def answer(self, connection, calls):
        """Makes the calls of one frame. Replies go out together, or as soon as the bound of their wait is over."""
        find = self.functions.quick.get
        clock = perf_counter
        head = head_of_reply
        replies = []
        reply = replies.append
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        now = clock()
        flush_at = now + FLUSH_SECONDS
        for ident, name, arguments in calls:
            run = find(name)
            if run is None:
                function = self.functions.all.get(name)
                if function is None:
                    reply(failure_of_text(ident, "the plugin has no function of this name"))
                    continue
                if function.pooled:
                    self.pool.call(connection, ident, function, arguments)
                    continue
                # How long it takes shows only after the call, so nothing waits for it.
                if replies:
                    connection.send(b"".join(replies))
                    replies.clear()
                usage = resource.getrusage(resource.RUSAGE_THREAD)
                now = clock()
                flush_at = now + FLUSH_SECONDS
                run = self.functions.quick[name] = function.run
            began = now
            # The reply is made at once: what a function returns may change with the next call. The payload of each quick case is
            # a text or a number of bounded size, or else goes through `encode` and its checks.
            try:
                result = run(*arguments)
                kind = type(result)
                if kind is int:
                    payload = b"%d" % result
                elif kind is str and len(result) < READ_BYTES and result.isascii():
                    payload = json_of_str(result).encode()
                elif result is None:
                    payload = b"null"
                elif result is True:
                    payload = b"true"
                elif result is False:
                    payload = b"false"
                else:
                    payload = encode(result)
                reply(head(len(payload), ident, RETURNED) + payload)
            except BaseException as error:
                reply(failure(ident, name, error, self.functions.folder))
            now = clock()
            if now > flush_at:
                if now - began > SLOW_SECONDS and self.was_slow(usage):
                    self.call_was_slow(name)
                connection.send(b"".join(replies))
                replies.clear()
                usage = resource.getrusage(resource.RUSAGE_THREAD)
                now = clock()
                flush_at = now + FLUSH_SECONDS
        if replies:
            connection.send(b"".join(replies))

    def was_slow(self, before):
        """True where a call that took long waited for something or computed. Otherwise other processes had the processor
        meanwhile: on a machine under load that happens to the quickest function."""
        if not self.waits_are_counted:
            return True
        now = resource.getrusage(resource.RUSAGE_THREAD)
        computed = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
        return now.ru_nvcsw > before.ru_nvcsw or computed > SLOW_SECONDS

    def call_was_slow(self, name):
        """From now on the pool calls this function."""
        self.functions.quick.pop(name, None)
        function = self.functions.all[name]
        function.pooled = True
        function.quick_calls_to_return *= 4
        function.quick_calls = 0


def voluntary_waits_are_counted():
    """True where the kernel counts how often a thread waits; some sandboxes do not."""
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    sleep(1e-6)
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw > before


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    try:
        sys.stdout.flush()
    finally:
        # Threads that user code started may never end; they must not keep the process.
        os._exit(1)
