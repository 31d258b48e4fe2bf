"""The whole pipeline on a real broker says what `podcause diagnose` says, byte for byte, in the same order per pod."""

from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from collector.recording import lines_of
from podcause.demonstration import DemoSettings, run
from podcause.diagnosing import Tally, diagnose_recordings
from podcause.embedded.broker import EmbeddedKafka
from podcause.stopping import Stopping
from podcause.view import Silent, Summary
from schemas.codec import encode
from schemas.diagnosis import Diagnosis
from schemas.identity import pod_key
from schemas.kafka_settings import KafkaSettings

pytestmark = pytest.mark.integration

_RECORDINGS = tuple(sorted((Path(__file__).parents[2] / "podcause" / "data" / "recordings").glob("*.jsonl.gz")))


class _Recorder:
    """A view that remembers."""

    def __init__(self) -> None:
        self.values: dict[str, list[bytes]] = {}
        self.summary: Summary | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def progress(self, text: str) -> None:
        pass

    def show(self, diagnosis: Diagnosis, value: bytes) -> None:
        self.values.setdefault(_key(diagnosis), []).append(value)

    def finish(self, summary: Summary) -> None:
        self.summary = summary


def _key(diagnosis: Diagnosis) -> str:
    k8s = diagnosis.k8s
    return pod_key(k8s.cluster.name, k8s.namespace.name, k8s.pod.name)


def test_the_topic_holds_what_diagnose_prints(kafka_broker: EmbeddedKafka) -> None:
    expected: dict[str, list[bytes]] = {}
    for diagnosis in diagnose_recordings([(str(path), lines_of(path)) for path in _RECORDINGS], Tally()):
        expected.setdefault(_key(diagnosis), []).append(encode(diagnosis))
    recorder = _Recorder()
    kafka = KafkaSettings(bootstrap_servers=(kafka_broker.bootstrap_servers,))
    run(DemoSettings(recordings=_RECORDINGS, speed="max", kafka=kafka), recorder, Stopping())
    assert recorder.values == expected
    assert recorder.summary is not None
    assert recorder.summary.silent == (
        Silent("team-32", "deployment/front", 9, 6),
        Silent("team-33", "deployment/batch", 3, 3),
        Silent("team-61", "deployment/ok", 2, 0),
    )
