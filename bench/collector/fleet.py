"""Fake nodes and pods on the cluster, made and removed: kwok plays their kubelet. It measures nothing."""

import contextlib
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.collector.requests import Cluster, RequestError

_PODS_PER_NODE: Final = 250
_LABEL: Final = "podcause-bench"
_RUNNING_SECONDS: Final = 300.0
_STAGES: Final = Path(__file__).with_name("kwok-stages.yaml")


class FleetError(Exception):
    """The pods did not come to run."""


class Fleet:
    """So many running pods on fake nodes in a namespace of their own; a context manager. ``kwok`` is the controller's binary."""

    def __init__(self, cluster: Cluster, kwok: Path, namespace: str, pods: int) -> None:
        self._cluster = cluster
        self._kwok = kwok
        self.namespace = namespace
        self.pods = pods
        self._nodes = [f"{namespace}-node-{number}" for number in range(-(-pods // _PODS_PER_NODE))]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._added = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Make them, and wait until all run."""
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove them."""
        self._end()

    def delete_events(self) -> None:
        """Remove the namespace's events, so that each collector begins with the same cluster."""
        path = f"/api/v1/namespaces/{self.namespace}/events"
        while names := [one["metadata"]["name"] for one in self._cluster.request("GET", f"{path}?limit=2000")["items"]]:
            self._cluster.each(lambda name: self._cluster.ensure("DELETE", f"{path}/{name}", accepted=404), names)

    def add_pod(self) -> str:
        """One more pod, to see whether a collector watches; its UID."""
        self._added += 1
        body = _pod(self.pods + self._added, self._nodes[0])
        return str(self._cluster.request("POST", f"/api/v1/namespaces/{self.namespace}/pods", body)["metadata"]["uid"])

    def _start(self) -> None:
        cluster, namespace = self._cluster, self.namespace
        cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace, "labels": {_LABEL: "true"}}})
        # Without a controller manager nobody makes it, and admission wants it.
        cluster.ensure("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
        cluster.each(lambda name: cluster.ensure("POST", "/api/v1/nodes", _node(name, namespace)), self._nodes)
        self._process = subprocess.Popen(  # noqa: S603 - no shell
            [
                str(self._kwok),
                f"--config={_STAGES}",
                "--manage-all-nodes=false",
                f"--manage-nodes-with-label-selector={_LABEL}={namespace}",
            ],
            stdout=self._log,
            stderr=self._log,
        )
        path = f"/api/v1/namespaces/{namespace}/pods"
        cluster.each(
            lambda number: cluster.ensure("POST", path, _pod(number, self._nodes[number % len(self._nodes)])), range(self.pods)
        )
        deadline = time.monotonic() + _RUNNING_SECONDS
        while self._waiting(path):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._log.seek(0)
                raise FleetError(f"the pods do not come to run; kwok says: {self._log.read()[-2000:].decode(errors='replace')}")
            time.sleep(2.0)

    def _waiting(self, path: str) -> bool:
        return bool(self._cluster.request("GET", f"{path}?limit=1&fieldSelector=status.phase!%3DRunning")["items"])

    def _end(self) -> None:
        cluster, namespace = self._cluster, self.namespace
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._log.close()
        path = f"/api/v1/namespaces/{namespace}/pods"
        with contextlib.suppress(RequestError):
            self.delete_events()
            while names := [one["metadata"]["name"] for one in cluster.request("GET", f"{path}?limit=2000")["items"]]:
                cluster.each(lambda name: cluster.ensure("DELETE", f"{path}/{name}?gracePeriodSeconds=0", accepted=404), names)
            cluster.each(lambda name: cluster.ensure("DELETE", f"/api/v1/nodes/{name}", accepted=404), self._nodes)
            cluster.ensure("DELETE", f"/api/v1/namespaces/{namespace}", accepted=404)
            # A control plane without a controller manager leaves it terminating; elsewhere this hurts nothing: it is empty.
            finalised = {"metadata": {"name": namespace}, "spec": {"finalizers": []}}
            cluster.ensure("PUT", f"/api/v1/namespaces/{namespace}/finalize", finalised, accepted=404)


def _node(name: str, namespace: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {_LABEL: namespace, "kubernetes.io/hostname": name}},
        "spec": {"taints": [{"key": _LABEL, "value": "true", "effect": "NoSchedule"}]},
        "status": {"capacity": {"cpu": "64", "memory": "256Gi", "pods": str(_PODS_PER_NODE)}},
    }


def _pod(number: int, node: str) -> dict[str, Any]:
    """About what a small web service's pod is."""
    app, revision = f"app-{number // 20}", f"{number // 20:08x}"
    environment = [{"name": f"SETTING_{index}", "value": f"value-{index}-of-{app}"} for index in range(12)]
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10}
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    container = {
        "name": "app",
        "image": f"bench/{app}:1.0.{number % 7}",
        "env": environment,
        "ports": [{"containerPort": 8080}],
        "readinessProbe": probe,
        "livenessProbe": probe,
        "resources": resources,
    }
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{app}-{revision}", "controller": True}
    return {
        "metadata": {
            "name": pod_name(number),
            "labels": {"app": app, "pod-template-hash": revision, "team": f"team-{number % 12}"},
            "ownerReferences": [{**owner, "uid": f"00000000-0000-4000-8000-{number // 20:012x}"}],
        },
        "spec": {
            "nodeName": node,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        },
    }


def pod_name(number: int) -> str:
    """The name of the pod with that number."""
    return f"app-{number // 20}-{number // 20:08x}-{number:05d}"
