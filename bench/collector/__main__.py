"""`python -m bench.collector`: the comparison, from options to a table. KUBECONFIG names the cluster, which must be disposable."""

import contextlib
import datetime as dt
import os
import platform
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
import msgspec

from bench.collector import tools
from bench.collector.contestants import CONTESTANTS
from bench.collector.fleet import Fleet, FleetError
from bench.collector.measuring import Load, MeasuringError, Result, measure
from bench.collector.processes import ProcessError
from bench.collector.requests import Cluster, RequestError
from bench.collector.tables import table
from podcause.embedded.broker import EmbeddedKafka
from podcause.logging import configure_logging


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    go: str
    api_server: str
    load_before: float
    load_after: float


class Report(msgspec.Struct, frozen=True):
    """Everything, as the JSON file has it."""

    measured_at: str
    machine: Machine
    pods: int
    load: Load
    results: Sequence[Result]
    failures: dict[str, str]


@click.command()
@click.option("--pods", type=click.IntRange(1, 50_000), default=10_000, show_default=True)
@click.option(
    "--events", type=click.IntRange(100, 100_000), default=10_000, show_default=True, help="Writes at the fixed rate."
)
@click.option("--rate", type=click.FloatRange(1, 5_000), default=300.0, show_default=True, help="Writes a second.")
@click.option(
    "--burst",
    type=click.IntRange(0, 100_000),
    default=10_000,
    show_default=True,
    help="Writes while the collector is frozen, to see how fast it drains them; 0: none.",
)
@click.option(
    "--collector", "names", type=click.Choice(list(CONTESTANTS)), multiple=True, help="Which; may be repeated.  [default: all]"
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The numbers as JSON.")
@click.option("--keep-logs", type=click.Path(path_type=Path, file_okay=False), help="Keep the collectors' logs in this folder.")
def main(
    *, pods: int, events: int, rate: float, burst: int, names: tuple[str, ...], output: Path | None, keep_logs: Path | None
) -> None:
    """Compare podcause collect with the OpenTelemetry Collector, one after the other, on the cluster that KUBECONFIG names."""
    if not os.environ.get("KUBECONFIG"):
        raise click.UsageError("set KUBECONFIG to a disposable cluster: nodes, pods and events are made there, and removed")
    signal.signal(signal.SIGTERM, _end)
    configure_logging("warning")
    load = Load(events, rate, burst)
    load_before = os.getloadavg()[0]
    results, failures = [], {}
    try:
        cluster = Cluster()
        server = cluster.version
        click.echo("building kwok and the OpenTelemetry Collector, where they are not there yet", err=True)
        kwok, _ = tools.kwok(), tools.otel_collector()
        with _folder(keep_logs) as folder, _kafka() as kafka:
            namespace = f"bench-{uuid.uuid4().hex[:8]}"
            click.echo(f"making {pods} pods in {namespace}", err=True)
            with Fleet(cluster, kwok, namespace, pods) as fleet:
                for name in names or tuple(CONTESTANTS):
                    fleet.delete_events()
                    click.echo(f"measuring {name}", err=True)
                    contestant = CONTESTANTS[name](kafka.bootstrap_servers, namespace, folder)
                    try:
                        results.append(measure(contestant, fleet, load, kafka.bootstrap_servers, folder))
                    except (MeasuringError, ProcessError) as error:
                        failures[name] = str(error)
                        click.echo(f"{name}: {error}", err=True)
                click.echo("cleaning up", err=True)
    except (tools.ToolError, FleetError, RequestError) as error:
        raise click.ClickException(str(error)) from error
    machine = _machine(server, load_before)
    report = Report(dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%MZ"), machine, pods, load, results, failures)
    if output is not None:
        output.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    click.echo(
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:.0f} GiB, {machine.system}, Python {machine.python}, "
        f"{machine.go}, API server {machine.api_server}; load {machine.load_before:.1f} before, {machine.load_after:.1f} after"
    )
    click.echo(f"{pods} pods; {events} event writes at {rate:g}/s; {burst} while frozen\n")
    click.echo(table(results))
    if failures:
        raise click.ClickException(f"not measured: {', '.join(failures)}")


def _kafka() -> EmbeddedKafka:
    # The broker's time of appending, whatever the producer says: the same clock for all.
    return EmbeddedKafka(server_properties={"log.message.timestamp.type": "LogAppendTime"})


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    folder = Path(tempfile.mkdtemp(prefix="podcause-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _machine(server: str, load_before: float) -> Machine:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return Machine(
        cpu=cpu,
        cores=len(os.sched_getaffinity(0)),
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        go=tools.go_version().removeprefix("go version "),
        api_server=server,
        load_before=load_before,
        load_after=os.getloadavg()[0],
    )


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(143)


if __name__ == "__main__":
    main()
