"""Tells a person, on standard error, how far the download of Kafka's jars is. It downloads nothing."""

import sys
import time
from typing import Final, TextIO

from podcause.embedded.artifacts import Progress

_REDRAW_SECONDS: Final = 0.1
_LINE_SECONDS: Final = 5.0
_MEGABYTE: Final = 1_000_000


class DownloadReporter:
    """A progress listener: one line that is redrawn on a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Show it, if it is time to or the last word."""
        finished = progress.jars_done == progress.jars_total
        now = time.monotonic()
        if now < self._next and not finished:
            return
        self._next = now + (_REDRAW_SECONDS if self._terminal else _LINE_SECONDS)
        text = (
            f"fetching Apache Kafka, once: {progress.jars_done} of {progress.jars_total} jars, "
            f"{progress.bytes_done / _MEGABYTE:.1f} of {progress.bytes_total / _MEGABYTE:.1f} MB"
        )
        start, end = ("\r\x1b[2K", "\n" if finished else "") if self._terminal else ("", "\n")
        self._stream.write(start + text + end)
        self._stream.flush()
