"""Kafka settings as kafka-python takes them."""

from pathlib import Path

from collector.kafka_client import client_arguments
from schemas.kafka_settings import KafkaSettings


def test_plaintext_says_no_more_than_where() -> None:
    assert client_arguments(KafkaSettings(bootstrap_servers=("a:1", "b:2"))) == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "PLAINTEXT",
    }


def test_sasl_over_tls(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    settings = KafkaSettings(
        bootstrap_servers=("a:1",),
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_username="ada",
        sasl_password="secret",
        ssl_ca_file=authority,
        ssl_check_hostname=False,
    )
    assert client_arguments(settings) == {
        "bootstrap_servers": ["a:1"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "ada",
        "sasl_plain_password": "secret",
        "ssl_check_hostname": False,
        "ssl_cafile": str(authority),
    }


def test_mutual_tls_never_lets_openssl_ask_for_a_password(tmp_path: Path) -> None:
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.touch()
    key.touch()
    settings = KafkaSettings(
        bootstrap_servers=("a:1",), security_protocol="SSL", ssl_certificate_file=certificate, ssl_key_file=key
    )
    assert client_arguments(settings) == {
        "bootstrap_servers": ["a:1"],
        "security_protocol": "SSL",
        "ssl_check_hostname": True,
        "ssl_certfile": str(certificate),
        "ssl_keyfile": str(key),
        "ssl_password": "",
    }
