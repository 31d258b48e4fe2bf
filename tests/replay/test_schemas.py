"""Everything that the shipped recordings produce is valid by the committed JSON Schemas."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from collector.replaying import replay
from processor.engine import Engine, MemoryStore
from schemas.codec import RECORD_MAX_BYTES, decode_diagnosis, decode_observation, encode

_ROOT = Path(__file__).parents[2]
_RECORDINGS = sorted((_ROOT / "podcause" / "data" / "recordings").glob("*.jsonl.gz"))


def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((_ROOT / "schemas" / "v1" / name).read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("path", _RECORDINGS, ids=lambda path: path.name.removesuffix(".jsonl.gz"))
def test_what_a_recording_produces_is_valid(path: Path) -> None:
    of_observation, of_diagnosis = _validator("observation.json"), _validator("diagnosis.json")
    engine = Engine(MemoryStore())
    errors = []
    for observation in replay([path]):
        value = encode(observation)
        assert len(value) <= RECORD_MAX_BYTES
        assert decode_observation(value) == observation
        errors += [
            f"{observation.id}: {error.json_path}: {error.message}" for error in of_observation.iter_errors(json.loads(value))
        ]
        for diagnosis in engine.feed(observation):
            value = encode(diagnosis)
            assert len(value) <= RECORD_MAX_BYTES
            assert decode_diagnosis(value) == diagnosis
            errors += [
                f"{diagnosis.diagnosis.id}: {error.json_path}: {error.message}"
                for error in of_diagnosis.iter_errors(json.loads(value))
            ]
    assert errors == []
