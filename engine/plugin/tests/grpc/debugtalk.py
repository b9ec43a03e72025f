"""Functions for tests of calls over gRPC."""

import os
import signal
import time
from os.path import basename  # imported: callable, though hrp would not list it

print("a module that talks while it is imported")
print("and does not end its line", end="")


def sum_two(first, second):
    return first + second


def echo(
    value,
):
    return value


def gen(length):
    return "x" * length


def nothing():
    return None


def yes():
    return True


def pair():
    return (1, 2)


def fail(text):
    raise ValueError(text)


def rest(seconds):
    time.sleep(seconds)
    return "rested"


def die():
    os.kill(os.getpid(), signal.SIGKILL)


async def later(value):
    return value


def _hidden():
    return "hidden"
