"""The container ends again and again: when that is a problem, how often it failed, and which of its ends tells why.

Sources: pkg/kubelet/kuberuntime/kuberuntime_manager.go (doBackOff, computePodActions).
"""

from processor.history import End, time_ms
from processor.messages import Form
from processor.rules import exits, probes, start_errors, unwitnessed
from processor.rules.ends import TROUBLES, abnormal_ends
from processor.rules.reason import Reason
from processor.rules.view import Subject, Verdict, View, status_evidence


def decide(view: View, subject: Subject) -> Verdict | None:
    """The verdict on a container that ends, or None."""
    ends = abnormal_ends(view, subject)
    recent = [end for end in ends if view.is_fresh(end.at_ms)]
    settled = view.settled_ms(subject.name, "container_restarts")
    back_off = subject.waiting_reason == "CrashLoopBackOff"
    back_off_event = view.latest(Form.CRASH_BACKOFF, subject.name)
    if back_off_event is not None and (back_off_event.at_ms <= settled or not view.is_fresh(back_off_event.at_ms)):
        back_off_event = None
    if back_off and not recent and ends:
        recent = ends[-1:]
    failed_for_good = view.pod.phase == "Failed" and bool(ends)
    if failed_for_good and not recent:
        recent = ends[-1:]
    reason = _reason_of_latest(view, subject, recent, back_off=back_off, event=back_off_event is not None)
    if reason is None:
        return None
    looping = (back_off or back_off_event is not None) and not _all_explained_away(view, subject, ends)
    count = _failures(view, subject, recent)
    if looping:
        # The first restart is immediate: a back-off says that the container ended at least twice (kuberuntime_manager.go, doBackOff).
        count = max(count, 2)
    opens = looping or failed_for_good or reason.at_once or count >= 2
    evidence = list(reason.evidence)
    if back_off:
        evidence.append(status_evidence(view, "CrashLoopBackOff", subject.facts.waiting_text or "waiting: CrashLoopBackOff"))
    if back_off_event is not None:
        evidence.append(back_off_event)
    moments = (
        [end.at_ms for end in recent]
        + ([back_off_event.at_ms] if back_off_event is not None else [])
        + _trouble_moments(view, subject, settled)
    )
    end = recent[-1] if recent else None
    probe = probes.probe_of(subject, reason.probe_kind) if reason.probe_kind is not None else None
    first = min(
        [end.at_ms for end in recent]
        + ([max(back_off_event.first_ms, settled)] if back_off_event is not None and not recent else []),
        default=_first_trouble_ms(view, subject, reason.probe_kind, settled),
    )
    return Verdict(
        problem="container_restarts",
        container=subject.name,
        cause=reason.cause,
        confidence=reason.confidence,
        summary=reason.summary,
        rule=f"restarts.{reason.cause}",
        opens=opens,
        first_ms=first,
        last_ms=max(moments, default=view.track.pod_seen_ms),
        occurrences=max(1, count),
        remediation=reason.remediation,
        alternatives=reason.alternatives,
        evidence=evidence,
        end=end,
        probe_kind=reason.probe_kind,
        probe=probe,
        probe_output=reason.probe_output,
        memory_limit_bytes=subject.container.memory_limit_bytes if reason.cause == "oom_killed" else None,
        condition="failed" if failed_for_good else "restarting",
    )


def _first_trouble_ms(view: View, subject: Subject, probe_kind: str | None, settled: int) -> int:
    """When it began, by the events: no termination is known yet."""
    first = [signal.first_ms for form in TROUBLES for signal in view.of(form, subject.name) if signal.at_ms > settled]
    if probe_kind is not None:
        failed = view.latest(Form.PROBE_FAILED, subject.name, probe_kind)
        first += [failed.first_ms] if failed is not None and failed.at_ms > settled else []
    return max(settled, min(first)) if first else view.track.pod_seen_ms


def _trouble_moments(view: View, subject: Subject, settled: int) -> list[int]:
    return [
        signal.at_ms
        for form in TROUBLES
        for signal in view.of(form, subject.name)
        if signal.at_ms > settled and view.is_fresh(signal.at_ms)
    ]


def _all_explained_away(view: View, subject: Subject, ends: list[End]) -> bool:
    """Every end that is known was intended, so a back-off that follows is no failure (a sandbox change, a planned restart)."""
    return bool(subject.facts.ends) and not ends and subject.waiting_reason != "CrashLoopBackOff" and view.has_pod


def _failures(view: View, subject: Subject, recent: list[End]) -> int:
    """How often it failed within the window: from the restart count where the window covers it, never fewer than the ends known."""
    restarts = subject.facts.restarts
    if not restarts:
        # Without a status, the events count: one Killing is one failure. A failed hook is told twice, by its own event and by Killing.
        kills = sum(signal.count for signal in view.of(Form.PROBE_KILL, subject.name))
        hooks = max((signal.count for signal in view.of(Form.HOOK_FAILED, subject.name)), default=0)
        return max(len(recent), min(kills + hooks, 1000))
    begin = view.now_ms - view.window_ms
    settled = view.settled_ms(subject.name, "container_restarts")
    born = _born_ms(view)
    base = restarts[0][1] if born is None or born < begin else 0
    if restarts[0][0] > begin and born is not None and born < begin and recent:
        base = max(0, restarts[0][1] - _restarts_before_first_look(view, subject, recent, restarts[0]))
    for moment, count in restarts:
        if moment <= max(begin, settled):
            base = count
    pending = (
        1
        if not subject.is_running and recent and not subject.facts.running_since_ms and subject.container.state is not None
        else 0
    )
    planned = len(subject.facts.ends) - len(abnormal_ends(view, subject)) if not settled else 0
    return max(len(recent), restarts[-1][1] - base + pending - max(0, planned))


def _restarts_before_first_look(view: View, subject: Subject, recent: list[End], first: tuple[int, int]) -> int:
    """How many of the restarts that a first look shows fall into the window: from the pace of a loop, else only the ends that are known."""
    seen = first[0]
    known = [end for end in recent if end.at_ms <= seen]
    if not known:
        return 0
    lived = [end.finished_ms - end.started_ms for end in known if end.finished_ms is not None and end.started_ms is not None]
    fast = (
        view.latest(Form.CRASH_BACKOFF, subject.name) is not None
        or subject.waiting_reason == "CrashLoopBackOff"
        or _paced(view, subject, first)
    )
    if not fast or not lived:
        return len(known)
    # Back-off reaches five minutes (pkg/kubelet/kubelet.go, MaxContainerBackOff): a loop of that pace fits so often into the window.
    pace = max(lived[-1], 1000) + 300_000
    born = _born_ms(view)
    if born is not None and first[1] > 0:
        pace = min(pace, max(1000, (seen - born) // first[1]))
    return max(len(known), min(first[1], round(view.window_ms / pace)))


def _paced(view: View, subject: Subject, first: tuple[int, int]) -> bool:
    """Whether the average distance of the restarts lies within the window."""
    born = _born_ms(view)
    return born is not None and first[1] > 0 and (first[0] - born) / first[1] <= view.window_ms and len(subject.facts.ends) > 0


def _born_ms(view: View) -> int | None:
    return time_ms(view.pod.created_at) or time_ms(view.pod.started_at)


def _reason_of_latest(view: View, subject: Subject, recent: list[End], *, back_off: bool, event: bool) -> Reason | None:
    hook = unwitnessed.hook(view, subject)
    if hook is not None:
        return hook
    if recent:
        return _most_telling(view, subject, recent[-3:])
    refused = start_errors.start_refused(view, subject)
    if refused is not None:
        return refused
    killed = unwitnessed.killed_by_events(view, subject)
    if killed is not None:
        return killed
    if back_off or (event and not _benign_only(view, subject) and not _was_stopped(view, subject)):
        return unwitnessed.unseen(view, subject)
    restarts = subject.facts.restarts
    if len(restarts) >= 2 and restarts[-1][1] - restarts[0][1] >= 2 and not subject.facts.ends:
        return unwitnessed.unseen(view, subject)
    return None


def _was_stopped(view: View, subject: Subject) -> bool:
    """Whether, where no pod state tells more, the last that was heard is that the container was stopped: its pod is gone."""
    stop = view.latest(Form.PLAIN_STOP, subject.name)
    troubles = [signal.at_ms for form in TROUBLES for signal in view.of(form, subject.name)]
    return not view.has_pod and stop is not None and stop.at_ms >= max(troubles, default=0)


def _benign_only(view: View, subject: Subject) -> bool:
    return bool(subject.facts.ends) and not abnormal_ends(view, subject)


def _most_telling(view: View, subject: Subject, ends: list[End]) -> Reason:
    """The reason of the newest end, unless it is a bare guess where an earlier end of the same loop is explained."""
    newest = exits.explain(view, subject, ends[-1])
    if newest.confidence >= 0.8:
        return newest
    guess = newest.cause in ("killed_externally", "unknown") or newest.confidence < 0.6
    by_itself = newest.cause in ("exits_zero", "app_error_exit")
    for end in reversed(ends[:-1]):
        earlier = exits.explain(view, subject, end)
        if guess and earlier.confidence > newest.confidence + 0.1:
            return earlier
        if by_itself and earlier.probe_kind is not None and earlier.confidence >= 0.9:
            return earlier
    return newest
