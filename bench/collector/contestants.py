"""The collectors that are compared: how each is started, which topic it fills, and which write a record of it tells of."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.collector import tools
from collector.topic_creation import ensure_topics
from schemas.kafka_settings import KafkaSettings
from schemas.topics import OBSERVATIONS

#: uid and resource version.
WriteId = tuple[str, str]
PARTITIONS: Final = 6

_OTEL: Final = """\
receivers:
  k8sobjects:
    auth_type: kubeConfig
    objects:
      - {{name: events, mode: watch}}
      - {{name: pods, mode: watch}}
processors: {{batch: {{}}}}
exporters:
  kafka:
    brokers: ["{bootstrap}"]
    topic: {topic}
    encoding: raw
    protocol_version: 3.6.0
    producer: {{required_acks: -1}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines:
    logs: {{receivers: [k8sobjects], processors: [{processors}], exporters: [kafka]}}
"""


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    uid: str = ""
    resource_version: str = ""


class _Object(msgspec.Struct, frozen=True):
    kind: str = ""
    metadata: _Metadata = _Metadata()


class _Watched(msgspec.Struct, frozen=True):
    object: _Object = _Object()


_PODCAUSE_TYPES: Final = (b"io.podcause.observation.event.v1", b"io.podcause.observation.pod.v1")
_watched: Final = msgspec.json.Decoder(_Watched)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One collector, ready to be started."""

    title: str
    command: Sequence[str]
    topic: str
    write_of: Callable[[Any], WriteId | None]
    """Which write, of an event or a pod, a Kafka record tells of; None for clocks and the like."""

    environment: Mapping[str, str] = field(default_factory=dict)


def podcause(bootstrap: str, namespace: str, _folder: Path) -> Contestant:
    """`podcause collect` with its defaults."""
    prefix = f"{namespace}-podcause"
    _create_topic(bootstrap, prefix)
    command = [sys.executable, "-m", "podcause", "collect", "--cluster", namespace]
    command += ["--topic-prefix", prefix, "--partitions", str(PARTITIONS), "--bootstrap-servers", bootstrap]
    return Contestant("podcause collect", command, OBSERVATIONS.name(prefix), _podcause_write)


def otel(bootstrap: str, namespace: str, folder: Path) -> Contestant:
    """The k8sobjects receiver and the Kafka exporter, nothing between."""
    return _otel(bootstrap, namespace, folder, "OpenTelemetry Collector", "otel", "")


def otel_batched(bootstrap: str, namespace: str, folder: Path) -> Contestant:
    """The same with the batch processor's defaults between."""
    return _otel(bootstrap, namespace, folder, "OpenTelemetry, batched", "otel-batch", "batch")


CONTESTANTS: Final[Mapping[str, Callable[[str, str, Path], Contestant]]] = {
    "podcause": podcause,
    "otel": otel,
    "otel-batch": otel_batched,
}


def _otel(bootstrap: str, namespace: str, folder: Path, title: str, name: str, processors: str) -> Contestant:
    prefix = f"{namespace}-{name}"
    topic = OBSERVATIONS.name(prefix)
    _create_topic(bootstrap, prefix)
    settings = folder / f"{name}.yaml"
    settings.write_text(_OTEL.format(bootstrap=bootstrap, topic=topic, processors=processors), encoding="utf-8")
    return Contestant(title, [str(tools.otel_collector()), "--config", str(settings)], topic, _otel_write)


def _create_topic(bootstrap: str, prefix: str) -> None:
    """Before the collector starts: the same partitions and settings for all."""
    ensure_topics(KafkaSettings(bootstrap_servers=(bootstrap,)), prefix, PARTITIONS, 1, topics=(OBSERVATIONS,))


def _podcause_write(record: Any) -> WriteId | None:  # noqa: ANN401 - untyped library
    headers = dict(record.headers)
    if headers.get("ce_type") not in _PODCAUSE_TYPES:
        return None
    _cluster, uid, version = headers["ce_id"].decode().split("/")
    return uid, version


def _otel_write(record: Any) -> WriteId | None:  # noqa: ANN401 - untyped library
    told = _watched.decode(record.value).object
    return (told.metadata.uid, told.metadata.resource_version) if told.kind in ("Event", "Pod") else None
