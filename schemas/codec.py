"""Bytes to records and back: plain UTF-8 JSON, absent keys omitted, at most 64 KiB a record.

msgspec does the work: it validates types while it decodes, at several times the speed of json plus checks by hand.
"""

from typing import Final

import msgspec

from schemas import diagnosis as _diagnosis
from schemas import observation as _observation

RECORD_MAX_BYTES: Final = 64 * 1024


class UndecodableRecordError(ValueError):
    """Bytes that are not a record of the kind asked for. A retry does not help: dead-letter them."""


class UnsupportedSchemaVersionError(UndecodableRecordError):
    """A well-formed record of a major schema version that this release does not know."""


_encoder = msgspec.json.Encoder()
_observations: Final = msgspec.json.Decoder(_observation.Observation)
_diagnoses: Final = msgspec.json.Decoder(_diagnosis.Diagnosis)


def encode(record: msgspec.Struct) -> bytes:
    """A record as UTF-8 JSON. The 64 KiB limit is the builder's to keep: see ``RECORD_MAX_BYTES``."""
    return _encoder.encode(record)


def decode_observation(value: bytes | None) -> _observation.Observation:
    """An observation from its bytes.

    Raises UndecodableRecordError (not JSON, wrong types, unknown kind, null, over 64 KiB), UnsupportedSchemaVersionError (a major
    version other than 1).
    """
    if value is None:
        raise UndecodableRecordError("a null value: tombstones do not occur on this topic")
    if len(value) > RECORD_MAX_BYTES:
        raise UndecodableRecordError(f"{len(value)} bytes: a record has at most {RECORD_MAX_BYTES}")
    try:
        observation: _observation.Observation = _observations.decode(value)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableRecordError(str(error)) from error
    _check_version(observation.schema_version)
    return observation


def decode_diagnosis(value: bytes | None) -> _diagnosis.Diagnosis:
    """A diagnosis from its bytes. Raises as ``decode_observation`` does."""
    if value is None:
        raise UndecodableRecordError("a null value: tombstones do not occur on this topic")
    try:
        diagnosis = _diagnoses.decode(value)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableRecordError(str(error)) from error
    _check_version(diagnosis.schema_version)
    return diagnosis


def _check_version(version: str) -> None:
    if not version.startswith("1."):
        raise UnsupportedSchemaVersionError(f"schema_version {version[:32]!r}: this release reads 1.x")
