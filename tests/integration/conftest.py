"""A real broker for the tests that need one."""

from collections.abc import Iterator

import pytest

from podcause.embedded.broker import EmbeddedKafka


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[EmbeddedKafka]:
    """One broker for the session: a free port, temporary data. Tests take topics and groups of their own, and leave it running."""
    with EmbeddedKafka() as kafka:
        yield kafka
