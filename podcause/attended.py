"""What stands around a live collector: the check before it, the election that lets it work, the port that tells of its health.

It joins the parts and decides nothing. The Lease is released after the collector has flushed, so that the next one resumes from there.
"""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from collector.checking import Plan
from collector.lease import LeaseError, LeaseTimes
from podcause.collect_check import own_namespace
from podcause.live_collect import LiveOptions, run_until_signal

if TYPE_CHECKING:
    from collector.live import LiveCollector

_Command = Callable[..., object]
_PREFIX: Final = "attended_"
_DEFAULTS: Final = LeaseTimes()


@dataclass(frozen=True, slots=True)
class AttendedOptions:
    """What the options say. ``health_port`` 0: none."""

    check: bool
    health_port: int
    leader_election: bool
    lease_namespace: str | None
    lease_name: str
    lease_seconds: int
    renew_deadline: float
    retry_period: float

    def plan(self, live: LiveOptions) -> Plan:
        """What is to be checked for such a collector."""
        return Plan(
            namespaces=live.namespaces,
            logs=live.logs,
            lease_namespace=(self.lease_namespace or own_namespace()) if self.leader_election else None,
            lease_name=self.lease_name,
        )


_OPTIONS: Final = (
    click.option(
        "--check", "attended_check", is_flag=True, help="Try every right and Kafka, print what is missing, and end: 0 or 1."
    ),
    click.option(
        "--health-port",
        "attended_health_port",
        type=click.IntRange(0, 65_535),
        default=0,
        envvar="PODCAUSE_HEALTH_PORT",
        help="Answer /livez, /readyz and /metrics there.  [default: 0, nowhere]",
    ),
    click.option(
        "--leader-election/--no-leader-election",
        "attended_leader_election",
        default=False,
        show_default=True,
        envvar="PODCAUSE_LEADER_ELECTION",
        help="Collect only while holding a Lease: for two replicas of which one stands by.",
    ),
    click.option(
        "--lease-namespace",
        "attended_lease_namespace",
        metavar="NAME",
        help="Where the Lease is.  [default: the pod's namespace, else podcause]",
    ),
    click.option("--lease-name", "attended_lease_name", metavar="NAME", default="podcause-collector", show_default=True),
    click.option(
        "--lease-seconds",
        "attended_lease_seconds",
        type=click.IntRange(1),
        default=_DEFAULTS.lease_seconds,
        show_default=True,
        help="How long a standby respects a Lease that is not renewed.",
    ),
    click.option(
        "--renew-deadline",
        "attended_renew_deadline",
        type=float,
        default=_DEFAULTS.renew_deadline_seconds,
        show_default=True,
        metavar="SECONDS",
        help="How long a leader that cannot renew goes on.",
    ),
    click.option(
        "--retry-period",
        "attended_retry_period",
        type=float,
        default=_DEFAULTS.retry_seconds,
        show_default=True,
        metavar="SECONDS",
        help="How often the Lease is renewed and looked at.",
    ),
)


def attended_options(command: _Command) -> _Command:
    """Give a command the options; it receives ``attended: AttendedOptions``."""

    @functools.wraps(command)
    def with_options(*arguments: object, **options: Any) -> object:  # noqa: ANN401 - click's
        names = [name for name in options if name.startswith(_PREFIX)]
        attended = AttendedOptions(**{name.removeprefix(_PREFIX): options.pop(name) for name in names})
        return command(*arguments, attended=attended, **options)

    decorated: _Command = with_options
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def run_attended(collector: "LiveCollector", live: LiveOptions, attended: AttendedOptions) -> None:
    """Run the collector until a signal. Raises click.ClickException for what no retry can help."""
    from collector.health import HealthError, HealthServer, Heartbeat

    heartbeat = Heartbeat()
    with contextlib.ExitStack() as stack:
        elector = None
        if attended.leader_election:
            elector = _elector(stack, live.kubeconfig, live.context, attended, collector.leadership_changed)
        if attended.health_port:
            try:
                server = HealthServer(attended.health_port, collector.stats, elector=elector, heartbeat=heartbeat)
            except HealthError as error:
                raise click.ClickException(str(error)) from error
            stack.enter_context(server)
        run_until_signal(collector, heartbeat.heard(elector.leading if elector is not None else lambda: True))


def _elector(
    stack: contextlib.ExitStack,
    kubeconfig: Path | None,
    context: str | None,
    attended: AttendedOptions,
    on_change: Callable[[bool], None],
) -> Any:  # noqa: ANN401 - imported late
    from collector.api import Api, ApiSettings
    from collector.leading import LeaseElector

    try:
        times = LeaseTimes(attended.lease_seconds, attended.renew_deadline, attended.retry_period)
    except LeaseError as error:
        raise click.UsageError(str(error)) from error
    # Connections of its own: renewing must not wait behind lists.
    api = stack.enter_context(Api(ApiSettings(kubeconfig=kubeconfig, context=context)))
    namespace = attended.lease_namespace or own_namespace()
    return stack.enter_context(LeaseElector(api, namespace, attended.lease_name, times=times, on_change=on_change))
