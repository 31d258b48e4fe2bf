"""Sub-commands of podcause as child processes that never outlive their parent and never share its terminal's signals.

The end of a child's standard input is its parent's end: the kernel closes the pipe even when the parent is killed. A child
gets a session of its own, so that Ctrl-C reaches the parent alone, which then ends its children in order. It must not know what
a child does.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_GRACE_SECONDS: Final = 8.0
_LOG_LINES_QUOTED: Final = 15


class ChildFailedError(Exception):
    """A child ended when it should not have, or with an error; the message quotes its last lines."""


class Child:
    """One sub-command as a child process; a context manager that ends it."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._arguments = [sys.executable, "-m", "podcause", *arguments]
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - podcause itself, no shell
                self._arguments, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it: asked first, by force after a while."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def ended(self) -> bool:
        """Whether it has ended by itself and well. Raises ChildFailedError when it ended otherwise."""
        code = self._process.poll() if self._process is not None else 0
        if code is None:
            return False
        if code != 0:
            raise ChildFailedError(f"{self._name} ended with exit code {code}:\n{self.last_lines()}")
        return True

    def check(self) -> None:
        """Raise ChildFailedError when it is not running any more."""
        if self.ended():
            raise ChildFailedError(f"{self._name} ended too early:\n{self.last_lines()}")

    def last_lines(self) -> str:
        """The end of what it printed."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES_QUOTED:])
