"""Why a client cannot connect: a refusal is kept, a moment's trouble gives way."""

import logging

import pytest

from schemas.kafka_failures import ConnectionFailure, explain, watch_connections
from schemas.kafka_settings import KafkaSettings


class SaslAuthenticationFailedError(Exception):
    """As the client libraries name it."""


class KafkaTimeoutError(Exception):
    """As the client libraries name it."""


_LOST = OSError("socket disconnected")
_REFUSED = SaslAuthenticationFailedError("Invalid username or password")


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        ([], ConnectionFailure()),
        ([_LOST], ConnectionFailure("socket disconnected", refused=False)),
        ([_LOST, OSError("timed out")], ConnectionFailure("timed out", refused=False)),
        ([_LOST, _REFUSED], ConnectionFailure("Invalid username or password", refused=True)),
        ([_REFUSED, _LOST], ConnectionFailure("Invalid username or password", refused=True)),
        ([_LOST, KafkaTimeoutError("SASL Authentication timed out")], ConnectionFailure("socket disconnected", refused=False)),
        (
            [KafkaTimeoutError("SASL Authentication timed out")],
            ConnectionFailure("SASL Authentication timed out", refused=False),
        ),
        ([OSError("certificate verify failed")], ConnectionFailure("certificate verify failed", refused=True)),
    ],
)
def test_the_most_telling_reason_is_kept(logged: list[Exception], expected: ConnectionFailure) -> None:
    with watch_connections("some.client") as failure:
        for error in logged:
            logging.getLogger("some.client").warning("cannot connect to %s: %s", "kafka:9092", error)
    assert failure == expected


def test_what_is_no_exception_is_no_reason() -> None:
    with watch_connections("some.client") as failure:
        logging.getLogger("some.client").warning("waiting %.2f s", 0.5)
    assert failure == ConnectionFailure()


def test_nothing_is_kept_after_the_block() -> None:
    with watch_connections("some.client") as failure:
        pass
    logging.getLogger("some.client").warning("late: %s", _LOST)
    assert failure == ConnectionFailure()


_PLAINTEXT = KafkaSettings()
_SASL = KafkaSettings(security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_username="ada", sasl_password="secret")


@pytest.mark.parametrize(
    ("settings", "failure", "expected"),
    [
        (_SASL, ConnectionFailure(), None),
        (_SASL, ConnectionFailure("Authentication failed", refused=True), "Authentication failed"),
        (_SASL, ConnectionFailure("Connection refused"), "Connection refused"),
        (_PLAINTEXT, ConnectionFailure("socket disconnected"), "socket disconnected"),
        (
            _SASL,
            ConnectionFailure("socket disconnected"),
            "the broker closed the connection when 'ada' logged in with PLAIN: check the user name, the password and the mechanism",
        ),
    ],
)
def test_the_explanation_says_what_to_check(settings: KafkaSettings, failure: ConnectionFailure, expected: str | None) -> None:
    assert explain(settings, failure) == expected
