"""`podcause collect` as people run it: what it says, and how it ends."""

import gzip
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from podcause.embedded.broker import EmbeddedKafka

pytestmark = pytest.mark.integration

RECORDINGS = Path(__file__).parents[2] / "podcause" / "data" / "recordings"
CRASH_LOOP = RECORDINGS / "seed-exit-1.jsonl.gz"


def _command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "podcause", "collect", *map(str, arguments)]


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )


def _kafka(broker: EmbeddedKafka) -> tuple[str, ...]:
    return ("--bootstrap-servers", broker.bootstrap_servers, "--topic-prefix", f"t-{uuid.uuid4().hex[:8]}")


def test_a_replay_ends_with_what_was_published(kafka_broker: EmbeddedKafka) -> None:
    done = _run("--replay", CRASH_LOOP, "--speed", "max", *_kafka(kafka_broker))
    assert done.stderr == "published 201 observations: 100 clock, 59 event, 10 log, 32 pod\n"
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_ends_it_cleanly_and_what_was_handed_over_is_acknowledged(
    kafka_broker: EmbeddedKafka, number: signal.Signals, code: int, word: str
) -> None:
    # At this speed the recording's 25 minutes take days: only the first observation is due now.
    arguments = ("--replay", CRASH_LOOP, "--speed", "0.001", "--log-level", "info", *_kafka(kafka_broker))
    with subprocess.Popen(_command(*arguments), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "publisher_ready" in line:
                break
        process.send_signal(number)
        ending = process.stderr.read()
        assert process.wait(20) == code
    assert f"podcause collect: {word}\n" in ending


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "{path}: the file is empty"),
        (b"hello", "{path}: line 1, column 1: not JSON: Expecting value"),
        (gzip.compress(b"x" * 10_000)[:-9], "{path}: line 1: the gzip data end too early: the file is cut off"),
        (None, "{path}: no such file"),
    ],
)
def test_what_cannot_be_read_is_named_before_kafka_is_asked(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "recording"
    if content is not None:
        path.write_bytes(content)
    done = _run("--replay", path, "--bootstrap-servers", "localhost:1")
    assert (done.returncode, done.stderr) == (2, f"podcause collect: cannot read a recording: {message.format(path=path)}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "a live cluster needs a name: --cluster NAME"),
        (("--replay",), "--replay needs at least one recording: --replay FILE..."),
        (("--replay", "x", "--speed", "0"), "Invalid value for '--speed': '0' is neither a number above 0 nor max"),
        (("--replay", "x", "--speed", "fast"), "Invalid value for '--speed': 'fast' is neither a number above 0 nor max"),
        (("--replay", "x", "--speed", "nan"), "Invalid value for '--speed': 'nan' is neither a number above 0 nor max"),
    ],
)
def test_wrong_usage_is_said(arguments: tuple[str, ...], message: str) -> None:
    done = _run(*arguments)
    assert done.returncode == 2
    assert done.stderr.endswith(f"Error: {message}\n")


def test_it_ends_with_its_parent(kafka_broker: EmbeddedKafka) -> None:
    with subprocess.Popen(
        _command("--replay", CRASH_LOOP, "--exit-with-parent", *_kafka(kafka_broker)),
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) != 0
