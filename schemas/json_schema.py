"""JSON Schema 2020-12 of the records, made from the structs and tightened: `python -m schemas.json_schema` writes schemas/v1/.

The structs say which keys there are and of what type; this adds what a type cannot say (patterns, bounds, lengths, what goes
with what) and descriptions. Unknown keys are allowed on purpose: a minor version may add some, and consumers must pass over
them. It must not know any value that a rule decides.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.diagnosis import (
    EVIDENCE_MAX_ITEMS,
    EVIDENCE_TEXT_MAX_CHARACTERS,
    MESSAGE_MAX_CHARACTERS,
    SEVERITY_NUMBERS,
    Diagnosis,
)
from schemas.field_descriptions import DESCRIPTIONS
from schemas.observation import Observation

#: A schema's identity, which `ce_dataschema` names too.
SCHEMA_ID: Final = "https://podcause.io/schemas/v1/{name}.json"
DIRECTORY: Final = Path(__file__).parent / "v1"

_SAFE_INTEGER: Final = 2**53 - 1
_FORBIDDEN_TOP_LEVEL: Final = (
    "topic", "partition", "offset", "headers", "message_key", "timestamp", "status", "host", "service", "source", "time",
    "event", "index",
)  # fmt: skip
_UNKNOWN_KEYS: Final = "Unknown keys are allowed: a minor version may add some, and a consumer must pass over them."

_TIME: Final[dict[str, Any]] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
}
_TIME_KEYS: Final = frozenset({"@timestamp", "time", "from", "to"})
_HASH: Final[dict[str, Any]] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_NAME: Final[dict[str, Any]] = {"minLength": 1}

#: What a struct's field must hold besides its type.
_BOUNDS: Final[dict[str, dict[str, Any]]] = {
    "Alternative.confidence": {"minimum": 0, "maximum": 1},
    "Cause.confidence": {"minimum": 0, "maximum": 1},
    "Cause.summary": _NAME,
    "Cluster.name": _NAME,
    "Cluster.uid": _NAME,
    "Diagnosis.evidence": {"maxItems": EVIDENCE_MAX_ITEMS},
    "Diagnosis.message": {"minLength": 1, "maxLength": MESSAGE_MAX_CHARACTERS},
    "Diagnosis.severity_number": {"enum": sorted(SEVERITY_NUMBERS.values())},
    "DiagnosisBody.fingerprint": _HASH,
    "DiagnosisBody.id": _HASH,
    "DiagnosisBody.revision": {"minimum": 1},
    "DiagnosisBody.remediation": {"items": {"type": "string", "minLength": 1}},
    "Evidence.count": {"minimum": 1},
    "Evidence.text": {"maxLength": EVIDENCE_TEXT_MAX_CHARACTERS},
    "K8sCluster.name": _NAME,
    "K8sCluster.uid": _NAME,
    "K8sName.name": _NAME,
    "K8sPod.name": _NAME,
    "K8sWorkload.kind": _NAME,
    "K8sWorkload.name": _NAME,
    "Pod.name": _NAME,
    "Pod.namespace": _NAME,
    "Port.port": {"minimum": 1, "maximum": 65535},
    "Redaction.count": {"minimum": 1},
    "RedactionCount.count": {"minimum": 1},
    "Termination.exit_code": {"minimum": -_SAFE_INTEGER},
    "Terminated.exit_code": {"minimum": -_SAFE_INTEGER},
}


def diagnosis_schema() -> dict[str, Any]:
    """The schema of a value on ``<prefix>.diagnoses.v1``."""
    _, definitions = msgspec.json.schema_components([Diagnosis], ref_template="#/$defs/{name}")
    definitions = {name: _tightened(name, definition) for name, definition in definitions.items()}
    root = definitions.pop("Diagnosis")
    body = definitions["DiagnosisBody"]
    body["if"] = {"properties": {"state": {"const": "resolved"}}, "required": ["state"]}
    body["then"] = {"required": ["resolved_at", "resolution"]}
    body["else"] = {"properties": {"resolved_at": False, "resolution": False}}
    root["propertyNames"] = {"not": {"enum": list(_FORBIDDEN_TOP_LEVEL)}}
    root["allOf"] = [
        {
            "if": {"properties": {"severity": {"const": severity}}, "required": ["severity"]},
            "then": {"properties": {"severity_number": {"const": number}}},
        }
        for severity, number in SEVERITY_NUMBERS.items()
    ]
    return _document("diagnosis", "One revision of one pod's diagnosis", root, definitions)


def observation_schema() -> dict[str, Any]:
    """The schema of a value on ``<prefix>.observations.v1``: one of six kinds."""
    (union,), definitions = msgspec.json.schema_components([Observation], ref_template="#/$defs/{name}")
    definitions = {name: _tightened(name, definition) for name, definition in definitions.items()}
    # `kind` first, then that kind's schema alone: a failure is reported for the kind that was meant.
    mapping = union["discriminator"]["mapping"]
    root = {
        "description": "What a collector saw of one cluster, published at least once; `id` makes a repeat recognisable.",
        "type": "object",
        "properties": {"kind": {"enum": list(mapping)}},
        "required": ["kind"],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": reference},
            }
            for kind, reference in mapping.items()
        ],
    }
    return _document("observation", "One observation of a cluster", root, definitions)


def _document(name: str, title: str, root: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID.format(name=name),
        "$comment": _UNKNOWN_KEYS,
        **root,
        "title": title,
        "$defs": dict(sorted(definitions.items())),
    }


def _tightened(struct: str, definition: dict[str, Any]) -> dict[str, Any]:
    """A struct's schema with the rules of the contract that types cannot express."""
    definition = {key: value for key, value in definition.items() if key != "title"}
    definition["description"] = definition["description"].replace("``", "`")
    definition["properties"] = {key: _field(struct, key, value) for key, value in definition["properties"].items()}
    return definition


def _field(struct: str, key: str, schema: dict[str, Any]) -> dict[str, Any]:
    """One key's schema. Records never hold null: an absent key is absent."""
    field = dict(schema)
    options = [option for option in field.pop("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        field = {**field, **options[0]}
    elif options:
        field = {**field, "anyOf": options}
    if field.get("default") in (None, (), [], {}):
        field.pop("default", None)
    if key == "kind" and len(field.get("enum", [])) == 1:
        field = {"const": field["enum"][0]}
    if key in _TIME_KEYS or key.endswith("_at"):
        field = {**field, **_TIME}
    if key == "schema_version":
        field["pattern"] = r"^1\.(0|[1-9]\d*)\.(0|[1-9]\d*)$"
    if field.get("type") == "integer":
        field = {**field, "minimum": 0, "maximum": _SAFE_INTEGER}
    field.update(_BOUNDS.get(f"{struct}.{key}", {}))
    of = "Observation" if struct.endswith("Observation") else struct
    description = DESCRIPTIONS.get(f"{struct}.{key}") or DESCRIPTIONS.get(f"{of}.{key}") or DESCRIPTIONS.get(key)
    return {"description": description, **field} if description else field


def documents() -> dict[str, str]:
    """File name to content of everything in schemas/v1/."""
    schemas = {"diagnosis.json": diagnosis_schema(), "observation.json": observation_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main() -> None:
    """Write schemas/v1/."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, content in documents().items():
        (DIRECTORY / name).write_text(content, encoding="utf-8")
        sys.stderr.write(f"wrote schemas/v1/{name}\n")


if __name__ == "__main__":
    main()
