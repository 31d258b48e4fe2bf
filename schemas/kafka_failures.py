"""Why a Kafka client cannot connect, in words for the person who set it up.

Both client libraries log the reason (a refused password, an unknown authority) and raise no more than a time-out. This keeps the
reason; it knows no client library, connects to nothing and changes no log.
"""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from schemas.kafka_settings import KafkaSettings

#: What the brokers' and OpenSSL's refusals have in their names or texts; anything else may be a moment's trouble.
_REFUSALS: Final = ("authentication", "authorization", "sasl", "ssl", "certificate")


@dataclass(slots=True)
class ConnectionFailure:
    """The most telling reason so far, or None when no connection has failed."""

    reason: str | None = None
    refused: bool = False
    """Whether the other side refused us, or we the other side: a retry does not help."""


@contextlib.contextmanager
def watch_connections(logger_name: str) -> Iterator[ConnectionFailure]:
    """Keep why connections fail while the block runs. ``logger_name`` is where the client library logs it."""
    failure = ConnectionFailure()
    handler = _Keeping(failure)
    logger = logging.getLogger(logger_name)
    logger.addHandler(handler)
    try:
        yield failure
    finally:
        logger.removeHandler(handler)


def explain(settings: KafkaSettings, failure: ConnectionFailure) -> str | None:
    """The failure in words that say what to check, or None when no connection has failed.

    kafka-python 3.0 drops a broker's refusal when the end of the connection arrives together with it (net/transport.py, _sock_recv):
    then a broker that hangs up on someone who logs in is all that can be seen.
    """
    if failure.reason is None:
        return None
    if settings.uses_sasl and not failure.refused and "disconnected" in failure.reason:
        return (
            f"the broker closed the connection when {settings.sasl_username!r} logged in with {settings.sasl_mechanism}: "
            "check the user name, the password and the mechanism"
        )
    return failure.reason


class _Keeping(logging.Handler):
    """Keeps the exceptions that are arguments of log records. A refusal is kept; other trouble gives way to what comes later."""

    def __init__(self, failure: ConnectionFailure) -> None:
        super().__init__(logging.WARNING)
        self._failure = failure

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the reason, when there is one."""
        for argument in record.args if isinstance(record.args, tuple) else ():
            if isinstance(argument, Exception):
                reason = str(argument)
                if self._failure.reason is not None and "Timeout" in type(argument).__name__:
                    continue  # a time-out says less than what came before it
                refused = "Timeout" not in type(argument).__name__ and any(
                    word in f"{type(argument).__name__} {reason}".lower() for word in _REFUSALS
                )
                if refused or not self._failure.refused:
                    self._failure.reason, self._failure.refused = reason, refused
