"""Every case of the rules, through the engine: exactly these episodes, with these causes and states."""

import typing

import pytest

from processor.engine import Engine, MemoryStore
from processor.rules import CAUSES
from processor.rules.cases import CASES, Case
from processor.rules.cases.case import Said
from schemas.diagnosis import CauseId, Problem


def last_said(case: Case) -> tuple[Said, ...]:
    """The last revision of every episode, in the order in which they opened."""
    engine = Engine(MemoryStore())
    last = {}
    for observation in case.stream():
        for revision in engine.feed(observation):
            last[revision.diagnosis.id] = revision
    return tuple(
        (
            revision.k8s.container.name if revision.k8s.container is not None else None,
            revision.diagnosis.problem,
            revision.diagnosis.cause.id,
            revision.diagnosis.state,
        )
        for revision in last.values()
    )


@pytest.mark.parametrize("case", CASES, ids=[f"{case.cause} {case.kind}: {case.name}" for case in CASES])
def test_a_case(case: Case) -> None:
    assert last_said(case) == case.said


@pytest.mark.parametrize("kind", ["fires", "near_miss", "edge"])
def test_every_cause_has_a_case_of_each_kind(kind: str) -> None:
    assert {case.cause for case in CASES if case.kind == kind} == set(typing.get_args(CauseId))


def test_a_case_that_fires_says_its_cause() -> None:
    assert [case.name for case in CASES if case.kind == "fires" and case.cause not in {said[2] for said in case.said}] == []


def test_no_two_cases_of_a_cause_have_the_same_name() -> None:
    names = [(case.cause, case.name) for case in CASES]
    assert sorted(names) == sorted(set(names))


def test_every_cause_is_documented_once() -> None:
    assert sorted(doc.id for doc in CAUSES) == sorted(typing.get_args(CauseId))


def test_every_documented_problem_is_one_of_the_contract() -> None:
    assert {doc.problem for doc in CAUSES} == set(typing.get_args(Problem))
