"""Kafka settings as kafka-python takes them: the one place, beside publishing, that knows that library's argument names.

It opens no file and no connection.
"""

from contextlib import AbstractContextManager
from typing import Any

from schemas.kafka_failures import ConnectionFailure, watch_connections
from schemas.kafka_settings import KafkaSettings


def client_arguments(settings: KafkaSettings) -> dict[str, Any]:
    """The arguments that every kafka-python client shares (KafkaProducer, KafkaConsumer, KafkaAdminClient)."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "security_protocol": settings.security_protocol,
    }
    if settings.uses_sasl:
        arguments |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password,
        }
    if settings.uses_tls:
        arguments["ssl_check_hostname"] = settings.ssl_check_hostname
        if settings.ssl_ca_file is not None:
            arguments["ssl_cafile"] = str(settings.ssl_ca_file)
        if settings.ssl_certificate_file is not None:
            arguments |= {
                "ssl_certfile": str(settings.ssl_certificate_file),
                "ssl_keyfile": str(settings.ssl_key_file),
                # Not None: for an encrypted key OpenSSL would then ask the terminal, and wait.
                "ssl_password": settings.ssl_key_password or "",
            }
    return arguments


def connection_failure() -> AbstractContextManager[ConnectionFailure]:
    """Keep why kafka-python cannot connect while the block runs: what it raises is a time-out whatever the reason."""
    return watch_connections("kafka.net.manager")
