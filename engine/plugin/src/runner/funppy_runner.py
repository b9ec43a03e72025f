"""Runs a debugtalk.py with stock funppy, as the file that hrp generates next to it does (hrp spec 19.3).

argv: the absolute path of debugtalk.py. Nothing is written anywhere. What funppy says of where it listens goes to standard output. A
plugin that cannot run ends the process, and the last line on standard error is `pummel: ` with what is wrong as JSON.
"""

import ast
import asyncio
import functools
import importlib.util
import inspect
import json
import os
import random
import sys
import traceback
import types

# What counts as a function among the things a plugin imports. Classes and modules do not.
IMPORTED_KINDS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    functools.partial,
    type(functools.lru_cache()(len)),
)
# A name among those of the functions: the ones that stand behind it are only imported (grpc/client.rs).
IMPORTED = "(imported)"
# The longest text of an exception that is told: the line with it must not be longer than Pummel reads lines (4 KiB).
TEXT_CHARACTERS_MAX = 900


class Broken(Exception):
    """The plugin cannot run; the cause is the exception that says why."""

    def __init__(self, syntax, place):
        super().__init__(syntax, place)
        self.syntax = syntax
        self.place = place


def place_of(error, folder):
    """The innermost place within the project that an exception came from, such as `debugtalk.py:3`, else an empty text."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    for file, line in reversed(places):
        if os.path.abspath(file).startswith(folder + os.sep):
            return "%s:%s" % (os.path.relpath(file, folder), line or 1)
    return ""


def load(path):
    """Imports the file as the module `debugtalk`; gives it and its syntax tree."""
    folder = os.path.dirname(path)
    try:
        with open(path, "rb") as file:
            source = file.read()
        tree = ast.parse(source, path)
    # A ValueError tells of a NUL byte, in older versions of Python; the last two of what is nested too deeply.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Broken(True, place_of(error, folder)) from error
    except OSError as error:
        raise Broken(False, "") from error
    spec = importlib.util.spec_from_file_location("debugtalk", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["debugtalk"] = module
    try:
        spec.loader.exec_module(module)
    # sys.exit() in the file, too, keeps it from being imported.
    except BaseException as error:
        raise Broken(False, place_of(error, folder)) from error
    return module, tree


def register_functions(funppy, module, tree):
    """Registers what expressions may call: functions defined at the top of the file, then those it imports."""
    defined = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    public = [name for name in vars(module) if not name.startswith("_")]
    for name in public:
        function = getattr(module, name)
        if name in defined and callable(function):
            funppy.register(name, awaited(function) if inspect.iscoroutinefunction(function) else function)
    # The file may have registered functions itself; they stay as they are.
    known = set(funppy.plugin.functions)
    funppy.register(IMPORTED, None)
    for name in public:
        function = getattr(module, name)
        if name not in known and isinstance(function, IMPORTED_KINDS):
            funppy.register(name, function)


def one_line(error):
    """The last line of an exception's traceback, `ValueError: no such user`."""
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:
        text = "(its text cannot be shown)"
    text = " ".join([type(error).__name__ + ":"] + text.split()).rstrip(":")
    if len(text) > TEXT_CHARACTERS_MAX:
        text = text[:TEXT_CHARACTERS_MAX] + "..."
    # A text may hold halves of characters, which are no text for anybody else.
    return text.encode("utf-8", "replace").decode()


def awaited(function):
    """A function that funppy can call, from one that is to be awaited."""

    @functools.wraps(function)
    def call(*arguments):
        return asyncio.run(function(*arguments))

    return call


def own_port(grpc):
    """Keeps the port funppy takes from being shared.

    It takes one at random. gRPC shares a port with whoever else allows that, so that two plugins could answer each other's calls;
    and a debugtalk.py that seeds `random` would have each of its processes take the same one.
    """
    make_server = grpc.server

    def server(*arguments, **options):
        grpc.server = make_server
        made = make_server(*arguments, options=[("grpc.so_reuseport", 0)], **options)
        add_port = made.add_insecure_port
        state = random.getstate()

        def add_insecure_port(address):
            random.setstate(state)
            # Older versions of gRPC tell a port that is taken by 0, newer ones by an exception with a text of their own.
            try:
                port = add_port(address)
            except RuntimeError:
                port = 0
            if port == 0:
                raise RuntimeError("%s is taken" % address)

        made.add_insecure_port = add_insecure_port
        random.seed()
        return made

    grpc.server = server


def prepare_process(path):
    """Makes the process what user code expects of a plugin of hrp."""
    sys.dont_write_bytecode = True
    script = sys.argv[0]
    if script.startswith("/proc/self/fd/"):
        # The source of this program; children of user code have no use for it.
        os.set_inheritable(int(script.rpartition("/")[2]), False)
    # A child of `multiprocessing` would otherwise run this program first.
    globals().pop("__file__", None)
    # The first entry is where this script lies, unless Python was told to leave it away.
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]
    sys.path.insert(0, os.path.dirname(path))
    sys.argv = [path]


def say_broken(broken):
    """Writes the traceback, and as the last line what Pummel reads."""
    error = broken.__cause__
    traceback.print_exception(type(error), error, error.__traceback__)
    said = {"syntax": broken.syntax, "error": one_line(error), "place": broken.place}
    sys.stderr.write("\npummel: %s\n" % json.dumps(said, ensure_ascii=False))


def main():
    path = os.path.abspath(sys.argv[1])
    # What functions print goes out with each line. It may hold any character, whatever the locale.
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    prepare_process(path)
    try:
        try:
            import funppy
            import grpc
        except Exception as error:
            raise Broken(False, "") from error
        module, tree = load(path)
    except Broken as broken:
        say_broken(broken)
        # Threads that user code started may never end; they must not keep the process.
        sys.stdout.flush()
        os._exit(1)
    register_functions(funppy, module, tree)
    own_port(grpc)
    # What the file printed may lack the end of its line; the handshake needs a line of its own.
    sys.stdout.write("\n")
    funppy.serve()


if __name__ == "__main__":
    main()
