"""Whether everything is there that `podcause collect` needs of a cluster: each right is asked for, and then really used.

It changes nothing: what would write is sent as a dry run (KEP-576). It must not decide what a missing right means for a running
collector; it says which rule to add. Kafka is tried by `kafka_checking`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from collector.api_errors import ApiError
from collector.raw_values import boolean, mapping, mappings, short_text

_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_CORE: Final = ""
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Requests(Protocol):
    """What of `collector.api.Api` is needed here."""

    def get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """The body of a GET. Raises ApiError."""
        ...

    def request(self, method: str, path: str, params: Mapping[str, str] | None = None, body: bytes | None = None) -> bytes:
        """The body of the answer to one request. Raises ApiError."""
        ...

    def stream(self, path: str, params: Mapping[str, str] | None = None) -> "Closable":
        """A GET whose answer has begun. Raises ApiError."""
        ...


class Closable(Protocol):
    """An answer that can be left."""

    def close(self) -> None:
        """Leave it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the collector is going to do. ``namespaces`` empty: all of them. Without a lease there is no election."""

    namespaces: tuple[str, ...] = ()
    logs: bool = True
    owners: bool = True
    lease_namespace: str | None = None
    lease_name: str = "podcause-collector"


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource. ``namespace`` None: in all; ``optional``: the collector works without it, less well."""

    verb: str
    resource: str
    group: str = _CORE
    namespace: str | None = None
    name: str | None = None
    optional: bool = False

    @property
    def words(self) -> str:
        """For people."""
        thing = f"{self.resource}{f' {self.name}' if self.name else ''}"
        where = f" in {self.namespace}" if self.namespace else ("" if self.resource == "namespaces" else " in all namespaces")
        return f"{self.verb} {thing}{where}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. ``right`` is the one for which a rule of RBAC's is missing."""

    what: str
    good: bool
    detail: str = ""
    right: Right | None = None
    optional: bool = False


def rights(plan: Plan) -> tuple[Right, ...]:
    """Every right that the plan needs."""
    places: tuple[str | None, ...] = plan.namespaces or (None,)
    needed = [
        Right(verb, resource, namespace=place)
        for place in places
        for resource in ("pods", "events")
        for verb in ("get", "list", "watch")
    ]
    needed.append(Right("get", "namespaces", name="kube-system"))
    if plan.logs:
        needed += [Right("get", "pods/log", namespace=place) for place in places]
    if plan.lease_namespace is not None:
        needed.append(Right("create", "leases", "coordination.k8s.io", plan.lease_namespace))
        needed += [
            Right(verb, "leases", "coordination.k8s.io", plan.lease_namespace, plan.lease_name) for verb in ("get", "update")
        ]
    if plan.owners:
        needed += [
            Right(verb, resource, group, place, optional=True)
            for place in places
            for group, resource in (("apps", "replicasets"), ("batch", "jobs"))
            for verb in ("list", "watch")
        ]
    return tuple(needed)


def check_cluster(api: Requests, plan: Plan) -> list[Finding]:
    """Try it all. Raises ApiError only when the API server cannot be asked at all (unreachable, 401)."""
    found = [Finding("reach the API server and log in", good=True, detail=_version(api))]
    for right in rights(plan):
        allowed, reason = _may(api, right)
        error = _refusal(api, plan, right)
        forbidden = allowed is False or (error is not None and error.status == _FORBIDDEN)
        detail = "" if error is None else str(error)
        if forbidden:
            detail = "no rule allows it" + (f": {reason}" if reason else "")
        # What fails for another reason than a missing rule is told, but no rule would mend it.
        found.append(Finding(right.words, not detail, detail, right if forbidden else None, right.optional))
    return found


def missing_rules(found: Sequence[Finding]) -> str:
    """What to add to the collector's Role or ClusterRole, as YAML; empty when nothing is missing."""
    verbs: dict[tuple[str | None, str, str, str | None], list[str]] = {}
    for finding in found:
        right = finding.right
        if right is not None:
            verbs.setdefault((right.namespace, right.group, right.resource, right.name), []).append(right.verb)
    lines: list[str] = []
    place: str | None = ""
    for (namespace, group, resource, name), missing in sorted(verbs.items(), key=lambda item: item[0][0] or ""):
        if namespace != place:
            place = namespace
            lines.append(f"# in a Role of the namespace {namespace}" if namespace else "# in a ClusterRole")
        lines.append(f'- apiGroups: ["{group}"]')
        lines.append(f'  resources: ["{resource}"]')
        if name is not None:
            lines.append(f'  resourceNames: ["{name}"]')
        lines.append(f"  verbs: [{', '.join(json.dumps(verb) for verb in missing)}]")
    return "\n".join(lines)


def _version(api: Requests) -> str:
    try:
        return short_text(_decoded(api.get("/version")).get("gitVersion")) or ""
    except ApiError as error:
        if error.status == _FORBIDDEN:
            return ""  # it knows us: to read the version is not among our rights
        raise


def _may(api: Requests, right: Right) -> tuple[bool | None, str]:
    """What the authoriser says; None when it may not be asked. Every logged-in user may (system:basic-user)."""
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": right.namespace,
        "name": right.name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    try:
        status = mapping(_decoded(api.request("POST", _REVIEWS, body=json.dumps(review).encode())).get("status"))
    except ApiError as error:
        return None, str(error)
    return boolean(status.get("allowed")), short_text(status.get("reason")) or ""


def _refusal(api: Requests, plan: Plan, right: Right) -> ApiError | None:
    """What the API server answers when the right is used; None when it lets us."""
    try:
        _use(api, plan, right)
    except ApiError as error:
        if right.verb in ("get", "update") and right.resource == "leases" and error.status == _NOT_FOUND:
            return None  # there is no Lease yet, the first replica creates it: let in all the same
        if right.resource == "pods/log" and error.status != _FORBIDDEN:
            return None  # a pod without a log, or without a kubelet that answers: let in all the same
        return error
    return None


def _use(api: Requests, plan: Plan, right: Right) -> None:
    path = _path(right)
    match right.resource, right.verb:
        case "leases", "create":
            body = _lease(plan, f"{plan.lease_name}-check")
            api.request("POST", path, {"dryRun": "All"}, body)
        case "leases", "update":
            lease = _decoded(api.get(f"{path}/{right.name}"))
            api.request("PUT", f"{path}/{right.name}", {"dryRun": "All"}, json.dumps(lease).encode())
        case _, "list":
            api.get(path, {"limit": "1"})
        case _, "watch":
            # Of one object that does not exist: the answer begins at once, and nothing comes.
            parameters = {
                "watch": "1",
                "resourceVersion": "0",
                "timeoutSeconds": "1",
                "fieldSelector": "metadata.name=podcause-check",
            }
            api.stream(path, parameters).close()
        case "pods/log", "get":
            try:
                pods = mappings(_decoded(api.get(path, {"limit": "1"})).get("items"))
            except ApiError:
                return  # it is told of the list; here the review's word is enough
            for pod in pods:
                metadata, containers = mapping(pod.get("metadata")), mappings(mapping(pod.get("spec")).get("containers"))
                parameters = {"tailLines": "1", "limitBytes": "64"}
                if containers:
                    parameters["container"] = str(containers[0].get("name"))
                api.get(f"/api/v1/namespaces/{metadata.get('namespace')}/pods/{metadata.get('name')}/log", parameters)
        case _, "get" if right.name is not None:
            api.get(f"{path}/{right.name}")
        case _:
            return  # the review's word is enough


def _path(right: Right) -> str:
    base = f"/apis/{right.group}/v1" if right.group else "/api/v1"
    place = f"/namespaces/{right.namespace}" if right.namespace else ""
    return f"{base}{place}/{right.resource.partition('/')[0]}"


def _lease(plan: Plan, name: str) -> bytes:
    metadata = {"name": name, "namespace": plan.lease_namespace}
    return json.dumps({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}).encode()


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        return mapping(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
