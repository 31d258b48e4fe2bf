"""From a pod's owner references to its controller and its top workload."""

from typing import Any

import pytest

from collector.owners import owners
from schemas.observation import Workload


def _owned(kind: str, name: str, **labels: str) -> dict[str, Any]:
    return {"ownerReferences": [{"kind": kind, "name": name, "controller": True}], "labels": labels}


@pytest.mark.parametrize(
    ("metadata", "kind", "name"),
    [
        (_owned("ReplicaSet", "web-5d4f8c7b9", **{"pod-template-hash": "5d4f8c7b9"}), "Deployment", "web"),
        (_owned("ReplicaSet", "web-1", **{"pod-template-hash": "5d4f8c7b9"}), "ReplicaSet", "web-1"),
        (_owned("ReplicaSet", "web-5d4f8c7b9"), "Deployment", "web"),
        (_owned("ReplicaSet", "web-2035384211"), "Deployment", "web"),
        (_owned("ReplicaSet", "kube-dns-545bc4bfd4", **{"pod-template-hash": "1016707980"}), "Deployment", "kube-dns"),
        (_owned("ReplicaSet", "web-frontend"), "ReplicaSet", "web-frontend"),
        (_owned("ReplicaSet", "web-5d4f8c7"), "ReplicaSet", "web-5d4f8c7"),
        (_owned("ReplicaSet", "canary-6f5b", **{"rollouts-pod-template-hash": "6f5b"}), "Rollout", "canary"),
        (_owned("Job", "report-29384750"), "CronJob", "report"),
        (_owned("Job", "report-1700000000"), "CronJob", "report"),
        (_owned("Job", "report-2026"), "Job", "report-2026"),
        (_owned("Job", "migrate"), "Job", "migrate"),
        (_owned("StatefulSet", "db-12345678"), "StatefulSet", "db-12345678"),
        (_owned("DaemonSet", "agent"), "DaemonSet", "agent"),
    ],
)
def test_the_top_workload(metadata: dict[str, Any], kind: str, name: str) -> None:
    owner, controller = owners(metadata)
    assert owner is not None
    assert (owner.kind, owner.name) == (kind, name)
    reference = metadata["ownerReferences"][0]
    assert controller == Workload(kind=reference["kind"], name=reference["name"])


@pytest.mark.parametrize(
    "metadata",
    [{}, {"ownerReferences": None}, {"ownerReferences": []}, {"ownerReferences": [{"kind": "Node", "name": "n", "controller": True}]},
     {"ownerReferences": [{"kind": "Job"}, None, "x"]}],
)  # fmt: skip
def test_a_pod_of_nobody_or_of_its_node_is_its_own(metadata: dict[str, Any]) -> None:
    assert owners(metadata) == (None, None)


def test_the_controlling_owner_goes_before_others() -> None:
    metadata = {"ownerReferences": [{"kind": "Foo", "name": "f"}, {"kind": "Bar", "name": "b", "uid": "u", "controller": True}]}
    assert owners(metadata)[0] == Workload(kind="Bar", name="b", uid="u")
    metadata["ownerReferences"].pop()
    assert owners(metadata)[0] == Workload(kind="Foo", name="f")
