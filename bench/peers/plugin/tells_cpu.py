"""A trivial function, and how much CPU time the process has used since this was imported."""

import os
import signal
import time


def add(first, second):
    """Return the sum."""
    return first + second


def tell(*_):
    """Write the CPU time of all threads; the process is asked to end, and does."""
    with open("plugin-cpu", "w") as file:
        file.write(repr(time.process_time() - BEGAN))
    os._exit(0)


signal.signal(signal.SIGTERM, tell)
BEGAN = time.process_time()
