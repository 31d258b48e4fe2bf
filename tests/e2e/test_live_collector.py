"""The collector on a real cluster: what the API server accepted is on the topic, whatever was killed in between.

KUBECONFIG names a disposable cluster; PODCAUSE_CLUSTER_TOOLS the folder with `kill`, `compact` and `up` for its machine.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from kafka import KafkaConsumer, TopicPartition

from collector.api import Api
from collector.api_errors import ApiError
from podcause.embedded.broker import EmbeddedKafka

pytestmark = [pytest.mark.cluster, pytest.mark.integration, pytest.mark.timeout(420)]


def eventually(what: str, check: Callable[[], Any], within_seconds: float = 60.0) -> Any:
    """The first true answer; fails with ``what`` after the deadline."""
    deadline = time.monotonic() + within_seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.2)


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no disposable cluster")
    with Api() as one:
        yield one


@pytest.fixture(scope="session")
def tools() -> Path:
    """kill, compact and up of the cluster's machine."""
    folder = os.environ.get("PODCAUSE_CLUSTER_TOOLS")
    if not folder:
        pytest.skip("PODCAUSE_CLUSTER_TOOLS names no tools to break the cluster with")
    return Path(folder)


@pytest.fixture
def broker() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka() as kafka:
        yield kafka


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    name = f"podcause-e2e-{secrets.token_hex(3)}"
    create(api, "/api/v1/namespaces", {"metadata": {"name": name}})
    eventually("the default ServiceAccount", lambda: exists(api, f"/api/v1/namespaces/{name}/serviceaccounts/default"))
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


def create(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(api.request("POST", path, body=json.dumps(body).encode()))
    return answer


def exists(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ApiError:
        return False
    return True


@dataclass
class Collector:
    """`podcause collect` as a process that can be killed and started again."""

    broker: EmbeddedKafka
    folder: Path
    prefix: str
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self, *more: str) -> None:
        self.starts += 1
        command = [sys.executable, "-m", "podcause", "collect", "--cluster", "e2e", "--topic-prefix", self.prefix]
        command += ["--bootstrap-servers", self.broker.bootstrap_servers, "--log-level", "info", *self.arguments, *more]
        with (self.folder / f"collector-{self.starts}.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(how)
        return process.wait(30)

    def log(self) -> str:
        return (self.folder / f"collector-{self.starts}.log").read_text()


@pytest.fixture
def collector(broker: EmbeddedKafka, tmp_path: Path) -> Iterator[Collector]:
    one = Collector(broker, tmp_path, f"e2e-{secrets.token_hex(3)}")
    yield one
    if one.process is not None:
        one.end(signal.SIGKILL)


@dataclass
class Topic:
    """A topic read again and again from where the last reading ended."""

    broker: EmbeddedKafka
    name: str
    records: list[dict[str, Any]] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)

    def read(self) -> list[dict[str, Any]]:
        """All records so far."""
        consumer = KafkaConsumer(bootstrap_servers=self.broker.bootstrap_servers, enable_auto_commit=False)
        try:
            partitions = [TopicPartition(self.name, one) for one in consumer.partitions_for_topic(self.name) or ()]
            if not partitions:
                return self.records
            consumer.assign(partitions)
            for one in partitions:
                consumer.seek(one, self.offsets.get(one.partition, 0))
            ends = consumer.end_offsets(partitions)
            while any(consumer.position(one) < end for one, end in ends.items()):
                for one, batch in consumer.poll(timeout_ms=200).items():
                    self.records.extend(json.loads(record.value) for record in batch)
                    self.offsets[one.partition] = batch[-1].offset + 1
        finally:
            consumer.close(autocommit=False)
        return self.records

    def ids(self) -> set[str]:
        return {record["id"] for record in self.read()}

    def kind(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.read() if record["kind"] == kind]


@pytest.fixture
def observations(collector: Collector) -> Topic:
    return Topic(collector.broker, f"{collector.prefix}.observations.v1")


class EventWriter:
    """Writes events on a pod as fast as it is told; its own log of what the API server accepted is the truth."""

    def __init__(self, api: Api, namespace: str, per_second: float) -> None:
        self._api, self._namespace, self._pause = api, namespace, 1 / per_second
        self._stop = threading.Event()
        self.accepted: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def written(self, number: int) -> Callable[[], bool]:
        """Whether so many more than now were accepted."""
        goal = len(self.accepted) + number
        return lambda: len(self.accepted) >= goal

    def write(self, number: int) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = {
            "metadata": {"generateName": "written-", "namespace": self._namespace},
            "involvedObject": {
                "kind": "Pod",
                "namespace": self._namespace,
                "name": f"pod-{number % 7}",
                "uid": f"uid-{number % 7}",
            },
            "reason": "Written",
            "message": f"number {number}",
            "type": "Normal",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
        }
        metadata = create(self._api, f"/api/v1/namespaces/{self._namespace}/events", body)["metadata"]
        self.accepted.append(f"{metadata['uid']}/{metadata['resourceVersion']}")

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(self._pause):
            number += 1
            try:
                self.write(number)
            except ApiError:
                continue  # not accepted, or nobody knows: not part of the truth


@pytest.fixture
def writer(api: Api, namespace: str) -> Callable[[float], EventWriter]:
    return lambda per_second: EventWriter(api, namespace, per_second)


Writer = Callable[[float], EventWriter]


def _arrived(observations: Topic, writer: EventWriter, cluster_uid: str) -> None:
    wanted = {f"{cluster_uid}/{one}" for one in writer.accepted}
    eventually("every accepted write", lambda: wanted <= observations.ids(), 90)


def _same_id_means_same_content(observations: Topic) -> None:
    told: dict[str, object] = {}
    for record in observations.read():
        if record["kind"] == "event":
            assert told.setdefault(record["id"], record["event"]) == record["event"]


@pytest.fixture
def cluster_uid(api: Api) -> str:
    return str(json.loads(api.get("/api/v1/namespaces/kube-system"))["metadata"]["uid"])


def test_a_collector_killed_again_and_again_loses_nothing(
    collector: Collector, observations: Topic, writer: Writer, cluster_uid: str
) -> None:
    collector.start()
    eventually("the first clock", lambda: observations.kind("clock"))
    with writer(50) as writing:
        for _ in range(3):
            eventually("more writes", writing.written(150))
            collector.end(signal.SIGKILL)
            eventually("writes without a collector", writing.written(50))
            collector.start()
        eventually("more writes", writing.written(100))
    _arrived(observations, writing, cluster_uid)
    _same_id_means_same_content(observations)
    assert observations.kind("gap") == []
    assert collector.end(signal.SIGTERM) == 0


def test_kafka_killed_and_back_loses_nothing(
    collector: Collector, observations: Topic, writer: Writer, cluster_uid: str
) -> None:
    collector.start("--delivery-timeout", "6")
    eventually("the first clock", lambda: observations.kind("clock"))
    with writer(50) as writing:
        eventually("writes", writing.written(50))
        collector.broker.kill()
        eventually("writes without Kafka, longer than the delivery time-out", writing.written(600))
        collector.broker.start()
        eventually("writes", writing.written(50))
    _arrived(observations, writing, cluster_uid)
    _same_id_means_same_content(observations)
    assert "kafka_failed" in collector.log()
    assert collector.end(signal.SIGTERM) == 0


def test_the_api_server_killed_and_back_loses_nothing(
    collector: Collector, observations: Topic, writer: Writer, cluster_uid: str, tools: Path
) -> None:
    collector.start()
    eventually("the first clock", lambda: observations.kind("clock"))
    with writer(50) as writing:
        eventually("writes", writing.written(50))
        subprocess.run([tools / "kill", "apiserver"], check=True, timeout=30)
        subprocess.run([tools / "up"], check=True, timeout=180, stdout=subprocess.DEVNULL)
        eventually("writes", writing.written(100))
    _arrived(observations, writing, cluster_uid)
    assert collector.end(signal.SIGTERM) == 0


def test_what_could_not_be_seen_is_told(
    api: Api, collector: Collector, observations: Topic, namespace: str, cluster_uid: str, tools: Path, writer: Writer
) -> None:
    pod = create(
        api,
        f"/api/v1/namespaces/{namespace}/pods",
        {
            "metadata": {"name": "nowhere"},
            "spec": {"nodeSelector": {"no": "such"}, "containers": [{"name": "app", "image": "pause"}]},
        },
    )
    uid = pod["metadata"]["uid"]
    collector.start()
    eventually("the pod", lambda: [one for one in observations.kind("pod") if one["pod"]["uid"] == uid])
    eventually("a clock", lambda: observations.kind("clock"))
    checkpoints = Topic(collector.broker, f"{collector.prefix}.checkpoints.v1")
    eventually(
        "it is remembered", lambda: [one for one in checkpoints.read() if any(uid in pod for pod in one.get("pods", ()))]
    )
    assert collector.end(signal.SIGTERM) == 0
    api.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/nowhere", {"gracePeriodSeconds": "0"})
    writing = writer(1)
    writing.write(1)
    # The API server's cache of pods outlives a compaction: only a new API server has forgotten them.
    subprocess.run([tools / "kill", "apiserver"], check=True, timeout=30)
    subprocess.run([tools / "compact"], check=True, timeout=30, stdout=subprocess.DEVNULL)
    subprocess.run([tools / "up"], check=True, timeout=180, stdout=subprocess.DEVNULL)
    collector.start()
    _arrived(observations, writing, cluster_uid)
    deleted = eventually("the deletion", lambda: [one for one in observations.kind("pod_deleted") if one["pod"]["uid"] == uid])
    assert [one.get("inferred") for one in deleted] == [True]
    gaps = eventually(
        "gaps of both", lambda: {one["gap"]["resource"] for one in observations.kind("gap")} == {"pods", "events"}
    )
    assert gaps
    assert collector.end(signal.SIGTERM) == 0


def test_an_ignored_pod_leaves_no_trace(api: Api, collector: Collector, observations: Topic, namespace: str) -> None:
    collector.start("--namespace", namespace)
    eventually("the first clock", lambda: observations.kind("clock"))
    for name, annotations in (("kept-out", {"podcause.io/ignore": "true"}), ("told", {})):
        create(
            api,
            f"/api/v1/namespaces/{namespace}/pods",
            {
                "metadata": {"name": name, "annotations": annotations},
                "spec": {"nodeSelector": {"no": "such"}, "containers": [{"name": "app", "image": "pause"}]},
            },
        )
    eventually(
        "the other pod's event",
        lambda: [one for one in observations.kind("event") if one["event"]["involved_object"]["name"] == "told"],
    )
    assert "kept-out" not in json.dumps(observations.read())
    assert collector.end(signal.SIGTERM) == 0


#: The walkthrough's two troubles in one pod: a container that finishes again and again, and a probe that knocks at the wrong port.
_WALKTHROUGH = {
    "metadata": {"name": "crashloop"},
    "spec": {
        "containers": [
            {
                "name": "im-crashing",
                "image": "busybox:1.36",
                "command": ["/bin/sh", "-c", "echo 'hello, there...'; sleep 1; echo 'exiting with status 0'; exit 0"],
            },
            {
                "name": "good-container",
                "image": "busybox:1.36",
                "command": ["/bin/sh", "-c", "mkdir -p /w; echo ok > /w/healthz; exec httpd -f -p 8080 -h /w"],
                "ports": [{"containerPort": 8080}],
                "livenessProbe": {
                    "httpGet": {"path": "/healthz", "port": 9999},
                    "initialDelaySeconds": 3,
                    "periodSeconds": 3,
                    "failureThreshold": 3,
                },
            },
        ]
    },
}


def test_the_walkthrough_is_diagnosed_live(
    api: Api, collector: Collector, namespace: str, observations: Topic, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "podcause", "process", "--topic-prefix", collector.prefix, "--ready-file", str(ready)]
    with (tmp_path / "processor.log").open("wb") as log:
        processor = subprocess.Popen(
            [*command, "--bootstrap-servers", collector.broker.bootstrap_servers],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        eventually("the processor", ready.exists, 90)
        collector.start("--namespace", namespace)
        eventually("the first clock", lambda: observations.kind("clock"))
        create(api, f"/api/v1/namespaces/{namespace}/pods", _WALKTHROUGH)
        diagnoses = Topic(collector.broker, f"{collector.prefix}.diagnoses.v1")

        def causes() -> set[tuple[str, str]]:
            return {(one["k8s"]["container"]["name"], one["diagnosis"]["cause"]["id"]) for one in diagnoses.read()}

        wanted = {("im-crashing", "exits_zero"), ("good-container", "liveness_probe_misconfigured")}
        eventually("both causes", lambda: wanted <= causes(), 120)
        eventually("the log", lambda: "exiting with status 0" in json.dumps(observations.kind("log")))
        assert collector.end(signal.SIGTERM) == 0
    finally:
        processor.terminate()
        processor.wait(30)
