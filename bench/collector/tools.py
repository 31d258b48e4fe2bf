"""The Go programs of the comparison, built once from Go modules into the user's cache folder. It runs nothing but ``go`` and the builder."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import platformdirs

OTEL_VERSION: Final = "0.111.0"
KWOK_VERSION: Final = "0.8.0"
_MANIFEST: Final = Path(__file__).with_name("otel-builder.yaml")
_BUILD_SECONDS: Final = 1200


class ToolError(Exception):
    """A program is missing or cannot be built; the message says what to do."""


def cache_folder() -> Path:
    """Where built programs are kept."""
    return platformdirs.user_cache_path("podcause", appauthor=False) / "bench-collector"


def otel_collector() -> Path:
    """The OpenTelemetry Collector with the components of ``otel-builder.yaml``; built when it is not there."""
    manifest = _MANIFEST.read_bytes()
    folder = cache_folder() / f"otelcol-{hashlib.sha256(manifest).hexdigest()[:12]}"
    binary = folder / "otelcol-bench"
    if not binary.is_file():
        builder = _installed("builder", f"go.opentelemetry.io/collector/cmd/builder@v{OTEL_VERSION}")
        folder.mkdir(parents=True, exist_ok=True)
        _run([str(builder), "--config", str(_MANIFEST), "--output-path", str(folder)])
    return binary


def kwok() -> Path:
    """The kwok controller, which plays kubelet for fake nodes; built when it is not there."""
    return _installed("kwok", f"sigs.k8s.io/kwok/cmd/kwok@v{KWOK_VERSION}")


def go_version() -> str:
    """What ``go version`` says."""
    return subprocess.run([_go(), "version"], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - no shell


def _installed(name: str, module: str) -> Path:
    folder = cache_folder() / hashlib.sha256(module.encode()).hexdigest()[:12]
    if not (folder / name).is_file():
        _run([_go(), "install", module], GOBIN=str(folder))
    return folder / name


def _go() -> str:
    found = shutil.which("go")
    if found is None:
        raise ToolError("go is not there: install Go 1.23 or newer")
    return found


def _run(command: list[str], **environment: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{' '.join(command)}: not done after {_BUILD_SECONDS} s") from error
    if done.returncode != 0:
        raise ToolError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
