"""The functions of every_place.yml. Calls are counted by name, so that a case can tell how often a place calls."""

import threading
from time import sleep  # Imported, so `${sleep(...)}` stays the built-in function.

_calls = {}
_lock = threading.Lock()


def count(name):
    """Counts a call under this name and gives how many there were."""
    with _lock:
        _calls[name] = _calls.get(name, 0) + 1
        return _calls[name]


def counted(name):
    """How many calls were counted under this name."""
    return _calls.get(name, 0)


def accounts():
    """Rows of parameters."""
    count("accounts")
    return [{"user": "anna", "age": 30}, {"user": "ben", "age": 41}]


def echo(value):
    """Gives back what it is given, of whatever type."""
    return value


def sum_two(a, b):
    """Adds."""
    return a + b


def greet(name, times=1):
    """A text, with an argument that may be left out."""
    return "hi " + name * times


def max(a, b):
    """Stands before the built-in function of this name."""
    return "the plugin's max"


def commonname():
    """Found by names that differ in case and underscores only."""
    return "common"


def method_of(request):
    """Reads the request that a hook is given."""
    count("method_of " + request["method"])


def body_field(response):
    """Reads the response that a hook is given."""
    count("body_field %s" % response["body"]["json"]["sum"])
