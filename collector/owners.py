"""Who runs a pod: the direct controller, and the top workload above it, from the pod alone. Pure: no request is made.

A ReplicaSet's name is its Deployment's plus the pod template's hash (pkg/controller/deployment/sync.go, getNewReplicaSet); a
Job's is its CronJob's plus the scheduled minute (pkg/controller/cronjob/utils.go, getJobName; Unix seconds before 1.21).
"""

import re
from typing import Final

from collector.raw_values import Raw, mapping, mappings, short_text
from schemas.observation import Workload
from schemas.timestamps import InvalidTimestampError, parse_ms

#: Alphabet of rand.SafeEncodeString (apimachinery pkg/util/rand/rand.go); before 1.12 the hash was a decimal number.
_HASHED_NAME: Final = re.compile(r"(?P<name>.+)-(?:[bcdfghjklmnpqrstvwxz2456789]{8,10}|[0-9]{9,10})")
_SCHEDULED_NAME: Final = re.compile(r"(?P<name>.+)-(?P<time>[0-9]{8}|[0-9]{10})")
#: A CronJob may start late, and its pod be made again: two days.
_NEAR_MS: Final = 2 * 86_400_000
_ROLLOUT_HASH_LABEL: Final = "rollouts-pod-template-hash"
_HASH_LABEL: Final = "pod-template-hash"


def owners(metadata: Raw) -> tuple[Workload | None, Workload | None]:
    """The top workload and the direct controller; (None, None) when nothing owns the pod, or only its node (a mirror pod)."""
    controller = _controller(metadata)
    if controller is None:
        return None, None
    labels = mapping(metadata.get("labels"))
    if controller.kind == "ReplicaSet":
        return _above_replica_set(controller, labels), controller
    if controller.kind == "Job":
        scheduled = _SCHEDULED_NAME.fullmatch(controller.name)
        if scheduled is not None and _is_near(scheduled["time"], metadata):
            return Workload(kind="CronJob", name=scheduled["name"], api_version="batch/v1"), controller
    return controller, controller


def _is_near(scheduled: str, metadata: Raw) -> bool:
    """Whether a Job's number is a time near its pod's creation: 8 digits are minutes, 10 are seconds. Without a creation it may be."""
    created = short_text(metadata.get("creationTimestamp"))
    if created is None:
        return True
    try:
        created_ms = parse_ms(created)
    except InvalidTimestampError:
        return True
    return abs(int(scheduled) * (60_000 if len(scheduled) == 8 else 1000) - created_ms) <= _NEAR_MS


def _controller(metadata: Raw) -> Workload | None:
    first = None
    for reference in mappings(metadata.get("ownerReferences")):
        kind, name = short_text(reference.get("kind")), short_text(reference.get("name"))
        if kind is None or name is None or kind == "Node":
            continue
        owner = Workload(
            kind=kind, name=name, uid=short_text(reference.get("uid")), api_version=short_text(reference.get("apiVersion"))
        )
        if reference.get("controller") is True:
            return owner
        first = first or owner
    return first


def _above_replica_set(replica_set: Workload, labels: Raw) -> Workload:
    rollout_hash = short_text(labels.get(_ROLLOUT_HASH_LABEL))
    if rollout_hash is not None:
        name = replica_set.name.removesuffix(f"-{rollout_hash}")
        return (
            Workload(kind="Rollout", name=name, api_version="argoproj.io/v1alpha1")
            if name != replica_set.name and name
            else replica_set
        )
    template_hash = short_text(labels.get(_HASH_LABEL))
    # Before 1.12 the label was a decimal number, which the name could hold in its safe encoding: then the name tells.
    if template_hash is not None and not template_hash.isdigit():
        name = replica_set.name.removesuffix(f"-{template_hash}")
        return _deployment(name) if name and name != replica_set.name else replica_set
    hashed = _HASHED_NAME.fullmatch(replica_set.name)
    return _deployment(hashed["name"]) if hashed is not None else replica_set


def _deployment(name: str) -> Workload:
    return Workload(kind="Deployment", name=name, api_version="apps/v1")
