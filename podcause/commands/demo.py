"""`podcause demo`: recorded failures of a real cluster, through a real Kafka, diagnosed before your eyes. It decides nothing."""

import contextlib
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import click
from rich.console import Console

from collector.replaying import RecordingError
from podcause.children import ChildFailedError
from podcause.demonstration import DemoFailedError, DemoSettings, run
from podcause.embedded.errors import EmbeddedKafkaError
from podcause.following import FollowingError
from podcause.kafka_options import optional_kafka_options
from podcause.logging import configure_logging
from podcause.stopping import Stopping, StopRequestedError
from podcause.view import JsonLinesView, LiveView, PlainView, View
from schemas.kafka_settings import KafkaSettings


def _speed(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value == "max":
        return value
    with contextlib.suppress(ValueError):
        if 0 < float(value) < float("inf"):
            return value
    raise click.BadParameter('a number greater than 0, or "max"')


@click.command(name="demo")
@optional_kafka_options
@click.option("--recordings", "recordings", multiple=True, type=click.Path(dir_okay=False, path_type=Path), metavar="PATH",
              help="Replay this recording instead of those that come with podcause; may be given several times.")  # fmt: skip
@click.option(
    "--speed", default="200", show_default=True, metavar="N|max", callback=_speed, help="How much faster than it happened."
)
@click.option(
    "--output", type=click.Choice(["table", "jsonl"]), default="table", show_default=True, help="For people or for pipes."
)
@click.option("--evidence", is_flag=True, help="Show each diagnosis's evidence too.")
def command(kafka: KafkaSettings | None, recordings: tuple[Path, ...], speed: str, output: str, *, evidence: bool) -> None:
    """Watch podcause diagnose recorded failures of a real cluster: collector, Kafka and processor run on this machine.

    Starts a Kafka of its own unless --bootstrap-servers names one. Ends by itself; Ctrl-C ends everything that it started.
    """
    configure_logging("warning")
    stopping = Stopping()
    try:
        with stopping.listening(), _shipped(recordings) as paths, _view(output, evidence=evidence) as view:
            try:
                run(DemoSettings(recordings=paths, speed=speed, kafka=kafka), view, stopping)
            except (RecordingError, EmbeddedKafkaError, ChildFailedError, FollowingError, DemoFailedError) as error:
                raise click.ClickException(str(error)) from error
    except StopRequestedError as stopped:
        click.echo("stopped", err=True)
        sys.exit(stopped.exit_code)


def _view(output: str, *, evidence: bool) -> View:
    if output == "jsonl":
        return JsonLinesView(click.get_binary_stream("stdout"), sys.stderr)
    console = Console()
    return LiveView(console, evidence=evidence) if console.is_terminal else PlainView(sys.stdout, sys.stderr, evidence=evidence)


@contextlib.contextmanager
def _shipped(recordings: tuple[Path, ...]) -> Iterator[tuple[Path, ...]]:
    """The recordings that were named, else those that come with podcause."""
    if recordings:
        yield recordings
        return
    with resources.as_file(resources.files("podcause").joinpath("data", "recordings")) as folder:
        yield tuple(sorted(folder.glob("*.jsonl.gz")))
