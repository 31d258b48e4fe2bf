"""`podcause collect` on a live cluster: its options, and the collector run until a signal. Nothing is decided here.

Signals: the first SIGTERM or SIGINT ends it in order (flush, resume point) with exit code 0; the second at once.
"""

import functools
import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from collector.settings import CollectorSettings
from schemas.kafka_settings import KafkaSettings

if TYPE_CHECKING:
    from collector.live import LiveCollector

_Command = Callable[..., object]
_PREFIX: Final = "live_"


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What the options say."""

    kubeconfig: Path | None
    context: str | None
    namespaces: tuple[str, ...]
    excluded_namespaces: tuple[str, ...]
    logs: bool
    log_lines: int
    log_bytes: int
    log_rate: float
    delivery_timeout: float
    grace: float


_OPTIONS: Final = (
    click.option(
        "--kubeconfig",
        "live_kubeconfig",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Which kubeconfig.  [default: the pod's ServiceAccount, else KUBECONFIG or ~/.kube/config]",
    ),
    click.option("--context", "live_context", metavar="NAME", help="Which context of it.  [default: the current one]"),
    click.option("--namespace", "live_namespaces", multiple=True, metavar="NAME", help="Watch this one only. May be repeated."),
    click.option(
        "--exclude-namespace",
        "live_excluded_namespaces",
        multiple=True,
        metavar="NAME",
        help="Keep this one out. May be repeated.",
    ),
    click.option(
        "--logs/--no-logs", "live_logs", default=True, show_default=True, help="Fetch the last lines of terminated containers."
    ),
    click.option(
        "--log-lines", "live_log_lines", type=click.IntRange(1, 1000), default=25, show_default=True, help="How many lines."
    ),
    click.option(
        "--log-bytes",
        "live_log_bytes",
        type=click.IntRange(256, 32_768),
        default=16_384,
        show_default=True,
        help="How much of them, at most.",
    ),
    click.option(
        "--log-rate",
        "live_log_rate",
        type=click.FloatRange(0.01, 100),
        default=2.0,
        show_default=True,
        help="Log requests a second, at most.",
    ),
    click.option(
        "--delivery-timeout",
        "live_delivery_timeout",
        type=click.FloatRange(5),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="How long Kafka may take before everything unacknowledged is read again from the cluster.",
    ),
    click.option(
        "--grace",
        "live_grace",
        type=click.FloatRange(0.5),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="How long the end may take, to flush.",
    ),
)


def live_options(command: _Command) -> _Command:
    """Give a command the options; it receives ``live: LiveOptions``."""

    @functools.wraps(command)
    def with_options(*arguments: object, **options: Any) -> object:  # noqa: ANN401 - click's
        names = [name for name in options if name.startswith(_PREFIX)]
        live = LiveOptions(**{name.removeprefix(_PREFIX): options.pop(name) for name in names})
        return command(*arguments, live=live, **options)

    decorated: _Command = with_options
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def build(
    live: LiveOptions,
    kafka: KafkaSettings,
    settings: CollectorSettings,
    *,
    create_topics: bool,
    partitions: int,
    replication_factor: int | None,
) -> "LiveCollector":
    """The collector that the options mean. Raises click.ClickException when there is no usable configuration of a cluster."""
    from collector.api import Api, ApiSettings
    from collector.api_errors import ApiConfigurationError
    from collector.live import LiveCollector, LiveSettings
    from collector.logs import LogSettings

    if not settings.cluster_name:
        raise click.UsageError("a live cluster needs a name: --cluster NAME")
    try:
        api = Api(ApiSettings(kubeconfig=live.kubeconfig, context=live.context))
    except ApiConfigurationError as error:
        raise click.ClickException(str(error)) from error
    return LiveCollector(
        api,
        kafka,
        LiveSettings(
            collector=settings,
            namespaces=live.namespaces,
            excluded_namespaces=live.excluded_namespaces,
            logs=LogSettings(live.log_lines, live.log_bytes, live.log_rate) if live.logs else None,
            partitions=partitions,
            replication_factor=replication_factor,
            create_topics=create_topics,
            delivery_timeout_seconds=live.delivery_timeout,
            grace_seconds=live.grace,
        ),
    )


def run_until_signal(collector: "LiveCollector", is_leader: Callable[[], bool] = lambda: True) -> None:
    """Run the collector; a signal ends it. Raises click.ClickException for what no retry can help."""
    from collector.api_errors import ApiError
    from collector.live import LiveError
    from collector.publishing import PublishError

    # kafka-python tells each attempt to connect, many a second: what matters of it the collector tells itself.
    kafka_logger = logging.getLogger("kafka")
    kafka_logger.propagate = False
    kafka_logger.addHandler(logging.NullHandler())
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        collector.run(stop, is_leader)
    except (LiveError, PublishError, ApiError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
