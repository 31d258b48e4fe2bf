"""Whether a broker serves: it answers a real client's metadata request and names itself."""

import logging
import socket
from typing import Final

from collector.kafka_client import client_arguments
from schemas.kafka_settings import KafkaSettings

POLL_SECONDS: Final = 0.05
_CONNECT_TIMEOUT_SECONDS: Final = 0.5
_ANSWER_TIMEOUT_MS: Final = 3000


def serves(host: str, port: int) -> bool:
    """One look, a few milliseconds while nothing listens yet."""
    try:
        socket.create_connection((host, port), _CONNECT_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    quiet = logging.getLogger("kafka")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # a broker that is not ready yet is what this asks about, not an error
    try:
        settings = KafkaSettings(bootstrap_servers=(f"{host}:{port}",))
        client = KafkaAdminClient(**client_arguments(settings), bootstrap_timeout_ms=_ANSWER_TIMEOUT_MS)
        try:
            return any(not broker.get("is_fenced") for broker in client.describe_cluster()["brokers"])
        finally:
            client.close()
    except KafkaError:
        return False
    finally:
        quiet.setLevel(level)
