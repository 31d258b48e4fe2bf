"""What the broker is told: its properties, its log settings, its JVM's options. Pure text; it writes and starts nothing.

A single node on one laptop: one replica of everything, small tables, loopback only.
"""

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
MAIN_LISTENER: Final = "BROKER"
_CONTROLLER_LISTENER: Final = "CONTROLLER"

_SINGLE_NODE: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "2",
    "auto.create.topics.enable": "false",
    # Nobody else will join: the default of 3 s makes every first start of a group wait.
    "group.initial.rebalance.delay.ms": "0",
    # 9 s by default: how long a restart waits for the broker that was killed before it.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    # 128 MiB by default, a quarter of this heap.
    "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
    # Two files of 10 MiB per partition by default, sparse or not.
    "log.index.size.max.bytes": str(1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
}

_LOG4J2: Final = """\
appender.file.type = File
appender.file.name = file
appender.file.fileName = ${sys:podcause.log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
"""

_JVM_OPTIONS: Final = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    # The first compiler alone: a broker that lives for minutes never earns back what the second costs.
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dlog4j2.disableJmx=true",
)


@dataclass(frozen=True, slots=True)
class Folders:
    """Where everything of one broker lies, below one folder."""

    root: Path

    @property
    def logs(self) -> Path:
        """Kafka's ``log.dirs``: the records."""
        return self.root / "kafka"

    @property
    def temporary(self) -> Path:
        """The JVM's temporary files."""
        return self.root / "tmp"

    @property
    def properties(self) -> Path:
        """``server.properties``."""
        return self.root / "server.properties"

    @property
    def log_settings(self) -> Path:
        """Settings of log4j2, which Kafka 4 logs through."""
        return self.root / "log4j2.properties"

    @property
    def log(self) -> Path:
        """The broker's log, warnings and worse."""
        return self.root / "broker.log"

    @property
    def output(self) -> Path:
        """What the JVM itself prints."""
        return self.root / "jvm.out"

    @property
    def is_formatted(self) -> bool:
        """Whether StorageTool has been here."""
        return (self.logs / "meta.properties").is_file()


@dataclass(frozen=True, slots=True)
class Listeners:
    """The ports, all on loopback. ``extra`` has a name, its security protocol and its port."""

    main: int
    controller: int
    extra: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def server_properties(folders: Folders, listeners: Listeners, overrides: Mapping[str, str]) -> str:
    """The text of ``server.properties``; ``overrides`` win."""
    ports = {MAIN_LISTENER: listeners.main, **{name: port for name, (_, port) in listeners.extra.items()}}
    protocols = {MAIN_LISTENER: "PLAINTEXT", _CONTROLLER_LISTENER: "PLAINTEXT"}
    protocols |= {name: protocol for name, (protocol, _) in listeners.extra.items()}
    clients = [f"{name}://{HOST}:{port}" for name, port in ports.items()]
    settings = {
        **_SINGLE_NODE,
        "controller.quorum.voters": f"1@{HOST}:{listeners.controller}",
        "listeners": ",".join([*clients, f"{_CONTROLLER_LISTENER}://{HOST}:{listeners.controller}"]),
        "advertised.listeners": ",".join(clients),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "inter.broker.listener.name": MAIN_LISTENER,
        "controller.listener.names": _CONTROLLER_LISTENER,
        "log.dirs": str(folders.logs),
        **overrides,
    }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def log_settings() -> str:
    """The text of ``log4j2.properties``."""
    return _LOG4J2


def format_command(
    java: Path, jars: tuple[Path, ...], folders: Folders, scram_users: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Prepare an empty data folder: a new cluster.

    ``scram_users`` (mechanism to name to password) stand on its command line, where others can read them: for tests.
    """
    command = [*_java(java, jars, folders), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
    command += ["--cluster-id", _new_cluster_id(), "--config", str(folders.properties)]
    for mechanism, users in scram_users.items():
        for name, password in users.items():
            command += ["--add-scram", f"{mechanism}=[name={name},password={password}]"]
    return command


def broker_command(java: Path, jars: tuple[Path, ...], folders: Folders) -> list[str]:
    """Run the broker."""
    return [*_java(java, jars, folders), "kafka.Kafka", str(folders.properties)]


def _java(java: Path, jars: tuple[Path, ...], folders: Folders) -> list[str]:
    return [
        str(java),
        *_JVM_OPTIONS,
        f"-Djava.io.tmpdir={folders.temporary}",
        f"-XX:ErrorFile={folders.root / 'jvm_error.log'}",
        f"-Dpodcause.log={folders.log}",
        f"-Dlog4j2.configurationFile={folders.log_settings}",
        "-cp",
        ":".join(map(str, jars)),
    ]


def _escaped(value: str) -> str:
    """A value as java.util.Properties reads it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _new_cluster_id() -> str:
    """As ``StorageTool random-uuid`` makes them: base64url without padding; a leading dash would look like an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
