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
            return "%s:%s" % (os.path.relpath(file, folder), line)
    return ""


def load(path):
    """Imports the file as the module `debugtalk`; gives it and its syntax tree."""
    folder = os.path.dirname(path)
    try:
        with open(path, "rb") as file:
            source = file.read()
        tree = ast.parse(source, path)
    # A ValueError tells of a NUL byte, in older versions of Python.
    except (SyntaxError, ValueError) as error:
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


def functions_of(module, tree):
    """What expressions may call: functions defined at the top of the file, then those it imports."""
    defined = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    functions = {}
    for name in defined + sorted(vars(module)):
        value = getattr(module, name, None)
        called = callable(value) if name in defined else inspect.isroutine(value)
        if called and not name.startswith("_"):
            functions[name] = value
    return functions


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
            # Older versions of gRPC tell a port that is taken by 0.
            if add_port(address) == 0:
                raise RuntimeError("%s is taken" % address)

        made.add_insecure_port = add_insecure_port
        random.seed()
        return made

    grpc.server = server


def main():
    path = os.path.abspath(sys.argv[1])
    folder = os.path.dirname(path)
    sys.dont_write_bytecode = True
    sys.argv = [path]
    # The first entry is where this script lies, unless Python was told to leave it away.
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]
    sys.path.insert(0, folder)
    try:
        try:
            import funppy
            import grpc
        except Exception as error:
            raise Broken(False, "") from error
        module, tree = load(path)
    except Broken as broken:
        error = broken.__cause__
        traceback.print_exception(type(error), error, error.__traceback__)
        said = traceback.format_exception_only(type(error), error)[-1].strip()
        told = {"syntax": broken.syntax, "error": said, "place": broken.place}
        sys.stderr.write("pummel: %s\n" % json.dumps(told))
        sys.stderr.flush()
        os._exit(1)
    for name, function in functions_of(module, tree).items():
        funppy.register(name, awaited(function) if inspect.iscoroutinefunction(function) else function)
    own_port(grpc)
    # What the file printed may lack the end of its line; the handshake needs a line of its own.
    sys.stdout.write("\n")
    funppy.serve()


if __name__ == "__main__":
    main()
