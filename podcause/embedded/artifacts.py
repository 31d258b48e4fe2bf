"""Kafka's jars: exactly those that ``artifacts.json`` pins, fetched once into the user's cache folder, checked at every start.

Only pinned coordinates are ever asked for: no ranges, no newest versions, no transitive look-up. A jar whose SHA-256 differs is
removed and never handed out. It starts nothing.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import platformdirs

from podcause.embedded.errors import ArtifactsError, ChecksumError

CACHE_VARIABLE: Final = "PODCAUSE_CACHE_DIR"
REPOSITORY_VARIABLE: Final = "PODCAUSE_MAVEN_REPOSITORY"

_PARALLEL_DOWNLOADS: Final = 6
_ATTEMPTS: Final = 5
_READ_TIMEOUT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned jar."""

    coordinate: str
    size_bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in the cache folder: ``<artifact>-<version>.jar``."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


@dataclass(frozen=True, slots=True)
class Release:
    """A pinned Kafka release and every jar that it needs at run time."""

    kafka_version: str
    jars: tuple[Jar, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the download is."""

    jars_done: int
    jars_total: int
    bytes_done: int
    bytes_total: int


ProgressListener = Callable[[Progress], None]
#: Fetches one jar from the registry into an empty folder and gives its path. Raises ArtifactsError when a retry may help.
Fetch = Callable[[Jar, Path, Callable[[int], None]], Path]


def pinned() -> Release:
    """The release that this version of podcause pins."""
    content = json.loads(resources.files("podcause.embedded").joinpath("artifacts.json").read_text(encoding="utf-8"))
    return Release(content["kafka_version"], tuple(Jar(j["coordinate"], j["bytes"], j["sha256"]) for j in content["jars"]))


def default_cache_dir() -> Path:
    """``PODCAUSE_CACHE_DIR``, else the user's cache folder as the system names it."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("podcause")


def ensure_jars(
    cache_dir: Path | None = None,
    on_progress: ProgressListener | None = None,
    *,
    release: Release | None = None,
    fetch: Fetch | None = None,
    first_pause_seconds: float = 0.5,
) -> tuple[Path, ...]:
    """The verified jars, fetched if they are not there. No network is used when all are.

    ``on_progress`` is called during a download only, from several threads, one at a time. Raises ChecksumError, ArtifactsError.
    """
    wanted = release or pinned()
    folder = (cache_dir or default_cache_dir()) / "kafka" / wanted.kafka_version
    try:
        if not _missing(wanted, folder):
            return _paths(wanted, folder)
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / ".lock"):
            missing = _missing(wanted, folder)  # another process may have fetched them while we waited
            for jar in missing:
                (folder / jar.file_name).unlink(missing_ok=True)  # there, but not what is pinned
            if missing:
                _fetch_all(missing, folder, fetch or fetch_with_jgo, on_progress, first_pause_seconds)
    except OSError as error:
        raise ArtifactsError(
            f"cannot keep Kafka's jars in {folder}: {error}. Set {CACHE_VARIABLE} to a folder with 50 MB free."
        ) from error
    return _paths(wanted, folder)


def _paths(release: Release, folder: Path) -> tuple[Path, ...]:
    return tuple(folder / jar.file_name for jar in release.jars)


def _missing(release: Release, folder: Path) -> list[Jar]:
    """The jars that are absent or not what is pinned. All are hashed: 44 MB take a twentieth of a second."""
    return [jar for jar in release.jars if not _is_pinned(folder / jar.file_name, jar)]


def _is_pinned(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Tally:
    """Adds up what the threads have fetched, tells the listener, and carries the word to give up to the threads."""

    def __init__(self, jars: list[Jar], listener: ProgressListener | None) -> None:
        self._listener = listener
        self._jars_total, self._bytes_total = len(jars), sum(jar.size_bytes for jar in jars)
        self._received: dict[Jar, int] = {}
        self._jars_done = 0
        self._lock = threading.Lock()
        self.given_up = threading.Event()

    def received(self, jar: Jar, total: int) -> None:
        """So much of a jar has arrived in this attempt. Raises ArtifactsError to end an attempt that nobody waits for."""
        if self.given_up.is_set():
            raise ArtifactsError(f"{jar.coordinate}: given up")
        with self._lock:
            self._received[jar] = total
            self._tell()

    def done(self, jar: Jar) -> None:
        """A jar is complete, verified and in its place."""
        with self._lock:
            self._received[jar] = jar.size_bytes
            self._jars_done += 1
            self._tell()

    def _tell(self) -> None:
        if self._listener is not None:
            self._listener(Progress(self._jars_done, self._jars_total, sum(self._received.values()), self._bytes_total))


def _fetch_all(
    jars: list[Jar], folder: Path, fetch: Fetch, on_progress: ProgressListener | None, first_pause_seconds: float
) -> None:
    tally = _Tally(jars, on_progress)
    for left_over in folder.glob(".partial-*"):  # of a process that was killed: we hold the lock
        shutil.rmtree(left_over, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial,
        ThreadPoolExecutor(_PARALLEL_DOWNLOADS, thread_name_prefix="kafka-jars") as threads,
    ):
        # The largest first: the last to finish is then a small one.
        ordered = sorted(jars, key=lambda jar: -jar.size_bytes)
        pending = [threads.submit(_fetch_one, jar, folder, Path(partial), fetch, tally, first_pause_seconds) for jar in ordered]
        try:
            for one in pending:
                one.result()
        except BaseException:
            tally.given_up.set()
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_one(jar: Jar, folder: Path, partial: Path, fetch: Fetch, tally: _Tally, first_pause_seconds: float) -> None:
    """Fetch, verify, then move into place: what is half there never bears the final name."""
    for attempt in range(_ATTEMPTS):
        attempt_folder = partial / f"{jar.sha256}-{attempt}"
        attempt_folder.mkdir()
        try:
            path = fetch(jar, attempt_folder, lambda total: tally.received(jar, total))
            _verify(path, jar)
        except ChecksumError:
            raise
        except ArtifactsError:
            if attempt == _ATTEMPTS - 1 or tally.given_up.wait(first_pause_seconds * 2**attempt):
                raise
        else:
            path.replace(folder / jar.file_name)
            tally.done(jar)
            return


def _verify(path: Path, jar: Jar) -> None:
    size = path.stat().st_size
    if size < jar.size_bytes:
        raise ArtifactsError(f"{jar.coordinate}: cut off after {size} of {jar.size_bytes} bytes")
    if not _is_pinned(path, jar):
        path.unlink()
        raise ChecksumError(
            f"{jar.coordinate}: its SHA-256 is not the one that podcause pins, so it was removed and Kafka was not started. "
            f"Check the Maven repository or proxy that served it ({REPOSITORY_VARIABLE} names another)."
        )


def fetch_with_jgo(jar: Jar, into: Path, received: Callable[[int], None]) -> Path:
    """Download one jar with jgo's resolver, from Maven Central or the repository that PODCAUSE_MAVEN_REPOSITORY names.

    Proxies and certificate authorities are taken from the usual environment variables. Raises ArtifactsError.
    """
    try:
        import requests
        from jgo.maven import MavenContext, PythonResolver
    except ImportError as error:
        raise ArtifactsError("Kafka's jars are fetched with jgo: install 'podcause[embedded]'") from error

    @contextlib.contextmanager
    def report(_file_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        total = 0

        def add(count: int) -> None:
            nonlocal total
            total += count
            received(total)

        yield add

    mirror = os.environ.get(REPOSITORY_VARIABLE)
    context: Any = MavenContext(
        resolver=PythonResolver(progress_callback=report),
        repo_cache=into,
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
        timeout=_READ_TIMEOUT_SECONDS,
    )
    group, artifact, version = jar.coordinate.split(":")
    pinned_artifact = context.project(group, artifact).at_version(version).artifact()
    try:
        return Path(context.resolver.download(pinned_artifact))
    except (requests.RequestException, RuntimeError) as error:  # jgo raises RuntimeError for every answer but 200
        # A mirror's URL may carry a password.
        reason = str(error).replace(mirror.rstrip("/"), REPOSITORY_VARIABLE) if mirror else str(error)
        raise ArtifactsError(
            f"{jar.coordinate} could not be fetched: {reason}. Check the network or the proxy settings, or name a Maven "
            f"repository in {REPOSITORY_VARIABLE}; what has arrived is kept."
        ) from error
