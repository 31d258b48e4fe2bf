"""`podcause demo`: what it prints for people and pipes, and that nothing is left behind however it ends."""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from podcause.embedded.broker import EmbeddedKafka

pytestmark = pytest.mark.integration

_RECORDING = Path(__file__).parents[2] / "podcause" / "data" / "recordings" / "seed-exit-0-and-bad-liveness.jsonl.gz"
_DEADLINE_SECONDS = 90.0


@contextlib.contextmanager
def _demo(temporary: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "podcause", "demo", *map(str, arguments)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def _until_said(process: subprocess.Popen[bytes], text: str) -> str:
    """Stderr up to the line that holds the text."""
    assert process.stderr is not None
    said = b""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while text.encode() not in said:
        assert time.monotonic() < deadline, said.decode()
        if select.select([process.stderr], [], [], 1.0)[0]:
            chunk = os.read(process.stderr.fileno(), 4096)
            assert chunk, said.decode()
            said += chunk
    return said.decode()


def _processes_naming(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


@pytest.mark.parametrize(
    ("moment", "number", "exit_code"),
    [
        ("starting Kafka", signal.SIGINT, 130),
        ("starting the processor", signal.SIGINT, 130),
        ("the collector replays", signal.SIGINT, 130),
        ("the collector replays", signal.SIGTERM, 143),
    ],
)
def test_a_signal_ends_everything_that_it_started(moment: str, number: int, exit_code: int, tmp_path: Path) -> None:
    with _demo(tmp_path, "--speed", "10") as process:
        said = _until_said(process, moment)
        process.send_signal(number)
        assert process.wait(_DEADLINE_SECONDS) == exit_code
    assert _processes_naming(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
    port = re.search(r"Kafka is ready at 127\.0\.0\.1:(\d+)", said)
    if port is not None:
        with EmbeddedKafka(port=int(port[1])) as broker:  # raises when somebody still listens there
            assert broker.port == int(port[1])


def test_a_pipe_gets_the_records_and_nothing_else(kafka_broker: EmbeddedKafka, tmp_path: Path) -> None:
    with _demo(
        tmp_path,
        "--bootstrap-servers",
        kafka_broker.bootstrap_servers,
        "--recordings",
        _RECORDING,
        "--speed",
        "max",
        "--output",
        "jsonl",
    ) as process:
        out, err = process.communicate(timeout=_DEADLINE_SECONDS)
    assert process.returncode == 0, err.decode()
    last = {}
    for line in out.splitlines():
        record = json.loads(line)
        last[record["k8s"]["container"]["name"]] = record["diagnosis"]["cause"]["id"]
    assert last == {"im-crashing": "exits_zero", "good-container": "liveness_probe_misconfigured"}


def test_without_a_terminal_it_prints_plain_lines_and_a_summary(kafka_broker: EmbeddedKafka, tmp_path: Path) -> None:
    with _demo(
        tmp_path, "--bootstrap-servers", kafka_broker.bootstrap_servers, "--recordings", _RECORDING, "--speed", "max"
    ) as process:
        out, err = process.communicate(timeout=_DEADLINE_SECONDS)
    assert process.returncode == 0, err.decode()
    lines = out.decode().splitlines()
    assert lines[-3:] == [
        lines[-3],
        "  exits_zero: 1 (team-02/crashloop-2)",
        "  liveness_probe_misconfigured: 1 (team-02/crashloop-2)",
    ]
    assert re.fullmatch(r"\d+ observations, \d+ diagnosis records, 2 episodes, 0 of them resolved", lines[-3])
    assert re.match(r"\[ *\d+\.\d s\] starting the processor", err.decode())
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_is_not_there_is_named(tmp_path: Path) -> None:
    with _demo(tmp_path, "--recordings", tmp_path / "none.jsonl.gz") as process:
        out, err = process.communicate(timeout=_DEADLINE_SECONDS)
    assert (process.returncode, out, err.decode()) == (1, b"", f"Error: {tmp_path}/none.jsonl.gz: no such file\n")
