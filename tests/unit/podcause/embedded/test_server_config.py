"""The broker's settings: loopback only, one replica of everything."""

from pathlib import Path

from podcause.embedded.server_config import Folders, Listeners, broker_command, format_command, server_properties

_FOLDERS = Folders(Path("/data"))


def _settings(listeners: Listeners, overrides: dict[str, str] | None = None) -> dict[str, str]:
    text = server_properties(_FOLDERS, listeners, overrides or {})
    return dict(line.split("=", 1) for line in text.splitlines())


def test_everything_listens_on_loopback_only() -> None:
    settings = _settings(Listeners(9092, 9093, {"SCRAM": ("SASL_SSL", 9094)}))
    assert settings["listeners"] == "BROKER://127.0.0.1:9092,SCRAM://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093"
    assert settings["advertised.listeners"] == "BROKER://127.0.0.1:9092,SCRAM://127.0.0.1:9094"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:9093"
    assert settings["listener.security.protocol.map"] == "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL"


def test_a_single_node_asks_for_one_replica() -> None:
    settings = _settings(Listeners(1, 2))
    replicas = {name: value for name, value in settings.items() if "replication.factor" in name or name.endswith("min.isr")}
    assert set(replicas.values()) == {"1"}
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["group.initial.rebalance.delay.ms"] == "0"


def test_overrides_win() -> None:
    assert _settings(Listeners(1, 2), {"num.io.threads": "1"})["num.io.threads"] == "1"


def test_backslashes_and_line_ends_survive_javas_properties() -> None:
    assert _settings(Listeners(1, 2), {"x": "a\\b\nc"})["x"] == "a\\\\b\\nc"


def test_a_new_data_folder_is_formatted_with_kafkas_own_tool() -> None:
    command = format_command(Path("/java"), (Path("/a.jar"), Path("/b.jar")), _FOLDERS, {"SCRAM-SHA-256": {"ada": "secret"}})
    assert command[command.index("-cp") + 1] == "/a.jar:/b.jar"
    tool = command[command.index("kafka.tools.StorageTool") :]
    cluster_id = tool[tool.index("--cluster-id") + 1]
    assert len(cluster_id) == 22
    assert not cluster_id.startswith("-")
    assert tool[-4:] == ["--config", "/data/server.properties", "--add-scram", "SCRAM-SHA-256=[name=ada,password=secret]"]


def test_the_broker_is_one_process_with_one_settings_file() -> None:
    command = broker_command(Path("/java"), (Path("/a.jar"),), _FOLDERS)
    assert command[0] == "/java"
    assert command[-2:] == ["kafka.Kafka", "/data/server.properties"]
