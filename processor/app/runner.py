"""Runs one worker in this process until it is told to stop or crashes. Signals, exit codes and readiness are here; no processing is.

``podcause process`` calls ``run``; tests and the demo start it as a process of its own.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from processor.app.partition import EngineFactory
from processor.app.settings import ProcessorSettings
from processor.app.topics import ensure_topics
from processor.app.worker import ProcessorApp, create_app
from processor.engine import Engine
from schemas.kafka_settings import KafkaSettings

_log = structlog.stdlib.get_logger(__name__)

_STOP_WITHIN_SECONDS: Final = 20.0
_EXIT_CRASHED: Final = 1
_EXIT_INTERRUPTED: Final = 130


class WorkerCrashedError(Exception):
    """The worker met an error that it must not go on after. What was not acknowledged is processed again by the next one."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a worker's process behaves."""

    ready_file: Path | None = None
    """Written when partitions are assigned and recovered; holds their numbers."""

    exit_with_parent: bool = False
    """Stop when standard input ends: a parent that is killed closes its end of the pipe."""


def run(
    settings: ProcessorSettings,
    kafka: KafkaSettings,
    options: RunOptions | None = None,
    *,
    engine_factory: EngineFactory = Engine,
) -> int:
    """Run until SIGTERM (returns 0) or SIGINT (130).

    Raises WorkerCrashedError, topics.TopicsError, topics.KafkaUnreachableError.
    """
    return asyncio.run(_run(settings, kafka, options or RunOptions(), engine_factory))


async def _run(settings: ProcessorSettings, kafka: KafkaSettings, options: RunOptions, engine_factory: EngineFactory) -> int:
    stop = _Stop()
    stop.listen()
    if options.exit_with_parent:
        stop.follow_parent()
    partitions = await ensure_topics(settings, kafka)
    app = create_app(
        settings, kafka, partitions=partitions, engine_factory=engine_factory, on_ready=_announcer(options.ready_file)
    )
    try:
        starting = asyncio.ensure_future(app.start())
        await asyncio.wait([starting, stop.requested], return_when=asyncio.FIRST_COMPLETED)
        if not stop.requested.done():
            await starting
        await _until_crashed_or(app, stop)
    finally:
        _log.info("processor_stopping")
        await _stop_within(app, _STOP_WITHIN_SECONDS)
    if app.crashed:
        raise WorkerCrashedError(f"the worker crashed: {app.crash_reason!r}") from app.crash_reason
    return stop.requested.result()


class _Stop:
    """Turns signals, and the parent's end, into one future: the exit code."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.requested: asyncio.Future[int] = self._loop.create_future()

    def listen(self) -> None:
        """Take SIGTERM and SIGINT; a second one ends the process at once."""
        for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, _EXIT_INTERRUPTED)):
            self._loop.add_signal_handler(number, self._on_signal, code)

    def follow_parent(self) -> None:
        """Stop when standard input ends."""
        threading.Thread(target=self._read_until_end, name="parent-watch", daemon=True).start()

    def _on_signal(self, code: int) -> None:
        if self.requested.done():
            os._exit(code or _EXIT_CRASHED)
        self.requested.set_result(code)

    def _request(self, code: int) -> None:
        if not self.requested.done():
            self.requested.set_result(code)

    def _read_until_end(self) -> None:
        try:
            while os.read(sys.stdin.fileno(), 4096):
                pass
        except (OSError, ValueError):
            pass  # closed: as good as ended
        try:
            self._loop.call_soon_threadsafe(self._request, 0)
        except RuntimeError:
            return  # the loop has ended by itself
        # Nobody is left to kill a worker that does not stop.
        timer = threading.Timer(_STOP_WITHIN_SECONDS, os._exit, [_EXIT_CRASHED])
        timer.daemon = True
        timer.start()


async def _until_crashed_or(app: ProcessorApp, stop: _Stop) -> None:
    stopped = asyncio.ensure_future(app.wait_until_stopped())
    await asyncio.wait([stopped, stop.requested], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()


async def _stop_within(app: ProcessorApp, seconds: float) -> None:
    try:
        await asyncio.wait_for(app.stop(), seconds)
    except TimeoutError:
        _log.error("processor_does_not_stop", seconds=seconds)
        os._exit(_EXIT_CRASHED)


def _announcer(ready_file: Path | None) -> Callable[[tuple[int, ...]], None]:
    def announce(partitions: tuple[int, ...]) -> None:
        if ready_file is not None:
            partial = ready_file.with_name(ready_file.name + ".partial")
            partial.write_text(",".join(map(str, partitions)) + "\n")
            partial.replace(ready_file)

    return announce
