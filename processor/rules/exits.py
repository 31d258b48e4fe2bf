"""Why one instance of a container ended: by status first, then events, then its log.

Sources: facts on exit codes and reasons in api/core/v1/types.go (ContainerStateTerminated), containerd internal/cri/server.
"""

from typing import Final, cast

from processor.history import End
from processor.messages import read_log
from processor.rules import probe_kills, probes
from processor.rules.ends import code_of, is_lost
from processor.rules.reason import Reason, describe_command, last_words, log_of, logs_command, short_text
from processor.rules.start_errors import exec_reason, refused_in_log, start_error
from processor.rules.unwitnessed import LOG_CAUSES
from processor.rules.view import (
    CauseDoc,
    Source,
    Subject,
    View,
    bytes_text,
)
from schemas.diagnosis import CauseId

CAUSES: Final = (
    CauseDoc(
        "app_error_exit",
        "container_restarts",
        "The process ends by itself with a non-zero exit code.",
        "A non-zero exit code with no probe kill, OOM kill, signal or start error behind it, and a log that names no better cause.",
        ("Read the last lines before it ended: kubectl logs POD -c CONTAINER --previous.",),
    ),
    CauseDoc(
        "exits_zero",
        "container_restarts",
        "The main process ends with 0 and is restarted: it finished, or put itself into the background.",
        "Exit code 0, reason Completed, and restartPolicy Always.",
        ("Keep the main process in the foreground.", "If it is meant to finish, run it as a Job."),
    ),
    CauseDoc(
        "dependency_unavailable",
        "container_restarts",
        "The application ends because it cannot reach something it needs.",
        "A non-zero exit whose log tail names a refused connection, an unknown host or a time-out.",
        ("Check that what the log names runs and can be reached from the pod.",),
    ),
    CauseDoc(
        "config_error",
        "container_restarts",
        "The application ends because a setting, file or variable is missing or bad.",
        "A non-zero exit whose log tail names a bad or missing setting, file or variable.",
        ("Correct the setting that the log names: env, ConfigMap, arguments.",),
    ),
    CauseDoc(
        "read_only_or_permission",
        "container_restarts",
        "The application may not write or open what it needs.",
        "A non-zero exit whose log tail names a read-only file system or a denied path.",
        ("Mount a writable volume at that path, or set fsGroup or runAsUser.",),
    ),
    CauseDoc(
        "oom_killed",
        "container_restarts",
        "The kernel kills the container for exceeding its memory limit.",
        "Reason OOMKilled; or 137 beside earlier OOM kills of the same container. Never 137 alone.",
        ("Raise resources.limits.memory, or lower what the application uses.",),
    ),
    CauseDoc(
        "signal_crash",
        "container_restarts",
        "The process crashes: SIGSEGV, SIGABRT, SIGBUS, SIGFPE or SIGILL.",
        "Exit code 139, 134, 135, 136 or 132.",
        ("Look for the crash report in the log; check native libraries and the CPU they need.",),
    ),
    CauseDoc(
        "killed_externally",
        "container_restarts",
        "Something outside Kubernetes' own reasons kills the process with SIGKILL or SIGTERM.",
        "Exit code 137 or 143 with no probe, OOM, deletion or eviction to explain it.",
        ("Look for what kills it: the node's kernel log (SystemOOM), agents, kill commands in the container.",),
    ),
    CauseDoc(
        "command_not_found",
        "container_restarts",
        "The command does not exist in the image.",
        "Exit code 127, or the runtime says `executable file not found` or `no such file or directory`.",
        ("Correct command or args, or add the program to the image.",),
    ),
    CauseDoc(
        "permission_denied_exec",
        "container_restarts",
        "The command exists and may not be executed.",
        "Exit code 126, or the runtime says `permission denied` for the executable.",
        ("Set the executable bit in the image, or correct runAsUser.",),
    ),
    CauseDoc(
        "architecture_mismatch",
        "container_restarts",
        "The program is built for another processor architecture than the node's.",
        "`exec format error`.",
        ("Build the image for the node's architecture, or select nodes with kubernetes.io/arch.",),
    ),
    CauseDoc(
        "post_start_hook_failed",
        "container_restarts",
        "The postStart hook fails, so the kubelet kills the container.",
        "FailedPostStartHook, or waiting with PostStartHookError.",
        ("Correct lifecycle.postStart; run its command by hand in the container.",),
    ),
    CauseDoc(
        "unknown",
        "container_restarts",
        "Something is wrong, and nothing seen says what.",
        "None of the other causes holds.",
        ("Look at the evidence, and at kubectl describe pod.",),
    ),
)

_SIGNALS: Final = {132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 139: "SIGSEGV"}


def explain(view: View, subject: Subject, end: End) -> Reason:
    """Why one instance ended: what its status says first, then its kill, then its exit code and log."""
    code = code_of(end)
    base: list[Source] = [end]
    if end.reason == "OOMKilled":
        return _oom(subject, end, base)
    if is_lost(end):
        return _lost(view, base)
    refused = start_error(view, subject, end, base)
    if refused is not None:
        return refused
    kill = probe_kills.find_kill(view, subject, end)
    if kill is not None and kill.certainty >= 0.5:
        return _probe_kill(view, subject, end, kill, base)
    if code not in (None, 0):
        unfit = refused_in_log(subject, end, base)
        if unfit is not None:
            return unfit
    if code in (126, 127):
        return _shell(view, subject, code, base)
    if code in _SIGNALS:
        return Reason(
            "signal_crash",
            0.95,
            f"the process crashes with {_SIGNALS[code]} (exit code {code})",
            (
                f"Look for the crash report: {logs_command(view, subject)}",
                "Check native libraries, and the CPU features they need",
            ),
            base + log_of(subject),
        )
    if code in (137, 143):
        return _killed(subject, end, code, base)
    if code == 0:
        log = subject.last_log
        # A probe's kill can end in 0 too: where no event could have told of one, the status leaves both open.
        unseen = subject.container.liveness is not None and not view.signals
        return Reason(
            "exits_zero",
            0.7 if unseen else 0.95,
            "its main process ends with 0 and is restarted: it finished, or put itself into the background",
            (
                "Keep the main process in the foreground (no daemon mode, no trailing &)",
                "If it is meant to finish, run it as a Job or CronJob",
            ),
            base + ([log] if log is not None else []),
            (("liveness_probe_failing", 0.3),) if unseen else (),
            at_once=False,
        )
    return _by_itself(view, subject, end, code, base)


def _oom(subject: Subject, end: End, base: list[Source]) -> Reason:
    limit = subject.container.memory_limit_bytes
    sure, what = (0.97, "it") if end.exit_code == 137 else (0.85, "a process in it")
    said = f" its memory limit of {bytes_text(limit)}" if limit else " its memory"
    steps = (
        f"resources.limits.memory: {bytes_text(limit)} → more, for example {bytes_text(limit * 2)}"
        if limit
        else "Set resources.limits.memory to what the application needs",
        "Or lower what it uses: heap size (-Xmx, --max-old-space-size), caches, workers",
    )
    return Reason(
        "oom_killed",
        sure,
        f"the kernel kills {what} for exceeding{said} (exit code {end.exit_code})",
        steps,
        base,
        at_once=True,
    )


def _lost(view: View, base: list[Source]) -> Reason:
    return Reason(
        "unknown",
        0.5,
        "the runtime lost it, as when its node restarts, and it is not started again",
        (f"Look at its node: kubectl describe node {view.pod.node or '<node>'}", f"See {describe_command(view)}"),
        base,
        (("node_lost", 0.4),),
        at_once=True,
    )


def _shell(view: View, subject: Subject, code: int, base: list[Source]) -> Reason:
    log = subject.last_log
    evidence = base + log_of(subject)
    if log is not None and "exec format error" in log.text.lower():
        return exec_reason(subject, "architecture_mismatch", log.text, evidence, 0.9)
    cause = "command_not_found" if code == 127 else "permission_denied_exec"
    word = (
        "a command that it runs does not exist (exit code 127)"
        if code == 127
        else "a command that it runs may not be executed (exit code 126)"
    )
    fix = (
        "Read which one: " + logs_command(view, subject),
        f"Correct spec.containers[{subject.name}].command or args, or the image",
    )
    return Reason(cast("CauseId", cause), 0.92, word, fix, evidence, at_once=False)


def _probe_kill(view: View, subject: Subject, end: End, kill: probe_kills.Kill, base: list[Source]) -> Reason:
    lived = None
    if end.started_ms is not None:
        skew = end.at_ms - (end.finished_ms if end.finished_ms is not None else end.at_ms)
        lived = max(0, kill.at_ms - end.started_ms - skew)
    said = kill.certainty >= 0.9
    finding = probes.explain(view, subject, kill.kind, lived, inferred=not said)
    alternatives = (
        finding.alternatives if said else (*finding.alternatives[:2], ("killed_externally", round(1 - kill.certainty, 2)))
    )
    evidence = base + [item for item in kill.evidence if item not in finding.evidence] + list(finding.evidence)
    return Reason(
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


def _killed(subject: Subject, end: End, code: int, base: list[Source]) -> Reason:
    before = [earlier for earlier in subject.facts.ends if earlier.reason == "OOMKilled"]
    if code == 137 and before:
        reason = _oom(subject, end, [*base, before[-1]])
        reason.confidence = 0.8
        reason.alternatives = (("killed_externally", 0.2),)
        return reason
    log = subject.last_log
    if (
        code == 137
        and log is not None
        and any(word in log.text for word in ("OutOfMemory", "Out of memory", "out of memory", "Cannot allocate memory"))
    ):
        reason = _oom(subject, end, [*base, log])
        reason.confidence = 0.7
        reason.alternatives = (("killed_externally", 0.3),)
        return reason
    limited = code == 137 and subject.container.memory_limit_bytes
    name = "SIGKILL" if code == 137 else "SIGTERM"
    others: tuple[tuple[CauseId, float], ...] = (
        (("oom_killed", 0.25),) if limited else ((("oom_killed", 0.1),) if code == 137 else (("app_error_exit", 0.15),))
    )
    steps = (
        "Look for what kills it: kill commands in the container or its entrypoint, agents on the node",
        "On the node: dmesg -T | grep -i -E 'oom|killed process'",
    )
    return Reason(
        "killed_externally",
        0.65 if limited else 0.75,
        f"something ends it with {name} (exit code {code}): no probe, OOM kill, deletion or eviction explains it",
        steps,
        base + log_of(subject),
        others,
    )


def _by_itself(view: View, subject: Subject, end: End, code: int | None, base: list[Source]) -> Reason:
    if code is None:
        return Reason(
            "unknown",
            0.3,
            "it ends, and its exit code is not known",
            (f"See {describe_command(view)}",),
            base,
            (("app_error_exit", 0.5),),
        )
    hinted = _hint(subject, end)
    if hinted is None:
        said = last_words(subject, end.message)
        return Reason(
            "app_error_exit",
            0.85 if said is not None else 0.8,
            f"its process ends by itself with exit code {code}" + (f"; its last words: {said}" if said is not None else ""),
            (f"Read its last lines: {logs_command(view, subject)}",),
            base + log_of(subject),
            _doubt(code),
        )
    cause, line, evidence = hinted
    words = {
        "dependency_unavailable": "it ends with exit code {code} because it cannot reach what it needs: {line}",
        "config_error": "it ends with exit code {code} because of a bad or missing setting: {line}",
        "read_only_or_permission": "it ends with exit code {code} because it may not write or open a path: {line}",
    }
    fixes = {
        "dependency_unavailable": (
            "Check that what the log names runs and listens: kubectl get svc,endpoints -n " + view.track.namespace,
            "Check the address in its configuration, and NetworkPolicies",
        ),
        "config_error": (
            "Correct the setting that the log names (env, ConfigMap, arguments)",
            f"Read more: {logs_command(view, subject)}",
        ),
        "read_only_or_permission": (
            "Mount a writable volume (emptyDir or a claim) at that path",
            "Or correct securityContext: readOnlyRootFilesystem, runAsUser, fsGroup",
        ),
    }
    return Reason(
        cast("CauseId", cause),
        0.85,
        words[cause].format(code=code, line=short_text(line)),
        fixes[cause],
        [*base, evidence] if evidence not in base else base,
        (("app_error_exit", 0.15),),
    )


def _doubt(code: int) -> tuple[tuple[CauseId, float], ...]:
    return (("dependency_unavailable", 0.06), ("config_error", 0.05)) if code != 255 else (("unknown", 0.1),)


def _hint(subject: Subject, end: End) -> tuple[str, str, Source] | None:
    if end.message:
        hint = read_log(end.message)
        if hint is not None:
            return hint.cause, hint.line, end
    own = [log for log in subject.facts.logs if log.container_id == end.key and log.text]
    for log in own or list(reversed(subject.facts.logs)):
        if log.hint in LOG_CAUSES and log.line is not None:
            return str(log.hint), log.line, log
    return None
