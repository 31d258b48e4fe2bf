"""`podcause record`: a cluster's pods, events and logs into a file, for bug reports and regression tests. Flags become settings."""

import contextlib
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import click

from podcause.logging import LEVELS, configure_logging


class Duration(click.ParamType):
    """Seconds, or a number with s, m or h."""

    name = "TIME"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        text = str(value).strip().lower()
        unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
        try:
            seconds = float(text if unit is None else text[:-1]) * (unit or 1)
        except ValueError:
            seconds = 0
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is no duration; write for example 90, 20m or 2h", param, ctx)
        return seconds


@click.command(name="record")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--duration", type=Duration(), help="Stop after so long (90, 20m, 2h).  [default: on Ctrl-C or SIGTERM]")
@click.option("--namespace", "namespaces", multiple=True, metavar="NAME", help="Only this namespace. May be repeated.")
@click.option(
    "--anonymise", is_flag=True, help="Pseudonyms for names, images, addresses and UIDs; no environments; secrets redacted."
)
@click.option("--logs/--no-logs", default=True, show_default=True, help="Fetch the last lines of containers that ended.")
@click.option(
    "--cluster",
    metavar="NAME",
    envvar="PODCAUSE_CLUSTER",
    default="recorded",
    show_default=True,
    help="The cluster's name in the recording.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Default: as kubectl, or the pod's own account.",
)
@click.option("--context", metavar="NAME", help="A context of the kubeconfig.  [default: its current one]")
@click.option("--log-level", type=click.Choice(LEVELS), default="warning", show_default=True)
def command(
    path: Path,
    *,
    duration: float | None,
    namespaces: tuple[str, ...],
    anonymise: bool,
    logs: bool,
    cluster: str,
    kubeconfig: Path | None,
    context: str | None,
    log_level: str,
) -> None:
    """Record a cluster into FILE (gzip), which `podcause diagnose FILE` reads.

    Without --anonymise the file holds whole objects, environments included, and logs as they are: keep it to yourself. With it,
    logs are redacted and names that objects bear are replaced in them too, but an application may write anything: read them before
    you hand them on. Ends with 0; with 1 when the cluster cannot be watched or the file cannot be written.
    """
    configure_logging(log_level)

    from collector.anonymising import Anonymiser
    from collector.api import Api, ApiSettings
    from collector.api_errors import ApiError
    from collector.recorder import Recorder, RecordError, RecorderSettings, RecordingFile

    anonymiser = Anonymiser(secrets.token_bytes(32)) if anonymise else None
    settings = RecorderSettings(namespaces=namespaces, logs=logs, cluster_name=cluster)
    try:
        with (
            Api(ApiSettings(kubeconfig=kubeconfig, context=context)) as api,
            RecordingFile(path, anonymiser) as file,
            _until_signal() as stop,
        ):
            Recorder(api, settings).run(file, stop, duration)
    except (ApiError, RecordError) as error:
        click.echo(f"podcause record: {error}", err=True)
        sys.exit(1)
    redacted = f", {anonymiser.redacted} secrets redacted" if anonymiser is not None else ""
    click.echo(f"{path}: {file.written} lines{redacted}", err=True)


@contextlib.contextmanager
def _until_signal() -> Iterator[threading.Event]:
    """Set by the first SIGINT or SIGTERM; the second one has its usual effect."""
    stop = threading.Event()
    before: dict[int, Any] = {}

    def handle(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[number])

    for one in (signal.SIGINT, signal.SIGTERM):
        before[one] = signal.signal(one, handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
