"""How every client reaches Kafka: one settings object, handed to the collector, the processor and the commands alike.

Plain data; each adapter turns it into its own client's arguments. Secrets never appear in ``repr``.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

SECURITY_PROTOCOLS: Final[tuple[SecurityProtocol, ...]] = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS: Final[tuple[SaslMechanism, ...]] = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
DEFAULT_BOOTSTRAP: Final = "localhost:9092"

_ADDRESS: Final = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$")


class KafkaSettingsError(ValueError):
    """Kafka settings that cannot work together; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Where Kafka is and how to authenticate.

    ``ssl_ca_file`` is the PEM file of the authority that signed the brokers' certificates (the system's authorities when None).
    ``ssl_certificate_file`` and ``ssl_key_file`` are this client's PEM pair for mTLS.
    """

    bootstrap_servers: tuple[str, ...] = (DEFAULT_BOOTSTRAP,)
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_ca_file: Path | None = None
    ssl_certificate_file: Path | None = None
    ssl_key_file: Path | None = None
    ssl_key_password: str | None = field(default=None, repr=False)
    ssl_check_hostname: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot work, before any client retries it for ever."""
        if not self.bootstrap_servers:
            raise KafkaSettingsError("bootstrap servers: at least one HOST:PORT is needed")
        for address in self.bootstrap_servers:
            found = _ADDRESS.match(address)
            if found is None or not 0 < int(found[2]) < 65536:
                raise KafkaSettingsError(f"bootstrap server {address!r}: write HOST:PORT, for example {DEFAULT_BOOTSTRAP}")
        if self.uses_sasl:
            if self.sasl_mechanism is None:
                raise KafkaSettingsError(
                    f"security protocol {self.security_protocol} needs a SASL mechanism: {', '.join(SASL_MECHANISMS)}"
                )
            if not self.sasl_username or self.sasl_password is None:
                raise KafkaSettingsError(f"SASL {self.sasl_mechanism} needs a user name and a password")
        elif self.sasl_mechanism is not None or self.sasl_username is not None:
            raise KafkaSettingsError("SASL settings are given: set the security protocol to SASL_SSL (or SASL_PLAINTEXT)")
        if not self.uses_tls and (self.ssl_ca_file or self.ssl_certificate_file):
            raise KafkaSettingsError("TLS files are given: set the security protocol to SSL or SASL_SSL")
        if (self.ssl_certificate_file is None) != (self.ssl_key_file is None):
            raise KafkaSettingsError("mTLS needs both a certificate file and a key file")
        for path in (self.ssl_ca_file, self.ssl_certificate_file, self.ssl_key_file):
            if path is not None and not path.is_file():
                raise KafkaSettingsError(f"TLS file {path}: no such file")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether the client logs in through SASL."""
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    @property
    def bootstrap(self) -> str:
        """The servers as one comma-separated text."""
        return ",".join(self.bootstrap_servers)
