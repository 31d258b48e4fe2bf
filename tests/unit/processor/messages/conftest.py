"""Text that nobody meant well: what every reader of messages must get through quickly."""

import time
from collections.abc import Callable

import pytest

LONGEST = 64 * 1024

#: Repeated up to 64 KiB: characters that patterns repeat over, and the beginnings of the forms that they look for.
REPEATED = (
    *("a", " ", '"', "'", ":", "/", "\n", "\t", "=", "[", ".", "0", "-", "é", "\U0001f600", "\ud800", "\u2028"),
    *(
        "a: ",
        "a/",
        "sh: ",
        "not ",
        "is ",
        "error ",
        "config ",
        "key ",
        "port ",
        "option ",
        "variable ",
        "lookup a on ",
        "dial tcp [",
    ),
    *(
        "http://",
        "https://[",
        'Get "http://',
        'service "',
        "server http",
        "listening ",
        "Client.Timeout ",
        'command "',
        "connection to x ",
    ),
    *(
        'exec: "',
        "exec ",
        "container process ",
        "stat ",
        'object "',
        '"/"',
        'secret "',
        "couldn't find key ",
        "manifest for ",
        "no match ",
    ),
    *("Container ", "Init container ", "Killing container with id ", "a://", "Back-off ", "is in ", "failed liveness probe "),
    *("Access Denied: ", "can't create ", "emerg ", "KeyError: '", "yaml: ", "waiting for ", "cannot find ", "connection "),
)


@pytest.fixture
def seconds_at_worst() -> Callable[..., tuple[float, str]]:
    """How long a reader takes at worst over such strings, and the beginning of the string. ``heads``: what they begin with."""

    def measure(read: Callable[[str], object], *heads: str) -> tuple[float, str]:
        worst = (0.0, "")
        for head in ("", *heads):
            for word in REPEATED:
                text = (head + word * (LONGEST // len(word)))[:LONGEST]
                begun = time.process_time()
                read(text)
                worst = max(worst, (time.process_time() - begun, text[:60]))
        return worst

    return measure
