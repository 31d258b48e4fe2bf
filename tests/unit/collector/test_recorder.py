import gzip
import json
import stat
from pathlib import Path

import pytest

from collector.anonymising import Anonymiser
from collector.recorder import RecordError, RecordingFile
from collector.recording import lines_of


def line(number: int) -> dict[str, object]:
    return {"t": "2026-01-01T00:00:00.000Z", "stream": "note", "namespace": "payments", "text": f"number {number}"}


def test_what_was_flushed_is_readable_before_the_file_is_closed(tmp_path: Path) -> None:
    """As after a kill: complete gzip members, and no end."""
    path, now = tmp_path / "a.gz", [0.0]
    with RecordingFile(path, now=lambda: now[0]) as file:
        file.write(line(1))
        assert list(lines_of(path)) == []
        now[0] = 2.0
        file.write(line(2))
        file.write(line(3))
        assert [json.loads(one)["text"] for one in lines_of(path)] == ["number 1", "number 2"]
        now[0] = 4.0
        file.flush_when_due()
        assert len(list(lines_of(path))) == 3
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 3


def test_the_file_is_its_owner_s_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    with RecordingFile(path) as file:
        file.write(line(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(RecordError, match="exists already"):
        RecordingFile(path)
    with pytest.raises(RecordError, match="nowhere"):
        RecordingFile(tmp_path / "nowhere" / "a.gz")


def test_an_anonymised_recording_never_holds_the_names(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    with RecordingFile(path, Anonymiser(b"key")) as file:
        file.write(line(1))
        file.write({"stream": "of another kind", "secret": "x"})
    (only,) = lines_of(path)
    assert b"payments" not in only
    assert file.written == 1


def test_texts_that_utf8_cannot_write_are_still_written(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    with RecordingFile(path) as file:
        file.write(line(1) | {"text": "lone \ud800 surrogate"})
    assert len(list(lines_of(path))) == 1
