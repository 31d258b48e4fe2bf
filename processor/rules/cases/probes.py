"""Cases of containers that a probe kills."""

from typing import Final

from msgspec.structs import replace

from processor.rules.cases.case import APP, POD, Case, edge, end, ended, ended_before, event, fires, near_miss, pod, running
from schemas.observation import Container, Observation, Port, Probe

#: Fails three times, 10 s apart: the earliest kill is 20 s after the start, the latest 45 s.
_LIVENESS: Final = Probe(handler="http", port=8080, path="/live")
_WEB: Final = replace(APP, ports=(Port(port=8080),), liveness=_LIVENESS)
_WRONG_PORT: Final = replace(_WEB, liveness=replace(_LIVENESS, port=9999))
_READY_TOO: Final = replace(_WEB, readiness=Probe(handler="http", port=8080, path="/ready"))
_EXEC: Final = replace(APP, liveness=Probe(handler="exec", command=("ok",)))
_SLOW: Final = replace(APP, startup=Probe(handler="http", port=8080, path="/up"))
_REFUSED: Final = 'Get "http://10.1.0.7:{0}/live": dial tcp 10.1.0.7:{0}: connect: connection refused'
_NEVER: Final = replace(POD, restart_policy="Never")
#: The Killing event opens the episode, and the exit code that the status shows then is an update.
_MISCONFIGURED: Final = ("app", "container_restarts", "liveness_probe_misconfigured", "updated")
_FAILING: Final = ("app", "container_restarts", "liveness_probe_failing", "updated")
_TOO_SLOW: Final = ("app", "container_restarts", "startup_too_slow", "opened")
_TOO_SLOW_THEN_ENDED: Final = ("app", "container_restarts", "startup_too_slow", "updated")
_STARTUP: Final = ("app", "container_restarts", "startup_probe_failing", "updated")


def _killed(
    container: Container, output: str, *, kind: str = "liveness", lived: float = 20, code: int = 143, ready: bool = False
) -> list[Observation]:
    """The kubelet tells of three failures, kills the container after it lived so long, and starts it again."""
    probe = kind.capitalize()
    return [
        pod(1, running(container, 0, ready=ready)),
        event(lived, "Unhealthy", f"{probe} probe failed: {output}", count=3, first=lived - 20),
        event(lived, "Killing", f"Container app failed {kind} probe, will be restarted"),
        pod(lived + 2, running(ended_before(container, end(code, 0, lived + 1)), lived + 2)),
    ]


def _unseen(container: Container, lived: float, failures: int) -> list[Observation]:
    """No Killing event came through: failures of the probe, and an end by SIGTERM that another follows."""
    refused = "Liveness probe failed: " + _REFUSED.format(8080)
    return [
        pod(1, running(container, 0, ready=False)),
        event(lived - 1, "Unhealthy", refused, count=failures, first=max(1, lived - 21)),
        pod(lived + 1, running(ended_before(container, end(143, 0, lived)), lived + 1)),
    ]


CASES: Final[tuple[Case, ...]] = (
    fires(
        "liveness_probe_misconfigured",
        "it asks 9999, and the container declares 8080",
        _killed(_WRONG_PORT, _REFUSED.format(9999)),
        30,
        _MISCONFIGURED,
    ),
    fires(
        "liveness_probe_misconfigured",
        "its path gives 404 since the start",
        _killed(_WEB, "HTTP probe failed with statuscode: 404"),
        30,
        _MISCONFIGURED,
    ),
    fires(
        "liveness_probe_misconfigured",
        "it speaks TLS to a plain port",
        _killed(_WEB, 'Get "https://10.1.0.7:8080/live": http: server gave HTTP response to HTTPS client'),
        30,
        _MISCONFIGURED,
    ),
    fires(
        "liveness_probe_misconfigured",
        "its command does not exist",
        _killed(_EXEC, "sh: ok: not found"),
        30,
        _MISCONFIGURED,
    ),
    near_miss(
        "liveness_probe_misconfigured",
        "the port is right, and another probe of the pod reached it before",
        _killed(_READY_TOO, _REFUSED.format(8080), lived=120, ready=True),
        140,
        _FAILING,
    ),
    edge(
        "liveness_probe_misconfigured",
        "404 only after it lived longer than a probe that always fails lets it",
        _killed(_WEB, "HTTP probe failed with statuscode: 404", lived=47),
        60,
        _FAILING,
    ),
    edge(
        "liveness_probe_misconfigured",
        "404 at the latest moment that a probe that always fails allows",
        _killed(_WEB, "HTTP probe failed with statuscode: 404", lived=45),
        60,
        _MISCONFIGURED,
    ),
    fires("liveness_probe_failing", "it answers 503", _killed(_WEB, "HTTP probe failed with statuscode: 503"), 30, _FAILING),
    fires(
        "liveness_probe_failing",
        "it was killed with grace ignored: SIGKILL is no OOM",
        _killed(_WEB, "HTTP probe failed with statuscode: 500", code=137),
        30,
        _FAILING,
    ),
    fires(
        "liveness_probe_failing",
        "it ended with 0 when it was killed",
        _killed(_WEB, "HTTP probe failed with statuscode: 500", code=0),
        30,
        _FAILING,
    ),
    fires(
        "liveness_probe_failing",
        "restartPolicy Never hides the kill behind a stop",
        [
            pod(1, running(_WEB, 0), like=_NEVER),
            event(20, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503", count=3, first=0),
            event(20, "Killing", "Stopping container app"),
            pod(22, ended(_WEB, end(143, 0, 21)), like=replace(_NEVER, phase="Failed")),
        ],
        30,
        ("app", "container_restarts", "liveness_probe_failing", "opened"),
    ),
    near_miss(
        "liveness_probe_failing",
        "failures that end before the third",
        [
            pod(1, running(_WEB, 0)),
            event(20, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503", count=2, first=10),
        ],
        400,
    ),
    near_miss(
        "liveness_probe_failing",
        "it fails because the pod is being deleted",
        [
            pod(1, running(_WEB, 0)),
            pod(20, running(_WEB, 0), like=replace(POD, deletion_at="2026-03-02T10:00:50Z")),
            event(25, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503", count=3, first=20),
            event(26, "Killing", "Stopping container app"),
        ],
        400,
    ),
    edge(
        "liveness_probe_failing",
        "a stop sooner than the probe can have killed hides no kill",
        [
            pod(1, running(_WEB, 0), like=_NEVER),
            event(6, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503"),
            event(10, "Killing", "Stopping container app"),
            pod(12, ended(_WEB, end(143, 0, 11)), like=replace(_NEVER, phase="Failed")),
        ],
        30,
        ("app", "container_restarts", "killed_externally", "opened"),
    ),
    fires("startup_too_slow", "refused since its start", _killed(_WEB, _REFUSED.format(8080)), 30, _TOO_SLOW_THEN_ENDED),
    fires(
        "startup_too_slow",
        "its startup probe is refused",
        _killed(_SLOW, _REFUSED.format(8080), kind="startup"),
        30,
        _TOO_SLOW_THEN_ENDED,
    ),
    fires("startup_too_slow", "without a Killing event, by three failures", _unseen(_WEB, 20, 3), 30, _TOO_SLOW),
    near_miss(
        "startup_too_slow",
        "it starts slowly, and the startup probe is patient",
        [
            pod(1, running(_SLOW, 0, ready=False)),
            event(20, "Unhealthy", "Startup probe failed: " + _REFUSED.format(8080), count=2, first=10),
            pod(25, replace(running(_SLOW, 0, ready=True), started=True)),
        ],
        400,
    ),
    edge("startup_too_slow", "two failures do not kill", _unseen(_WEB, 20, 2), 30),
    fires(
        "startup_probe_failing",
        "the startup probe gets 500",
        _killed(_SLOW, "HTTP probe failed with statuscode: 500", kind="startup"),
        30,
        _STARTUP,
    ),
    near_miss(
        "startup_probe_failing",
        "the startup probe gets no answer",
        _killed(_SLOW, 'Get "http://10.1.0.7:8080/up": context deadline exceeded', kind="startup"),
        30,
        _TOO_SLOW_THEN_ENDED,
    ),
    edge(
        "startup_probe_failing",
        "it fails three times, and the kill is not there yet",
        [
            pod(1, running(_SLOW, 0, ready=False)),
            event(20, "Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 500", count=3, first=0),
        ],
        30,
    ),
)
