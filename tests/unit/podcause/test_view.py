"""The demo's views: what goes to stdout and to stderr, and the words of the end."""

import io
import re

from podcause.view import JsonLinesView, PlainView, Silent, Summary, summary_lines
from schemas.codec import encode
from schemas.diagnosis import (
    Cause,
    CauseId,
    Diagnosis,
    DiagnosisBody,
    Evidence,
    K8s,
    K8sCluster,
    K8sContainer,
    K8sName,
    K8sPod,
    K8sWorkload,
    Producer,
    Resolution,
    Rule,
    State,
)

_TIME = "2026-11-22T16:26:43.000Z"


def _said(state: State = "opened", cause: CauseId = "oom_killed", *, resolution: Resolution | None = None) -> Diagnosis:
    return Diagnosis(
        timestamp=_TIME,
        schema_version="1.0.0",
        message="Out of memory. Next: raise the limit",
        severity="info" if resolution else "error",
        severity_number=9 if resolution else 17,
        diagnosis=DiagnosisBody(
            id="0" * 32,
            fingerprint="f" * 32,
            revision=1,
            state=state,
            problem="container_restarts",
            cause=Cause(id=cause, confidence=0.9, summary="s"),
            remediation=("raise the limit", "use less"),
            opened_at=_TIME,
            first_observed_at=_TIME,
            last_observed_at=_TIME,
            resolution=resolution,
            occurrences=3,
            window_seconds=1200,
        ),
        rule=Rule(id="r", version="1"),
        k8s=K8s(
            cluster=K8sCluster(name="c", uid="u"),
            namespace=K8sName(name="shop"),
            pod=K8sPod(name="web-0"),
            workload=K8sWorkload(kind="StatefulSet", name="web"),
            container=K8sContainer(name="app", type="app"),
        ),
        evidence=(Evidence(kind="status", text="exit code 137"),),
        producer=Producer(name="test", version="0"),
    )


_HEAD = f"{_TIME} opened error shop statefulset/web pod/web-0 app oom_killed 0.90 x3\n"
_FULL = "    Out of memory. Next: raise the limit\n    do: use less\n"
_EVIDENCE = "    evidence: status: exit code 137\n"


def _plain(*said: Diagnosis, evidence: bool = False) -> str:
    stdout = io.StringIO()
    with PlainView(stdout, io.StringIO(), evidence=evidence) as view:
        for diagnosis in said:
            view.show(diagnosis, encode(diagnosis))
    return stdout.getvalue()


def test_a_diagnosis_is_a_headline_a_sentence_and_what_the_sentence_does_not_say_yet() -> None:
    assert _plain(_said()) == _HEAD + _FULL


def test_evidence_is_shown_on_demand() -> None:
    assert _plain(_said(), evidence=True) == _HEAD + _FULL + _EVIDENCE


def test_an_update_of_the_same_cause_is_a_headline() -> None:
    assert _plain(_said(), _said("updated")) == _HEAD + _FULL + _HEAD.replace("opened", "updated")


def test_an_update_to_another_cause_is_told_in_full() -> None:
    updated = _HEAD.replace("opened", "updated").replace("oom_killed", "unknown")
    assert _plain(_said(), _said("updated", "unknown")) == _HEAD + _FULL + updated + _FULL


def test_a_resolved_one_asks_for_nothing() -> None:
    headline = _HEAD.replace("opened error", "resolved (recovered) info")
    assert _plain(_said("resolved", resolution="recovered")) == headline + "    Out of memory. Next: raise the limit\n"


def test_json_lines_are_the_records_bytes_and_everything_else_is_on_stderr() -> None:
    stdout, stderr = io.BytesIO(), io.StringIO()
    with JsonLinesView(stdout, stderr) as view:
        view.progress("starting")
        view.show(_said(), b'{"exactly":"these bytes"}')
        view.finish(Summary(newest=(_said(),), silent=(), observations=7, revisions=1))
    assert stdout.getvalue() == b'{"exactly":"these bytes"}\n'
    assert [re.sub(r"\[ *\d+\.\d s\]", "[s]", line) for line in stderr.getvalue().splitlines()] == [
        "[s] starting",
        "[s] 7 observations, 1 diagnosis records, 1 episodes, 0 of them resolved",
        "[s]   oom_killed: 1 (shop/web)",
    ]


def test_the_summary_counts_causes_and_names_who_stayed_silent() -> None:
    summary = Summary(
        newest=(_said(), _said("resolved", resolution="recovered"), _said(cause="exits_zero")),
        silent=(Silent("a", "deployment/b", 9, 6), Silent("c", "pod/d", 1, 0)),
        observations=697,
        revisions=20,
    )
    assert list(summary_lines(summary)) == [
        "697 observations, 20 diagnosis records, 3 episodes, 1 of them resolved",
        "  oom_killed: 2 (shop/web)",
        "  exits_zero: 1 (shop/web)",
        "no diagnosis:",
        "  a deployment/b: 9 pods, 6 of them deleted",
        "  c pod/d: 1 pod",
    ]
