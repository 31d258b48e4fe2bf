"""The JSON Schemas: what is committed is what the structs say, and each rule beyond types refuses what breaks it."""

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.json_schema import DIRECTORY, diagnosis_schema, documents, observation_schema

_TIME = "2026-11-22T16:26:43.000Z"
_DIAGNOSIS: dict[str, Any] = {
    "@timestamp": _TIME,
    "schema_version": "1.0.0",
    "message": "web ends.",
    "severity": "error",
    "severity_number": 17,
    "diagnosis": {
        "id": "0" * 32,
        "fingerprint": "f" * 32,
        "revision": 1,
        "state": "opened",
        "problem": "container_restarts",
        "cause": {"id": "unknown", "confidence": 0.25, "summary": "Nothing explains it."},
        "opened_at": _TIME,
        "first_observed_at": _TIME,
        "last_observed_at": _TIME,
        "occurrences": 2,
        "window_seconds": 1200,
    },
    "rule": {"id": "r", "version": "1"},
    "k8s": {
        "cluster": {"name": "prod", "uid": "u1"},
        "namespace": {"name": "shop"},
        "pod": {"name": "web-0"},
        "workload": {"kind": "Pod", "name": "web-0"},
    },
    "producer": {"name": "test", "version": "0"},
}
_CLOCK: dict[str, Any] = {
    "kind": "clock",
    "schema_version": "1.0.0",
    "id": "u1/pods/t",
    "cluster": {"name": "prod", "uid": "u1"},
    "observed_at": _TIME,
    "clock": {"resource": "pods", "time": _TIME},
}


def _errors(schema: dict[str, Any], record: dict[str, Any]) -> list[str]:
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return sorted({".".join(map(str, error.absolute_path)) or "-" for error in validator.iter_errors(record)})


def _changed(record: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one value set; `...` takes the key away."""
    changed = copy.deepcopy(record)
    *parents, last = path.split("/")
    target = changed
    for parent in parents:
        target = target[parent]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return changed


@pytest.mark.parametrize("name", ["diagnosis.json", "observation.json"])
def test_the_committed_schema_is_what_the_structs_say(name: str) -> None:
    assert (DIRECTORY / name).read_text(encoding="utf-8") == documents()[name], "run `make schemas`"


def test_nothing_else_is_committed_there() -> None:
    assert sorted(path.name for path in DIRECTORY.iterdir()) == sorted(documents())


@pytest.mark.parametrize("name", ["diagnosis.json", "observation.json"])
def test_the_schema_is_a_valid_2020_12_schema_with_an_id(name: str) -> None:
    schema = json.loads(documents()[name])
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"https://podcause.io/schemas/v1/{name}"


def test_a_diagnosis_as_the_contract_has_it_is_valid() -> None:
    assert _errors(diagnosis_schema(), _DIAGNOSIS) == []


def test_what_the_contract_always_has_is_required() -> None:
    schema = diagnosis_schema()
    body = schema["$defs"]["DiagnosisBody"]["required"]
    assert schema["required"] == [
        "@timestamp", "schema_version", "message", "severity", "severity_number", "diagnosis", "rule", "k8s", "producer",
    ]  # fmt: skip
    assert body == [
        "id", "fingerprint", "revision", "state", "problem", "cause", "opened_at", "first_observed_at", "last_observed_at",
        "occurrences", "window_seconds",
    ]  # fmt: skip
    assert schema["$defs"]["K8s"]["required"] == ["cluster", "namespace", "pod", "workload"]
    assert schema["$defs"]["Cause"]["required"] == ["id", "confidence", "summary"]


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("producer", ..., "-"),
        ("@timestamp", "2026-11-22T16:26:43Z", "@timestamp"),
        ("@timestamp", "2026-11-22T16:26:43.000+00:00", "@timestamp"),
        ("schema_version", "2.0.0", "schema_version"),
        ("message", "", "message"),
        ("message", "x" * 1025, "message"),
        ("severity", "fatal", "severity"),
        ("severity_number", 13, "severity_number"),
        ("severity_number", 18, "severity_number"),
        ("diagnosis/id", "ABC", "diagnosis.id"),
        ("diagnosis/fingerprint", "0" * 64, "diagnosis.fingerprint"),
        ("diagnosis/revision", 0, "diagnosis.revision"),
        ("diagnosis/state", "resolved", "diagnosis"),
        ("diagnosis/resolved_at", _TIME, "diagnosis"),
        ("diagnosis/problem", "crash", "diagnosis.problem"),
        ("diagnosis/cause/id", "gremlins", "diagnosis.cause.id"),
        ("diagnosis/cause/confidence", 1.01, "diagnosis.cause.confidence"),
        ("diagnosis/cause/confidence", -0.1, "diagnosis.cause.confidence"),
        ("diagnosis/occurrences", 2**53, "diagnosis.occurrences"),
        ("k8s/pod/uid", None, "k8s.pod.uid"),
        ("evidence", [{"kind": "event", "text": "x"}] * 21, "evidence"),
        ("evidence", [{"kind": "event", "text": "x" * 1025}], "evidence.0.text"),
        ("timestamp", _TIME, "-"),
        ("host", "node-a", "-"),
    ],
)
def test_a_diagnosis_that_breaks_the_contract_is_refused(path: str, value: object, where: str) -> None:
    assert _errors(diagnosis_schema(), _changed(_DIAGNOSIS, path, value)) == [where]


def test_a_resolved_diagnosis_says_when_and_how() -> None:
    resolved = _changed(_DIAGNOSIS, "diagnosis/state", "resolved")
    resolved = _changed(resolved, "diagnosis/resolved_at", _TIME)
    assert _errors(diagnosis_schema(), resolved) == ["diagnosis"]
    assert _errors(diagnosis_schema(), _changed(resolved, "diagnosis/resolution", "recovered")) == []


def test_keys_of_a_later_minor_version_are_allowed() -> None:
    assert _errors(diagnosis_schema(), _changed(_DIAGNOSIS, "diagnosis/new_key", 1)) == []
    assert _errors(observation_schema(), _changed(_CLOCK, "new_key", 1)) == []


def test_an_observation_as_the_contract_has_it_is_valid() -> None:
    assert _errors(observation_schema(), _CLOCK) == []


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("kind", "clok", "kind"),
        ("kind", "gap", "-"),
        ("clock", ..., "-"),
        ("id", ..., "-"),
        ("observed_at", "now", "observed_at"),
        ("clock/time", "2026-11-22T16:26:43Z", "clock.time"),
        ("cluster/uid", "", "cluster.uid"),
        ("redaction", {"count": 0}, "redaction.count"),
    ],
)
def test_an_observation_that_breaks_the_contract_is_refused(path: str, value: object, where: str) -> None:
    assert _errors(observation_schema(), _changed(_CLOCK, path, value)) == [where]
