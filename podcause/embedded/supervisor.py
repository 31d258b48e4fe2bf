"""The process between a parent and its broker: ends the broker when the parent is gone, however the parent went.

It reads the parent's words from standard input and tells what happened on standard output. The end of standard input is the
parent's end: on Linux and macOS alike the kernel closes the pipe, also after ``kill -9``. It is run by its path with
``python -I -S``, so it must use the standard library alone and import nothing of podcause.

Parent to supervisor: one line of JSON (``output``, ``remove``, ``grace_seconds``), then lines ``run {"commands": [...]}``.
Supervisor to parent: ``pid N`` when the last command of a run was started, ``exit N`` when a run ended.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

#: Linux: the signal that a process gets when its parent dies (prctl(2)). A second line, should this process be killed itself.
_PR_SET_PDEATHSIG = 1

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Supervisor:
    """Runs commands one after another, until told to end."""

    def __init__(self, output: Path, remove: Path | None, grace_seconds: float) -> None:
        self._output, self._remove, self._grace_seconds = output, remove, grace_seconds
        self._before_exec = _die_with_parent()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()

    def serve(self, orders: Iterator[str]) -> None:
        """Carry out the parent's words until they end."""
        runs: list[threading.Thread] = []
        for order in orders:
            word, _, argument = order.partition(" ")
            if word == "run":
                run = threading.Thread(target=self._run, args=(json.loads(argument)["commands"],), daemon=True)
                run.start()
                runs.append(run)
        self.end()
        for run in runs:
            run.join()

    def end(self) -> None:
        """Stop what runs, by force after the grace time, and remove what was to be removed."""
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_IGN)  # a second one must not interrupt the clean-up
        self._ending.set()
        with self._lock:
            process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                process.wait(self._grace_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._remove is not None:
            shutil.rmtree(self._remove, ignore_errors=True)

    def _run(self, commands: list[list[str]]) -> None:
        code = 0
        for command in commands:
            code = self._run_one(command, announce=command is commands[-1])
            if code != 0:
                break
        _tell(f"exit {code}")

    def _run_one(self, command: list[str], *, announce: bool) -> int:
        with self._lock:
            if self._ending.is_set():
                return -signal.SIGTERM
            with self._output.open("ab") as output:
                try:
                    process = subprocess.Popen(  # noqa: S603 - the parent's own command, no shell
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                        preexec_fn=self._before_exec,  # noqa: PLW1509 - one prctl call, its library loaded beforehand
                    )
                except OSError as error:
                    output.write(f"{command[0]}: {error}\n".encode())
                    return 127
            self._process = process
        if announce:
            _tell(f"pid {process.pid}")
        return process.wait()


def _die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):  # the parent may be gone: that is the case this process is for
        os.write(1, f"{text}\n".encode())


def _lines() -> Iterator[str]:
    """Standard input by line, unbuffered, until its end."""
    rest = b""
    while chunk := os.read(0, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode()


def main() -> None:
    """Serve one parent."""
    lines = _lines()
    first = next(lines, None)
    if first is None:
        return
    job = json.loads(first)
    remove = Path(job["remove"]) if job["remove"] else None
    supervisor = _Supervisor(Path(job["output"]), remove, float(job["grace_seconds"]))

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    for one in _SIGNALS:
        signal.signal(one, leave)
    try:
        supervisor.serve(lines)
    except SystemExit:
        supervisor.end()
        raise


if __name__ == "__main__":
    main()
