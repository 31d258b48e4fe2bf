"""One genuine Kafka broker, started, watched and stopped: ``with EmbeddedKafka() as kafka: kafka.bootstrap_servers``.

The broker is a grandchild: a supervisor between (``supervisor.py``) ends it and removes temporary data when this process is
gone, however it went. This module creates no topics and knows no records.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from podcause.embedded import ports, readiness, server_config
from podcause.embedded.artifacts import ProgressListener, ensure_jars
from podcause.embedded.errors import BrokerFailedError, PortInUseError
from podcause.embedded.java import Java, find_java
from podcause.embedded.server_config import HOST, Folders, Listeners

_SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
_GRACE_SECONDS: Final = 20.0
_LOG_LINES_QUOTED: Final = 12
_ATTEMPTS_FOR_A_FREE_PORT: Final = 3
_PORT_TAKEN: Final = re.compile(r"BindException|Address already in use")


class EmbeddedKafka:
    """A broker on 127.0.0.1. ``port`` 0 is a free one; without ``data_dir`` the data are temporary and removed at the end.

    A context manager. Inside it, ``kill()`` and ``stop()`` end the broker and keep its data, and ``start()`` starts it again on
    the same port. ``extra_listeners`` (name to security protocol) get free ports of their own: see ``address``. A start raises
    EmbeddedKafkaError: no Java, no jars, port in use, a broker that fails.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        data_dir: Path | None = None,
        cache_dir: Path | None = None,
        server_properties: Mapping[str, str] | None = None,
        extra_listeners: Mapping[str, str] | None = None,
        scram_users: Mapping[str, Mapping[str, str]] | None = None,
        on_progress: ProgressListener | None = None,
        ready_timeout_seconds: float = 60.0,
    ) -> None:
        self._wanted_port = port
        self._data_dir = data_dir
        self._cache_dir = cache_dir
        self._overrides = dict(server_properties or {})
        self._extra_listeners = dict(extra_listeners or {})
        self._scram_users = dict(scram_users or {})
        self._on_progress = on_progress
        self._ready_timeout_seconds = ready_timeout_seconds
        self._java: Java | None = None
        self._jars: tuple[Path, ...] = ()
        self._folders: Folders | None = None
        self._listeners: Listeners | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._told = b""
        self._pid: int | None = None
        self._exit_code: int | None = None

    def __enter__(self) -> Self:
        """Start the broker and wait until it serves."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the broker; remove temporary data."""
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"{HOST}:{self.port}"

    @property
    def port(self) -> int:
        """The port, the same after a restart."""
        return self._known_listeners().main

    @property
    def pid(self) -> int:
        """The broker's process id (the JVM's)."""
        if self._pid is None:
            raise BrokerFailedError("the broker does not run: call start() first")
        return self._pid

    @property
    def data_dir(self) -> Path:
        """The folder with the data and the logs."""
        if self._folders is None:
            raise BrokerFailedError("the broker has not been started: call start() first")
        return self._folders.root

    def address(self, listener: str) -> str:
        """The bootstrap address of one of the extra listeners."""
        return f"{HOST}:{self._known_listeners().extra[listener][1]}"

    def start(self) -> None:
        """Start the broker, on the same data and port when it ran before, and wait until it serves."""
        if self._pid is not None and self.poll() is None:
            return
        if self._supervisor is None:
            self._prepare()
        port = self._wanted_port if self._listeners is None else self._listeners.main
        for attempt in range(1, _ATTEMPTS_FOR_A_FREE_PORT + 1):
            if self._listeners is None:
                self._listeners = ports.choose(port, self._extra_listeners)
            try:
                self._run()
            except PortInUseError:
                # Between our look and Kafka's bind another process took a port. If it was a free one, look again.
                if attempt == _ATTEMPTS_FOR_A_FREE_PORT:
                    raise
                self._listeners = None
            else:
                break

    def stop(self) -> None:
        """Stop the broker as an operator would; its data stay until ``close()``."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the broker as a crash would; its data stay until ``close()``."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """``stop()``, then ``start()``."""
        self.stop()
        self.start()

    def poll(self) -> int | None:
        """The broker's exit code when it has ended, else None."""
        return self.wait(0.0)

    def wait(self, timeout_seconds: float) -> int | None:
        """Wait that long for the broker to end by itself; its exit code, or None when it still runs."""
        deadline = time.monotonic() + timeout_seconds
        while self._exit_code is None:
            if not self._listen(max(0.0, deadline - time.monotonic())):
                break
        return self._exit_code

    def last_log_lines(self) -> str:
        """The end of the broker's log, or of what the JVM printed when it never came to log; without stack frames."""
        if self._folders is None:
            return ""
        for path in (self._folders.log, self._folders.output):
            if path.is_file():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
                if telling := [line for line in lines if line.strip() and not line.startswith("\tat ")]:
                    return "\n".join(telling[-_LOG_LINES_QUOTED:])
        return ""

    def close(self) -> None:
        """End everything. What was temporary is gone afterwards; called twice it does nothing."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            if supervisor.stdin is not None:
                supervisor.stdin.close()  # the supervisor stops the broker and removes what is temporary
            supervisor.wait()
            if supervisor.stdout is not None:
                supervisor.stdout.close()
        if self._data_dir is None and self._folders is not None:
            shutil.rmtree(self._folders.root, ignore_errors=True)  # in case the supervisor was killed
        self._folders = self._listeners = None
        self._forget()
        self._told = b""

    def _prepare(self) -> None:
        if self._wanted_port:
            ports.check_free(self._wanted_port)  # before a download that would be in vain
        self._java = find_java()
        self._jars = ensure_jars(self._cache_dir, self._on_progress)
        root = self._data_dir.absolute() if self._data_dir is not None else Path(tempfile.mkdtemp(prefix="podcause-kafka-"))
        self._folders = Folders(root)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folders.temporary.mkdir(exist_ok=True)
        self._supervisor = self._start_supervisor(self._folders)

    def _start_supervisor(self, folders: Folders) -> subprocess.Popen[bytes]:
        job = {
            "output": str(folders.output),
            "remove": str(folders.root) if self._data_dir is None else None,
            "grace_seconds": _GRACE_SECONDS,
        }
        with folders.output.open("ab") as errors:
            supervisor = subprocess.Popen(  # noqa: S603 - our own file, no shell
                [sys.executable, "-I", "-S", str(_SUPERVISOR)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd="/",
                start_new_session=True,  # Ctrl-C is ours to handle: the terminal must not send it to the broker as well
            )
        self._supervisor = supervisor
        self._say(json.dumps(job))
        return supervisor

    def _run(self) -> None:
        folders, listeners, java = self._folders, self._known_listeners(), self._java
        if folders is None or java is None:
            raise BrokerFailedError("the broker was closed: make a new one")
        with open(folders.properties, "w", encoding="utf-8", opener=_private) as file:  # Path.open has no opener
            file.write(server_config.server_properties(folders, listeners, self._overrides))
        folders.log_settings.write_text(server_config.log_settings(), encoding="utf-8")
        for old in (folders.log, folders.output):
            old.write_bytes(b"")
        commands = [server_config.broker_command(java.executable, self._jars, folders)]
        if not folders.is_formatted:
            commands.insert(0, server_config.format_command(java.executable, self._jars, folders, self._scram_users))
        self._forget()
        self._say("run " + json.dumps({"commands": commands}))
        deadline = time.monotonic() + self._ready_timeout_seconds
        while not (self._pid is not None and readiness.serves(HOST, listeners.main)):
            self._listen(readiness.POLL_SECONDS)
            if self._exit_code is not None:
                self._fail(f"the broker ended with exit code {self._exit_code} before it was ready")
            if time.monotonic() > deadline:
                self._fail(f"the broker was not ready after {self._ready_timeout_seconds:.0f} s")

    def _forget(self) -> None:
        """No broker runs, and none has ended."""
        self._pid = self._exit_code = None

    def _fail(self, what: str) -> None:
        lines = self.last_log_lines()
        if _PORT_TAKEN.search(lines):
            raise PortInUseError(ports.in_use(self.port))
        raise BrokerFailedError(f"{what}. Its last log lines:\n{lines or '(none)'}")

    def _end(self, how: signal.Signals) -> None:
        if self._pid is None or self.poll() is not None:
            return
        os.kill(self._pid, how)
        if self.wait(_GRACE_SECONDS) is None:
            os.kill(self._pid, signal.SIGKILL)
            self.wait(_GRACE_SECONDS)

    def _known_listeners(self) -> Listeners:
        if self._listeners is None:
            raise BrokerFailedError("the broker has no port yet: call start() first")
        return self._listeners

    def _say(self, line: str) -> None:
        if self._supervisor is None or self._supervisor.stdin is None:
            raise BrokerFailedError("the broker was closed: make a new one")
        try:
            self._supervisor.stdin.write(line.encode() + b"\n")
            self._supervisor.stdin.flush()
        except BrokenPipeError as error:
            raise BrokerFailedError("the broker's supervisor was killed: make a new broker") from error

    def _listen(self, timeout_seconds: float) -> bool:
        """Take in what the supervisor says within the time; whether it said anything."""
        if self._supervisor is None or self._supervisor.stdout is None:
            return False
        source = self._supervisor.stdout.fileno()
        if not select.select([source], [], [], timeout_seconds)[0]:
            return False
        chunk = os.read(source, 4096)
        if not chunk and self._exit_code is None:
            self._exit_code = -signal.SIGKILL  # the supervisor is gone, and the broker with it
        *lines, self._told = (self._told + chunk).split(b"\n")
        for line in lines:
            word, _, number = line.decode().partition(" ")
            if word == "pid":
                self._pid = int(number)
            elif word == "exit":
                self._exit_code = int(number)
        return bool(chunk)


def _private(path: str, flags: int) -> int:
    """Server properties may hold passwords."""
    return os.open(path, flags, 0o600)
