"""KafkaSettings as the arguments of Faust and of aiokafka's clients. It must not open a connection."""

import ssl
from contextlib import AbstractContextManager
from typing import Any

import faust
from yarl import URL

from schemas.kafka_failures import ConnectionFailure, watch_connections
from schemas.kafka_settings import KafkaSettings


def broker_urls(kafka: KafkaSettings) -> list[URL]:
    """Faust's ``broker`` setting."""
    return [URL(f"kafka://{address}") for address in kafka.bootstrap_servers]


def broker_credentials(kafka: KafkaSettings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Faust's ``broker_credentials`` setting."""
    context = ssl_context(kafka)
    if kafka.uses_sasl:
        return faust.SASLCredentials(
            username=kafka.sasl_username, password=kafka.sasl_password, ssl_context=context, mechanism=kafka.sasl_mechanism
        )
    return faust.SSLCredentials(context) if context else None


def client_arguments(kafka: KafkaSettings) -> dict[str, Any]:
    """The connection arguments of every aiokafka client."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(kafka.bootstrap_servers),
        "security_protocol": kafka.security_protocol,
        "ssl_context": ssl_context(kafka),
    }
    if kafka.uses_sasl:
        arguments["sasl_mechanism"] = kafka.sasl_mechanism
        arguments["sasl_plain_username"] = kafka.sasl_username
        arguments["sasl_plain_password"] = kafka.sasl_password
    return arguments


def ssl_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """The TLS context, or None without TLS."""
    if not kafka.uses_tls:
        return None
    context = ssl.create_default_context(cafile=str(kafka.ssl_ca_file) if kafka.ssl_ca_file else None)
    context.check_hostname = kafka.ssl_check_hostname
    if kafka.ssl_certificate_file is not None:
        # Not None: for an encrypted key OpenSSL would then ask the terminal, and wait.
        context.load_cert_chain(kafka.ssl_certificate_file, kafka.ssl_key_file, kafka.ssl_key_password or "")
    return context


def connection_failure() -> AbstractContextManager[ConnectionFailure]:
    """Keep why aiokafka cannot connect while the block runs: what it raises does not say why."""
    return watch_connections("aiokafka")
