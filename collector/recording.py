"""The format of a recording: JSON lines, the first naming the cluster. Reading and checking lines, nothing else.

It must not translate objects. A line that cannot be read raises RecordingError, which names the file, the line and the field.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from collector.raw_values import Raw, encodable
from schemas.timestamps import InvalidTimestampError, format_ms, parse_ms

FORMAT: Final = 1
_GZIP_MAGIC: Final = b"\x1f\x8b"
_LONGEST_LINE_BYTES: Final = 64 * 1024 * 1024
_LONGEST_NAME: Final = 253
_CHANGES: Final = frozenset({"ADDED", "MODIFIED", "DELETED"})


class RecordingError(ValueError):
    """A recording that cannot be read; the message names the file, the line and the field. A retry does not help."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line. ``cluster_uid`` is the UID of the ``kube-system`` namespace; both are empty when it gives none."""

    cluster_name: str
    cluster_uid: str


@dataclass(frozen=True, slots=True)
class Line:
    """One further line, checked as far as its stream asks for. ``received_ms`` is Unix time; ``where`` names file and line."""

    where: str
    received_ms: int
    received_at: str
    stream: str
    content: Raw


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file, plain or gzip, without loading it. Raises RecordingError when it cannot be opened or unpacked."""
    number = 0
    try:
        with path.open("rb") as raw:
            packed = raw.peek(2)[:2] == _GZIP_MAGIC
            with io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw as stream:
                while line := stream.readline(_LONGEST_LINE_BYTES):
                    number += 1
                    if len(line) == _LONGEST_LINE_BYTES:
                        raise RecordingError(f"{path}: line {number}: longer than {_LONGEST_LINE_BYTES} bytes")
                    yield line
    except FileNotFoundError as error:
        raise RecordingError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise RecordingError(f"{path}: a folder, not a recording") from error
    except EOFError as error:
        raise RecordingError(f"{path}: line {number + 1}: the gzip data end too early: the file is cut off") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise RecordingError(f"{path}: line {number + 1}: damaged gzip data: {error}") from error
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error


def read_header(name: str, lines: Iterator[bytes]) -> Header:
    """The first line. Raises RecordingError."""
    where = f"{name}: line 1"
    first = next(lines, None)
    if first is None:
        raise RecordingError(f"{name}: the file is empty")
    content = _parsed(where, first)
    if content.get("stream") != "recording":
        raise RecordingError(f'{where}: field "stream": the first line of a recording says "recording"')
    if content.get("format") != FORMAT:
        raise RecordingError(
            f'{where}: field "format": this release reads format {FORMAT}, not {_shown(content.get("format"))}'
        )
    cluster = content.get("cluster")
    if cluster is None:
        cluster = {}
    if not isinstance(cluster, dict):
        raise RecordingError(f'{where}: field "cluster": an object with "name" and "uid" is needed, not {_shown(cluster)}')
    return Header(_short(where, cluster, "cluster.name", "name"), _short(where, cluster, "cluster.uid", "uid"))


def read_lines(name: str, lines: Iterable[bytes]) -> Iterator[Line]:
    """The lines after the first; blank ones are passed over. Raises RecordingError."""
    for number, raw in enumerate(lines, start=2):
        if raw.isspace():
            continue
        where = f"{name}: line {number}"
        content = _parsed(where, raw)
        stream = content.get("stream")
        if not isinstance(stream, str) or not stream:
            _refuse(where, "stream", stream, "a stream's name")
        time = content.get("t")
        if not isinstance(time, str):
            _refuse(where, "t", time, "an RFC 3339 time")
        try:
            received_ms = parse_ms(time)
            received_at = format_ms(received_ms)
        except InvalidTimestampError as error:
            raise RecordingError(f'{where}: field "t": {error}') from error
        if stream in ("events", "pods"):
            if content.get("type") not in _CHANGES:
                _refuse(where, "type", content.get("type"), "ADDED, MODIFIED or DELETED")
            if not isinstance(content.get("object"), dict):
                _refuse(where, "object", content.get("object"), "an object")
        elif stream == "log":
            for field in ("namespace", "pod", "container"):
                if not isinstance(content.get(field), str) or not content[field]:
                    _refuse(where, field, content.get(field), "a name")
            if not isinstance(content.get("text"), str | None):
                _refuse(where, "text", content.get("text"), "a text or null")
        yield Line(where, received_ms, received_at, stream, content)


def _parsed(where: str, raw: bytes) -> Raw:
    try:
        content: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = _parsed_leniently(where, raw)
    if not isinstance(content, dict):
        raise RecordingError(f"{where}: a JSON object is needed, not {_shown(content)}")
    return content


def _parsed_leniently(where: str, raw: bytes) -> Any:  # noqa: ANN401 - JSON
    """What a lenient reader makes of it: bytes that are not UTF-8, and lone surrogates, occur in logs."""
    try:
        return json.loads(raw.decode("utf-8", "replace").rstrip())
    except json.JSONDecodeError as error:
        raise RecordingError(f"{where}, column {error.colno}: not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise RecordingError(f"{where}: not JSON that can be read: {error}") from error


def _short(where: str, content: Raw, field: str, key: str) -> str:
    value = content.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        _refuse(where, field, value, f"a text of at most {_LONGEST_NAME} characters")
    return encodable(value)


def _refuse(where: str, field: str, value: object, needed: str) -> NoReturn:
    raise RecordingError(f'{where}: field "{field}": {needed} is needed, not {_shown(value)}')


def _shown(value: object) -> str:
    """A JSON value in a message: its kind, and its beginning when it is short and harmless."""
    if value is None:
        return "null or nothing"
    if isinstance(value, str):
        return f"the text {encodable(value[:32])!r}"
    if isinstance(value, bool | int | float):
        return repr(value)[:32]
    return "a list" if isinstance(value, list) else "an object"
