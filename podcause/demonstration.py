"""One run of the demo: Kafka, processor and collector as processes, the diagnoses topic read until everything is processed.

It starts and ends processes and passes records on to a view. It must not diagnose, and leaves nothing behind however it ends.
"""

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from collector.replaying import replay
from podcause.children import Child
from podcause.diagnosing import Tally
from podcause.embedded.broker import EmbeddedKafka
from podcause.embedded.reporting import DownloadReporter
from podcause.following import DiagnosisFollower
from podcause.rendering import newest_revisions
from podcause.stopping import Stopping
from podcause.view import Silent, Summary, View
from schemas import topics
from schemas.diagnosis import Diagnosis
from schemas.kafka_settings import KafkaSettings

_POLL_SECONDS: Final = 0.05
_READY_WITHIN_SECONDS: Final = 60.0
_STALLED_AFTER_SECONDS: Final = 60.0


class DemoFailedError(Exception):
    """The demo could not go on; the message says why. A retry may help."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What a run is told. ``kafka`` None: a broker of its own. ``speed`` is ``max`` or how much faster than it happened."""

    recordings: tuple[Path, ...]
    speed: str
    kafka: KafkaSettings | None = None


def run(settings: DemoSettings, view: View, stopping: Stopping) -> None:
    """Run it to its end. ``stopping`` is how a signal ends it: what starts a process is shielded from it.

    Raises DemoFailedError, and EmbeddedKafkaError, ChildFailedError, FollowingError, RecordingError from what it runs.
    """
    # A run has topics and a group of its own: on a broker that lives on, runs do not mix.
    prefix = f"podcause-demo-{secrets.token_hex(4)}" if settings.kafka else topics.DEFAULT_PREFIX
    tally, observations = _counted(settings.recordings)
    with contextlib.ExitStack() as stack:
        with stopping.shield():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="podcause-demo-")))
        kafka = settings.kafka or stack.enter_context(_broker(view))
        environment = {**kafka_environment(kafka), "PODCAUSE_TOPIC_PREFIX": prefix}
        ready = folder / "ready"
        arguments = ["process", "--exit-with-parent", "--ready-file", str(ready), "--topic-prefix", prefix]
        view.progress("starting the processor")
        with stopping.shield():
            processor = stack.enter_context(Child("the processor", arguments, folder / "processor.log", environment))
        _wait_until_ready(processor, ready)
        view.progress(
            f"the processor is ready; the collector replays {len(settings.recordings)} recordings ({settings.speed}x)"
        )
        arguments = ["collect", "--exit-with-parent", "--topic-prefix", prefix, "--speed", settings.speed, "--replay"]
        arguments += ["--", *map(str, settings.recordings)]
        with stopping.shield():
            collector = stack.enter_context(Child("the collector", arguments, folder / "collector.log", environment))
        follower = stack.enter_context(
            DiagnosisFollower(
                kafka,
                diagnoses=topics.DIAGNOSES.name(prefix),
                observations=topics.OBSERVATIONS.name(prefix),
                group=f"{prefix}-processor",
            )
        )
        revisions = []
        for diagnosis, value in _until_processed(follower, processor, collector, view):
            revisions.append(diagnosis)
            view.show(diagnosis, value)
        view.progress("everything is processed; stopping")
    view.finish(_summary(revisions, tally, observations))


@contextlib.contextmanager
def _broker(view: View) -> Iterator[KafkaSettings]:
    view.progress("starting Kafka")
    with EmbeddedKafka(on_progress=DownloadReporter()) as broker:
        view.progress(f"Kafka is ready at {broker.bootstrap_servers}")
        yield KafkaSettings(bootstrap_servers=(broker.bootstrap_servers,))
        view.progress("stopping Kafka")


def kafka_environment(kafka: KafkaSettings) -> dict[str, str]:
    """The environment that tells a child how to reach Kafka: secrets do not belong on a command line."""
    values = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap,
        "SECURITY_PROTOCOL": kafka.security_protocol,
        "SASL_MECHANISM": kafka.sasl_mechanism,
        "SASL_USERNAME": kafka.sasl_username,
        "SASL_PASSWORD": kafka.sasl_password,
        "SSL_CA_FILE": kafka.ssl_ca_file,
        "SSL_CERTIFICATE_FILE": kafka.ssl_certificate_file,
        "SSL_KEY_FILE": kafka.ssl_key_file,
        "SSL_KEY_PASSWORD": kafka.ssl_key_password,
        "SSL_CHECK_HOSTNAME": "true" if kafka.ssl_check_hostname else "false",
    }
    return {f"PODCAUSE_KAFKA_{name}": str(value) for name, value in values.items() if value is not None}


def _wait_until_ready(processor: Child, ready: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    while not ready.exists():
        processor.check()
        if time.monotonic() > deadline:
            raise DemoFailedError(f"the processor is not ready after {_READY_WITHIN_SECONDS:.0f} s:\n{processor.last_lines()}")
        time.sleep(_POLL_SECONDS)


def _until_processed(
    follower: DiagnosisFollower, processor: Child, collector: Child, view: View
) -> Iterator[tuple[Diagnosis, bytes]]:
    """Diagnoses as they arrive, until the collector has published everything, the processor has processed it, and all is read."""
    published_at: float | None = None
    while True:
        yield from follower.read()
        processor.check()
        if published_at is None:
            if not collector.ended():
                continue
            published_at = time.monotonic()
            view.progress("everything is published and acknowledged; the processor finishes")
        if follower.processed():
            break
        if time.monotonic() - published_at > _STALLED_AFTER_SECONDS:
            raise DemoFailedError(
                f"the processor has not finished after {_STALLED_AFTER_SECONDS:.0f} s:\n{processor.last_lines()}"
            )
    # The processor acknowledges an observation after its diagnoses are acknowledged: what is in the topic now is all.
    while not follower.drained():
        yield from follower.read()


def _counted(recordings: Sequence[Path]) -> tuple[Tally, int]:
    """What the recordings hold: read here too, to say afterwards of whom nothing was said."""
    tally = Tally()
    observations = 0
    for observation in replay(recordings):
        tally.count(observation)
        observations += 1
    return tally, observations


def _summary(revisions: Sequence[Diagnosis], tally: Tally, observations: int) -> Summary:
    newest = newest_revisions(revisions)
    diagnosed = {(item.k8s.namespace.name, item.k8s.pod.name) for item in newest}
    silent: dict[tuple[str, str], list[bool]] = {}
    for pod, workload in sorted(tally.workloads.items(), key=str):
        namespace, name, _ = pod
        if (namespace, name) not in diagnosed:
            silent.setdefault((namespace, workload), []).append(pod in tally.deleted)
    return Summary(
        newest=tuple(newest),
        silent=tuple(
            Silent(namespace, workload, len(deleted), sum(deleted)) for (namespace, workload), deleted in sorted(silent.items())
        ),
        observations=observations,
        revisions=len(revisions),
    )
