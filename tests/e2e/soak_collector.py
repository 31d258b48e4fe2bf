"""Everything killed at random while events are written: is every write that the API server accepted on the topic?

A script, not a test: `make soak-collector`, or ``soak_collector.py --minutes 20 --rate 100 --seed 1``. KUBECONFIG names a
disposable cluster, PODCAUSE_CLUSTER_TOOLS the folder with its `kill` and `up`. Two collectors with leader election watch it and
publish to a real Kafka; with a seed, one of the leading collector, the other one, the API server and Kafka is killed again and
again. The writers' own log is the truth. Exit code 1: a write is neither on the topic, nor followed there by a later state of the
same event, nor told by a gap; or an id stands for two contents; or memory grows.
"""

import argparse
import contextlib
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from collector.api import Api
from collector.api_errors import ApiError
from podcause.embedded.broker import EmbeddedKafka

_PODS: Final = 20
_WRITERS: Final = 4
_UPDATES: Final = 0.6
_LIVE_EVENTS: Final = 200
_KILL_EVERY_SECONDS: Final = (12.0, 30.0)
_AWAY_SECONDS: Final = {"leader": (0.2, 12.0), "standby": (0.2, 12.0), "apiserver": (0.0, 10.0), "kafka": (0.5, 15.0)}
_SAMPLE_SECONDS: Final = 2.0
_READ_SECONDS: Final = 3.0
_TELL_SECONDS: Final = 30.0
_DRAIN_SECONDS: Final = 90.0
#: Observations' and gaps' times are the collector's, writes' are the writer's: both on this machine, rounded to milliseconds.
_CLOCKS_DIFFER_MS: Final = 1_000
#: The largest RSS of the last third of the run, compared with that of the second third.
_FLAT: Final = 1.25


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill everything at random; compare the topic with the writers' log.")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=100.0, help="writes a second")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--folder", type=Path, default=None, help="logs and the list of writes  [default: a temporary one, kept]"
    )
    chosen = parser.parse_args()
    tools = os.environ.get("PODCAUSE_CLUSTER_TOOLS")
    if not os.environ.get("KUBECONFIG") or not tools:
        parser.error("KUBECONFIG must name a disposable cluster, PODCAUSE_CLUSTER_TOOLS the folder with its kill and up")
    seed = secrets.randbelow(10_000) if chosen.seed is None else chosen.seed
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="podcause-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    say(f"seed {seed}, {chosen.minutes:g} minutes at {chosen.rate:g} writes/s, logs in {folder}")
    with EmbeddedKafka(data_dir=folder / "kafka") as broker, Api() as api, disposable_namespace(api) as namespace:
        return Soak(broker, api, namespace, Path(tools), folder, seed).run(chosen.minutes * 60, chosen.rate)


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S', time.gmtime())} {line}", flush=True)


def until(check: Callable[[], object], seconds: float) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.3)
    return True


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def ms_of(time_text: str) -> int:
    return int(datetime.fromisoformat(time_text).timestamp() * 1000)


def create(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(api.request("POST", path, body=json.dumps(body).encode()))
    return answer


def answers(api: Api, path: str) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = json.loads(api.get(path))
    except ApiError:
        return None
    return answer


@contextlib.contextmanager
def disposable_namespace(api: Api) -> Iterator[str]:
    name = f"podcause-soak-{secrets.token_hex(3)}"
    create(api, "/api/v1/namespaces", {"metadata": {"name": name}})
    try:
        until(lambda: answers(api, f"/api/v1/namespaces/{name}/serviceaccounts/default"), 60)
        yield name
    finally:
        with contextlib.suppress(ApiError):
            api.request("DELETE", f"/api/v1/namespaces/{name}")


class Write(NamedTuple):
    """What the API server accepted, and between which times it did."""

    uid: str
    version: int
    sent_ms: int
    answered_ms: int


@dataclass
class Truth:
    """The writers' log."""

    file: Any
    accepted: list[Write] = field(default_factory=list)
    unreachable: int = 0
    unknown: int = 0
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, write: Write) -> None:
        with self.lock:
            self.accepted.append(write)
            self.file.write(f"{write.uid} {write.version} {write.sent_ms} {write.answered_ms}\n")


class Writer:
    """One thread's connection and its own events: some are created, more are updated (a raised count)."""

    def __init__(self, truth: Truth, namespace: str, pods: list[tuple[str, str]], rate: float, seed: int) -> None:
        self._truth, self._namespace, self._pods, self._pause = truth, namespace, pods, 1 / rate
        self._chance = random.Random(seed)
        self._events: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        due = time.monotonic()
        with Api() as api:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due = max(
                    due + self._pause, time.monotonic() - 1.0
                )  # what an outage kept from being written is not made up for
                body = self._next()
                known = "uid" in body["metadata"]
                path = f"/api/v1/namespaces/{self._namespace}/events"
                sent = now_ms()
                try:
                    answer = json.loads(
                        api.request(
                            "PUT" if known else "POST",
                            f"{path}/{body['metadata']['name']}" if known else path,
                            body=json.dumps(body).encode(),
                            read_timeout_seconds=10.0,
                        )
                    )
                except ApiError as error:
                    with self._truth.lock:
                        if "NewConnectionError" in str(error):
                            self._truth.unreachable += 1
                        elif error.status is None:
                            self._truth.unknown += 1  # written or not: no part of the truth
                        else:
                            self._truth.refused += 1
                    self._stop.wait(0.05)
                    continue
                metadata = answer["metadata"]
                self._truth.accept(Write(metadata["uid"], int(metadata["resourceVersion"]), sent, now_ms()))
                self._events.append(answer)
                if len(self._events) > _LIVE_EVENTS:
                    self._events.pop(0)

    def _next(self) -> dict[str, Any]:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._events and self._chance.random() < _UPDATES:
            event = self._events.pop(self._chance.randrange(len(self._events)))  # an update that fails is not tried again
            return {**event, "count": event["count"] + 1, "lastTimestamp": now}
        pod, uid = self._chance.choice(self._pods)
        return {
            "metadata": {"generateName": "written-", "namespace": self._namespace},
            "involvedObject": {"kind": "Pod", "namespace": self._namespace, "name": pod, "uid": uid},
            "reason": "Written",
            "message": f"said {secrets.token_hex(6)}",
            "type": "Normal",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
        }


class Replica:
    """`podcause collect`, killed and started again; its memory is sampled."""

    def __init__(self, name: str, arguments: list[str], folder: Path) -> None:
        self.name = name
        self._arguments = arguments
        self._log = folder / f"collector-{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.died: list[int] = []
        self.samples: list[tuple[float, int]] = []

    def start(self) -> None:
        self.starts += 1
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "podcause", "collect", *self._arguments],
                env={**os.environ, "POD_NAME": self.name},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self, how: signal.Signals, seconds: float = 40.0) -> int | None:
        """The exit code; None when it had to be killed after all."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(how)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def look(self, since_start: float) -> None:
        """Sample the memory; note it when it died by itself, and start it again."""
        process = self._process
        if process is None:
            return
        if (code := process.poll()) is not None:
            self.died.append(code)
            say(f"collector {self.name} ended by itself with {code}")
            self.start()
            return
        with contextlib.suppress(OSError, StopIteration, ValueError):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            self.samples.append((since_start, next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))))


class Reader:
    """Reads the topic along, whatever happens to Kafka, and keeps of it what the comparison needs."""

    def __init__(self, broker: EmbeddedKafka, topic: str) -> None:
        self._broker, self._topic = broker, topic
        self._offsets: dict[int, int] = {}
        self._contents: dict[str, int] = {}
        self.found: dict[str, set[int]] = defaultdict(set)
        self.kinds: Counter[str] = Counter()
        self.repeats = 0
        self.different: list[str] = []
        self.gaps: dict[str, dict[str, Any]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(_READ_SECONDS):
            with contextlib.suppress(KafkaError, OSError, AssertionError):
                self._read()

    def _read(self) -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=self._broker.bootstrap_servers, enable_auto_commit=False, bootstrap_timeout_ms=3_000
        )
        try:
            partitions = [TopicPartition(self._topic, one) for one in consumer.partitions_for_topic(self._topic) or ()]
            consumer.assign(partitions)
            for one in partitions:
                consumer.seek(one, self._offsets.get(one.partition, 0))
            ends = consumer.end_offsets(partitions)
            deadline = time.monotonic() + 20
            while any(consumer.position(one) < end for one, end in ends.items()) and time.monotonic() < deadline:
                for one, batch in consumer.poll(timeout_ms=200).items():
                    for record in batch:
                        self._take(json.loads(record.value))
                        self._offsets[one.partition] = record.offset + 1
        finally:
            consumer.close(autocommit=False)

    def _take(self, record: dict[str, Any]) -> None:
        kind = record["kind"]
        self.kinds[kind] += 1
        if kind == "gap":
            self.gaps[record["id"]] = record["gap"]
        if kind != "event":
            return
        content = hash(json.dumps(record["event"], sort_keys=True))
        before = self._contents.setdefault(record["id"], content)
        cluster_and_uid, _, version = record["id"].rpartition("/")
        versions = self.found[cluster_and_uid]
        if int(version) in versions:
            self.repeats += 1
            if before != content:
                self.different.append(record["id"])
        versions.add(int(version))


@dataclass
class Comparison:
    """Each accepted write in exactly one of these."""

    found: int = 0
    superseded: int = 0
    superseded_without_gap: list[Write] = field(default_factory=list)
    told_by_gap: int = 0
    lost: list[Write] = field(default_factory=list)


def compare(accepted: list[Write], reader: Reader, cluster_uid: str) -> Comparison:
    result = Comparison()
    gaps = [(ms_of(gap["from"]), ms_of(gap["to"])) for gap in reader.gaps.values() if gap["resource"] == "events"]
    for write in accepted:
        versions = reader.found.get(f"{cluster_uid}/{write.uid}", set())
        if write.version in versions:
            result.found += 1
            continue
        in_gap = any(
            since - _CLOCKS_DIFFER_MS <= write.answered_ms and write.sent_ms <= to + _CLOCKS_DIFFER_MS for since, to in gaps
        )
        if any(version > write.version for version in versions):
            result.superseded += 1
            if not in_gap:
                result.superseded_without_gap.append(write)
        elif in_gap:
            result.told_by_gap += 1
        else:
            result.lost.append(write)
    return result


class Soak:
    """The whole run."""

    def __init__(self, broker: EmbeddedKafka, api: Api, namespace: str, tools: Path, folder: Path, seed: int) -> None:
        self._broker, self._api, self._namespace, self._tools, self._folder = broker, api, namespace, tools, folder
        self._seed = seed
        self._chance = random.Random(seed)
        self._prefix = "soak"
        self._kills: Counter[str] = Counter()
        arguments = ["--cluster", "soak", "--topic-prefix", self._prefix, "--bootstrap-servers", broker.bootstrap_servers]
        arguments += ["--log-level", "info", "--leader-election", "--lease-namespace", namespace]
        self._replicas = [Replica(name, arguments, folder) for name in ("soak-a", "soak-b")]
        self._truth = Truth((folder / "writes.txt").open("w"))
        self._began = time.monotonic()
        self._stop = threading.Event()

    def run(self, seconds: float, rate: float) -> int:
        cluster_uid = json.loads(self._api.get("/api/v1/namespaces/kube-system"))["metadata"]["uid"]
        pods = self._pods()
        reader = Reader(self._broker, f"{self._prefix}.observations.v1")
        watcher = threading.Thread(target=self._look, args=(reader,), daemon=True)
        writers: list[Writer] = []
        try:
            for replica in self._replicas:
                replica.start()
            if not until(lambda: reader.kinds["clock"], 90):
                say("no clock came: the collectors do not work")
                return 1
            watcher.start()
            self._began = time.monotonic()
            writers = [Writer(self._truth, self._namespace, pods, rate / _WRITERS, self._seed + one) for one in range(_WRITERS)]
            self._break_things(self._began + seconds)
            for writer in writers:
                writer.stop()
            say("drain")
            until(lambda: self._drained(reader, cluster_uid), _DRAIN_SECONDS)
            self._stop.set()
            codes = [replica.end(signal.SIGTERM) for replica in self._replicas]
            time.sleep(2 * _READ_SECONDS)
            return self._judge(reader, cluster_uid, codes)
        finally:
            self._stop.set()
            for writer in writers:
                writer.stop()
            for replica in self._replicas:
                replica.end(signal.SIGKILL)
            reader.stop()
            self._truth.file.close()

    def _pods(self) -> list[tuple[str, str]]:
        found = []
        for number in range(_PODS):
            body = {
                "metadata": {"name": f"pod-{number}"},
                "spec": {"nodeSelector": {"no": "such"}, "containers": [{"name": "app", "image": "pause"}]},
            }
            pod = create(self._api, f"/api/v1/namespaces/{self._namespace}/pods", body)
            found.append((pod["metadata"]["name"], pod["metadata"]["uid"]))
        return found

    def _break_things(self, end: float) -> None:
        while (pause := self._chance.uniform(*_KILL_EVERY_SECONDS)) < end - time.monotonic() - 20:
            time.sleep(pause)
            kind = self._chance.choice(tuple(_AWAY_SECONDS))
            away = self._chance.uniform(*_AWAY_SECONDS[kind])
            say(f"kill {kind} for {away:.1f} s")
            if kind == "kafka":
                self._broker.kill()
                time.sleep(away)
                self._broker.start()
            elif kind == "apiserver":
                subprocess.run([self._tools / "kill", "apiserver"], check=False, timeout=30)
                time.sleep(away)
                self._up()
            else:
                leader = self._leader()
                one = next(each for each in self._replicas if (each.name == leader) == (kind == "leader"))
                one.end(signal.SIGKILL)
                time.sleep(away)
                one.start()
            self._kills[kind] += 1
        time.sleep(max(0.0, end - time.monotonic()))

    def _up(self) -> None:
        for _ in range(3):
            with contextlib.suppress(subprocess.SubprocessError):
                subprocess.run([self._tools / "up"], check=True, timeout=180, stdout=subprocess.DEVNULL)
                return
            say("up failed")

    def _leader(self) -> str:
        """Which replica leads by the Lease; the first one when nobody knows."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases/podcause-collector"
        holder = ((answers(self._api, path) or {}).get("spec") or {}).get("holderIdentity") or ""
        return holder.partition("_")[0] if holder else self._replicas[0].name

    def _look(self, reader: Reader) -> None:
        tell = 0.0
        while not self._stop.wait(_SAMPLE_SECONDS):
            since = time.monotonic() - self._began
            for replica in self._replicas:
                replica.look(since)
            if since >= tell:
                tell = since + _TELL_SECONDS
                memory = ", ".join(f"{one.name} {one.samples[-1][1] // 1024}" for one in self._replicas if one.samples)
                say(
                    f"{len(self._truth.accepted)} accepted ({self._truth.unknown} unknown), {dict(reader.kinds)},"
                    f" {reader.repeats} repeats, {len(reader.different)} different, MiB {memory}"
                )

    def _drained(self, reader: Reader, cluster_uid: str) -> bool:
        result = compare(self._truth.accepted, reader, cluster_uid)
        newest = max(write.version for write in self._truth.accepted)
        last = next(write for write in self._truth.accepted if write.version == newest)
        return not result.lost and newest in reader.found.get(f"{cluster_uid}/{last.uid}", set())

    def _judge(self, reader: Reader, cluster_uid: str, codes: list[int | None]) -> int:
        result = compare(self._truth.accepted, reader, cluster_uid)
        seconds = self._truth.accepted[-1].answered_ms - self._truth.accepted[0].answered_ms
        rows: list[tuple[str, object]] = [
            ("writes accepted", len(self._truth.accepted)),
            ("  a second", f"{len(self._truth.accepted) / max(1, seconds) * 1000:.1f}"),
            ("writes of which nobody knows", self._truth.unknown),
            ("writes refused", self._truth.refused),
            ("writes that no API server heard of", self._truth.unreachable),
            ("on the topic", result.found),
            ("superseded by a later state that is", result.superseded),
            ("  of these outside of every gap", len(result.superseded_without_gap)),
            ("only told by a gap", result.told_by_gap),
            ("LOST", len(result.lost)),
            ("gaps (events)", sum(gap["resource"] == "events" for gap in reader.gaps.values())),
            ("gaps (pods)", sum(gap["resource"] == "pods" for gap in reader.gaps.values())),
            ("repeats of an id", reader.repeats),
            ("  with different content", len(reader.different)),
            ("observations", dict(reader.kinds)),
            *((f"kills of {kind}", count) for kind, count in sorted(self._kills.items())),
            ("exit codes after SIGTERM", codes),
        ]
        flat = True
        for one in self._replicas:
            sizes = [size for _, size in one.samples]
            end = max(at for at, _ in one.samples)
            thirds = [[size for at, size in one.samples if low * end / 3 <= at <= (low + 1) * end / 3] for low in range(3)]
            peaks = [max(third, default=0) // 1024 for third in thirds]
            flat = flat and peaks[2] <= peaks[1] * _FLAT
            rows.append(
                (f"RSS of {one.name}, MiB", f"min {min(sizes) // 1024}, max {max(sizes) // 1024}, last {sizes[-1] // 1024}")
            )
            rows.append(("  largest of each third", peaks))
            rows.append(("  starts, ended by itself", f"{one.starts}, {one.died}"))
        print(f"\nseed {self._seed}")
        for name, value in rows:
            print(f"{name:<40} {value}")
        for write in (*result.lost[:20], *result.superseded_without_gap[:20]):
            print("missing:", write)
        for one_id in reader.different[:20]:
            print("different:", one_id)
        for gap in reader.gaps.values():
            print("gap:", gap)
        good = not result.lost and not reader.different and flat and codes == [0, 0]
        print("PASSED" if good else "FAILED", flush=True)
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
