"""The container ends again and again: why each instance ended, by status first, then events, then its log.

Sources: facts on exit codes and reasons in api/core/v1/types.go (ContainerStateTerminated), containerd internal/cri/server,
pkg/kubelet/kuberuntime/kuberuntime_manager.go (doBackOff, computePodActions).
"""

from dataclasses import dataclass
from typing import Final, cast

from processor.history import End
from processor.message_forms import Form, start_error_cause
from processor.rules import probes
from processor.rules.view import (
    CauseDoc,
    Subject,
    Verdict,
    View,
    bytes_text,
    duration_text,
    end_evidence,
    log_evidence,
    signal_evidence,
    status_evidence,
)
from schemas.diagnosis import CauseId, Evidence

CAUSES: Final = (
    CauseDoc("app_error_exit", "container_restarts", "The process ends by itself with a non-zero exit code.", "A non-zero exit code with no probe kill, OOM kill, signal or start error behind it, and a log that names no better cause.", ("Read the last lines before it ended: kubectl logs POD -c CONTAINER --previous.",)),
    CauseDoc("exits_zero", "container_restarts", "The main process ends with 0 and is restarted: it finished, or put itself into the background.", "Exit code 0, reason Completed, and restartPolicy Always.", ("Keep the main process in the foreground.", "If it is meant to finish, run it as a Job.")),
    CauseDoc("dependency_unavailable", "container_restarts", "The application ends because it cannot reach something it needs.", "A non-zero exit whose log tail names a refused connection, an unknown host or a time-out.", ("Check that what the log names runs and can be reached from the pod.",)),
    CauseDoc("config_error", "container_restarts", "The application ends because a setting, file or variable is missing or bad.", "A non-zero exit whose log tail names a bad or missing setting, file or variable.", ("Correct the setting that the log names: env, ConfigMap, arguments.",)),
    CauseDoc("read_only_or_permission", "container_restarts", "The application may not write or open what it needs.", "A non-zero exit whose log tail names a read-only file system or a denied path.", ("Mount a writable volume at that path, or set fsGroup or runAsUser.",)),
    CauseDoc("oom_killed", "container_restarts", "The kernel kills the container for exceeding its memory limit.", "Reason OOMKilled; or 137 beside earlier OOM kills of the same container. Never 137 alone.", ("Raise resources.limits.memory, or lower what the application uses.",)),
    CauseDoc("signal_crash", "container_restarts", "The process crashes: SIGSEGV, SIGABRT, SIGBUS, SIGFPE or SIGILL.", "Exit code 139, 134, 135, 136 or 132.", ("Look for the crash report in the log; check native libraries and the CPU they need.",)),
    CauseDoc("killed_externally", "container_restarts", "Something outside Kubernetes' own reasons kills the process with SIGKILL or SIGTERM.", "Exit code 137 or 143 with no probe, OOM, deletion or eviction to explain it.", ("Look for what kills it: the node's kernel log (SystemOOM), agents, kill commands in the container.",)),
    CauseDoc("command_not_found", "container_restarts", "The command does not exist in the image.", "Exit code 127, or the runtime says `executable file not found` or `no such file or directory`.", ("Correct command or args, or add the program to the image.",)),
    CauseDoc("permission_denied_exec", "container_restarts", "The command exists and may not be executed.", "Exit code 126, or the runtime says `permission denied` for the executable.", ("Set the executable bit in the image, or correct runAsUser.",)),
    CauseDoc("architecture_mismatch", "container_restarts", "The program is built for another processor architecture than the node's.", "`exec format error`.", ("Build the image for the node's architecture, or select nodes with kubernetes.io/arch.",)),
    CauseDoc("post_start_hook_failed", "container_restarts", "The postStart hook fails, so the kubelet kills the container.", "FailedPostStartHook, or waiting with PostStartHookError.", ("Correct lifecycle.postStart; run its command by hand in the container.",)),
    CauseDoc("unknown", "container_restarts", "Something is wrong, and nothing seen says what.", "None of the other causes holds.", ("Look at the evidence, and at kubectl describe pod.",)),
)

_SIGNALS: Final = {132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 139: "SIGSEGV"}
_SIGNAL_NUMBERS: Final = {4: 132, 6: 134, 7: 135, 8: 136, 11: 139, 9: 137, 15: 143}
_LOG_CAUSES: Final = frozenset({"dependency_unavailable", "config_error", "read_only_or_permission"})


@dataclass(slots=True)
class _Reason:
    """Why one instance ended."""

    cause: CauseId
    confidence: float
    summary: str
    remediation: tuple[str, ...]
    evidence: list[Evidence]
    alternatives: tuple[tuple[CauseId, float], ...] = ()
    at_once: bool = False
    probe_kind: str | None = None
    probe_output: str | None = None


# --- which ends are failures ---------------------------------------------------------------------------------------------------


def abnormal_ends(view: View, subject: Subject) -> list[End]:
    """The ends that nothing intended: no deletion, planned restart, sandbox change, completion or lost node explains them."""
    settled = view.settled_ms(subject.name, "container_restarts")
    return [end for end in subject.facts.ends if end.at_ms > settled and not _is_benign(view, subject, end)]


def _is_benign(view: View, subject: Subject, end: End) -> bool:
    if end.terminating or view.pod.reason in _POD_REASONS_THAT_EXPLAIN or _is_lost(end):
        return True
    if code_of(end) == 0 and end.reason != "OOMKilled" and _may_complete(view, subject):
        return True
    if subject.type == "sidecar" and _mains_have_ended(view):
        return True
    if _was_planned(view, subject, end):
        return True
    return _was_sandbox(view, end)


_POD_REASONS_THAT_EXPLAIN: Final = frozenset({"Evicted", "Preempting", "Terminated", "Shutdown", "NodeShutdown", "DeadlineExceeded", "NodeLost"})


def code_of(end: End) -> int | None:
    """The exit code, taking a bare signal number for 128 + n."""
    if (end.exit_code is None or end.exit_code == 0) and end.signal:
        return _SIGNAL_NUMBERS.get(end.signal, 128 + end.signal)
    return end.exit_code


def _is_lost(end: End) -> bool:
    """The exit was lost over a restart of the node or the runtime (containerd restart.go; kubelet_pods.go:2138)."""
    return end.reason == "ContainerStatusUnknown" or (end.exit_code == 255 and end.reason == "Unknown")


def _may_complete(view: View, subject: Subject) -> bool:
    if subject.type == "init":
        return True
    policy = subject.container.restart_policy or view.pod.restart_policy
    if subject.type == "sidecar" or policy == "Always":
        return False
    if policy in ("OnFailure", "Never") or view.pod.phase == "Succeeded":
        return True
    controller = view.pod.controller or view.pod.owner
    if controller is not None and controller.kind in ("Job", "CronJob"):
        return True
    # The policy is not known: being restarted after a 0 shows that it is Always.
    return not subject.facts.restarts or max(count for _, count in subject.facts.restarts) == 0


def _mains_have_ended(view: View) -> bool:
    mains = [container for container in view.pod.containers if container.type == "app"]
    return bool(mains) and all(main.state is not None and main.state.terminated is not None for main in mains)


def _was_planned(view: View, subject: Subject, end: End) -> bool:
    slack = max(60, view.pod.termination_grace_period_seconds or 30) * 1000 + 5000
    for signal in view.of(Form.PLANNED_RESTART, subject.name):
        if end.at_ms - slack <= signal.at_ms <= end.at_ms + 5000:
            return True
    changed = subject.facts.image_changed_ms
    return changed is not None and abs(end.seen_ms - changed) <= slack


def _was_sandbox(view: View, end: End) -> bool:
    if end.reason in ("OOMKilled", "StartError"):
        return False
    return any(end.at_ms - 120_000 <= signal.at_ms <= end.at_ms + 120_000 for signal in view.of(Form.SANDBOX_CHANGED))


def has_recovered(view: View, subject: Subject, moment_ms: int) -> bool:
    """Whether, by a moment, the container has run long enough since its last start to be well again."""
    needed = view.settings.recovered_after_seconds * 1000
    since = subject.facts.running_since_ms
    if subject.is_running and since is not None:
        since = max([since, *(signal.at_ms for signal in view.of(Form.PROBE_KILL, subject.name) if _is_after_start(signal.at_ms, since))])
        if moment_ms - since < needed:
            view.wake_at(since + needed)
        return moment_ms - since >= needed
    if view.has_pod and subject.container.state is not None:
        return False
    started = view.latest(Form.STARTED, subject.name)
    if started is None:
        return False
    troubles = [signal.at_ms for form in _TROUBLES for signal in view.of(form, subject.name)]
    # Without a status, silence is the only sign, and visible repeats of a back-off can be 390 s apart (event spam filter).
    quiet_since = max([started.at_ms, *(trouble + 400_000 for trouble in troubles)])
    if moment_ms - quiet_since < needed:
        view.wake_at(quiet_since + needed)
    return moment_ms - quiet_since >= needed


_TROUBLES: Final = (Form.CRASH_BACKOFF, Form.PROBE_KILL, Form.HOOK_FAILED)


def _is_after_start(at_ms: int, since_ms: int) -> bool:
    return at_ms > since_ms + 2000


def has_completed(view: View, subject: Subject) -> bool:
    """Whether the container ended with 0 where that is the purpose."""
    if view.pod.phase == "Succeeded":
        return True
    state = subject.container.state
    ended = state.terminated if state is not None else None
    return ended is not None and ended.exit_code == 0 and ended.reason != "OOMKilled" and _may_complete(view, subject) and view.has_pod


# --- the verdict ---------------------------------------------------------------------------------------------------------------


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
    opens = looping or failed_for_good or reason.at_once or count >= 2
    evidence = list(reason.evidence)
    if back_off:
        evidence.append(status_evidence(view, "CrashLoopBackOff", subject.facts.waiting_text or "waiting: CrashLoopBackOff"))
    if back_off_event is not None:
        evidence.append(signal_evidence(back_off_event))
    moments = [end.at_ms for end in recent] + ([back_off_event.at_ms] if back_off_event is not None else []) + _trouble_moments(view, subject, settled)
    end = recent[-1] if recent else None
    probe = probes.probe_of(subject, reason.probe_kind) if reason.probe_kind is not None else None
    first = min([end.at_ms for end in recent] + ([max(back_off_event.first_ms, settled)] if back_off_event is not None and not recent else []), default=view.track.pod_seen_ms)
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


def _trouble_moments(view: View, subject: Subject, settled: int) -> list[int]:
    return [signal.at_ms for form in _TROUBLES for signal in view.of(form, subject.name) if signal.at_ms > settled and view.is_fresh(signal.at_ms)]


def _all_explained_away(view: View, subject: Subject, ends: list[End]) -> bool:
    """Every end that is known was intended, so a back-off that follows is no failure (a sandbox change, a planned restart)."""
    return bool(subject.facts.ends) and not ends and subject.waiting_reason != "CrashLoopBackOff" and view.has_pod


def _failures(view: View, subject: Subject, recent: list[End]) -> int:
    """How often it failed within the window: from the restart count where the window covers it, never fewer than the ends known."""
    restarts = subject.facts.restarts
    if not restarts:
        # Without a status, the events count: one Killing is one failure, one BackOff event follows at least two.
        kills = sum(signal.count for form in (Form.PROBE_KILL, Form.HOOK_FAILED) for signal in view.of(form, subject.name))
        return max(len(recent), min(kills, 1000))
    begin = view.now_ms - view.window_ms
    settled = view.settled_ms(subject.name, "container_restarts")
    born = _born_ms(view)
    base = restarts[0][1] if born is None or born < begin else 0
    if restarts[0][0] > begin and born is not None and born < begin and recent:
        base = max(0, restarts[0][1] - _restarts_before_first_look(view, subject, recent, restarts[0]))
    for moment, count in restarts:
        if moment <= max(begin, settled):
            base = count
    pending = 1 if not subject.is_running and recent and not subject.facts.running_since_ms and subject.container.state is not None else 0
    planned = len(subject.facts.ends) - len(abnormal_ends(view, subject)) if not settled else 0
    return max(len(recent), restarts[-1][1] - base + pending - max(0, planned))


def _restarts_before_first_look(view: View, subject: Subject, recent: list[End], first: tuple[int, int]) -> int:
    """How many of the restarts that a first look shows fall into the window: from the pace of a loop, else only the ends that are known."""
    seen = first[0]
    known = [end for end in recent if end.at_ms <= seen]
    if not known:
        return 0
    lived = [end.finished_ms - end.started_ms for end in known if end.finished_ms is not None and end.started_ms is not None]
    fast = view.latest(Form.CRASH_BACKOFF, subject.name) is not None or subject.waiting_reason == "CrashLoopBackOff" or _paced(view, subject, first)
    if not fast or not lived:
        return len(known)
    # Back-off reaches five minutes (pkg/kubelet/kubelet.go, MaxContainerBackOff): a loop of that pace fits so often into the window.
    pace = max(lived[-1], 1000) + 300_000
    return max(len(known), min(first[1], view.window_ms // pace))


def _paced(view: View, subject: Subject, first: tuple[int, int]) -> bool:
    """Whether the average distance of the restarts lies within the window."""
    born = _born_ms(view)
    return born is not None and first[1] > 0 and (first[0] - born) / first[1] <= view.window_ms and len(subject.facts.ends) > 0


def _born_ms(view: View) -> int | None:
    from processor.history import time_ms  # one line, one use

    return time_ms(view.pod.created_at) or time_ms(view.pod.started_at)


# --- why an instance ended -----------------------------------------------------------------------------------------------------


def _reason_of_latest(view: View, subject: Subject, recent: list[End], *, back_off: bool, event: bool) -> _Reason | None:
    hook = _hook(view, subject)
    if hook is not None:
        return hook
    if recent:
        reasons = [_explain(view, subject, end) for end in recent[-3:]]
        return _most_telling(reasons)
    refused = _start_refused(view, subject)
    if refused is not None:
        return refused
    killed = _killed_by_events(view, subject)
    if killed is not None:
        return killed
    if back_off or (event and not _benign_only(view, subject)):
        return _unseen(view, subject)
    restarts = subject.facts.restarts
    if len(restarts) >= 2 and restarts[-1][1] - restarts[0][1] >= 2 and not subject.facts.ends:
        return _unseen(view, subject)
    return None


def _benign_only(view: View, subject: Subject) -> bool:
    return bool(subject.facts.ends) and not abnormal_ends(view, subject)


def _most_telling(reasons: list[_Reason]) -> _Reason:
    """The newest, unless it is a bare guess where an earlier end of the same loop was explained."""
    newest = reasons[-1]
    if newest.cause in ("killed_externally", "unknown") or newest.confidence < 0.6:
        for earlier in reversed(reasons[:-1]):
            if earlier.confidence > newest.confidence + 0.1:
                return earlier
    if newest.cause == "exits_zero" or newest.cause == "app_error_exit":
        for earlier in reversed(reasons[:-1]):
            if earlier.probe_kind is not None and earlier.confidence >= 0.9 and newest.confidence < 0.8:
                return earlier
    return newest


def _explain(view: View, subject: Subject, end: End) -> _Reason:
    code = code_of(end)
    base = [end_evidence(end)]
    if end.reason == "OOMKilled":
        return _oom(view, subject, end, base)
    refused = _start_error(view, subject, end, base)
    if refused is not None:
        return refused
    kill = probes.find_kill(view, subject, end)
    if kill is not None and kill.certainty >= 0.5:
        return _probe_kill(view, subject, end, kill, base)
    if code in (126, 127):
        return _shell(view, subject, code, base)
    if code in _SIGNALS:
        return _Reason("signal_crash", 0.95, f"the process crashes with {_SIGNALS[code]} (exit code {code})", (f"Look for the crash report: {_logs(view, subject)}", "Check native libraries, and the CPU features they need"), base + _log(subject))
    if code in (137, 143):
        return _killed(view, subject, end, code, base)
    if code == 0:
        log = subject.last_log
        return _Reason(
            "exits_zero",
            0.95,
            "its main process ends with 0 and is restarted: it finished, or put itself into the background",
            ("Keep the main process in the foreground (no daemon mode, no trailing &)", "If it is meant to finish, run it as a Job or CronJob"),
            base + ([log_evidence(log)] if log is not None else []),
            at_once=False,
        )
    return _by_itself(view, subject, end, code, base)


def _oom(view: View, subject: Subject, end: End, base: list[Evidence]) -> _Reason:
    limit = subject.container.memory_limit_bytes
    sure = 0.97 if end.exit_code == 137 else 0.85
    said = f" its memory limit of {bytes_text(limit)}" if limit else " its memory"
    steps = (
        f"resources.limits.memory: {bytes_text(limit)} → more, for example {bytes_text(limit * 2)}" if limit else "Set resources.limits.memory to what the application needs",
        "Or lower what it uses: heap size (-Xmx, --max-old-space-size), caches, workers",
    )
    return _Reason("oom_killed", sure, f"the kernel kills it for exceeding{said} (exit code {end.exit_code})", steps, base, at_once=True)


def _start_error(view: View, subject: Subject, end: End, base: list[Evidence]) -> _Reason | None:
    start_failed = end.reason in ("StartError", "ContainerCannotRun") or (end.exit_code == 128 and end.started_ms is None)
    if not start_failed:
        return None
    text = end.message or subject.facts.start_error or ""
    signal = view.latest(Form.CREATE_FAILED, subject.name)
    if not text and signal is not None:
        text = signal.text
    cause = start_error_cause(text)
    if cause is None and end.exit_code == 127:
        cause = "command_not_found"
    if cause is None and end.exit_code == 126:
        cause = "permission_denied_exec"
    if cause is None:
        return _Reason("create_container_error", 0.7, f"the runtime cannot start it: {_short(text)}", ("Read the runtime's message in the evidence",), base, at_once=True)
    return _exec_reason(view, subject, cause, text, base, 0.96)


def _start_refused(view: View, subject: Subject) -> _Reason | None:
    """The runtime refuses to start it, and no termination is known: the waiting message or the Failed event tells."""
    settled = view.settled_ms(subject.name, "container_restarts")
    text = subject.facts.start_error if subject.waiting_reason in ("RunContainerError", "CreateContainerError", "CrashLoopBackOff") else None
    evidence = [status_evidence(view, subject.waiting_reason, text)] if text else []
    signal = view.latest(Form.CREATE_FAILED, subject.name)
    if signal is not None and signal.at_ms > settled and view.is_fresh(signal.at_ms) and not subject.is_running:
        evidence.append(signal_evidence(signal))
        text = text or signal.text
    cause = start_error_cause(text) if text else None
    if cause is None or text is None:
        return None
    return _exec_reason(view, subject, cause, text, evidence, 0.93)


def _exec_reason(view: View, subject: Subject, cause: str, text: str, base: list[Evidence], confidence: float) -> _Reason:
    command = " ".join(subject.container.command)[:120]
    name = _quoted(text) or (subject.container.command[0] if subject.container.command else "its command")
    words = {
        "oom_killed": "its memory limit is too low to start it at all",
        "command_not_found": f"its command does not exist in the image: {name}",
        "permission_denied_exec": f"its command may not be executed: {name}",
        "architecture_mismatch": "its program is built for another processor architecture than the node's (exec format error)",
    }
    fixes = {
        "oom_killed": ("Raise resources.limits.memory",),
        "command_not_found": (f"Correct spec.containers[{subject.name}].command{': ' + command if command else ''}", f"Or add {name} to the image"),
        "permission_denied_exec": (f"chmod +x {name} in the image", "Or correct securityContext.runAsUser"),
        "architecture_mismatch": ("Build the image for the node's architecture (docker buildx build --platform …)", "Or select nodes with kubernetes.io/arch in spec.nodeSelector"),
    }
    return _Reason(cast(CauseId, cause), confidence, words[cause], fixes[cause], base, at_once=True)


def _quoted(text: str) -> str | None:
    _, found, rest = text.partition('exec: "')
    return rest.partition('"')[0] or None if found else None


def _shell(view: View, subject: Subject, code: int, base: list[Evidence]) -> _Reason:
    log = subject.last_log
    evidence = base + _log(subject)
    if log is not None and "exec format error" in log.text.lower():
        return _exec_reason(view, subject, "architecture_mismatch", log.text, evidence, 0.9)
    cause = "command_not_found" if code == 127 else "permission_denied_exec"
    word = "a command that it runs does not exist (exit code 127)" if code == 127 else "a command that it runs may not be executed (exit code 126)"
    fix = ("Read which one: " + _logs(view, subject), f"Correct spec.containers[{subject.name}].command or args, or the image")
    return _Reason(cast(CauseId, cause), 0.92, word, fix, evidence, at_once=False)


def _probe_kill(view: View, subject: Subject, end: End, kill: probes.Kill, base: list[Evidence]) -> _Reason:
    lived = None
    if end.started_ms is not None:
        skew = end.at_ms - (end.finished_ms if end.finished_ms is not None else end.at_ms)
        lived = max(0, kill.at_ms - end.started_ms - skew)
    said = kill.certainty >= 0.9
    finding = probes.explain(view, subject, kill.kind, lived, inferred=not said)
    alternatives = finding.alternatives if said else (*finding.alternatives[:2], ("killed_externally", round(1 - kill.certainty, 2)))
    evidence = base + [item for item in kill.evidence if item not in finding.evidence] + list(finding.evidence)
    return _Reason(
        finding.cause,
        round(finding.confidence * kill.certainty, 2) if not said else finding.confidence,
        finding.summary,
        finding.remediation,
        evidence,
        alternatives,
        at_once=kill.certainty >= 0.8,
        probe_kind=kill.kind,
        probe_output=finding.output,
    )


def _killed(view: View, subject: Subject, end: End, code: int, base: list[Evidence]) -> _Reason:
    before = [earlier for earlier in subject.facts.ends if earlier.reason == "OOMKilled"]
    if code == 137 and before:
        reason = _oom(view, subject, end, [*base, end_evidence(before[-1])])
        reason.confidence = 0.8
        reason.alternatives = (("killed_externally", 0.2),)
        return reason
    log = subject.last_log
    if code == 137 and log is not None and any(word in log.text for word in ("OutOfMemory", "Out of memory", "out of memory", "Cannot allocate memory")):
        reason = _oom(view, subject, end, [*base, log_evidence(log)])
        reason.confidence = 0.7
        reason.alternatives = (("killed_externally", 0.3),)
        return reason
    limited = code == 137 and subject.container.memory_limit_bytes
    name = "SIGKILL" if code == 137 else "SIGTERM"
    others: tuple[tuple[CauseId, float], ...] = (("oom_killed", 0.25),) if limited else ((("oom_killed", 0.1),) if code == 137 else (("app_error_exit", 0.15),))
    steps = ("Look for what kills it: kill commands in the container or its entrypoint, agents on the node", "On the node: dmesg -T | grep -i -E 'oom|killed process'")
    return _Reason("killed_externally", 0.65 if limited else 0.75, f"something ends it with {name} (exit code {code}): no probe, OOM kill, deletion or eviction explains it", steps, base + _log(subject), others)


def _by_itself(view: View, subject: Subject, end: End, code: int | None, base: list[Evidence]) -> _Reason:
    if code is None:
        return _Reason("unknown", 0.3, "it ends, and its exit code is not known", (f"See {_describe(view)}",), base, (("app_error_exit", 0.5),))
    hinted = _hint(subject, end)
    if hinted is None:
        return _Reason("app_error_exit", 0.85, f"its process ends by itself with exit code {code}", (f"Read its last lines: {_logs(view, subject)}",), base + _log(subject), _doubt(code))
    cause, line, evidence = hinted
    words = {
        "dependency_unavailable": "it ends with exit code {code} because it cannot reach what it needs: {line}",
        "config_error": "it ends with exit code {code} because of a bad or missing setting: {line}",
        "read_only_or_permission": "it ends with exit code {code} because it may not write or open a path: {line}",
    }
    fixes = {
        "dependency_unavailable": ("Check that what the log names runs and listens: kubectl get svc,endpoints -n " + view.track.namespace, "Check the address in its configuration, and NetworkPolicies"),
        "config_error": ("Correct the setting that the log names (env, ConfigMap, arguments)", f"Read more: {_logs(view, subject)}"),
        "read_only_or_permission": ("Mount a writable volume (emptyDir or a claim) at that path", "Or correct securityContext: readOnlyRootFilesystem, runAsUser, fsGroup"),
    }
    return _Reason(cast(CauseId, cause), 0.85, words[cause].format(code=code, line=_short(line)), fixes[cause], [*base, evidence] if evidence not in base else base, (("app_error_exit", 0.15),))


def _doubt(code: int) -> tuple[tuple[CauseId, float], ...]:
    return (("dependency_unavailable", 0.06), ("config_error", 0.05)) if code != 255 else (("unknown", 0.1),)


def _hint(subject: Subject, end: End) -> tuple[str, str, Evidence] | None:
    from processor.message_forms import read_log

    if end.message:
        hint = read_log(end.message)
        if hint is not None:
            return hint.cause, hint.line, end_evidence(end)
    own = [log for log in subject.facts.logs if log.container_id == end.key]
    for log in own or list(reversed(subject.facts.logs)):
        if log.hint in _LOG_CAUSES and log.line is not None:
            return str(log.hint), log.line, log_evidence(log)
    return None


def _hook(view: View, subject: Subject) -> _Reason | None:
    settled = view.settled_ms(subject.name, "container_restarts")
    signal = view.latest(Form.HOOK_FAILED, subject.name)
    if signal is not None and (signal.at_ms <= settled or not view.is_fresh(signal.at_ms)):
        signal = None
    waiting = subject.waiting_reason == "PostStartHookError"
    if signal is None and not waiting:
        return None
    text = (subject.facts.waiting_text if waiting else None) or (signal.text if signal is not None else "")
    evidence = [status_evidence(view, "PostStartHookError", text)] if waiting and text else []
    if signal is not None:
        evidence.append(signal_evidence(signal))
    if subject.facts.ends:
        evidence.append(end_evidence(subject.facts.ends[-1]))
    steps = (f"Correct spec.containers[{subject.name}].lifecycle.postStart", f"Run its command by hand: kubectl -n {view.track.namespace} exec {view.track.name} -c {subject.name} -- …")
    return _Reason("post_start_hook_failed", 0.96, "its postStart hook fails, so the kubelet kills it", steps, evidence, at_once=True)


def _killed_by_events(view: View, subject: Subject) -> _Reason | None:
    """No termination is known: the Killing event alone tells."""
    settled = view.settled_ms(subject.name, "container_restarts")
    signal = view.latest(Form.PROBE_KILL, subject.name)
    if signal is None or signal.at_ms <= settled or not view.is_fresh(signal.at_ms):
        return None
    started = [known.first_ms for known in view.of(Form.STARTED, subject.name)]
    lived = signal.first_ms - min(started) if started and signal.first_ms >= min(started) else None
    finding = probes.explain(view, subject, signal.probe or "liveness", lived)
    return _Reason(
        finding.cause,
        round(finding.confidence * 0.95, 2),
        finding.summary,
        finding.remediation,
        [signal_evidence(signal), *finding.evidence],
        finding.alternatives,
        at_once=True,
        probe_kind=signal.probe or "liveness",
        probe_output=finding.output,
    )


def _unseen(view: View, subject: Subject) -> _Reason:
    """It restarts, and neither an exit code nor an event says why."""
    for kind in ("liveness", "startup"):
        failed = view.latest(Form.PROBE_FAILED, subject.name, kind)
        probe = probes.probe_of(subject, kind)
        if failed is not None and failed.count >= (probe.failure_threshold if probe is not None else 3):
            finding = probes.explain(view, subject, kind, None, inferred=True)
            return _Reason(finding.cause, round(finding.confidence * 0.8, 2), finding.summary, finding.remediation, list(finding.evidence), (*finding.alternatives, ("app_error_exit", 0.2)), probe_kind=kind, probe_output=finding.output)
    for log in reversed(subject.facts.logs):
        if log.hint in _LOG_CAUSES and log.line is not None:
            return _Reason(cast(CauseId, log.hint), 0.6, f"it ends again and again, and its log says: {_short(log.line)}", (f"Read more: {_logs(view, subject)}",), [log_evidence(log)], (("app_error_exit", 0.3),))
    return _Reason(
        "app_error_exit",
        0.5,
        "it ends and is restarted again and again; its exit code was not seen",
        (f"See its exit code: {_describe(view)}", f"Read its last lines: {_logs(view, subject)}"),
        [],
        (("exits_zero", 0.15), ("liveness_probe_failing", 0.15), ("unknown", 0.1)),
    )


# --- words ---------------------------------------------------------------------------------------------------------------------


def _log(subject: Subject) -> list[Evidence]:
    log = subject.last_log
    return [log_evidence(log)] if log is not None and log.text else []


def _logs(view: View, subject: Subject) -> str:
    return f"kubectl -n {view.track.namespace} logs {view.track.name} -c {subject.name} --previous"


def _describe(view: View) -> str:
    return f"kubectl -n {view.track.namespace} describe pod {view.track.name}"


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 160 else words[:159] + "…"


__all__ = ["CAUSES", "abnormal_ends", "code_of", "decide", "duration_text", "has_completed", "has_recovered"]
