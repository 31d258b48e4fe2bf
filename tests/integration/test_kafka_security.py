"""Both client libraries reach a broker that demands TLS, SASL or a client's certificate, with what the settings make of them."""

import asyncio
import gc
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError as AioKafkaError
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaError

import collector.kafka_client
import processor.app.kafka_client
from podcause.embedded.broker import EmbeddedKafka
from schemas.kafka_failures import explain
from schemas.kafka_settings import KafkaSettings, SaslMechanism

pytestmark = pytest.mark.integration

_USER: Final = "ada"
_PASSWORD: Final = "correct horse=battery;staple"
_KEY_PASSWORD: Final = "key password"
_WAYS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "MTLS", "TLS", "PLAIN-WITHOUT-TLS")
_GIVE_UP_SECONDS: Final = 30.0

_LOGIN: Final = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: an authority, a broker's certificate for 127.0.0.1 with its key, a client's with its encrypted key."""

    authority: Path
    broker: Path
    broker_key: Path
    client: Path
    client_key: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make certificates")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, text=True)

    def sign(name: str, extensions: str) -> None:
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        folder.joinpath(f"{name}.ext").write_text(extensions)
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-sha256", "-days", "2",
            "-extfile", f"{name}.ext", "-out", f"{name}.pem",
        )  # fmt: skip

    folder.joinpath("ca.conf").write_text(
        "[req]\ndistinguished_name=dn\nx509_extensions=ca\nprompt=no\n[dn]\nCN=podcause tests\n"
        "[ca]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
    )
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-days",
        "2",
        "-config",
        "ca.conf",
    )
    sign("broker", "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n")
    sign("client", "extendedKeyUsage=clientAuth\n")
    openssl("pkcs8", "-topk8", "-in", "client.key", "-out", "client.enc.key", "-passout", f"pass:{_KEY_PASSWORD}")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "broker.key", "-out", "broker.p8.key")
    return Certificates(
        authority=folder / "ca.pem",
        broker=folder / "broker.pem",
        broker_key=folder / "broker.p8.key",
        client=folder / "client.pem",
        client_key=folder / "client.enc.key",
    )


@pytest.fixture(scope="module")
def secured(certificates: Certificates) -> Iterator[EmbeddedKafka]:
    """One broker with a listener for every way in."""
    listeners = {
        "PLAIN": "SASL_SSL",
        "SCRAM256": "SASL_SSL",
        "SCRAM512": "SASL_SSL",
        "MTLS": "SSL",
        "TLS": "SSL",
        "OPEN": "SASL_PLAINTEXT",
    }
    plain = f'{_LOGIN}.plain.PlainLoginModule required user_{_USER}="{_PASSWORD}";'
    scram = f"{_LOGIN}.scram.ScramLoginModule required;"
    properties = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": certificates.broker.read_text(),
        "ssl.keystore.key": certificates.broker_key.read_text(),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": certificates.authority.read_text(),
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plain.plain.sasl.jaas.config": plain,
        "listener.name.open.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.open.plain.sasl.jaas.config": plain,
        "listener.name.scram256.sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.scram256.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.scram512.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram512.scram-sha-512.sasl.jaas.config": scram,
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    }
    users = {mechanism: {_USER: "scram-secret"} for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")}
    with EmbeddedKafka(server_properties=properties, extra_listeners=listeners, scram_users=users) as kafka:
        yield kafka


def _settings(way: str, kafka: EmbeddedKafka, certificates: Certificates) -> KafkaSettings:
    tls = KafkaSettings(bootstrap_servers=(kafka.address("TLS"),), security_protocol="SSL", ssl_ca_file=certificates.authority)
    sasl: dict[str, tuple[str, SaslMechanism, str]] = {
        "PLAIN": ("PLAIN", "PLAIN", _PASSWORD),
        "SCRAM-SHA-256": ("SCRAM256", "SCRAM-SHA-256", "scram-secret"),
        "SCRAM-SHA-512": ("SCRAM512", "SCRAM-SHA-512", "scram-secret"),
    }
    if way in sasl:
        listener, mechanism, password = sasl[way]
        return replace(
            tls, bootstrap_servers=(kafka.address(listener),), security_protocol="SASL_SSL",
            sasl_mechanism=mechanism, sasl_username=_USER, sasl_password=password,
        )  # fmt: skip
    if way == "MTLS":
        return replace(
            tls, bootstrap_servers=(kafka.address("MTLS"),),
            ssl_certificate_file=certificates.client, ssl_key_file=certificates.client_key, ssl_key_password=_KEY_PASSWORD,
        )  # fmt: skip
    if way == "PLAIN-WITHOUT-TLS":
        return KafkaSettings(
            bootstrap_servers=(kafka.address("OPEN"),), security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN", sasl_username=_USER, sasl_password=_PASSWORD,
        )  # fmt: skip
    return tls


def _new_topic(settings: KafkaSettings) -> str:
    name = f"secured-{uuid.uuid4().hex}"
    admin = KafkaAdminClient(**collector.kafka_client.client_arguments(settings))
    try:
        admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        admin.close()
    return name


def _with_kafka_python(settings: KafkaSettings, topic: str) -> bytes:
    arguments = collector.kafka_client.client_arguments(settings)
    producer = KafkaProducer(**arguments)
    try:
        producer.send(topic, b"from kafka-python").get(timeout=_GIVE_UP_SECONDS)
    finally:
        producer.close()
    consumer = KafkaConsumer(topic, **arguments, auto_offset_reset="earliest", consumer_timeout_ms=int(_GIVE_UP_SECONDS * 1000))
    try:
        return bytes(next(consumer).value)
    finally:
        consumer.close()


async def _with_aiokafka(arguments: dict[str, object], topic: str) -> bytes:
    producer = AIOKafkaProducer(**arguments)
    try:
        await producer.start()
        await producer.send_and_wait(topic, b"from aiokafka")
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(topic, **arguments, auto_offset_reset="earliest")
    try:
        await consumer.start()
        record = await asyncio.wait_for(consumer.getone(), _GIVE_UP_SECONDS)
    finally:
        await consumer.stop()
    return bytes(record.value)


@pytest.mark.parametrize("way", _WAYS)
def test_kafka_python_gets_in(way: str, secured: EmbeddedKafka, certificates: Certificates) -> None:
    settings = _settings(way, secured, certificates)
    assert _with_kafka_python(settings, _new_topic(settings)) == b"from kafka-python"


@pytest.mark.parametrize("way", _WAYS)
def test_aiokafka_gets_in(way: str, secured: EmbeddedKafka, certificates: Certificates) -> None:
    settings = _settings(way, secured, certificates)
    arguments = processor.app.kafka_client.client_arguments(settings)
    assert asyncio.run(_with_aiokafka(arguments, _new_topic(settings))) == b"from aiokafka"


@pytest.mark.parametrize("way", _WAYS)
def test_aiokafka_gets_in_with_what_faust_passes_to_it(way: str, secured: EmbeddedKafka, certificates: Certificates) -> None:
    settings = _settings(way, secured, certificates)
    app = faust.App(
        "security-test",
        broker=processor.app.kafka_client.broker_urls(settings),
        broker_credentials=processor.app.kafka_client.broker_credentials(settings),
    )
    arguments = {
        "bootstrap_servers": [f"{url.host}:{url.port}" for url in app.conf.broker],
        **credentials_to_aiokafka_auth(app.conf.broker_credentials, app.conf.ssl_context),
    }
    assert asyncio.run(_with_aiokafka(arguments, _new_topic(settings))) == b"from aiokafka"


def _kafka_pythons_reason(settings: KafkaSettings) -> str:
    with collector.kafka_client.connection_failure() as failure, pytest.raises(KafkaError):
        KafkaAdminClient(**collector.kafka_client.client_arguments(settings), bootstrap_timeout_ms=3000)
    return explain(settings, failure) or ""


def _aiokafkas_reason(settings: KafkaSettings) -> str:
    with processor.app.kafka_client.connection_failure() as failure, pytest.raises(AioKafkaError):
        asyncio.run(_with_aiokafka(processor.app.kafka_client.client_arguments(settings), "any"))
    return explain(settings, failure) or ""


@pytest.fixture
def sockets_left_open() -> Iterator[None]:
    """Take away what kafka-python leaves of a failed handshake, before it counts against another test."""
    yield
    gc.collect()


_REFUSED = (
    pytest.mark.usefixtures("sockets_left_open"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # kafka-python 3.0 does not close the socket of a failed handshake
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
)


def _refused(test: Callable[..., None]) -> Callable[..., None]:
    for mark in _REFUSED:
        test = mark(test)
    return test


@_refused
@pytest.mark.parametrize("way", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_is_said_to_be_one(way: str, secured: EmbeddedKafka, certificates: Certificates) -> None:
    settings = replace(_settings(way, secured, certificates), sasl_password="wrong")
    # kafka-python loses the broker's refusal now and then; what is left is said in words that lead to the password too.
    reason = _kafka_pythons_reason(settings)
    assert "Authentication failed" in reason or "check the user name, the password" in reason
    assert "Authentication failed" in _aiokafkas_reason(settings)


@_refused
def test_a_broker_of_another_authority_is_not_trusted(secured: EmbeddedKafka, certificates: Certificates) -> None:
    settings = replace(_settings("TLS", secured, certificates), ssl_ca_file=None)
    assert "certificate verify failed" in _kafka_pythons_reason(settings).lower()
    assert "certificate verify failed" in _aiokafkas_reason(settings).lower()


@_refused
def test_without_a_certificate_there_is_no_way_in_through_mutual_tls(
    secured: EmbeddedKafka, certificates: Certificates
) -> None:
    settings = replace(_settings("TLS", secured, certificates), bootstrap_servers=(secured.address("MTLS"),))
    assert "certificate" in _kafka_pythons_reason(settings).lower()
    assert _aiokafkas_reason(settings)  # a closed connection: it does not read the broker's alert
