"""Keys and identities: pure functions of what a record says, the same in every process and version.

The formulas are the contract's (sections 1 and 3); changing one changes the identity of every open ticket downstream.
"""

import hashlib
from typing import Final

_SEPARATOR: Final = "\x1f"


def pod_key(cluster_name: str, namespace: str, pod_name: str) -> str:
    """The Kafka key of everything about one pod: ``<cluster>/<namespace>/<pod>``."""
    return f"{cluster_name}/{namespace}/{pod_name}"


def fingerprint(
    cluster_uid: str, namespace: str, workload_kind: str, workload_name: str, container: str | None, problem: str
) -> str:
    """32 hex digits: the same trouble of the same workload, whichever pod has it."""
    return _digest("1", cluster_uid, namespace, workload_kind, workload_name, container or "", problem)


def diagnosis_id(cluster_uid: str, pod_uid: str, container: str | None, problem: str, ordinal: int) -> str:
    """32 hex digits: one episode. ``ordinal`` counts the episodes of that pod, container and problem, from 1."""
    return _digest(cluster_uid, pod_uid, container or "", problem, str(ordinal))


def _digest(*parts: str) -> str:
    text = _SEPARATOR.join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]
