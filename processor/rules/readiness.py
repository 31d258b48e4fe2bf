"""The container runs and is not ready, long enough to matter.

Sources: pkg/kubelet/prober/worker.go (readiness starts after initialDelaySeconds, and after the startup probe), status/generate.go.
"""

from typing import Final

from processor.messages import Form, read_probe_output
from processor.rules import probes
from processor.rules.view import (
    CauseDoc,
    Source,
    Subject,
    Verdict,
    View,
    duration_text,
    spec_evidence,
    status_evidence,
)

CAUSES: Final = (
    CauseDoc(
        "readiness_probe_failing",
        "not_ready",
        "The readiness probe fails long enough to matter, without any kill: the pod gets no traffic.",
        "The container runs and is not ready for two minutes after it could be expected, or after having been ready.",
        ("Look at what the readiness probe asks and meets, and at the application's log.",),
    ),
)


#: Before that, a slow start may still end well; only a question about this moment asks so early.
_SURE_MS: Final = 120_000


def decide(view: View, subject: Subject) -> Verdict | None:
    """The verdict on a container's readiness, or None."""
    probe = subject.container.readiness
    settled = view.settled_ms(subject.name, "not_ready")
    signal = view.latest(Form.PROBE_FAILED, subject.name, "readiness") or view.latest(
        Form.PROBE_ERRORED, subject.name, "readiness"
    )
    if signal is not None and signal.at_ms <= settled:
        signal = None
    if view.pod.deletion_at is not None or view.pod.phase in ("Succeeded", "Failed"):
        return None
    if not view.has_pod or subject.container.state is None:
        return _from_events(view, subject)
    if probe is None and signal is None:
        return None
    since = subject.facts.unready_since_ms
    if not subject.is_running or since is None:
        return None
    if subject.container.startup is not None and subject.container.started is False:
        return None
    expected = since
    running = subject.facts.running_since_ms
    if probe is not None and running is not None and not subject.facts.ever_ready:
        expected = max(since, running + probe.initial_delay_seconds * 1000)
    due = expected + _patience_ms(view, subject)
    if not view.passed(due):
        return None
    reason = signal is not None or probe is not None
    if not reason:
        return None
    lasting = max(0, view.clock_ms - expected)
    return _verdict(view, subject, expected, view.track.pod_seen_ms, lasting)


def _patience_ms(view: View, subject: Subject) -> int:
    """Two minutes; longer when a failing liveness probe is about to decide the same trouble, so that it is told once."""
    patience = view.settings.not_ready_after_seconds * 1000
    liveness = subject.container.liveness
    if (
        liveness is not None
        and view.latest(Form.PROBE_FAILED, subject.name, "liveness") is not None
        and not view.settings.one_moment
    ):
        patience = max(patience, probes.latest_first_kill_ms(liveness))
    return patience


def _from_events(view: View, subject: Subject) -> Verdict | None:
    """No pod state: failures that go on for long, with nothing after them that says it started anew."""
    signal = view.latest(Form.PROBE_FAILED, subject.name, "readiness")
    if signal is None or not view.is_fresh(signal.at_ms) or signal.at_ms <= view.settled_ms(subject.name, "not_ready"):
        return None
    if any(True for form in (Form.CRASH_BACKOFF, Form.PROBE_KILL, Form.PLAIN_STOP) for _ in view.of(form, subject.name)):
        return None
    patience = view.settings.not_ready_after_seconds * 1000
    if signal.at_ms - signal.first_ms < patience or signal.count < 3:
        return None
    return _verdict(view, subject, signal.first_ms, signal.at_ms, signal.at_ms - signal.first_ms)


def has_recovered(view: View, subject: Subject, moment_ms: int) -> bool:
    """Whether, by a moment, the container has been ready for long enough."""
    since = subject.facts.ready_since_ms
    if since is None:
        return False
    due = since + view.settings.ready_for_seconds * 1000
    if moment_ms < due:
        view.wake_at(due)
    return moment_ms >= due


def _verdict(view: View, subject: Subject, first_ms: int, last_ms: int, lasting_ms: int) -> Verdict:
    probe = subject.container.readiness
    signal = view.latest(Form.PROBE_FAILED, subject.name, "readiness") or view.latest(
        Form.PROBE_ERRORED, subject.name, "readiness"
    )
    evidence: list[Source] = []
    output = read_probe_output(signal.text) if signal is not None else None
    if signal is not None:
        evidence.append(signal)
    if view.has_pod and subject.container.state is not None:
        evidence.append(
            status_evidence(
                view, "ContainersNotReady", f"running, not ready for {duration_text(lasting_ms)}", view.track.pod_seen_ms
            )
        )
    target = probes.target_text(probe)
    if target is not None and probe is not None:
        ports = ", ".join(str(port.port) for port in subject.container.ports) or "none"
        evidence.append(
            spec_evidence(
                view,
                f"readiness probe: {target}, period {probe.period_seconds} s, failure threshold {probe.failure_threshold}; declared ports: {ports}",
            )
        )
    log = subject.last_log
    if log is not None and log.hint is not None:
        evidence.append(log)
    asked = f"its readiness probe ({target})" if target else "its readiness probe"
    port = output.port if output is not None else None
    if probe is not None and isinstance(probe.port, int):
        port = probe.port
    better = probes.better_port(subject, "readiness", port)
    steps = []
    if (better is not None and output is not None and "refused" in (output.answer.value, "")) or (
        better is not None and output is not None and output.answer.value == "connect_timeout"
    ):
        steps.append(f"readinessProbe port: {port} → {better[0]}, {better[1]}")
    steps.append(
        f"Ask what it asks: kubectl -n {view.track.namespace} exec {view.track.name} -c {subject.name} -- …; and read: kubectl -n {view.track.namespace} logs {view.track.name} -c {subject.name}"
    )
    return Verdict(
        problem="not_ready",
        container=subject.name,
        cause="readiness_probe_failing",
        confidence=(0.92 if signal is not None else 0.75) * (0.7 if lasting_ms < _SURE_MS else 1.0),
        summary=f"{asked} {probes.met_text(output, probe)}, so it gets no traffic",
        rule="readiness.readiness_probe_failing",
        opens=True,
        first_ms=signal.first_ms if signal is not None else first_ms,
        last_ms=max(signal.at_ms if signal is not None else 0, last_ms),
        occurrences=view.within_window(signal) if signal is not None else 1,
        remediation=tuple(steps),
        evidence=evidence,
        probe_kind="readiness",
        probe=probe,
        probe_output=signal.text if signal is not None else None,
        condition="not_ready",
    )
