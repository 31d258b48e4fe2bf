"""`podcause kafka`: a genuine Kafka broker on this machine until Ctrl-C. It creates no topics."""

import signal
from pathlib import Path
from types import FrameType
from typing import Final

import click

from podcause.embedded.broker import EmbeddedKafka
from podcause.embedded.errors import EmbeddedKafkaError
from podcause.embedded.reporting import DownloadReporter

_DEFAULT_PORT: Final = 9092
_LOOK_SECONDS: Final = 3600.0


class _StopRequestedError(BaseException):
    """A signal asked for the end: no error, and nothing between may catch it."""


@click.command(name="kafka")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_DEFAULT_PORT,
    show_default=True,
    help="The port on 127.0.0.1; 0 is a free one.",
)
@click.option("--free-port", is_flag=True, help="Take a port that is free; the same as --port 0.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the data in this folder. Default: a temporary one, removed at the end.",
)
@click.option(
    "--cache-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="PODCAUSE_CACHE_DIR",
    show_envvar=True,
    help="Keep Kafka's jars here. Default: the user's cache folder.",
)
@click.option("--quiet", is_flag=True, help="Print the address alone.")
def command(port: int, data_dir: Path | None, cache_dir: Path | None, *, free_port: bool, quiet: bool) -> None:
    """Run Apache Kafka here: a real broker (KRaft, one process), for trials and tests.

    The first start fetches Kafka (44 MB) into the cache folder. When the broker is ready, its address is the one line on
    standard output. It listens on 127.0.0.1 only, and ends with this command, however that ends.
    """
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, _stop)
    try:
        _serve(
            EmbeddedKafka(
                port=0 if free_port else port,
                data_dir=data_dir,
                cache_dir=cache_dir,
                on_progress=None if quiet else DownloadReporter(),
            ),
            quiet=quiet,
        )
    except _StopRequestedError:
        if not quiet:
            click.echo("Kafka has stopped", err=True)
    except EmbeddedKafkaError as error:
        raise click.ClickException(str(error)) from error


def _serve(broker: EmbeddedKafka, *, quiet: bool) -> None:
    if not quiet:
        click.echo("starting Kafka", err=True)
    with broker as kafka:
        if not quiet:
            click.echo(f"Kafka is ready; its data are in {kafka.data_dir}. Ctrl-C stops it.", err=True)
        # Last, since whoever waits for the address may end us at once.
        click.echo(kafka.bootstrap_servers)
        while (code := kafka.wait(_LOOK_SECONDS)) is None:
            pass
        raise EmbeddedKafkaError(
            f"the broker ended by itself (exit code {code}). Its last log lines:\n{kafka.last_log_lines()}"
        )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)  # the end is under way: a second Ctrl-C must not interrupt it
    raise _StopRequestedError
