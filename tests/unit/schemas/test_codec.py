"""The codec: exact bytes out, exact records in, and a reason for what cannot be read."""

import pytest

from schemas.codec import (
    RECORD_MAX_BYTES,
    UndecodableRecordError,
    UnsupportedSchemaVersionError,
    decode_diagnosis,
    decode_observation,
    encode,
)
from schemas.diagnosis import (
    Cause,
    Diagnosis,
    DiagnosisBody,
    K8s,
    K8sCluster,
    K8sName,
    K8sPod,
    K8sWorkload,
    Producer,
    Rule,
)
from schemas.observation import Clock, ClockObservation, Cluster, Gap, GapObservation

_CLUSTER = Cluster(name="prod", uid="u1")
_TIME = "2026-11-22T16:26:43.000Z"
_CLOCK = ClockObservation(
    schema_version="1.0.0", id="u1/pods/t", cluster=_CLUSTER, observed_at=_TIME, clock=Clock(resource="pods", time=_TIME)
)
_CLOCK_BYTES = (
    b'{"kind":"clock","schema_version":"1.0.0","id":"u1/pods/t","cluster":{"name":"prod","uid":"u1"},'
    b'"observed_at":"2026-11-22T16:26:43.000Z","clock":{"resource":"pods","time":"2026-11-22T16:26:43.000Z"}}'
)


def _diagnosis(version: str = "1.0.0") -> Diagnosis:
    return Diagnosis(
        timestamp=_TIME,
        schema_version=version,
        message="web ends.",
        severity="error",
        severity_number=17,
        diagnosis=DiagnosisBody(
            id="0" * 32,
            fingerprint="f" * 32,
            revision=1,
            state="opened",
            problem="container_restarts",
            cause=Cause(id="unknown", confidence=0.25, summary="Nothing explains it."),
            opened_at=_TIME,
            first_observed_at=_TIME,
            last_observed_at=_TIME,
            occurrences=2,
            window_seconds=1200,
        ),
        rule=Rule(id="r", version="1"),
        k8s=K8s(
            cluster=K8sCluster(name="prod", uid="u1"),
            namespace=K8sName(name="shop"),
            pod=K8sPod(name="web-0"),
            workload=K8sWorkload(kind="Pod", name="web-0"),
        ),
        producer=Producer(name="test", version="0"),
    )


def test_a_record_is_compact_json_without_absent_keys() -> None:
    assert encode(_CLOCK) == _CLOCK_BYTES


def test_an_observation_comes_back_as_it_was() -> None:
    assert decode_observation(encode(_CLOCK)) == _CLOCK


def test_a_gap_has_the_key_from() -> None:
    gap = GapObservation(
        schema_version="1.0.0", id="i", cluster=_CLUSTER, observed_at=_TIME, gap=Gap(resource="pods", from_=_TIME, to=_TIME)
    )
    assert b'"gap":{"resource":"pods","from":"2026-11-22T16:26:43.000Z","to":"2026-11-22T16:26:43.000Z"}' in encode(gap)
    assert decode_observation(encode(gap)) == gap


def test_a_diagnosis_comes_back_as_it_was() -> None:
    encoded = encode(_diagnosis())
    assert encoded.startswith(b'{"@timestamp":"2026-11-22T16:26:43.000Z",')
    assert b"null" not in encoded
    assert decode_diagnosis(encoded) == _diagnosis()


def test_unknown_keys_of_a_later_minor_version_are_passed_over() -> None:
    later = _CLOCK_BYTES.replace(b'"1.0.0"', b'"1.7.0"').replace(b'"clock":{', b'"new":[1],"clock":{"also":null,')
    found = decode_observation(later)
    assert isinstance(found, ClockObservation)
    assert found.clock == _CLOCK.clock


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "a null value: tombstones do not occur on this topic"),
        (b"", "Input data was truncated"),
        (b"{", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"kind":"clok"}', "Invalid value 'clok' - at `$.kind`"),
        (_CLOCK_BYTES.replace(b'"id":"u1/pods/t",', b""), "Object missing required field `id`"),
        (_CLOCK_BYTES.replace(b'"u1/pods/t"', b"7"), "Expected `str`, got `int` - at `$.id`"),
        (b" " * (RECORD_MAX_BYTES + 1), "65537 bytes: a record has at most 65536"),
    ],
)
def test_what_is_no_observation_is_refused_with_the_reason(value: bytes | None, message: str) -> None:
    with pytest.raises(UndecodableRecordError) as raised:
        decode_observation(value)
    assert str(raised.value) == message


@pytest.mark.parametrize("value", [b'{"kind":"\xff"}', b"[" * 100_000])
def test_bytes_that_break_parsers_are_refused(value: bytes) -> None:
    with pytest.raises(UndecodableRecordError):
        decode_observation(value[:RECORD_MAX_BYTES])


@pytest.mark.parametrize("version", ["2.0.0", "0.9.0", "10.0.0", "1"])
def test_another_major_version_is_refused_as_such(version: str) -> None:
    with pytest.raises(UnsupportedSchemaVersionError) as raised:
        decode_observation(_CLOCK_BYTES.replace(b"1.0.0", version.encode()))
    assert str(raised.value) == f"schema_version '{version}': this release reads 1.x"
    with pytest.raises(UnsupportedSchemaVersionError):
        decode_diagnosis(encode(_diagnosis(version)))


def test_a_null_diagnosis_is_refused() -> None:
    with pytest.raises(UndecodableRecordError):
        decode_diagnosis(None)
