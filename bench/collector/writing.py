"""The writer, a process of its own: event writes on the fleet's pods, half of them new events, half raised counts.

What the API server accepted goes to a file, one JSON line each: its log is the truth that collectors are held against.
"""

import contextlib
import datetime as dt
import threading
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from urllib3.exceptions import HTTPError

from bench.collector.fleet import pod_name
from bench.collector.requests import THREADS, Cluster, RequestError

_LONGEST_SECONDS: Final = 600.0


class Write(msgspec.Struct, frozen=True):
    """A write that was accepted: what it became, and when its request was sent (Unix milliseconds)."""

    uid: str
    resource_version: str
    sent_ms: float


class Writer:
    """Writes ``events`` times at ``rate`` a second (0: as fast as the API server answers)."""

    def __init__(self, cluster: Cluster, namespace: str, pods: int, events: int, rate: float) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}/events"
        self._pods = pods
        self._events = events
        self._rate = rate
        self._run = uuid.uuid4().hex[:8]
        self._lock = threading.Lock()
        self._next = 0
        self._written: deque[tuple[str, int]] = deque()
        self._began = time.monotonic()
        self.log: list[Write] = []
        self.refused = 0

    def run(self) -> None:
        """Write them all, or for ten minutes at most."""
        threads = [threading.Thread(target=self._work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        while time.monotonic() - self._began < _LONGEST_SECONDS:
            with self._lock:
                number, self._next = self._next, self._next + 1
                old = self._written.popleft() if number % 2 and self._written else None
            if number >= self._events:
                return
            if self._rate:
                time.sleep(max(0.0, self._began + number / self._rate - time.monotonic()))
            self._write(number, old)

    def _write(self, number: int, old: tuple[str, int] | None) -> None:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        name, count = old or (f"bench-{self._run}-{number}", 0)
        sent_ms = time.time_ns() / 1e6
        try:
            if old is None:
                answer = self._cluster.request("POST", self._path, self._event(name, number, now))
            else:
                body = {"count": count + 1, "lastTimestamp": now}
                answer = self._cluster.request("PATCH", f"{self._path}/{name}", body, "application/merge-patch+json")
        except (RequestError, HTTPError):
            with self._lock:
                self.refused += 1
            return
        metadata = answer["metadata"]
        with self._lock:
            self.log.append(Write(metadata["uid"], metadata["resourceVersion"], sent_ms))
            self._written.append((name, count + 1))

    def _event(self, name: str, number: int, now: str) -> dict[str, Any]:
        pod = pod_name(number % self._pods)
        return {
            "metadata": {"name": name, "namespace": self._namespace},
            "involvedObject": {
                "kind": "Pod",
                "apiVersion": "v1",
                "namespace": self._namespace,
                "name": pod,
                "uid": f"00000000-0000-4000-9000-{number:012x}",
                "fieldPath": "spec.containers{app}",
            },
            "reason": "BackOff",
            "message": f"Back-off restarting failed container app in pod {pod}_{self._namespace}",
            "type": "Warning",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "kubelet", "host": "bench-node"},
            "reportingComponent": "kubelet",
        }


@click.command()
@click.option("--namespace", required=True)
@click.option("--pods", type=int, required=True)
@click.option("--events", type=int, required=True)
@click.option("--rate", type=float, required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(namespace: str, pods: int, events: int, rate: float, output: Path) -> None:
    """Write events, then the log of what was accepted."""
    writer = Writer(Cluster(), namespace, pods, events, rate)
    with contextlib.suppress(KeyboardInterrupt):
        writer.run()
    output.write_bytes(b"".join(msgspec.json.encode(write) + b"\n" for write in writer.log))
    click.echo(f"{len(writer.log)} accepted, {writer.refused} refused", err=True)


if __name__ == "__main__":
    main()
