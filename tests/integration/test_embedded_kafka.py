"""The embedded broker is a real Kafka that lives no longer than its parent."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from podcause.embedded.broker import EmbeddedKafka
from podcause.embedded.errors import BrokerFailedError, PortInUseError

pytestmark = pytest.mark.integration

_DEADLINE_SECONDS = 60.0

#: A parent that says where its broker is, and then does nothing until it is killed.
_PARENT = """
import sys, time
from podcause.embedded.broker import EmbeddedKafka
with EmbeddedKafka() as kafka:
    print(kafka.port, kafka.pid, kafka.data_dir, flush=True)
    time.sleep(600)
"""


def _eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {_DEADLINE_SECONDS:.0f} s: {what}"
        select.select([], [], [], 0.05)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Nobody may have reaped it yet, where the tests run without an init.
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def _create_topic(bootstrap: str, name: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        admin.close()


def _produce(bootstrap: str, topic: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", allow_auto_create_topics=False)
    try:
        producer.send(topic, value).get(timeout=30)
    finally:
        producer.close()


def _values(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=30_000)
    try:
        return [record.value for _, record in zip(range(count), consumer, strict=False)]
    finally:
        consumer.close()


@contextlib.contextmanager
def _command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`podcause kafka` as a user starts it; gone afterwards whatever happened."""
    process = subprocess.Popen(
        [sys.executable, "-m", "podcause", "kafka", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"no address: {process.stderr.read() if process.stderr else ''}"
    return line.strip()


def test_it_is_apache_kafka_with_one_broker(kafka_broker: EmbeddedKafka) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap_servers)
    try:
        brokers = admin.describe_cluster()["brokers"]
    finally:
        admin.close()
    assert [(one["host"], one["port"]) for one in brokers] == [("127.0.0.1", kafka_broker.port)]


def test_what_is_produced_is_consumed(kafka_broker: EmbeddedKafka) -> None:
    _create_topic(kafka_broker.bootstrap_servers, "embedded-round-trip")
    _produce(kafka_broker.bootstrap_servers, "embedded-round-trip", b"hello")
    assert _values(kafka_broker.bootstrap_servers, "embedded-round-trip", 1) == [b"hello"]


def test_it_listens_on_loopback_only(kafka_broker: EmbeddedKafka) -> None:
    listeners = Path(f"/proc/{kafka_broker.pid}/net")
    if not listeners.exists():
        pytest.skip("needs /proc to see what a process listens on")
    # Loopback as /proc/net prints it: IPv4, and IPv4 mapped into IPv6, which Java opens.
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    port = f"{kafka_broker.port:04X}"
    local = [
        line.split()[1].split(":")
        for name in ("tcp", "tcp6")
        for line in (listeners / name).read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    addresses = {address for address, one in local if one == port}
    assert addresses
    assert addresses <= loopback


def test_records_survive_a_killed_broker(tmp_path: Path) -> None:
    with EmbeddedKafka(data_dir=tmp_path / "data") as kafka:
        first_pid, port = kafka.pid, kafka.port
        _create_topic(kafka.bootstrap_servers, "kept")
        _produce(kafka.bootstrap_servers, "kept", b"before")
        kafka.kill()
        assert kafka.poll() == -signal.SIGKILL
        assert not _listens(port)
        kafka.start()
        assert kafka.port == port
        assert kafka.pid != first_pid
        assert _values(kafka.bootstrap_servers, "kept", 1) == [b"before"]
    with EmbeddedKafka(data_dir=tmp_path / "data") as kafka:
        assert _values(kafka.bootstrap_servers, "kept", 1) == [b"before"]


def test_nothing_is_left_when_the_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    try:
        port, pid, data = _first_line(parent).split()
    finally:
        parent.kill()
        parent.communicate()
    _eventually(lambda: _is_gone(int(pid)), "the broker ends")
    _eventually(lambda: not Path(data).exists(), "its temporary data are removed")
    assert not _listens(int(port))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_the_command_stops_cleanly(how: signal.Signals) -> None:
    with _command("--free-port") as process:
        port = int(_first_line(process).rpartition(":")[2])
        process.send_signal(how)
        output, errors = process.communicate(timeout=_DEADLINE_SECONDS)
    assert (process.returncode, output) == (0, "")
    data = Path(errors.partition("its data are in ")[2].partition(". Ctrl-C")[0])
    assert data.name.startswith("podcause-kafka-")
    assert not data.exists()
    assert not _listens(port)


def test_a_port_in_use_is_a_clear_error(kafka_broker: EmbeddedKafka) -> None:
    with _command("--port", str(kafka_broker.port)) as process:
        output, errors = process.communicate(timeout=_DEADLINE_SECONDS)
    assert (process.returncode, output) == (1, "")
    assert f"port {kafka_broker.port} on 127.0.0.1 is in use by another process" in errors


def test_a_port_in_use_is_known_before_anything_starts(kafka_broker: EmbeddedKafka) -> None:
    with pytest.raises(PortInUseError), EmbeddedKafka(port=kafka_broker.port):
        pass


def test_a_broker_that_fails_says_why() -> None:
    with (
        pytest.raises(BrokerFailedError, match=r"exit code 1[\s\S]*num\.io\.threads"),
        EmbeddedKafka(server_properties={"num.io.threads": "none"}),
    ):
        pass
