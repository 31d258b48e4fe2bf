"""`podcause collect`: a cluster's observations onto Kafka, live or from recordings. Flags become settings; nothing is decided."""

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from collector.settings import CollectorSettings, TranslationSettings
from podcause.attended import AttendedOptions, attended_options, run_attended
from podcause.collect_check import run_check
from podcause.kafka_options import kafka_options
from podcause.live_collect import LiveOptions, build, live_options
from podcause.logging import LEVELS, configure_logging
from schemas.kafka_settings import KafkaSettings
from schemas.observation import Observation
from schemas.topics import DEFAULT_PREFIX

_PROGRESS_EVERY_SECONDS: Final = 5.0
#: Shells' convention: 128 and the signal.
_EXIT_CODES: Final = {signal.SIGINT: 130, signal.SIGTERM: 143}
_Handler = Callable[[int, FrameType | None], Any] | int | None


class _Speed(click.ParamType):
    """A multiple of real time, or ``max``."""

    name = "N|max"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """The multiple; None is as fast as possible."""
        if value == "max":
            return None
        try:
            speed = float(value)
        except ValueError:
            speed = 0
        if not 0 < speed < float("inf"):
            self.fail(f"{value!r} is neither a number above 0 nor max", param, ctx)
        return speed


class _Stop:
    """What SIGINT and SIGTERM do: end at once, but once ``gently`` is set between two observations (the second signal at once)."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.gently = False
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Self:
        """Take the signals."""
        for number in _EXIT_CODES:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond a signal."""
        self._asked.wait(seconds)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        again, self.signal = self.signal is not None, signal.Signals(number)
        self._asked.set()
        if again or not self.gently:
            raise KeyboardInterrupt


@click.command(name="collect")
@click.argument("recordings", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--replay", is_flag=True, help="Publish what the recordings FILE... hold, instead of watching a cluster.")
@click.option("--speed", type=_Speed(), default="1", show_default=True, help="Replay that many times as fast as it happened.")
@click.option(
    "--cluster",
    metavar="NAME",
    envvar="PODCAUSE_CLUSTER",
    help="The cluster's name in keys and records.  [default: the recording's]",
)
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Carry this pod label in the records. May be repeated.")
@click.option(
    "--topic-prefix",
    default=DEFAULT_PREFIX,
    show_default=True,
    envvar="PODCAUSE_TOPIC_PREFIX",
    help="Topics are PREFIX.observations.v1 and so on.",
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
@click.option("--exit-with-parent", is_flag=True, help="Stop when standard input ends.")
@click.option("--log-level", type=click.Choice(LEVELS), default="warning", show_default=True)
@live_options
@attended_options
@kafka_options
def command(
    kafka: KafkaSettings,
    recordings: tuple[Path, ...],
    *,
    live: LiveOptions,
    attended: AttendedOptions,
    replay: bool,
    speed: float | None,
    cluster: str | None,
    labels: tuple[str, ...],
    topic_prefix: str,
    create_topics: bool,
    partitions: int,
    replication_factor: int | None,
    exit_with_parent: bool,
    log_level: str,
) -> None:
    """Publish a cluster's observations to Kafka: live, or from recordings with --replay.

    A live collector resumes where the last one ended, and ends with 0 on SIGTERM and Ctrl-C.

    Each counts as published when Kafka has acknowledged it. A replay ends with 0 when a replay is through, 130 on Ctrl-C, 143 on
    SIGTERM, 1 when Kafka can't be used, 2 when a recording can't be read.
    """
    if recordings and not replay:
        raise click.UsageError("recordings are given: say --replay")
    if replay and not recordings:
        raise click.UsageError("--replay needs at least one recording: --replay FILE...")
    configure_logging(log_level)
    if attended.check:
        sys.exit(
            run_check(
                kafka,
                attended.plan(live),
                topic_prefix=topic_prefix,
                create_topics=create_topics,
                partitions=partitions,
                replication_factor=replication_factor,
                kubeconfig=live.kubeconfig,
                context=live.context,
            )
        )
    if exit_with_parent:
        threading.Thread(target=_end_with_standard_input, daemon=True).start()
    settings = CollectorSettings(
        cluster_name=cluster,
        topic_prefix=topic_prefix,
        translation=TranslationSettings(labels=labels, log_lines=live.log_lines, log_characters=live.log_bytes),
    )
    if not replay:
        collector = build(
            live,
            kafka,
            settings,
            create_topics=create_topics,
            partitions=partitions,
            replication_factor=replication_factor,
        )
        run_attended(collector, live, attended)
        return

    from collector.pacing import paced
    from collector.publishing import Publisher, PublishError, ensure_topics
    from collector.replaying import RecordingError
    from collector.replaying import replay as replayed

    publisher: Publisher | None = None
    stop = _Stop()
    error: str | None = None
    code = 0
    observations = replayed(recordings, settings=settings)
    try:
        with stop:
            first = list(
                itertools.islice(observations, 1)
            )  # a recording that is none is told before Kafka is asked for anything
            ensure_topics(kafka, topic_prefix, partitions, replication_factor, create=create_topics)
            with Publisher(kafka, topic_prefix) as publisher:
                stop.gently = True
                for observation in _shown(paced(itertools.chain(first, observations), speed, wait=stop.wait)):
                    if stop:
                        break
                    publisher.publish(observation)
    except RecordingError as failure:
        error, code = f"cannot read a recording: {failure}", 2
    except PublishError as failure:
        error, code = f"{failure}{' (a retry may help)' if failure.retryable else ''}", 1
    except KeyboardInterrupt:
        stop.signal = stop.signal or signal.SIGINT
    if code == 0 and stop.signal is not None:
        error, code = ("interrupted" if stop.signal == signal.SIGINT else "terminated"), _EXIT_CODES[stop.signal]
    if publisher is not None:
        click.echo(_summary(publisher.published, publisher.unacknowledged), err=True)
    if error is not None:
        click.echo(f"podcause collect: {error}", err=True)
    sys.exit(code)


def _shown(observations: Iterable[Observation]) -> Iterator[Observation]:
    """The same observations, with progress on stderr: a moving bar on a terminal, else a line every few seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _shown_as_lines(observations)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed:.0f} observations"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        for observation in observations:
            yield observation
            progress.update(task, advance=1, description=f"recorded {observation.observed_at}")


def _shown_as_lines(observations: Iterable[Observation]) -> Iterator[Observation]:
    shown_at = time.monotonic()
    for number, observation in enumerate(observations, start=1):
        yield observation
        if time.monotonic() - shown_at >= _PROGRESS_EVERY_SECONDS:
            shown_at = time.monotonic()
            click.echo(f"{number} observations, recorded up to {observation.observed_at}", err=True)


def _summary(published: dict[str, int], unacknowledged: int) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(published.items()))
    left = f"; {unacknowledged} not acknowledged" if unacknowledged else ""
    return f"published {sum(published.values())} observations{f': {kinds}' if kinds else ''}{left}"


def _end_with_standard_input() -> None:
    """The end of standard input is the parent's end: end as if it had asked."""
    # Not sys.stdin: a daemon thread inside its buffer's lock would abort the interpreter when it ends.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
