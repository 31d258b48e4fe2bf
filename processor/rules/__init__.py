"""The rules: one module per family of causes, each with its words, remediation and documentation.

``verdicts`` asks the families in the order in which one trouble explains another, so that one root cause is one verdict.
"""

from typing import Final

from processor.rules import creation, ends, eviction, exits, images, probes, readiness, restarts, starting
from processor.rules.view import CauseDoc, Subject, Verdict, View, subjects

#: Every cause with its documentation, in the contract's order of families.
CAUSES: Final[tuple[CauseDoc, ...]] = (
    *exits.CAUSES[:-1],
    *probes.CAUSES,
    *readiness.CAUSES,
    *images.CAUSES,
    *creation.CAUSES,
    *starting.CAUSES,
    *eviction.CAUSES,
    exits.CAUSES[-1],
)

#: Raised when any rule's outcome changes.
RULES_VERSION: Final = "1.0.0"


def verdicts(view: View, found: list[Subject]) -> list[Verdict]:
    """Every problem that the pod has at this moment, at most one per container and one for the pod itself."""
    taken = eviction.decide(view)
    if taken is not None:
        # What happens to the containers of a pod that was taken away follows from that.
        return [taken]
    if view.pod.deletion_at is not None:
        return []
    result: list[Verdict] = []
    for subject in found:
        verdict = _of_container(view, subject)
        if verdict is not None:
            result.append(verdict)
    if not any(verdict.opens for verdict in result):
        stuck = starting.decide(view)
        if stuck is not None:
            result.append(stuck)
    return result


def _of_container(view: View, subject: Subject) -> Verdict | None:
    """The first family that explains the container; what follows from it is not told twice."""
    if images.is_waiting_for_image(subject):
        return images.decide(view, subject)
    restarting = restarts.decide(view, subject)
    if restarting is not None and restarting.cause == "create_container_error":
        restarting.problem = "container_create"
        return restarting
    if restarting is not None and restarting.opens:
        return restarting
    created = creation.decide(view, subject)
    if created is not None:
        return created
    pulled = images.decide(view, subject)
    if pulled is not None:
        return pulled
    return restarting or readiness.decide(view, subject)


def has_recovered(view: View, subject: Subject | None, problem: str, opened_ms: int, last_ms: int, moment_ms: int) -> bool:
    """Whether, by a moment of event time, an episode's problem is over and well."""
    if subject is None:
        if problem == "evicted":
            return eviction.has_recovered(view, opened_ms)
        return problem == "not_started" and starting.has_started(view)
    if problem == "container_restarts":
        return ends.has_recovered(view, subject, moment_ms)
    if problem == "image_pull":
        return images.has_got_past(view, subject, last_ms)
    if problem == "container_create":
        return creation.has_got_past(view, subject, last_ms)
    if problem == "not_ready":
        return readiness.has_recovered(view, subject, moment_ms)
    return False


def has_completed(view: View, subject: Subject | None, problem: str) -> bool:
    """Whether an episode's container ended with 0 where that is the purpose."""
    return subject is not None and problem in ("container_restarts", "not_ready") and ends.has_completed(view, subject)


__all__ = [
    "CAUSES",
    "RULES_VERSION",
    "CauseDoc",
    "Subject",
    "Verdict",
    "View",
    "has_completed",
    "has_recovered",
    "subjects",
    "verdicts",
]
