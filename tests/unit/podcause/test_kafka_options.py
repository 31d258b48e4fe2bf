"""The options by which a command is told how to reach Kafka."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from podcause.kafka_options import kafka_options, optional_kafka_options
from schemas.kafka_settings import KafkaSettings


def _run(
    arguments: list[str], environment: dict[str, str] | None = None, *, optional: bool = False
) -> tuple[KafkaSettings | None, str, int]:
    seen: list[KafkaSettings | None] = []

    @click.command()
    @(optional_kafka_options if optional else kafka_options)
    def command(kafka: KafkaSettings | None) -> None:
        seen.append(kafka)

    result = CliRunner().invoke(command, arguments, env=environment or {})
    return (seen[0] if seen else None), result.output, result.exit_code


def test_nothing_said_is_the_broker_on_this_machine() -> None:
    assert _run([])[0] == KafkaSettings(bootstrap_servers=("localhost:9092",))


def test_nothing_said_is_no_broker_where_one_can_be_embedded() -> None:
    assert _run([], optional=True) == (None, "", 0)


def test_several_servers_are_separated_by_commas() -> None:
    settings = _run(["--bootstrap-servers", "a:1, b:2"], optional=True)[0]
    assert settings == KafkaSettings(bootstrap_servers=("a:1", "b:2"))


def test_the_environment_says_the_same() -> None:
    environment = {
        "PODCAUSE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9093",
        "PODCAUSE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "PODCAUSE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "PODCAUSE_KAFKA_SASL_USERNAME": "ada",
        "PODCAUSE_KAFKA_SASL_PASSWORD": "secret",
    }
    assert _run([], environment)[0] == KafkaSettings(
        bootstrap_servers=("kafka:9093",),
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="ada",
        sasl_password="secret",
    )


def test_a_password_file_wins_and_loses_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from the file \n")
    settings = _run(
        [
            "--security-protocol",
            "sasl_plaintext",
            "--sasl-mechanism",
            "plain",
            "--sasl-username",
            "ada",
            "--sasl-password-file",
            str(file),
        ],
        {"PODCAUSE_KAFKA_SASL_PASSWORD": "from the environment"},
    )[0]
    assert settings is not None
    assert settings.sasl_password == "from the file "


def test_no_option_takes_a_password_itself() -> None:
    assert "--sasl-password " not in _run(["--help"])[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bootstrap-servers", "kafka"], "write HOST:PORT"),
        (["--security-protocol", "SASL_SSL"], "needs a SASL mechanism"),
        (["--sasl-username", "ada"], "set the security protocol to SASL_SSL"),
        (["--security-protocol", "SSL", "--ssl-ca-file", "/nowhere/ca.pem"], "no such file"),
        (["--sasl-password-file", "/nowhere/password"], "password file"),
        (["--security-protocol", "SSL", "--ssl-ca-file", __file__], "not a PEM file of certificates"),
        (
            ["--security-protocol", "SSL", "--ssl-certificate-file", __file__, "--ssl-key-file", __file__],
            "not a PEM certificate with its key",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_connects(arguments: list[str], message: str) -> None:
    settings, output, code = _run(arguments)
    assert settings is None
    assert code == 2
    assert message in " ".join(output.split())


def test_other_kafka_options_without_servers_are_refused_where_a_broker_can_be_embedded() -> None:
    settings, output, code = _run(["--security-protocol", "SSL"], optional=True)
    assert settings is None
    assert code == 2
    assert "--security-protocol is of no use without --bootstrap-servers" in output
