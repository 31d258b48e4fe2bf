"""The Faust app, built but not started."""

import asyncio
from pathlib import Path
from types import ModuleType

import pytest

from processor.app.runner import RunOptions, run
from processor.app.settings import ProcessorSettings
from processor.app.topics import KafkaUnreachableError
from processor.app.worker import ProcessorApp, create_app
from schemas.kafka_settings import KafkaSettings


@pytest.fixture
def app(kit: ModuleType) -> ProcessorApp:
    async def build() -> ProcessorApp:
        return create_app(
            ProcessorSettings(topic_prefix="acme"),
            KafkaSettings(("broker:9092",)),
            partitions=4,
            engine_factory=kit.CountingEngine,
        )

    return asyncio.run(build())


def test_the_producer_is_idempotent_and_waits_for_all_replicas(app: ProcessorApp) -> None:
    producer = app.transport.Producer

    assert producer._settings_extra(object()) == {"acks": "all", "enable_idempotence": True}


def test_the_changelog_is_the_topic_that_is_made_for_it(app: ProcessorApp) -> None:
    assert (
        app.tables.changelog_topics
        == {ProcessorSettings(topic_prefix="acme").changelog_topic}
        == {"acme-processor-history-changelog"}
    )


def test_faust_makes_no_topic_and_writes_no_directory(
    app: ProcessorApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app._create_directories()

    assert list(tmp_path.iterdir()) == []
    assert not app.conf.topic_allow_declare


def test_a_broker_that_is_not_there_is_named(unused_port: int) -> None:
    with pytest.raises(KafkaUnreachableError, match=f"Kafka at localhost:{unused_port}"):
        run(ProcessorSettings(), KafkaSettings((f"localhost:{unused_port}",)), RunOptions())


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])
