"""The options by which every command is told how to reach Kafka, and the settings that they make.

Passwords come from files or from the environment, never from the command line, where others could read them. Nothing connects.
"""

import functools
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from schemas.kafka_settings import (
    DEFAULT_BOOTSTRAP,
    SASL_MECHANISMS,
    SECURITY_PROTOCOLS,
    KafkaSettings,
    KafkaSettingsError,
)

_PREFIX: Final = "PODCAUSE_KAFKA_"
#: The two secrets that may also stand in the environment itself.
SASL_PASSWORD_VARIABLE: Final = f"{_PREFIX}SASL_PASSWORD"
SSL_KEY_PASSWORD_VARIABLE: Final = f"{_PREFIX}SSL_KEY_PASSWORD"

_Command = Callable[..., object]


def _option(name: str, kind: click.ParamType | type[str], metavar: str, text: str) -> Callable[[_Command], _Command]:
    variable = _PREFIX + name.upper().replace("-", "_")
    parameter = _parameter(name)
    return click.option(f"--{name}", parameter, type=kind, metavar=metavar, envvar=variable, show_envvar=True, help=text)


def _parameter(name: str) -> str:
    return "kafka_" + name.replace("-", "_")


_FILE: Final = click.Path(path_type=Path)

_OPTIONS: Final = (
    _option("bootstrap-servers", str, "HOST:PORT,...", "Kafka's brokers."),
    _option(
        "security-protocol",
        click.Choice(SECURITY_PROTOCOLS, case_sensitive=False),
        "|".join(SECURITY_PROTOCOLS),
        "Default: PLAINTEXT.",
    ),
    _option("sasl-mechanism", click.Choice(SASL_MECHANISMS, case_sensitive=False), "|".join(SASL_MECHANISMS), "How to log in."),
    _option("sasl-username", str, "NAME", "Who logs in."),
    _option(
        "sasl-password-file", _FILE, "FILE", f"A file with the password (or the password itself in {SASL_PASSWORD_VARIABLE})."
    ),
    _option("ssl-ca-file", _FILE, "FILE", "PEM: who signed the brokers' certificates. Default: the system's authorities."),
    _option("ssl-certificate-file", _FILE, "FILE", "PEM: this client's certificate (mTLS)."),
    _option("ssl-key-file", _FILE, "FILE", "PEM: the certificate's key."),
    _option("ssl-key-password-file", _FILE, "FILE", f"A file with the key's password (or {SSL_KEY_PASSWORD_VARIABLE})."),
)

_CHECK_HOSTNAME: Final = click.option(
    "--ssl-check-hostname/--no-ssl-check-hostname",
    _parameter("ssl-check-hostname"),
    default=True,
    envvar=f"{_PREFIX}SSL_CHECK_HOSTNAME",
    help="Whether the broker's certificate must name the host. Default: it must.",
)

_PARAMETERS: Final = (
    "kafka_bootstrap_servers",
    "kafka_security_protocol",
    "kafka_sasl_mechanism",
    "kafka_sasl_username",
    "kafka_sasl_password_file",
    "kafka_ssl_ca_file",
    "kafka_ssl_certificate_file",
    "kafka_ssl_key_file",
    "kafka_ssl_key_password_file",
)


def kafka_options(command: _Command) -> _Command:
    """Give a command the options; it receives ``kafka: KafkaSettings`` (the broker on this machine unless told otherwise)."""
    return _with_options(command, optional=False)


def optional_kafka_options(command: _Command) -> _Command:
    """Give a command the options; it receives ``kafka: KafkaSettings | None``: None when no broker was named."""
    return _with_options(command, optional=True)


def _with_options(command: _Command, *, optional: bool) -> _Command:
    @functools.wraps(command)
    def with_settings(*arguments: object, **options: object) -> object:
        given = {name: options.pop(name) for name in _PARAMETERS}
        check_hostname = options.pop(_parameter("ssl-check-hostname"))
        settings = _settings(given, check_hostname=bool(check_hostname), optional=optional)
        return command(*arguments, kafka=settings, **options)

    decorated: _Command = _CHECK_HOSTNAME(with_settings)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def _settings(given: dict[str, Any], *, check_hostname: bool, optional: bool) -> KafkaSettings | None:
    servers = given["kafka_bootstrap_servers"]
    if servers is None and optional:
        unused = sorted(name.removeprefix("kafka_").replace("_", "-") for name, value in given.items() if value is not None)
        if unused:
            raise click.UsageError(f"--{unused[0]} is of no use without --bootstrap-servers")
        return None
    try:
        settings = KafkaSettings(
            bootstrap_servers=tuple(part.strip() for part in (servers or DEFAULT_BOOTSTRAP).split(",") if part.strip()),
            security_protocol=given["kafka_security_protocol"] or "PLAINTEXT",
            sasl_mechanism=given["kafka_sasl_mechanism"],
            sasl_username=given["kafka_sasl_username"],
            sasl_password=_secret(given["kafka_sasl_password_file"], SASL_PASSWORD_VARIABLE),
            ssl_ca_file=given["kafka_ssl_ca_file"],
            ssl_certificate_file=given["kafka_ssl_certificate_file"],
            ssl_key_file=given["kafka_ssl_key_file"],
            ssl_key_password=_secret(given["kafka_ssl_key_password_file"], SSL_KEY_PASSWORD_VARIABLE),
            ssl_check_hostname=check_hostname,
        )
    except KafkaSettingsError as error:
        raise click.UsageError(str(error)) from error
    _check_tls_files(settings)
    return settings


def _secret(file: Path | None, variable: str) -> str | None:
    """From the file, else from the environment. One line end at the end of a file is not part of the secret."""
    if file is None:
        return os.environ.get(variable)
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"password file {file}: {error}") from error


def _check_tls_files(settings: KafkaSettings) -> None:
    """Read the TLS files once: here their faults are a clear word, in a client they would be retried for ever."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if settings.ssl_ca_file is not None:
            context.load_verify_locations(settings.ssl_ca_file)
    except OSError as error:  # ssl.SSLError among them
        raise click.UsageError(f"TLS file {settings.ssl_ca_file}: not a PEM file of certificates ({error})") from error
    try:
        if settings.ssl_certificate_file is not None:
            context.load_cert_chain(settings.ssl_certificate_file, settings.ssl_key_file, settings.ssl_key_password or "")
    except OSError as error:
        raise click.UsageError(
            f"TLS files {settings.ssl_certificate_file} and {settings.ssl_key_file}: not a PEM certificate with its key, "
            f"or the key's password is missing or wrong ({error})"
        ) from error
