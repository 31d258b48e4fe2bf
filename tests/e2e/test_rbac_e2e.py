"""deploy/rbac.yaml on a genuine API server: with the token of that ServiceAccount, all that is needed works and nothing else."""

import copy
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.api import Api, ApiSettings
from collector.api_errors import ApiError, ForbiddenError
from collector.checking import Finding, Plan, check_cluster, missing_rules

KUBECONFIG = os.environ.get("KUBECONFIG")
pytestmark = [pytest.mark.cluster, pytest.mark.skipif(not KUBECONFIG, reason="KUBECONFIG names no disposable cluster")]

MANIFEST = Path(__file__).parents[2] / "deploy" / "rbac.yaml"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
}


@dataclass
class Installed:
    admin: Api
    collector: Api
    namespace: str
    documents: list[dict[str, Any]]

    @property
    def plan(self) -> Plan:
        return Plan(lease_namespace=self.namespace)

    def put(self, document: dict[str, Any]) -> None:
        self.admin.request("PUT", path_of(document, named=True), body=json.dumps(document).encode())


def path_of(document: dict[str, Any], *, named: bool = False) -> str:
    metadata = document["metadata"]
    path = PATHS[document["kind"]].format(namespace=metadata.get("namespace"))
    return f"{path}/{metadata['name']}" if named else path


def renamed(value: Any, suffix: str) -> Any:
    """Every cluster-wide name and the namespace with a suffix, so that a test touches nothing that is installed."""
    if isinstance(value, dict):
        return {
            key: f"{item}-{suffix}"
            if key in ("name", "namespace") and isinstance(item, str) and item.startswith("podcause")
            else renamed(item, suffix)
            for key, item in value.items()
        }
    return [renamed(item, suffix) for item in value] if isinstance(value, list) else value


def eventually(find: Callable[[], Any], wanted: Callable[[Any], bool], seconds: float = 15) -> Any:
    """RBAC is read through caches: what is found at last, wanted or not."""
    deadline = time.monotonic() + seconds
    while not wanted(found := find()) and time.monotonic() < deadline:
        pass
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    suffix = uuid.uuid4().hex[:8]
    documents = [renamed(one, suffix) for one in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))]
    namespace = f"podcause-{suffix}"
    with Api(ApiSettings(kubeconfig=Path(str(KUBECONFIG)))) as admin:
        try:
            for one in documents:
                admin.request("POST", path_of(one), body=json.dumps(one).encode())
            account = f"/api/v1/namespaces/{namespace}/serviceaccounts/podcause-collector-{suffix}/token"
            answer = admin.request("POST", account, body=b'{"spec":{"expirationSeconds":3600}}')
            config = yaml.safe_load(Path(str(KUBECONFIG)).read_text(encoding="utf-8"))
            config["users"] = [
                {"name": one["name"], "user": {"token": json.loads(answer)["status"]["token"]}} for one in config["users"]
            ]
            kubeconfig = tmp_path_factory.mktemp("rbac") / "kubeconfig"
            kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
            with Api(ApiSettings(kubeconfig=kubeconfig)) as collector:
                yield Installed(admin, collector, namespace, documents)
        finally:
            for one in reversed(documents):
                if one["kind"] in ("Namespace", "ClusterRole", "ClusterRoleBinding"):
                    admin.request("DELETE", path_of(one, named=True))


def faults(found: list[Finding]) -> list[str]:
    return [f"{one.what}: {one.detail}" for one in found if not one.good]


def test_everything_that_the_collector_needs_is_allowed(installed: Installed) -> None:
    found = eventually(lambda: check_cluster(installed.collector, installed.plan), lambda all_: not faults(all_))
    assert faults(found) == []
    assert missing_rules(found) == ""
    assert found[0].detail.startswith("v")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/secrets",
        "/api/v1/configmaps",
        "/api/v1/nodes",
        "/api/v1/namespaces",
        "/api/v1/namespaces/default",
        "/api/v1/services",
        "/apis/apps/v1/deployments",
        "/apis/coordination.k8s.io/v1/leases",
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    ],
)
def test_nothing_else_may_be_read(installed: Installed, path: str) -> None:
    with pytest.raises(ForbiddenError):
        installed.collector.get(path)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/events", "/api/v1/namespaces/default/secrets"]
)
def test_nothing_may_be_written(installed: Installed, method: str, path: str) -> None:
    with pytest.raises(ForbiddenError):
        installed.collector.request(
            method, path, {"dryRun": "All"}, body=b'{"metadata":{"generateName":"x-"}}' if method == "POST" else None
        )


def test_another_lease_is_not_ours(installed: Installed) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{installed.namespace}/leases"
    with pytest.raises(ForbiddenError):
        installed.collector.get(f"{leases}/another")
    with pytest.raises(ApiError) as told:
        installed.collector.get(f"{leases}/podcause-collector")
    assert told.value.status == 404


@pytest.mark.parametrize(
    ("role", "rule", "missing"),
    [
        ("podcause-collector", 0, ["list pods in all namespaces", "watch events in all namespaces"]),
        ("podcause-collector-cluster-uid", 0, ["get namespaces kube-system"]),
        ("podcause-collector-logs", 0, ["get pods/log in all namespaces"]),
        ("podcause-collector-owners", 0, ["list replicasets in all namespaces", "watch replicasets in all namespaces"]),
        ("podcause-collector-owners", 1, ["list jobs in all namespaces", "watch jobs in all namespaces"]),
        ("podcause-collector-lease", 0, ["get leases podcause-collector", "update leases podcause-collector"]),
        ("podcause-collector-lease", 1, ["create leases in"]),
    ],
)
def test_a_rule_that_is_removed_is_named(installed: Installed, role: str, rule: int, missing: list[str]) -> None:
    suffix = installed.namespace.removeprefix("podcause-")
    document = next(one for one in installed.documents if one["metadata"]["name"] == f"{role}-{suffix}" and "rules" in one)
    without = copy.deepcopy(document)
    removed = without["rules"].pop(rule)
    installed.put(without)
    try:
        found = eventually(
            lambda: check_cluster(installed.collector, installed.plan),
            lambda all_: all(any(word in fault for fault in faults(all_)) for word in missing),
        )
        assert all(any(word in fault for fault in faults(found)) for word in missing)
        told = yaml.safe_load(missing_rules(found))
        asked = {
            (group, resource, verb)
            for one in told
            for group in one["apiGroups"]
            for resource in one["resources"]
            for verb in one["verbs"]
        }
        lost = {
            (group, resource, verb)
            for group in removed["apiGroups"]
            for resource in removed["resources"]
            for verb in removed["verbs"]
        }
        # Of owners `get` is granted too, and not needed.
        assert asked <= lost
        assert {verb for *_, verb in asked} >= {verb for *_, verb in lost} - {"get"}
    finally:
        installed.put(document)


def test_missing_rules_that_are_added_as_told_make_it_work(installed: Installed) -> None:
    """What --check prints is a rule that can be pasted."""
    suffix = installed.namespace.removeprefix("podcause-")
    document = next(
        one for one in installed.documents if one["metadata"]["name"] == f"podcause-collector-{suffix}" and "rules" in one
    )
    installed.put(document | {"rules": []})
    try:
        found = eventually(lambda: check_cluster(installed.collector, installed.plan), lambda all_: len(faults(all_)) >= 6)
        rules = yaml.safe_load(missing_rules([one for one in found if one.right and one.right.namespace is None]))
        installed.put(document | {"rules": rules})
        found = eventually(lambda: check_cluster(installed.collector, installed.plan), lambda all_: not faults(all_))
        assert faults(found) == []
    finally:
        installed.put(document)
