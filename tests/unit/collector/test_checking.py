import json
from collections.abc import Mapping
from typing import Any

import pytest

from collector.api_errors import ApiError, ApiUnreachableError, ForbiddenError, NotFoundError, UnauthorizedError
from collector.checking import Plan, check_cluster, missing_rules, rights
from podcause.collect_check import show

Rule = tuple[str, str, str]  # verb, resource, namespace or ""


class Server:
    """An API server that allows everything but the rules that are removed, and has one pod and no Lease."""

    def __init__(self, *refused: Rule, reviews_lie: bool = False) -> None:
        self.refused = set(refused)
        self.reviews_lie = reviews_lie
        self.fail: ApiError | None = None
        self.used: list[tuple[str, str, dict[str, str]]] = []

    def get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        return self.request("GET", path, params)

    def stream(self, path: str, params: Mapping[str, str] | None = None) -> "Server":
        self.request("GET", path, params)
        return self

    def close(self) -> None:
        """Nothing is open."""

    def request(self, method: str, path: str, params: Mapping[str, str] | None = None, body: bytes | None = None) -> bytes:
        self.used.append((method, path, dict(params or {})))
        if self.fail is not None:
            raise self.fail
        if path == "/version":
            return b'{"gitVersion":"v1.34.4"}'
        if path.endswith("/selfsubjectaccessreviews"):
            assert body is not None
            return json.dumps({"status": {"allowed": self.reviews_lie or self.allows(json.loads(body))}}).encode()
        parts = path.split("/")
        namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts and parts[-1] != "kube-system" else ""
        resource = next((word for word in ("replicasets", "jobs", "leases", "events") if word in parts), "pods")
        if parts[-1] == "log":
            resource, namespace = "pods/log", ""
        if parts[-1] == "kube-system":
            resource = "namespaces"
        named = resource in ("namespaces", "pods/log") or parts[-1] == "podcause-collector"
        verb = {"POST": "create", "PUT": "update"}.get(method) or (
            "watch" if "watch" in (params or {}) else "get" if named else "list"
        )
        if (verb, resource, namespace) in self.refused:
            raise ForbiddenError(f"{path}: 403 Forbidden: cannot {verb} {resource}", status=403)
        if resource == "leases" and method == "GET":
            raise NotFoundError("no lease", status=404)
        return json.dumps(
            {
                "metadata": {"resourceVersion": "7"},
                "items": [{"metadata": {"namespace": "a", "name": "p"}, "spec": {"containers": [{"name": "c"}]}}],
            }
        ).encode()

    def allows(self, review: dict[str, Any]) -> bool:
        asked = review["spec"]["resourceAttributes"]
        resource = asked["resource"] + (f"/{asked['subresource']}" if "subresource" in asked else "")
        return (asked["verb"], resource, asked.get("namespace", "")) not in self.refused


PLAN = Plan(lease_namespace="podcause")


def test_nothing_is_missing_where_everything_is_allowed() -> None:
    found = check_cluster(Server(), PLAN)
    assert [one for one in found if not one.good] == []
    assert missing_rules(found) == ""
    assert found[0].detail == "v1.34.4"


def test_nothing_is_changed() -> None:
    server = Server()
    check_cluster(server, PLAN)
    writes = [(method, path, params) for method, path, params in server.used if method != "GET" and "selfsubject" not in path]
    assert writes
    assert all(params == {"dryRun": "All"} for _, _, params in writes)


@pytest.mark.parametrize("reviews_lie", [False, True])
@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (("list", "pods", ""), '- apiGroups: [""]\n  resources: ["pods"]\n  verbs: ["list"]'),
        (("watch", "events", ""), '- apiGroups: [""]\n  resources: ["events"]\n  verbs: ["watch"]'),
        (("get", "pods/log", ""), '- apiGroups: [""]\n  resources: ["pods/log"]\n  verbs: ["get"]'),
        (
            ("get", "namespaces", ""),
            '- apiGroups: [""]\n  resources: ["namespaces"]\n  resourceNames: ["kube-system"]\n  verbs: ["get"]',
        ),
        (
            ("create", "leases", "podcause"),
            '- apiGroups: ["coordination.k8s.io"]\n  resources: ["leases"]\n  verbs: ["create"]',
        ),
    ],
)
def test_a_missing_rule_is_named_whether_the_review_or_the_request_says_so(*, rule: Rule, told: str, reviews_lie: bool) -> None:
    found = check_cluster(Server(rule, reviews_lie=reviews_lie), PLAN)
    assert told in missing_rules(found)
    assert any(rule[0] in one.what and rule[1] in one.what for one in found if not one.good)


def test_what_is_optional_is_marked_so() -> None:
    found = check_cluster(Server(("list", "replicasets", "")), PLAN)
    (missing,) = [one for one in found if not one.good]
    assert missing.optional
    assert '["apps"]' in missing_rules([missing])


def test_some_namespaces_are_tried_one_by_one() -> None:
    plan = Plan(namespaces=("a", "b"))
    found = check_cluster(Server(("list", "events", "b")), plan)
    assert [one.what for one in found if not one.good] == ["list events in b"]
    assert missing_rules(found).startswith("# in a Role of the namespace b\n")
    assert not any(right.resource == "leases" for right in rights(plan))


def test_without_logs_and_election_their_rights_are_not_asked_for() -> None:
    asked = {right.resource for right in rights(Plan(logs=False, owners=False))}
    assert asked == {"pods", "events", "namespaces"}


@pytest.mark.parametrize("error", [UnauthorizedError("401", status=401), ApiUnreachableError("refused")])
def test_a_server_that_cannot_be_asked_at_all_is_an_error(error: ApiError) -> None:
    server = Server()
    server.fail = error
    with pytest.raises(type(error)):
        check_cluster(server, PLAN)


def test_the_table_names_what_is_missing_and_the_rule(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    show(Console(width=160), check_cluster(Server(("list", "pods", "")), PLAN))
    printed = capsys.readouterr().out
    assert "missing  list pods in all namespaces" in printed
    assert '  resources: ["pods"]\n  verbs: ["list"]' in printed
