"""How often the engine is right: diagnoses judged against what is known to be true.

Two kinds of truth: recordings with a truth.json (streams), and field cases (one moment each). Pure: it compares, it reads no
file and runs no engine. Nothing here may influence a diagnosis.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.diagnosis import Diagnosis

#: Labels of the truths that are no causes of the contract.
_ANY_INIT: Final = "init_container_failing"
_STOPPED: Final = "pre_stop_or_grace_exceeded"

#: A diagnosis of the pod itself is about no container, so it fits an expectation that names the only container there is.
_POD_PROBLEMS: Final = ("not_started", "evicted")

CONFIDENCE_BINS: Final = ((0.0, 0.5), (0.5, 0.8), (0.8, 0.9), (0.9, 1.01))


@dataclass(frozen=True, slots=True)
class Expected:
    """One container that must be diagnosed, with the causes that are right; the first is the confirmed one."""

    container: str | None
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a diagnosis of one scenario or case must say. ``diagnose`` None: nothing, or one of the causes."""

    name: str
    expected: tuple[Expected, ...]
    diagnose: bool | None
    resolves: bool | None
    only_these_containers: bool


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode as it ended, and whether its cause is right."""

    container: str | None
    problem: str
    cause: str
    confidence: float
    state: str
    right: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """One scenario or case: what was said, and what is wrong with it (nothing: it is right)."""

    truth: Truth
    episodes: tuple[Episode, ...]
    problems: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether everything is as the truth says."""
        return not self.problems


def truth_of_scenario(scenario: dict[str, Any]) -> Truth:
    """The truth of one entry of truth.json."""
    expected = scenario["expected"]
    also = [Expected(container, (cause,)) for container, cause in scenario.get("also", [])]
    return Truth(
        name=scenario["name"],
        expected=(Expected(expected["container"], tuple(expected["causes"])), *also),
        diagnose=expected["diagnose"],
        resolves=bool(scenario.get("resolves")),
        only_these_containers=True,
    )


def truth_of_case(case: dict[str, Any]) -> Truth:
    """The truth of one field case. Other containers may have troubles of their own: only one was looked into."""
    expected = case["expected"]
    return Truth(
        name=case["id"],
        expected=(Expected(expected["container"], tuple(expected["causes"])),),
        diagnose=None if _STOPPED in expected["causes"] else expected["diagnose"],
        resolves=None,
        only_these_containers=False,
    )


def judge(truth: Truth, final_revisions: Sequence[Diagnosis]) -> Verdict:
    """Compare the last revision of each episode with the truth."""
    episodes = tuple(_episode(truth, diagnosis) for diagnosis in final_revisions)
    problems: list[str] = []
    if truth.diagnose is False:
        problems.extend(f"false alarm: {_said(episode)}" for episode in episodes)
        return Verdict(truth, episodes, tuple(problems))
    for item in truth.expected:
        about = [episode for episode in episodes if _fits(item, episode)]
        if truth.diagnose is True and not about:
            problems.append(f"missed: {item.container or 'pod'} {item.causes[0]}")
        elif about and not any(episode.right for episode in about):
            problems.append(f"wrong cause: {', '.join(map(_said, about))}; right: {' or '.join(item.causes)}")
    strangers = [episode for episode in episodes if not any(_fits(item, episode) for item in truth.expected)]
    if truth.only_these_containers:
        problems.extend(f"false alarm: {_said(episode)}" for episode in strangers)
    problems.extend(_resolution_problems(truth, final_revisions))
    return Verdict(truth, episodes, tuple(problems))


def _episode(truth: Truth, diagnosis: Diagnosis) -> Episode:
    body, of = diagnosis.diagnosis, diagnosis.k8s.container
    container, container_type = (of.name, of.type) if of else (None, None)
    said = Episode(container, body.problem, body.cause.id, body.cause.confidence, body.state, right=False)
    right = truth.diagnose is not False and any(
        _fits(item, said) and _accepts(item.causes, body.cause.id, container_type) for item in truth.expected
    )
    return Episode(container, body.problem, body.cause.id, body.cause.confidence, body.state, right)


def _fits(item: Expected, episode: Episode) -> bool:
    """Whether an episode is about what is expected."""
    if item.container is None or episode.container == item.container:
        return True
    return episode.container is None and episode.problem in _POD_PROBLEMS


def _accepts(labels: Iterable[str], cause: str, container_type: str | None) -> bool:
    for label in labels:
        if label == cause or (label == _ANY_INIT and container_type == "init"):
            return True
        if label == _STOPPED and cause == "killed_externally":
            return True
    return False


def _resolution_problems(truth: Truth, final_revisions: Sequence[Diagnosis]) -> list[str]:
    if truth.resolves is None or truth.diagnose is None:
        return []
    problems = []
    for diagnosis in final_revisions:
        body = diagnosis.diagnosis
        if truth.resolves and body.state != "resolved":
            problems.append(f"never resolved: {body.cause.id}")
        if not truth.resolves and body.state == "resolved" and body.resolution not in ("deleted", "replaced"):
            problems.append(f"resolved ({body.resolution}) though it lasts: {body.cause.id}")
    return problems


def _said(episode: Episode) -> str:
    return f"{episode.container or 'pod'} {episode.cause} {episode.confidence:.2f}"


@dataclass(frozen=True, slots=True)
class CauseScore:
    """One cause: how many were said and were right, how many should have been said and were found."""

    cause: str
    said: int
    said_right: int
    expected: int
    found: int

    @property
    def precision(self) -> float | None:
        """Of what was said, the right share; None when it was never said."""
        return self.said_right / self.said if self.said else None

    @property
    def recall(self) -> float | None:
        """Of what should have been said (or another accepted cause), the share found; None when it was never due."""
        return self.found / self.expected if self.expected else None


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Diagnoses whose confidence lies in [low, high): how sure they were on average, how many were right."""

    low: float
    high: float
    count: int
    right: int
    mean_confidence: float


def cause_scores(verdicts: Iterable[Verdict]) -> list[CauseScore]:
    """Precision and recall per cause. What is expected counts for its first cause, found when an accepted one was said."""
    said: dict[str, list[bool]] = {}
    expected: dict[str, list[bool]] = {}
    for verdict in verdicts:
        for episode in verdict.episodes:
            said.setdefault(episode.cause, []).append(episode.right)
        if verdict.truth.diagnose is True:
            for item in verdict.truth.expected:
                found = any(episode.right and _fits(item, episode) for episode in verdict.episodes)
                expected.setdefault(item.causes[0], []).append(found)
    return [
        CauseScore(
            cause,
            len(said.get(cause, [])),
            sum(said.get(cause, [])),
            len(expected.get(cause, [])),
            sum(expected.get(cause, [])),
        )
        for cause in sorted(said.keys() | expected.keys())
    ]


def confidence_bins(verdicts: Iterable[Verdict]) -> list[ConfidenceBin]:
    """Confidence against truth, over every episode."""
    episodes = [episode for verdict in verdicts for episode in verdict.episodes]
    bins = []
    for low, high in CONFIDENCE_BINS:
        within = [episode for episode in episodes if low <= episode.confidence < high]
        mean = sum(episode.confidence for episode in within) / len(within) if within else 0.0
        bins.append(ConfidenceBin(low, min(high, 1.0), len(within), sum(episode.right for episode in within), mean))
    return bins
