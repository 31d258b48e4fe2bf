"""Kafka's jars: only what is pinned, whole, and kept."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from podcause.embedded.artifacts import Jar, Progress, Release, default_cache_dir, ensure_jars, pinned
from podcause.embedded.errors import ArtifactsError, ChecksumError

_CONTENT = {"org.example:one:1.0": b"first jar", "org.example:two:2.0": b"the second jar"}


def _jar(coordinate: str) -> Jar:
    content = _CONTENT[coordinate]
    return Jar(coordinate, len(content), hashlib.sha256(content).hexdigest())


_RELEASE = Release("9.9.9", tuple(map(_jar, _CONTENT)))


class _Registry:
    """Serves jars; ``answers`` gives bytes for the first requests of a coordinate, before the right ones."""

    def __init__(self, answers: dict[str, list[bytes | Exception]] | None = None) -> None:
        self.asked: list[str] = []
        self._answers = answers or {}
        self._lock = threading.Lock()

    def __call__(self, jar: Jar, into: Path, received: Callable[[int], None]) -> Path:
        with self._lock:
            self.asked.append(jar.coordinate)
            queue = self._answers.get(jar.coordinate)
            answer = queue.pop(0) if queue else _CONTENT[jar.coordinate]
        if isinstance(answer, Exception):
            raise answer
        path = into / "download.jar"
        path.write_bytes(answer)
        received(len(answer))
        return path


def _ensure(cache: Path, registry: _Registry, listener: Callable[[Progress], None] | None = None) -> tuple[Path, ...]:
    return ensure_jars(cache, listener, release=_RELEASE, fetch=registry, first_pause_seconds=0.0)


def _files(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "kafka" / "9.9.9").iterdir() if path.name != ".lock")


def test_every_pinned_jar_has_an_exact_version_and_a_sha256() -> None:
    release = pinned()
    assert release.kafka_version == "4.1.0"
    for jar in release.jars:
        group, artifact, version = jar.coordinate.split(":")
        assert group
        assert artifact
        assert not set(version) & set("[](),+ ")
        assert len(bytes.fromhex(jar.sha256)) == 32
        assert jar.size_bytes > 0
    assert len({jar.file_name for jar in release.jars}) == len(release.jars)


def test_kafkas_own_jars_are_all_of_the_pinned_version() -> None:
    release = pinned()
    versions = {jar.coordinate.rpartition(":")[2] for jar in release.jars if jar.coordinate.startswith("org.apache.kafka:")}
    assert versions == {release.kafka_version}


def test_the_pins_name_no_registry() -> None:
    text = Path(__file__).parents[4].joinpath("podcause/embedded/artifacts.json").read_text(encoding="utf-8")
    assert "://" not in text


def test_jars_are_fetched_once_and_then_used_without_the_registry(tmp_path: Path) -> None:
    registry = _Registry()
    first = _ensure(tmp_path, registry)
    again = _ensure(tmp_path, registry)
    assert first == again
    assert [path.read_bytes() for path in first] == list(_CONTENT.values())
    assert sorted(registry.asked) == sorted(_CONTENT)


def test_nothing_half_done_is_left_beside_the_jars(tmp_path: Path) -> None:
    _ensure(tmp_path, _Registry())
    assert _files(tmp_path) == ["one-1.0.jar", "two-2.0.jar"]


def test_a_download_that_was_cut_off_is_tried_again(tmp_path: Path) -> None:
    registry = _Registry({"org.example:two:2.0": [b"the sec", ArtifactsError("connection reset")]})
    paths = _ensure(tmp_path, registry)
    assert paths[1].read_bytes() == b"the second jar"
    assert registry.asked.count("org.example:two:2.0") == 3


def test_a_registry_that_stays_away_is_an_error_and_keeps_what_has_arrived(tmp_path: Path) -> None:
    away = [ArtifactsError("no route to host") for _ in range(5)]
    with pytest.raises(ArtifactsError, match="no route to host"):
        _ensure(tmp_path, _Registry({"org.example:one:1.0": list(away)}))
    assert _files(tmp_path) == ["two-2.0.jar"]


def test_a_jar_with_another_checksum_is_refused_at_once_and_removed(tmp_path: Path) -> None:
    registry = _Registry({"org.example:one:1.0": [b"evil! jar"]})
    with pytest.raises(ChecksumError, match=r"org\.example:one:1\.0.*SHA-256"):
        _ensure(tmp_path, registry)
    assert registry.asked.count("org.example:one:1.0") == 1
    assert "one-1.0.jar" not in _files(tmp_path)
    assert list(tmp_path.rglob("download.jar")) == []


def test_a_cached_jar_that_was_changed_is_never_handed_out(tmp_path: Path) -> None:
    registry = _Registry()
    changed = _ensure(tmp_path, registry)[0]
    changed.write_bytes(b"evil! jar")
    registry.asked.clear()
    assert _ensure(tmp_path, registry)[0].read_bytes() == b"first jar"
    assert registry.asked == ["org.example:one:1.0"]


def test_a_cached_jar_that_was_changed_is_gone_when_the_registry_is_away(tmp_path: Path) -> None:
    changed = _ensure(tmp_path, _Registry())[0]
    changed.write_bytes(b"evil! jar")
    with pytest.raises(ArtifactsError):
        _ensure(tmp_path, _Registry({"org.example:one:1.0": [ArtifactsError("offline")] * 5}))
    assert _files(tmp_path) == ["two-2.0.jar"]


def test_what_a_killed_download_left_is_cleared_away(tmp_path: Path) -> None:
    left_over = tmp_path / "kafka" / "9.9.9" / ".partial-killed"
    left_over.mkdir(parents=True)
    left_over.joinpath("half.jar").write_bytes(b"half")
    _ensure(tmp_path, _Registry())
    assert _files(tmp_path) == ["one-1.0.jar", "two-2.0.jar"]


def test_two_at_once_fetch_every_jar_once(tmp_path: Path) -> None:
    registry = _Registry()
    together = threading.Barrier(2)

    def run() -> None:
        together.wait()
        _ensure(tmp_path, registry)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(registry.asked) == sorted(_CONTENT)


def test_progress_counts_jars_and_bytes_to_the_end(tmp_path: Path) -> None:
    seen: list[Progress] = []
    _ensure(tmp_path, _Registry(), seen.append)
    assert seen[-1] == Progress(jars_done=2, jars_total=2, bytes_done=23, bytes_total=23)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.joinpath("kafka").write_text("a file where the folder should be")
    with pytest.raises(ArtifactsError, match="PODCAUSE_CACHE_DIR"):
        _ensure(tmp_path, _Registry())


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODCAUSE_CACHE_DIR", str(tmp_path / "mine"))
    assert default_cache_dir() == tmp_path / "mine"
