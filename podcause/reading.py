"""What `podcause diagnose` reads: recordings, or Kubernetes objects as kubectl prints them; plain or gzip; files or stdin.

It finds out which of the two an input is, and says which file and which line or field cannot be read. Recordings are streamed
line by line, objects are one moment and read whole. It must not translate or judge anything.
"""

import contextlib
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

import click

from podcause.objects import ObjectError, RawObject, objects_in

STDIN: Final = "-"

_GZIP_MAGIC: Final = b"\x1f\x8b"
_LONGEST_LINE_BYTES: Final = 64 * 1024 * 1024
_RECORDING_LINE: Final = re.compile(rb'\s*\{[^{}]*"stream"\s*:\s*"')
_BYTE_ORDER_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class UnreadableInputError(Exception):
    """An input that cannot be read; the message names the file, and the line or the field. A retry does not help."""


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings to be streamed, once: what each is called in messages, and its lines."""

    sources: tuple[tuple[str, Iterable[bytes]], ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """The objects of one moment, and the newest time found among them (None when they hold no time)."""

    objects: tuple[RawObject, ...]
    newest: str | None


@contextlib.contextmanager
def opened(names: Sequence[str]) -> Iterator[Recordings | Moment]:
    """The inputs of those names, ``-`` for stdin: all of them recordings, or all of them objects.

    Raises UnreadableInputError, from the lines of a recording too.
    """
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise UnreadableInputError(f"{repeated}: given twice")
    with contextlib.ExitStack() as stack:
        sources: list[tuple[str, Iterable[bytes]]] = []
        recordings: list[str] = []
        for name in names:
            lines = _lines(name, stack)
            head = list(_up_to_first_text(lines))
            sources.append((name, itertools.chain(head, lines)))
            if head and _RECORDING_LINE.match(head[-1]):
                recordings.append(name)
        if len(recordings) == len(sources):
            yield Recordings(tuple(sources))
            return
        if recordings:
            raise UnreadableInputError(f"{recordings[0]}: a recording, beside objects of one moment: diagnose them apart")
        yield _moment(sources)


def _lines(name: str, stack: contextlib.ExitStack) -> Iterator[bytes]:
    """The lines of an input, unpacked when it is gzip. Opened with the first line, closed with the stack."""
    number = 0
    try:
        raw = _buffered(click.get_binary_stream("stdin")) if name == STDIN else stack.enter_context(_file(name))
        packed = raw.peek(2)[:2] == _GZIP_MAGIC
        stream = stack.enter_context(gzip.GzipFile(fileobj=raw)) if packed else raw
        while line := stream.readline(_LONGEST_LINE_BYTES):
            number += 1
            yield line
    except FileNotFoundError as error:
        raise UnreadableInputError(f"{name}: no such file") from error
    except IsADirectoryError as error:
        raise UnreadableInputError(f"{name}: a folder, not a file") from error
    except EOFError as error:
        raise UnreadableInputError(f"{name}: line {number + 1}: the gzip data end too early: the file is cut off") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableInputError(f"{name}: line {number + 1}: damaged gzip data: {error}") from error
    except OSError as error:
        raise UnreadableInputError(f"{name}: {error.strerror or error}") from error


def _file(name: str) -> io.BufferedReader:
    return Path(name).open("rb")


def _buffered(stream: BinaryIO) -> io.BufferedReader:
    """Stdin is buffered already, except where a test or an embedding program puts something else in its place."""
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(io.BytesIO(stream.read()))


def _up_to_first_text(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines up to the first that is not blank."""
    for line in lines:
        yield line
        if line.strip():
            return


def _moment(sources: Iterable[tuple[str, Iterable[bytes]]]) -> Moment:
    objects: list[RawObject] = []
    newest: list[str] = []
    for name, lines in sources:
        try:
            found, newest_of_file = objects_in(_text(b"".join(lines)))
        except ObjectError as error:
            raise UnreadableInputError(f"{name}: {error}") from error
        objects.extend(replace(item, where=f"{name}: {item.where}") for item in found)
        newest.extend([newest_of_file] if newest_of_file else [])
    return Moment(tuple(objects), max(newest, default=None))


def _text(content: bytes) -> str:
    """Text of JSON: UTF-8, or what PowerShell's redirection writes."""
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ObjectError(f"line {line}: byte {error.start} of the file is not {encoding.upper()}") from error
