"""``podcause process``: one worker of the processor, in the foreground. Flags become settings here; nothing is decided."""

from pathlib import Path

import click

from podcause.correlation_file import correlation_option
from podcause.kafka_options import kafka_options
from podcause.logging import LEVELS, configure_logging
from processor.settings import CorrelationSettings
from schemas.kafka_settings import KafkaSettings
from schemas.topics import DEFAULT_PREFIX


@click.command()
@kafka_options
@correlation_option
@click.option(
    "--topic-prefix",
    default=DEFAULT_PREFIX,
    show_default=True,
    envvar="PODCAUSE_TOPIC_PREFIX",
    help="Topics are PREFIX.observations.v1 and so on.",
)
@click.option(
    "--application-id",
    envvar="PODCAUSE_APPLICATION_ID",
    help="Consumer group, and first part of the changelog's name.  [default: PREFIX-processor]",
)
@click.option(
    "--instance-id",
    envvar="PODCAUSE_INSTANCE_ID",
    help="Name of this worker that outlives restarts: it gets its partitions back without a rebalance.",
)
@click.option(
    "--store",
    type=click.Choice(["memory", "rocksdb"]),
    default="memory",
    show_default=True,
    help="Where state lives on this machine.",
)
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), envvar="PODCAUSE_DATA_DIR", help="RocksDB's files."
)
@click.option(
    "--standby-replicas",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Workers that follow each partition, to take over at once.",
)
@click.option(
    "--create-topics/--no-create-topics", default=True, show_default=True, help="Create missing topics, or name them and end."
)
@click.option(
    "--partitions", type=click.IntRange(1), default=6, show_default=True, help="Partitions of topics that are created."
)
@click.option(
    "--replication-factor",
    type=click.IntRange(1),
    help="Replicas of topics that are created.  [default: 3, or the number of brokers]",
)
@click.option(
    "--commit-interval",
    type=click.FloatRange(0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often offsets are committed.",
)
@click.option(
    "--session-timeout",
    type=click.FloatRange(6),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How soon a dead worker is noticed.",
)
@click.option(
    "--web-port", type=click.IntRange(1, 65535), help="Faust's web server on this machine's loopback.  [default: off]"
)
@click.option(
    "--ready-file", type=click.Path(dir_okay=False, path_type=Path), help="Written when partitions are assigned and recovered."
)
@click.option("--exit-with-parent", is_flag=True, help="Stop when standard input ends.")
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
def command(
    kafka: KafkaSettings,
    *,
    correlation: CorrelationSettings | None,
    topic_prefix: str,
    application_id: str | None,
    instance_id: str | None,
    store: str,
    data_dir: Path | None,
    standby_replicas: int,
    create_topics: bool,
    partitions: int,
    replication_factor: int | None,
    commit_interval: float,
    session_timeout: float,
    web_port: int | None,
    ready_file: Path | None,
    exit_with_parent: bool,
    log_level: str,
) -> None:
    """Run the processor: observations in, diagnoses out.

    Start it again, or several times, on any machine: the workers share the partitions, and each takes its state from Kafka. Ends with
    0 on SIGTERM, 130 on Ctrl-C, 1 when Kafka can't be used or the worker had to give up.
    """
    from processor.app.runner import RunOptions, WorkerCrashedError, run
    from processor.app.settings import ProcessorSettings, ProcessorSettingsError
    from processor.app.topics import KafkaUnreachableError, TopicsError

    configure_logging(log_level)
    try:
        settings = ProcessorSettings(
            topic_prefix=topic_prefix,
            application_id=application_id,
            instance_id=instance_id,
            store="rocksdb" if store == "rocksdb" else "memory",
            data_dir=data_dir,
            standby_replicas=standby_replicas,
            create_topics=create_topics,
            partitions=partitions,
            replication_factor=replication_factor,
            commit_interval_seconds=commit_interval,
            session_timeout_seconds=session_timeout,
            web_port=web_port,
            correlation=correlation or CorrelationSettings(),
        )
    except ProcessorSettingsError as error:
        raise click.UsageError(str(error)) from error
    try:
        code = run(settings, kafka, RunOptions(ready_file=ready_file, exit_with_parent=exit_with_parent))
    except (ProcessorSettingsError, TopicsError, KafkaUnreachableError, WorkerCrashedError) as error:
        raise click.ClickException(str(error)) from error
    raise click.exceptions.Exit(code)
