"""Judging: what counts as right, as wrong, and as a false alarm."""

from typing import Any

import pytest

from podcause.accuracy import (
    CauseScore,
    ConfidenceBin,
    cause_scores,
    confidence_bins,
    judge,
    truth_of_case,
    truth_of_scenario,
)
from schemas.diagnosis import (
    Cause,
    CauseId,
    Diagnosis,
    DiagnosisBody,
    K8s,
    K8sCluster,
    K8sContainer,
    K8sName,
    K8sPod,
    K8sWorkload,
    Problem,
    Producer,
    Resolution,
    Rule,
)

_TIME = "2026-11-22T16:26:43.000Z"


def _said(
    container: str | None,
    cause: CauseId,
    *,
    confidence: float = 0.9,
    problem: Problem = "container_restarts",
    resolution: Resolution | None = None,
    container_type: str = "app",
) -> Diagnosis:
    return Diagnosis(
        timestamp=_TIME,
        schema_version="1.0.0",
        message="m",
        severity="error",
        severity_number=17,
        diagnosis=DiagnosisBody(
            id="0" * 32,
            fingerprint="f" * 32,
            revision=1,
            state="resolved" if resolution else "opened",
            problem=problem,
            cause=Cause(id=cause, confidence=confidence, summary="s"),
            opened_at=_TIME,
            first_observed_at=_TIME,
            last_observed_at=_TIME,
            resolution=resolution,
            occurrences=1,
            window_seconds=1200,
        ),
        rule=Rule(id="r", version="1"),
        k8s=K8s(
            cluster=K8sCluster(name="c", uid="u"),
            namespace=K8sName(name="n"),
            pod=K8sPod(name="p"),
            workload=K8sWorkload(kind="Pod", name="p"),
            container=K8sContainer(name=container, type=container_type) if container else None,
        ),
        producer=Producer(name="test", version="0"),
    )


def _scenario(
    causes: list[str], container: str | None = "app", *, diagnose: bool | None = True, **more: object
) -> dict[str, Any]:
    return {"name": "s", "expected": {"causes": causes, "container": container, "diagnose": diagnose}, **more}


@pytest.mark.parametrize(
    ("scenario", "said", "problems"),
    [
        (_scenario(["oom_killed"]), [_said("app", "oom_killed")], ()),
        (_scenario(["config_error", "app_error_exit"]), [_said("app", "app_error_exit")], ()),
        (_scenario(["oom_killed"]), [], ("missed: app oom_killed",)),
        (
            _scenario(["oom_killed"]),
            [_said("app", "killed_externally")],
            ("wrong cause: app killed_externally 0.90; right: oom_killed",),
        ),
        (
            _scenario(["oom_killed"]),
            [_said("app", "oom_killed"), _said("other", "unknown")],
            ("false alarm: other unknown 0.90",),
        ),
        (
            _scenario(["exits_zero"], also=[["second", "oom_killed"]]),
            [_said("app", "exits_zero")],
            ("missed: second oom_killed",),
        ),
        (
            _scenario(["evicted_resource_pressure"], None),
            [_said(None, "evicted_resource_pressure", problem="evicted")],
            (),
        ),
        (_scenario(["benign_transient"], None, diagnose=False), [], ()),
        (
            _scenario(["benign_transient"], None, diagnose=False),
            [_said("app", "unknown")],
            ("false alarm: app unknown 0.90",),
        ),
        (_scenario(["benign_transient", "app_error_exit"], diagnose=None), [], ()),
        (
            _scenario(["benign_transient", "app_error_exit"], diagnose=None),
            [_said("app", "app_error_exit", resolution="completed")],
            (),
        ),
        (_scenario(["app_error_exit"], resolves=True), [_said("app", "app_error_exit", resolution="recovered")], ()),
        (_scenario(["app_error_exit"], resolves=True), [_said("app", "app_error_exit")], ("never resolved: app_error_exit",)),
        (
            _scenario(["app_error_exit"]),
            [_said("app", "app_error_exit", resolution="recovered")],
            ("resolved (recovered) though it lasts: app_error_exit",),
        ),
        (_scenario(["app_error_exit"]), [_said("app", "app_error_exit", resolution="deleted")], ()),
    ],
)
def test_a_scenario_is_judged(scenario: dict[str, Any], said: list[Diagnosis], problems: tuple[str, ...]) -> None:
    assert judge(truth_of_scenario(scenario), said).problems == problems


def _case(causes: list[str], container: str | None = "app", *, diagnose: bool | None = True) -> dict[str, Any]:
    return {"id": "c", "expected": {"causes": causes, "container": container, "diagnose": diagnose}}


@pytest.mark.parametrize(
    ("case", "said", "right"),
    [
        (_case(["init_container_failing"]), [_said("app", "unknown", container_type="init")], True),
        (_case(["init_container_failing"]), [_said("app", "unknown")], False),
        (_case(["pre_stop_or_grace_exceeded"]), [], True),
        (_case(["pre_stop_or_grace_exceeded"], diagnose=False), [_said("app", "killed_externally")], True),
        (_case(["pre_stop_or_grace_exceeded"]), [_said("app", "oom_killed")], False),
        (_case(["sandbox_failed"]), [_said(None, "sandbox_failed", problem="not_started")], True),
        (_case(["oom_killed"]), [_said("app", "oom_killed"), _said("other", "unknown")], True),
        (_case(["benign_termination"], diagnose=False), [_said("other", "unknown")], False),
    ],
)
def test_a_field_case_is_judged(case: dict[str, Any], said: list[Diagnosis], right: bool) -> None:  # noqa: FBT001 - a table
    assert judge(truth_of_case(case), said).right is right


def test_precision_and_recall_are_counted_per_cause() -> None:
    verdicts = [
        judge(truth_of_scenario(_scenario(["config_error", "app_error_exit"])), [_said("app", "app_error_exit")]),
        judge(truth_of_scenario(_scenario(["oom_killed"])), [_said("app", "app_error_exit")]),
        judge(truth_of_scenario(_scenario(["benign_transient"], diagnose=False)), []),
    ]
    scores = cause_scores(verdicts)
    assert scores == [
        CauseScore("app_error_exit", said=2, said_right=1, expected=0, found=0),
        CauseScore("config_error", said=0, said_right=0, expected=1, found=1),
        CauseScore("oom_killed", said=0, said_right=0, expected=1, found=0),
    ]
    assert [(score.precision, score.recall) for score in scores] == [(0.5, None), (None, 1.0), (None, 0.0)]


def test_confidence_is_held_against_truth() -> None:
    truth = truth_of_scenario(_scenario(["oom_killed"]))
    verdicts = [
        judge(truth, [_said("app", "oom_killed", confidence=1.0)]),
        judge(truth, [_said("app", "unknown", confidence=0.5)]),
        judge(truth, [_said("app", "oom_killed", confidence=0.75)]),
    ]
    assert confidence_bins(verdicts) == [
        ConfidenceBin(0.0, 0.5, 0, 0, 0.0),
        ConfidenceBin(0.5, 0.8, 2, 1, 0.625),
        ConfidenceBin(0.8, 0.9, 0, 0, 0.0),
        ConfidenceBin(0.9, 1.0, 1, 1, 1.0),
    ]
