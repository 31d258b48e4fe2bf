"""A collector as a process: started, frozen, ended, and what Linux says that it used (/proc). It knows no collector."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_GRACE_SECONDS: Final = 20.0
_SETTLED_SHARE: Final = 0.1
_SETTLE_STEP_SECONDS: Final = 2.0


class ProcessError(Exception):
    """The collector ended by itself."""


class Measured:
    """A running process; a context manager that ends it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = list(command)
        self._environment = {**os.environ, **environment}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - no shell
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it, with SIGTERM first."""
        process = self._running
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ProcessError("not started")
        return self._process

    def check(self) -> None:
        """Raises ProcessError with the end of its log when it has ended."""
        if self._running.poll() is not None:
            raise ProcessError(f"{self._command[0]} ended with {self._running.returncode}:\n{self._log.read_text()[-2000:]}")

    def log_lines(self) -> int:
        """How many lines it has logged."""
        return self._log.read_bytes().count(b"\n")

    def freeze(self) -> None:
        """Stop it where it stands."""
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running.send_signal(signal.SIGCONT)

    def cpu_seconds(self) -> float:
        """What it has used up to now, user and system."""
        self.check()
        fields = Path(f"/proc/{self._running.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_mib(self) -> float:
        """The most memory that was ever resident (VmHWM)."""
        return self._status_kib("VmHWM") / 1024

    def resident_mib(self) -> float:
        """The memory that is resident now (VmRSS)."""
        return self._status_kib("VmRSS") / 1024

    def settle(self, at_most_seconds: float) -> None:
        """Wait until it has little to do."""
        deadline = time.monotonic() + at_most_seconds
        used = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(_SETTLE_STEP_SECONDS)
            before, used = used, self.cpu_seconds()
            if used - before < _SETTLED_SHARE * _SETTLE_STEP_SECONDS:
                return

    def _status_kib(self, name: str) -> int:
        self.check()
        lines = Path(f"/proc/{self._running.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
