"""Cases of containers that run and are not ready."""

from typing import Final

from msgspec.structs import replace

from processor.rules.cases.case import APP, POD, Case, crashes, edge, event, fires, near_miss, pod, running
from schemas.observation import Probe

_WEB: Final = replace(APP, readiness=Probe(handler="http", port=8080, path="/ready"))
_LATE: Final = replace(APP, readiness=Probe(handler="http", port=8080, path="/ready", initial_delay_seconds=30))
_DELETED: Final = replace(POD, deletion_at="2026-03-02T10:05:00Z")
_NOT_READY: Final = ("app", "not_ready", "readiness_probe_failing", "opened")
_FAILED: Final = "Readiness probe failed: HTTP probe failed with statuscode: 503"

CASES: Final[tuple[Case, ...]] = (
    fires(
        "readiness_probe_failing",
        "never ready, by its status alone",
        [pod(1, running(_WEB, 1, ready=False))],
        300,
        _NOT_READY,
    ),
    fires(
        "readiness_probe_failing",
        "ready for long, then not for two minutes",
        [pod(1, running(_WEB, 1, ready=True)), pod(1000, running(_WEB, 1, ready=False)), event(1000, "Unhealthy", _FAILED)],
        1130,
        _NOT_READY,
    ),
    fires(
        "readiness_probe_failing",
        "by its events alone, over two minutes",
        [event(130, "Unhealthy", _FAILED, count=14, first=0)],
        150,
        _NOT_READY,
    ),
    near_miss(
        "readiness_probe_failing",
        "a slow start that ends well",
        [
            pod(1, running(_WEB, 1, ready=False)),
            event(110, "Unhealthy", _FAILED, count=10, first=10),
            pod(115, running(_WEB, 1, ready=True)),
        ],
        600,
    ),
    near_miss(
        "readiness_probe_failing",
        "it fails while the pod is being deleted",
        [pod(1, running(_WEB, 1, ready=True)), pod(20, running(_WEB, 1, ready=False), like=_DELETED)],
        290,
    ),
    near_miss(
        "readiness_probe_failing", "not ready, and it has no readiness probe", [pod(1, running(APP, 1, ready=False))], 300
    ),
    near_miss(
        "readiness_probe_failing",
        "it is not ready because it crashes: one root cause",
        crashes(_WEB, 1, 10, 30),
        300,
        ("app", "container_restarts", "app_error_exit", "opened"),
    ),
    edge(
        "readiness_probe_failing", "not ready for exactly two minutes", [pod(1, running(_WEB, 1, ready=False))], 121, _NOT_READY
    ),
    edge("readiness_probe_failing", "a second less than two minutes", [pod(1, running(_WEB, 1, ready=False))], 120),
    edge(
        "readiness_probe_failing",
        "two minutes count from the end of the initial delay",
        [pod(1, running(_LATE, 1, ready=False))],
        151,
        _NOT_READY,
    ),
    edge("readiness_probe_failing", "a second less than that", [pod(1, running(_LATE, 1, ready=False))], 150),
)
