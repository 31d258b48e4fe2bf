"""A container is killed or restarted, and no termination was seen: events, logs and waiting reasons alone tell why."""

from typing import Final, cast

from processor.messages import Form
from processor.rules import probes
from processor.rules.reason import Reason, describe_command, logs_command, short_text
from processor.rules.view import Source, Subject, View, status_evidence
from schemas.diagnosis import CauseId

LOG_CAUSES: Final = frozenset({"dependency_unavailable", "config_error", "read_only_or_permission"})


def hook(view: View, subject: Subject) -> Reason | None:
    """The postStart hook failed, by event or by waiting reason."""
    settled = view.settled_ms(subject.name, "container_restarts")
    signal = view.latest(Form.HOOK_FAILED, subject.name)
    if signal is not None and (signal.at_ms <= settled or not view.is_fresh(signal.at_ms)):
        signal = None
    failed_ms = subject.facts.hook_failed_ms
    waiting = failed_ms is not None and failed_ms > settled and view.is_fresh(failed_ms)
    if signal is None and not waiting:
        return None
    text = (subject.facts.hook_error if waiting else None) or (signal.text if signal is not None else "")
    evidence: list[Source] = [status_evidence(view, "PostStartHookError", text, failed_ms)] if waiting and text else []
    if signal is not None:
        evidence.append(signal)
    if subject.facts.ends:
        evidence.append(subject.facts.ends[-1])
    steps = (
        f"Correct spec.containers[{subject.name}].lifecycle.postStart",
        f"Run its command by hand: kubectl -n {view.track.namespace} exec {view.track.name} -c {subject.name} -- …",
    )
    return Reason("post_start_hook_failed", 0.96, _hook_words(text), steps, evidence, at_once=True)


def _hook_words(text: str) -> str:
    why = short_text(text) if text and text not in ("PostStartHook failed", "FailedPostStartHook") else ""
    return "its postStart hook fails, so the kubelet kills it" + (f": {why}" if why else "")


def killed_by_events(view: View, subject: Subject) -> Reason | None:
    """No termination is known: the Killing event alone tells."""
    settled = view.settled_ms(subject.name, "container_restarts")
    signal = view.latest(Form.PROBE_KILL, subject.name)
    if signal is None or signal.at_ms <= settled or not view.is_fresh(signal.at_ms):
        return None
    started = [known.first_ms for known in view.of(Form.STARTED, subject.name)]
    if not started and subject.facts.running_since_ms is not None:
        started = [subject.facts.running_since_ms]
    lived = signal.first_ms - min(started) if started and signal.first_ms >= min(started) else None
    finding = probes.explain(view, subject, signal.probe or "liveness", lived)
    return Reason(
        finding.cause,
        round(finding.confidence * 0.95, 2),
        finding.summary,
        finding.remediation,
        [signal, *finding.evidence],
        finding.alternatives,
        at_once=True,
        probe_kind=signal.probe or "liveness",
        probe_output=finding.output,
    )


def unseen(view: View, subject: Subject) -> Reason:
    """It restarts, and neither an exit code nor an event says why."""
    for kind in ("liveness", "startup"):
        failed = view.latest(Form.PROBE_FAILED, subject.name, kind)
        probe = probes.probe_of(subject, kind)
        if failed is not None and failed.count >= (probe.failure_threshold if probe is not None else 3):
            finding = probes.explain(view, subject, kind, None, inferred=True)
            return Reason(
                finding.cause,
                round(finding.confidence * 0.8, 2),
                finding.summary,
                finding.remediation,
                list(finding.evidence),
                (*finding.alternatives, ("app_error_exit", 0.2)),
                probe_kind=kind,
                probe_output=finding.output,
            )
    for log in reversed(subject.facts.logs):
        if log.hint in LOG_CAUSES and log.line is not None:
            return Reason(
                cast("CauseId", log.hint),
                0.6,
                f"it ends again and again, and its log says: {short_text(log.line)}",
                (f"Read more: {logs_command(view, subject)}",),
                [log],
                (("app_error_exit", 0.3),),
            )
    return Reason(
        "app_error_exit",
        0.5,
        "it ends and is restarted again and again; its exit code was not seen",
        (f"See its exit code: {describe_command(view)}", f"Read its last lines: {logs_command(view, subject)}"),
        [],
        (("exits_zero", 0.15), ("liveness_probe_failing", 0.15), ("unknown", 0.1)),
    )
