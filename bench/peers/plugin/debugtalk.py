"""Functions as test cases have them: a random text, and a signature of one."""

import hashlib
import random
import string

_LETTERS = string.ascii_letters + string.digits


def nonce(length):
    """Return a random text of so many letters and digits."""
    return "".join(random.choices(_LETTERS, k=length))


def sign(text):
    """Return what a server would check a request by."""
    return hashlib.md5(text.encode()).hexdigest()
