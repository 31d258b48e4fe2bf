"""`podcause diagnose`: the engine over a recording, or over what kubectl prints. It decides nothing and needs no Kafka."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import click
from rich.console import Console

from collector.replaying import RecordingError
from podcause.correlation_file import correlation_option
from podcause.diagnosing import Tally, diagnose_objects, diagnose_recordings
from podcause.logging import configure_logging
from podcause.objects import ObjectError
from podcause.reading import Moment, Recordings, UnreadableInputError, opened
from podcause.rendering import newest_revisions, show
from processor.engine import UnusableObservationError
from processor.settings import CorrelationSettings
from schemas.codec import encode
from schemas.diagnosis import Diagnosis
from schemas.timestamps import InvalidTimestampError, normalise


class Time(click.ParamType):
    """An RFC 3339 time."""

    name = "TIME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The time in the form that records use."""
        try:
            return normalise(value)
        except InvalidTimestampError as error:
            self.fail(f"{error}; write for example 2026-01-01T12:00:00Z", param, ctx)


@click.command(name="diagnose")
@click.argument("paths", metavar="PATH|-...", nargs=-1, required=True)
@click.option(
    "--output", type=click.Choice(["table", "jsonl"]), default="table", show_default=True, help="For people or for pipes."
)
@click.option(
    "--now",
    type=Time(),
    help="The moment of looking. Default: the newest time in the objects. A recording is looked at as it stood then.",
)
@click.option(
    "--cluster",
    "cluster_name",
    metavar="NAME",
    help='The cluster\'s name in the records. Default: the one in the recording; "offline" for objects.',
)
@correlation_option
@click.option("--evidence", is_flag=True, help="Show the evidence in the table too.")
def command(
    paths: tuple[str, ...],
    output: str,
    now: str | None,
    cluster_name: str | None,
    *,
    correlation: CorrelationSettings | None,
    evidence: bool,
) -> None:
    """Diagnose recordings, or the output of `kubectl get events,pods -A -o json`; - reads stdin.

    A recording is a stream: every episode in it is shown with its last state. Objects are one moment: what is wrong then.
    jsonl prints every revision, exactly as it would be on the topic.
    """
    configure_logging("warning")
    tally = Tally()
    try:
        with opened(paths) as source:
            revisions = _diagnose(source, tally, now, cluster_name, correlation or CorrelationSettings())
            if output == "jsonl":
                stdout = click.get_binary_stream("stdout")
                for revision in revisions:
                    stdout.write(encode(revision) + b"\n")
                stdout.flush()
                return
            newest = newest_revisions(revisions)
    except (UnreadableInputError, RecordingError, ObjectError, UnusableObservationError) as error:
        click.echo(f"podcause diagnose: {error}", err=True)
        sys.exit(2)
    if newest:
        show(Console(soft_wrap=False), newest, evidence=evidence)
    else:
        click.echo(f"no diagnosis: {len(tally.workloads)} pods, {len(tally.events)} events read")


def _diagnose(
    source: Recordings | Moment, tally: Tally, now: str | None, cluster_name: str | None, settings: CorrelationSettings
) -> Iterable[Diagnosis]:
    if isinstance(source, Recordings):
        return diagnose_recordings(source.sources, tally, cluster_name=cluster_name, now=now, settings=settings)
    moment = now or source.newest or normalise(datetime.now(UTC).isoformat())
    return diagnose_objects(source.objects, tally, now=moment, cluster_name=cluster_name, settings=settings)
