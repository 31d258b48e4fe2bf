"""What a rule sees, and what it answers. No rule and no bookkeeping is here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from processor.history import ContainerFacts, End, LogTail, Signal, Track
from processor.messages import Form
from processor.settings import CorrelationSettings
from schemas.diagnosis import CauseId, Evidence, Problem
from schemas.observation import Container, Pod, Probe
from schemas.timestamps import format_ms

_EMPTY_POD: Final = Pod(namespace="", name="")


@dataclass(frozen=True, slots=True)
class CauseDoc:
    """How a cause is explained to people; docs/causes.md is made of these."""

    id: CauseId
    problem: Problem
    means: str
    recognised: str
    fix: tuple[str, ...]


#: What a verdict rests on: facts as they are kept, turned into records only when there is something to say.
Source = Signal | End | LogTail | Evidence


@dataclass(slots=True)
class Verdict:
    """A problem that is there, and why. ``opens`` tells whether the proof suffices to say so for the first time."""

    problem: Problem
    container: str | None
    cause: CauseId
    confidence: float
    summary: str
    rule: str
    opens: bool
    first_ms: int
    last_ms: int
    occurrences: int = 1
    remediation: tuple[str, ...] = ()
    alternatives: tuple[tuple[CauseId, float], ...] = ()
    evidence: list[Source] = field(default_factory=list)
    end: End | None = None
    probe_kind: str | None = None
    probe: Probe | None = None
    probe_output: str | None = None
    memory_limit_bytes: int | None = None
    condition: str = ""


class View:
    """One pod at one moment of event time.

    ``clock_ms`` is the cluster's clock, which alone lets waiting times pass; ``now_ms`` also counts the receipt of the observation at
    hand and is used only to tell old evidence from new.
    """

    __slots__ = ("_by_form", "clock_ms", "now_ms", "pod", "settings", "signals", "track", "wake_ms")

    def __init__(self, track: Track, clock_ms: int, now_ms: int, settings: CorrelationSettings) -> None:
        self.track = track
        self.clock_ms = clock_ms
        self.now_ms = now_ms
        self.settings = settings
        self.pod: Pod = track.pod if track.pod is not None else _EMPTY_POD
        self.signals = track.signals
        self.wake_ms: int | None = None
        self._by_form: dict[str, list[Signal]] = {}
        for signal in track.signals:
            self._by_form.setdefault(signal.form, []).append(signal)

    @property
    def window_ms(self) -> int:
        """The window, in milliseconds."""
        return self.settings.window_seconds * 1000

    @property
    def has_pod(self) -> bool:
        """Whether a pod state was ever seen."""
        return self.track.pod is not None

    def wake_at(self, moment_ms: int) -> None:
        """Ask to be looked at again when the clock reaches a moment."""
        if self.wake_ms is None or moment_ms < self.wake_ms:
            self.wake_ms = moment_ms

    def passed(self, moment_ms: int) -> bool:
        """Whether the clock has reached a moment; asks to be woken when it has not."""
        if self.clock_ms >= moment_ms:
            return True
        self.wake_at(moment_ms)
        return False

    def is_fresh(self, at_ms: int) -> bool:
        """Whether something happened within the window before now."""
        return at_ms > self.now_ms - self.window_ms

    def within_window(self, signal: Signal) -> int:
        """How many of a signal's repeats fall into the window, taking them as evenly spread over its life."""
        lasted = signal.at_ms - signal.first_ms
        if lasted <= self.window_ms or signal.count <= 1:
            return signal.count
        return max(1, round(signal.count * self.window_ms / lasted))

    def settled_ms(self, container: str | None, problem: str) -> int:
        """The moment up to which the evidence of that problem has been dealt with by an episode that ended."""
        return self.track.settled_ms.get(f"{container or ''}/{problem}", 0)

    def of(self, form: Form, container: str | None = None, probe: str | None = None) -> Iterator[Signal]:
        """The signals of a form, of one container when it is given."""
        # A StrEnum hashes by its member's name, so the index is asked with the plain text.
        for signal in self._by_form.get(form._value_, ()):
            if (container is None or signal.container == container) and (probe is None or signal.probe == probe):
                yield signal

    def has(self, form: Form) -> bool:
        """Whether any signal of a form is there."""
        return form._value_ in self._by_form

    def latest(self, form: Form, container: str | None = None, probe: str | None = None) -> Signal | None:
        """The newest signal of a form."""
        if form._value_ not in self._by_form:
            return None
        found: Signal | None = None
        for signal in self.of(form, container, probe):
            if found is None or (signal.at_ms, signal.key) > (found.at_ms, found.key):
                found = signal
        return found

    def condition(self, kind: str) -> str | None:
        """The status of a pod condition: ``True``, ``False``, ``Unknown`` or None."""
        for condition in self.pod.conditions:
            if condition.type == kind:
                return condition.status
        return None


@dataclass(slots=True)
class Subject:
    """A container as a rule sees it: its spec and status if known, and its facts."""

    name: str
    type: str
    container: Container
    facts: ContainerFacts
    abnormal: list[End] | None = None
    """Its ends that nothing intended, once `ends` has told them."""

    @property
    def is_running(self) -> bool:
        """Whether the last pod state shows it running."""
        state = self.container.state
        return state is not None and state.running is not None

    @property
    def waiting_reason(self) -> str | None:
        """The reason of ``state.waiting``."""
        state = self.container.state
        return state.waiting.reason if state is not None and state.waiting is not None else None

    @property
    def last_log(self) -> LogTail | None:
        """The newest log tail."""
        return self.facts.logs[-1] if self.facts.logs else None


def subjects(view: View) -> list[Subject]:
    """Every container that the pod state or an event names, ephemeral ones excepted: they are never restarted nor probed.

    What is not among the track's containers was one too many to remember, and opens no episode either.
    """
    known = view.track.containers
    found: list[Subject] = []
    names: set[str] = set()
    for container in view.pod.containers:
        names.add(container.name)
        if container.type != "ephemeral" and container.name in known:
            found.append(Subject(container.name, container.type, container, known[container.name]))
    for signal in view.signals:
        name = signal.container
        if name is not None and name not in names and name in known:
            names.add(name)
            found.append(Subject(name, "init" if signal.is_init else "app", Container(name=name), known[name]))
    return found


def evidence_of(source: Source) -> Evidence:
    """A source as the evidence of a record."""
    if isinstance(source, Signal):
        return _signal_evidence(source)
    if isinstance(source, End):
        return _end_evidence(source)
    if isinstance(source, LogTail):
        return _log_evidence(source)
    return source


def _signal_evidence(signal: Signal) -> Evidence:
    prefix = {Form.PROBE_FAILED.value: "probe failed: ", Form.PROBE_ERRORED.value: "probe errored: "}.get(signal.form, "")
    if prefix and signal.probe:
        prefix = f"{signal.probe.capitalize()} {prefix}"
    return Evidence(
        kind="event",
        reason=signal.reason,
        text=prefix + signal.text if prefix else signal.text,
        count=signal.count,
        first_at=format_ms(signal.first_ms),
        last_at=format_ms(signal.at_ms),
        source_id=signal.source_id,
    )


def _end_evidence(end: End) -> Evidence:
    parts = [f"exit code {end.exit_code}" if end.exit_code is not None else "exit code unknown"]
    if end.reason:
        parts.append(f"reason {end.reason}")
    if end.started_ms is not None and end.finished_ms is not None:
        parts.append(f"after {duration_text(end.finished_ms - end.started_ms)}")
    text = ", ".join(parts)
    if end.message:
        text = f"{text}: {end.message}"
    return Evidence(kind="status", reason=end.reason, text=text, last_at=format_ms(end.at_ms), source_id=end.source_id)


def _log_evidence(log: LogTail) -> Evidence:
    return Evidence(kind="log", text=log.text, last_at=format_ms(log.seen_ms), source_id=log.source_id)


def status_evidence(view: View, reason: str | None, text: str, at_ms: int | None = None) -> Evidence:
    """Something that the pod's status says."""
    moment = at_ms if at_ms is not None else view.track.pod_seen_ms
    return Evidence(kind="status", reason=reason, text=text, last_at=format_ms(moment), source_id=view.track.source_id or None)


def spec_evidence(view: View, text: str) -> Evidence:
    """Something that the pod's spec says."""
    return Evidence(kind="spec", text=text, source_id=view.track.source_id or None)


def duration_text(milliseconds: int) -> str:
    """A duration for people."""
    seconds = max(0, milliseconds) / 1000
    if seconds < 10:
        return f"{seconds:.0f} s"
    if seconds < 120:
        return f"{round(seconds)} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def bytes_text(count: int) -> str:
    """A size as Kubernetes writes it."""
    for unit, size in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if count >= size and count % (size // 16 or 1) == 0:
            return f"{count / size:g}{unit}"
    return str(count)
