"""Kafka settings: what cannot work together is refused before a client tries it."""

from pathlib import Path
from typing import Any

import pytest

from schemas.kafka_settings import KafkaSettings, KafkaSettingsError


def test_the_default_is_a_broker_on_this_machine_in_plain_text() -> None:
    settings = KafkaSettings()
    assert (settings.bootstrap, settings.uses_tls, settings.uses_sasl) == ("localhost:9092", False, False)


@pytest.mark.parametrize("address", ["kafka:9092", "kafka-0.kafka_net:1", "10.0.0.1:65535", "[::1]:9092"])
def test_an_address_is_host_and_port(address: str) -> None:
    assert KafkaSettings(bootstrap_servers=(address, "other:9093")).bootstrap == f"{address},other:9093"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bootstrap_servers": ()}, "bootstrap servers: at least one HOST:PORT is needed"),
        (
            {"bootstrap_servers": ("kafka",)},
            "bootstrap server 'kafka': write HOST:PORT, for example localhost:9092",
        ),
        (
            {"bootstrap_servers": ("kafka:0",)},
            "bootstrap server 'kafka:0': write HOST:PORT, for example localhost:9092",
        ),
        (
            {"bootstrap_servers": ("kafka:65536",)},
            "bootstrap server 'kafka:65536': write HOST:PORT, for example localhost:9092",
        ),
        (
            {"security_protocol": "SASL_SSL"},
            "security protocol SASL_SSL needs a SASL mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
        ),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "podcause"},
            "SASL PLAIN needs a user name and a password",
        ),
        (
            {"security_protocol": "SSL", "sasl_mechanism": "PLAIN"},
            "SASL settings are given: set the security protocol to SASL_SSL (or SASL_PLAINTEXT)",
        ),
        (
            {"sasl_username": "podcause"},
            "SASL settings are given: set the security protocol to SASL_SSL (or SASL_PLAINTEXT)",
        ),
        ({"ssl_ca_file": Path("ca.pem")}, "TLS files are given: set the security protocol to SSL or SASL_SSL"),
        (
            {"security_protocol": "SSL", "ssl_certificate_file": Path("client.pem")},
            "mTLS needs both a certificate file and a key file",
        ),
        (
            {"security_protocol": "SSL", "ssl_ca_file": Path("/nowhere/ca.pem")},
            "TLS file /nowhere/ca.pem: no such file",
        ),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(KafkaSettingsError) as raised:
        KafkaSettings(**arguments)
    assert str(raised.value) == message


def test_mtls_takes_a_pair_of_files(tmp_path: Path) -> None:
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.touch()
    key.touch()
    settings = KafkaSettings(security_protocol="SSL", ssl_certificate_file=certificate, ssl_key_file=key)
    assert (settings.uses_tls, settings.uses_sasl) == (True, False)


def test_secrets_are_not_shown() -> None:
    settings = KafkaSettings(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="podcause",
        sasl_password="hunter2",
        ssl_key_password="hunter3",
    )
    assert "hunter" not in repr(settings)
    assert "podcause" in repr(settings)
