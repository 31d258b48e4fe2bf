"""Free ports on loopback, and a clear word about those that are taken."""

import contextlib
import socket
from collections.abc import Mapping

from podcause.embedded.errors import PortInUseError
from podcause.embedded.server_config import HOST, Listeners


def choose(wanted: int, extra: Mapping[str, str]) -> Listeners:
    """Ports for all listeners: the wanted one (0: a free one), and free ones for the rest. Raises PortInUseError."""
    if wanted:
        check_free(wanted)
    free = iter(_free(2 + len(extra)))
    main = wanted or next(free)
    return Listeners(main, next(free), {name: (protocol, next(free)) for name, protocol in extra.items()})


def check_free(port: int) -> None:
    """Raises PortInUseError when another process listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java sets it: closed connections do not count
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortInUseError(in_use(port)) from error


def in_use(port: int) -> str:
    """What to say of a port that is taken."""
    return f"port {port} on {HOST} is in use by another process. Stop it, or choose another port (--port N, or --free-port)."


def _free(count: int) -> list[int]:
    """So many different ports: all are held until the last is known."""
    with contextlib.ExitStack() as held:
        ports = []
        for _ in range(count):
            one = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            one.bind((HOST, 0))
            ports.append(one.getsockname()[1])
        return ports
