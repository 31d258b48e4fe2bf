"""Which probe is wrong, and which is right to complain: what a probe asked, what it met, and what else the pod tells.

Sources: pkg/kubelet/prober/{prober,worker}.go; KEP-2727 (gRPC probes); docs on probes' defaults in pkg/apis/core/v1/defaults.go.
"""

from dataclasses import dataclass
from typing import Final

from processor.messages import Answer, Form, ProbeOutput, read_probe_output
from processor.rules.view import CauseDoc, Source, Subject, View, duration_text, spec_evidence
from schemas.diagnosis import CauseId
from schemas.observation import Probe

CAUSES: Final = (
    CauseDoc(
        "liveness_probe_misconfigured",
        "container_restarts",
        "The liveness probe itself is wrong, and the kubelet kills a container that may well be healthy.",
        "Killed by the liveness probe, which asks a port that is not declared or not listened on while another one works, a path that gives 404, the wrong scheme or protocol, or a command that the image lacks.",
        (
            "Correct livenessProbe's port, path, scheme or command.",
            "Check by hand: kubectl exec … -- wget -qO- localhost:PORT/PATH.",
        ),
    ),
    CauseDoc(
        "liveness_probe_failing",
        "container_restarts",
        "The liveness probe is right and the application fails it: it worked before, or it answers badly.",
        "Killed by the liveness probe after 5xx answers, time-outs, a failing command, or refusals from a port that had answered.",
        (
            "Find out why the application stops answering: its log, its load, its dependencies.",
            "If it is only slow, raise livenessProbe.timeoutSeconds or failureThreshold.",
        ),
    ),
    CauseDoc(
        "startup_too_slow",
        "container_restarts",
        "A probe kills the container before it ever answered: it starts too slowly, or does not listen at all.",
        "Killed by the liveness or startup probe, all its attempts were refused or timed out since the start, and nothing says that the probe is wrong.",
        (
            "Give it time: a startupProbe with failureThreshold times periodSeconds above the start-up time.",
            "Check that it listens on that port at all.",
        ),
    ),
    CauseDoc(
        "startup_probe_failing",
        "container_restarts",
        "The startup probe is answered, but badly, and kills the container.",
        "Killed by the startup probe after a bad status or a failing command.",
        ("See why the answer is bad: the application's log during start-up.", "Check startupProbe's path, scheme and command."),
    ),
)


@dataclass(frozen=True, slots=True)
class ProbeFinding:
    """Why a probe fails."""

    cause: CauseId
    confidence: float
    alternatives: tuple[tuple[CauseId, float], ...]
    summary: str
    remediation: tuple[str, ...]
    evidence: tuple[Source, ...]
    output: str | None


def probe_of(subject: Subject, kind: str) -> Probe | None:
    """The container's probe of a kind, if its spec is known."""
    return {
        "liveness": subject.container.liveness,
        "readiness": subject.container.readiness,
        "startup": subject.container.startup,
    }.get(kind)


def earliest_kill_ms(probe: Probe) -> int:
    """How long after its start a container lives at least when a probe that always fails kills it."""
    return (probe.initial_delay_seconds + (probe.failure_threshold - 1) * probe.period_seconds) * 1000


def latest_first_kill_ms(probe: Probe) -> int:
    """How long after its start a container lives at most when a probe that always fails kills it, the grace period aside."""
    each = probe.period_seconds + probe.timeout_seconds
    return (probe.initial_delay_seconds + probe.failure_threshold * each + probe.period_seconds + 2) * 1000


def target_text(probe: Probe | None) -> str | None:
    """What the probe asks, for people: ``http :9999/healthz``, ``grpc :9555``, or the command."""
    if probe is None:
        return None
    if probe.handler == "exec":
        return " ".join(probe.command)[:200]
    if probe.handler == "http":
        scheme = (probe.scheme or "HTTP").lower()
        return f"{scheme} {probe.host or ''}:{probe.port}{probe.path or '/'}"
    return f"{probe.handler} :{probe.port}"


def _field(probe: Probe | None, kind: str, name: str) -> str:
    handler = {"http": "httpGet", "tcp": "tcpSocket", "grpc": "grpc", "exec": "exec"}.get(
        probe.handler if probe is not None else "http", "httpGet"
    )
    return f"{kind}Probe.{handler}.{name}"


def _asked_port(subject: Subject, probe: Probe | None, output: ProbeOutput | None) -> int | None:
    if probe is not None:
        if isinstance(probe.port, int):
            return probe.port
        for declared in subject.container.ports:
            if declared.name == probe.port:
                return declared.port
    return output.port if output is not None else None


def answered_before(subject: Subject, kind: str, probe: Probe | None, port: int | None, lived_ms: int | None) -> bool:
    """Whether the thing that the probe asks is known to have answered in this or an earlier instance."""
    if port is not None:
        readiness, startup = subject.container.readiness, subject.container.startup
        if kind == "liveness" and startup is not None and _asked_port(subject, startup, None) == port:
            return True
        if readiness is not None and subject.facts.ever_ready and _asked_port(subject, readiness, None) == port:
            return True
    if kind == "liveness" and probe is not None and lived_ms is not None:
        return lived_ms > latest_first_kill_ms(probe) + 1000
    return False


def better_port(subject: Subject, kind: str, port: int | None) -> tuple[int, str] | None:
    """Another port that is likelier right than the one asked, and why; None when nothing says so."""
    if port is None:
        return None
    others = [declared.port for declared in subject.container.ports if declared.protocol == "TCP"]
    readiness = subject.container.readiness
    if kind != "readiness" and readiness is not None and subject.facts.ever_ready:
        works = _asked_port(subject, readiness, None)
        if works is not None and works != port:
            return works, "the port that the readiness probe reaches"
    if others and port not in others:
        return others[0], "the port that the container declares"
    for log in reversed(subject.facts.logs):
        if log.port is not None and log.port != port and (not others or log.port in others or port not in others):
            return log.port, "the port that its log says it listens on"
    return None


def explain(view: View, subject: Subject, kind: str, lived_ms: int | None, *, inferred: bool = False) -> ProbeFinding:
    """Why a probe of that kind fails. ``lived_ms``: how long the instance lived before the kill, if known."""
    probe = probe_of(subject, kind)
    signal = view.latest(Form.PROBE_FAILED, subject.name, kind)
    output = read_probe_output(signal.text) if signal is not None else None
    if output is not None and output.answer is Answer.COMMAND_FAILED and probe is not None and probe.handler != "exec":
        output = ProbeOutput(Answer.UNKNOWN, None, output.port)
    port = _asked_port(subject, probe, output)
    before = answered_before(subject, kind, probe, port, lived_ms)
    better = better_port(subject, kind, port)
    cause, confidence, alternatives = _decide(kind, output, before=before, has_better=better is not None, probe=probe)
    evidence: list[Source] = []
    if signal is not None:
        evidence.append(signal)
    evidence.extend(_spec_words(view, subject, kind, probe))
    log = subject.last_log
    if better is not None and "log" in better[1] and log is not None:
        evidence.append(log)
    words = _words(kind, probe, output, cause, port=port, better=better, lived_ms=lived_ms)
    if inferred:
        confidence = min(confidence, 0.8)
    return ProbeFinding(
        cause,
        confidence,
        alternatives,
        words,
        _remediation(view, subject, kind, probe, output, cause, port, better),
        tuple(evidence),
        signal.text if signal is not None else None,
    )


def _spec_words(view: View, subject: Subject, kind: str, probe: Probe | None) -> list[Source]:
    if probe is None:
        return []
    ports = ", ".join(str(declared.port) for declared in subject.container.ports) or "none"
    text = (
        f"{kind} probe: {target_text(probe)}, delay {probe.initial_delay_seconds} s, period {probe.period_seconds} s, "
        f"time-out {probe.timeout_seconds} s, failure threshold {probe.failure_threshold}; declared ports: {ports}"
    )
    return [spec_evidence(view, text)]


_Choice = tuple[CauseId, float, tuple[tuple[CauseId, float], ...]]


def _decide(kind: str, output: ProbeOutput | None, *, before: bool, has_better: bool, probe: Probe | None) -> _Choice:
    if kind == "startup":
        return _decide_startup(output)
    answer = output.answer if output is not None else None
    if answer is None:
        return _decide_without_text(before=before, has_better=has_better)
    if answer in (Answer.REFUSED, Answer.CONNECT_TIMEOUT):
        if has_better and not before:
            return "liveness_probe_misconfigured", 0.92, (("startup_too_slow", 0.05),)
        if before:
            return "liveness_probe_failing", 0.9, (("startup_too_slow", 0.05),)
        return "startup_too_slow", 0.8, (("liveness_probe_misconfigured", 0.1), ("liveness_probe_failing", 0.1))
    if answer is Answer.STATUS:
        return _decide_status(output.status if output is not None else None, before=before, probe=probe)
    if answer in (Answer.WRONG_PROTOCOL, Answer.UNIMPLEMENTED, Answer.MISSING_COMMAND):
        return "liveness_probe_misconfigured", 0.93, (("liveness_probe_failing", 0.05),)
    if answer in (Answer.NOT_SERVING, Answer.COMMAND_FAILED, Answer.COMMAND_TIMEOUT):
        return "liveness_probe_failing", 0.9, (("liveness_probe_misconfigured", 0.08),)
    if answer is Answer.ANSWER_TIMEOUT:
        return "liveness_probe_failing", 0.88 if before else 0.8, (("startup_too_slow", 0.05 if before else 0.15),)
    return "liveness_probe_failing", 0.65, (("liveness_probe_misconfigured", 0.2), ("startup_too_slow", 0.15))


def _decide_status(status: int | None, *, before: bool, probe: Probe | None) -> _Choice:
    if status is None or (status >= 500 and status != 501):
        return "liveness_probe_failing", 0.93, (("liveness_probe_misconfigured", 0.05),)
    if before:
        return "liveness_probe_failing", 0.65, (("liveness_probe_misconfigured", 0.35),)
    if status in (404, 405, 410, 501):
        return "liveness_probe_misconfigured", 0.92, (("liveness_probe_failing", 0.08),)
    if status == 400 and probe is not None and (probe.scheme or "HTTP") == "HTTP":
        return "liveness_probe_misconfigured", 0.75, (("liveness_probe_failing", 0.25),)
    if status in (401, 403):
        return "liveness_probe_misconfigured", 0.7, (("liveness_probe_failing", 0.3),)
    return "liveness_probe_failing", 0.65, (("liveness_probe_misconfigured", 0.35),)


def _decide_startup(output: ProbeOutput | None) -> _Choice:
    answer = output.answer if output is not None else None
    if answer is None:
        return "startup_too_slow", 0.6, (("startup_probe_failing", 0.4),)
    if answer in (Answer.REFUSED, Answer.CONNECT_TIMEOUT, Answer.ANSWER_TIMEOUT, Answer.RESET):
        return "startup_too_slow", 0.88, (("startup_probe_failing", 0.12),)
    if answer is Answer.UNKNOWN:
        return "startup_too_slow", 0.55, (("startup_probe_failing", 0.45),)
    return "startup_probe_failing", 0.9, (("startup_too_slow", 0.1),)


def _decide_without_text(*, before: bool, has_better: bool) -> _Choice:
    if before:
        return "liveness_probe_failing", 0.7, (("liveness_probe_misconfigured", 0.1),)
    if has_better:
        return "liveness_probe_misconfigured", 0.7, (("startup_too_slow", 0.2), ("liveness_probe_failing", 0.1))
    return "liveness_probe_failing", 0.5, (("startup_too_slow", 0.3), ("liveness_probe_misconfigured", 0.2))


def met_text(output: ProbeOutput | None, probe: Probe | None) -> str:
    """What the probe met, in words."""
    if output is None:
        return "fails"
    if output.answer is Answer.STATUS:
        return f"gets status {output.status}"
    if output.answer is Answer.MISSING_COMMAND:
        return "runs a command that the image does not have, or that may not be executed"
    return {
        Answer.REFUSED: "is refused: nothing listens there",
        Answer.CONNECT_TIMEOUT: "cannot connect",
        Answer.ANSWER_TIMEOUT: f"gets no answer within {probe.timeout_seconds} s"
        if probe is not None
        else "gets no answer in time",
        Answer.WRONG_PROTOCOL: "meets another protocol than it speaks",
        Answer.NOT_SERVING: "is told NOT_SERVING",
        Answer.UNIMPLEMENTED: "meets a server without the gRPC health service",
        Answer.RESET: "finds its connection reset",
        Answer.MISSING_COMMAND: "runs a command that the image does not have",
        Answer.COMMAND_FAILED: "runs a command that fails",
        Answer.COMMAND_TIMEOUT: "runs a command that does not finish in time",
        Answer.UNKNOWN: "fails",
    }.get(output.answer, "fails")


def _words(
    kind: str,
    probe: Probe | None,
    output: ProbeOutput | None,
    cause: str,
    *,
    port: int | None,
    better: tuple[int, str] | None,
    lived_ms: int | None,
) -> str:
    target = target_text(probe)
    asks = f"its {kind} probe ({target})" if target else f"its {kind} probe"
    met = met_text(output, probe)
    end = f", so the kubelet kills it{' after ' + duration_text(lived_ms) if lived_ms else ''}"
    if (
        cause == "liveness_probe_misconfigured"
        and better is not None
        and output is not None
        and output.answer in (Answer.REFUSED, Answer.CONNECT_TIMEOUT)
    ):
        return f"{asks} asks port {port}, but {better[1]} is {better[0]}{end}"
    if cause == "startup_too_slow":
        return f"{asks} {met} since the start: the application starts too slowly or does not listen there at all{end}"
    return f"{asks} {met}{end}"


def _remediation(
    view: View,
    subject: Subject,
    kind: str,
    probe: Probe | None,
    output: ProbeOutput | None,
    cause: str,
    port: int | None,
    better: tuple[int, str] | None,
) -> tuple[str, ...]:
    answer = output.answer if output is not None else None
    logs = f"kubectl -n {view.track.namespace} logs {view.track.name} -c {subject.name} --previous"
    steps: list[str] = []
    if better is not None and port is not None and answer in (None, Answer.REFUSED, Answer.CONNECT_TIMEOUT):
        steps.append(f"{_field(probe, kind, 'port')}: {port} → {better[0]}, {better[1]}")
    if answer is Answer.STATUS and output is not None and output.status in (404, 405, 410):
        path = probe.path if probe is not None and probe.path else "/"
        steps.append(
            f"{kind}Probe.httpGet.path: {path} → a path that the application answers with 200 (it answers {output.status} here)"
        )
    elif answer is Answer.STATUS and output is not None and output.status in (401, 403):
        steps.append(
            f"{kind}Probe.httpGet.path: name a path that needs no login (it answers {output.status}), or add httpHeaders"
        )
    elif answer is Answer.STATUS and output is not None and output.status == 400:
        steps.append(f"{kind}Probe.httpGet.scheme: HTTP → HTTPS, if the port speaks TLS")
    elif answer is Answer.WRONG_PROTOCOL:
        steps.append(_protocol_step(kind, probe))
    elif answer is Answer.UNIMPLEMENTED:
        steps.append(
            f"{kind}Probe.grpc: the server has no grpc.health.v1.Health service; add it, or use tcpSocket on port {port}"
        )
    elif answer is Answer.MISSING_COMMAND:
        steps.append(f"{kind}Probe.exec.command: name a command that exists in the image and may be executed")
    elif answer in (Answer.ANSWER_TIMEOUT, Answer.COMMAND_TIMEOUT):
        now = probe.timeout_seconds if probe is not None else 1
        steps.append(f"{kind}Probe.timeoutSeconds: {now} → {max(5, now * 5)}, if the application is only slow")
    if cause == "startup_too_slow":
        steps.append(_startup_step(kind, probe))
        steps.append("Check that it listens on 0.0.0.0 and not only on localhost, and on which port: " + logs)
    elif not steps or cause in ("liveness_probe_failing", "startup_probe_failing"):
        steps.append(f"Find out why it answers badly: {logs}")
    return tuple(steps)


def _protocol_step(kind: str, probe: Probe | None) -> str:
    scheme = (probe.scheme or "HTTP") if probe is not None else "HTTP"
    if scheme == "HTTPS":
        return f"{kind}Probe.httpGet.scheme: HTTPS → HTTP, since the port does not speak TLS"
    port = probe.port if probe is not None else "PORT"
    return f"{kind}Probe.httpGet → the port's own protocol: grpc: {{port: {port}}} for a gRPC server, scheme: HTTPS for TLS, else tcpSocket"


def _startup_step(kind: str, probe: Probe | None) -> str:
    period = probe.period_seconds if probe is not None else 10
    if kind == "startup":
        now = probe.failure_threshold if probe is not None else 3
        return f"startupProbe.failureThreshold: {now} → {max(30, now * 3)}, to allow {max(30, now * 3) * period} s of start-up"
    return f"Add a startupProbe like the livenessProbe with failureThreshold: 30 and periodSeconds: {period}, to allow {30 * period} s of start-up"
