"""Lines of a recording without what would say whose they are: pseudonyms for names, images, addresses and UIDs; secrets redacted.

Only the fields that a diagnosis can use are copied, each by its own rule: environments, annotations, labels and specs never are,
nor is a field that a later Kubernetes brings. Pure, apart from what the pseudonyms have learned. It must not change what a recording
says of causes: times, codes, counts, reasons, ports and versions stay. (Kept of annotations: the UID by which a static pod's
events name it; of labels: the hashes by which owners are derived; both as pseudonyms.)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from collector.pseudonyms import Pseudonyms
from collector.raw_values import Raw, mapping, mappings, sequence
from collector.redaction import redact, redact_command

_Rule = Callable[["Anonymiser", Any], Any]

_KINDS: Final = frozenset(
    "Pod Node ReplicaSet Deployment StatefulSet DaemonSet Job CronJob ReplicationController Rollout PersistentVolumeClaim "  # noqa: SIM905
    "PersistentVolume Service Namespace HorizontalPodAutoscaler PodDisruptionBudget Endpoints Ingress ConfigMap Secret".split()
)
_FIELD_PATH: Final = re.compile(r"([^{}]*)\{(.*)\}")
_VERSION: Final = re.compile(r"v?\d[\w.+]*")


class Anonymiser:
    """Anonymises the lines of one cluster's recordings. One key gives one mapping: keep it to compare recordings, else lose it."""

    __slots__ = ("pseudonyms", "redacted")

    def __init__(self, key: bytes) -> None:
        self.pseudonyms = Pseudonyms(key)
        self.redacted = 0
        """How many secrets were replaced so far."""

    def line(self, content: Raw) -> dict[str, Any] | None:
        """The line anonymised; None for a line of an unknown stream, of which nobody knows what it holds."""
        stream = content.get("stream")
        if stream in ("pods", "events"):
            raw = mapping(content.get("object"))
            return {
                "t": content.get("t"),
                "stream": stream,
                "type": content.get("type"),
                "object": self.pod(raw) if stream == "pods" else self.event(raw),
            }
        rules = _LINES.get(stream) if isinstance(stream, str) else None
        return None if rules is None else {"stream": stream} | self._copied(content, rules)

    def pod(self, raw: Raw) -> dict[str, Any]:
        """A pod: names first, so that its texts are read with all of them known."""
        spec, status = mapping(raw.get("spec")), mapping(raw.get("status"))
        head = self._copied(raw, {"kind": _keep, "apiVersion": _keep, "metadata": _object(_POD_METADATA)})
        for section in ("initContainers", "containers", "ephemeralContainers"):
            for container in mappings(spec.get(section)):
                self.pseudonyms.learn(*(text for key in ("name", "image") if isinstance(text := container.get(key), str)))
        return head | {"spec": self._copied(spec, _SPEC), "status": self._copied(status, _STATUS)}

    def event(self, raw: Raw) -> dict[str, Any]:
        """An event on any object, of core/v1 or events.k8s.io/v1."""
        return self._copied(raw, _EVENT)

    def text(self, value: str) -> str:
        """A user's text: secrets redacted, then names replaced."""
        redacted, count = redact(value)
        self.redacted += count
        return self.pseudonyms.text(redacted)

    def command(self, value: object) -> list[str]:
        """A command: a secret may stand in the argument after its flag."""
        arguments, count = redact_command([argument for argument in sequence(value) if isinstance(argument, str)])
        self.redacted += count
        return [self.pseudonyms.text(argument) for argument in arguments]

    def _copied(self, raw: Raw, rules: Mapping[str, _Rule]) -> dict[str, Any]:
        return {key: rule(self, raw[key]) for key, rule in rules.items() if key in raw}


def _keep(_one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    """A number, a time, a reason: as it is. Anything with parts is none of these."""
    return None if isinstance(value, dict | list) else value


def _name(one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    return one.pseudonyms.name(value) if isinstance(value, str) else None


def _identifier(one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    return one.pseudonyms.identifiers(value) if isinstance(value, str) else None


def _text(one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    return one.text(value) if isinstance(value, str) else None


def _command(one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    return one.command(value)


def _kind(one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    return one.pseudonyms.kind(value, _KINDS) if isinstance(value, str) else None


def _image(one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Registry, path and tag as names; a tag that is only a version stays, and so does a digest's algorithm."""
    return one.pseudonyms.name(value) if isinstance(value, str) else None


def _field_path(one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    found = _FIELD_PATH.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else f"{found[1]}{{{one.pseudonyms.name(found[2])}}}"


def _port(one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    return one.pseudonyms.name(value) if isinstance(value, str) else _keep(one, value)


def _runtime(_one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    """``containerd 1.6.20``, ``v1.34.4``: nothing but a product and its version."""
    words = value.split()[:2] if isinstance(value, str) else []
    return " ".join(word for word in words if _VERSION.fullmatch(word) or word.isalpha())


def _object(rules: Mapping[str, _Rule]) -> _Rule:
    return lambda one, value: one._copied(mapping(value), rules)  # noqa: SLF001 - a rule is a part of it


def _list(rules: Mapping[str, _Rule]) -> _Rule:
    return lambda one, value: [one._copied(item, rules) for item in mappings(value)]  # noqa: SLF001 - a rule is a part of it


def _fields(rule: _Rule, *names: str) -> dict[str, _Rule]:
    return dict.fromkeys(names, rule)


def _numbers(_one: Anonymiser, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Quantities by resource; extended resources, which may be a company's own, are left out."""
    known: Sequence[str] = ("cpu", "memory", "ephemeral-storage")
    return {key: mapping(value)[key] for key in known if isinstance(mapping(value).get(key), str | int | float)}


_OWNER: Final = (
    _fields(_keep, "controller", "blockOwnerDeletion")
    | _fields(_name, "name")
    | {
        "apiVersion": _name,
        "kind": _kind,
        "uid": _identifier,
    }
)
_TIMES: Final = _fields(
    _keep, "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"
)
_METADATA: Final = _fields(_name, "namespace", "name", "generateName") | _TIMES | {"uid": _identifier}
_POD_METADATA: Final = _METADATA | {
    "ownerReferences": _list(_OWNER),
    "labels": _object(_fields(_name, "pod-template-hash", "rollouts-pod-template-hash", "controller-revision-hash")),
    "annotations": _object(
        _fields(_identifier, "kubernetes.io/config.hash", "kubernetes.io/config.mirror")
        | _fields(_keep, "kubernetes.io/config.source", "kubernetes.io/config.seen")
    ),
}
_EXEC: Final = _object({"command": _command})
_HANDLER: Final = {
    "httpGet": _object({"port": _port, "path": _text, "scheme": _keep, "host": _text}),
    "tcpSocket": _object({"port": _port, "host": _text}),
    "grpc": _object({"port": _keep, "service": _name}),
    "exec": _EXEC,
}
_PROBE: Final = _object(
    _fields(
        _keep,
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
        "terminationGracePeriodSeconds",
    )
    | _HANDLER
)
_CONTAINER: Final = (
    {"name": _name, "image": _image}
    | _fields(_command, "command", "args")
    | _fields(_keep, "restartPolicy", "imagePullPolicy", "terminationMessagePolicy")
    | _fields(_PROBE, "livenessProbe", "readinessProbe", "startupProbe")
    | {
        "ports": _list({"containerPort": _keep, "protocol": _keep, "name": _name}),
        "resources": _object(_fields(_numbers, "limits", "requests")),
        "lifecycle": _object(_fields(_object(_HANDLER), "postStart", "preStop")),
    }
)
_SPEC: Final = _fields(_keep, "restartPolicy", "terminationGracePeriodSeconds", "activeDeadlineSeconds", "hostNetwork") | (
    {"nodeName": _name} | _fields(_list(_CONTAINER), "initContainers", "containers", "ephemeralContainers")
)
_STATE: Final = _object(
    {
        "waiting": _object({"reason": _keep, "message": _text}),
        "running": _object({"startedAt": _keep}),
        "terminated": _object(
            _fields(_keep, "exitCode", "signal", "reason", "startedAt", "finishedAt")
            | {"message": _text, "containerID": _identifier}
        ),
    }
)
_CONTAINER_STATUS: Final = (
    {"name": _name, "state": _STATE, "lastState": _STATE}
    | _fields(_keep, "ready", "started", "restartCount")
    | _fields(_image, "image", "imageID")
    | {"containerID": _identifier}
)
_CONDITION: Final = _fields(_keep, "type", "status", "reason", "lastProbeTime", "lastTransitionTime", "observedGeneration") | {
    "message": _text
}
_STATUS: Final = (
    _fields(_keep, "phase", "reason", "startTime", "qosClass", "observedGeneration")
    | {"message": _text, "conditions": _list(_CONDITION)}
    | _fields(_identifier, "podIP", "hostIP")
    | _fields(_list(_CONTAINER_STATUS), "initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
)
_REFERENCE: Final = {
    "kind": _kind,
    "namespace": _name,
    "name": _name,
    "uid": _identifier,
    "apiVersion": _name,
    "resourceVersion": _keep,
    "fieldPath": _field_path,
}
_SERIES: Final = _object(_fields(_keep, "count", "lastObservedTime"))
#: References before texts: names are learned on the way.
_EVENT: Final = (
    _fields(_keep, "kind", "apiVersion")
    | _fields(_object(_REFERENCE), "involvedObject", "regarding", "related")
    | {"metadata": _object(_METADATA)}
    | _fields(_object({"component": _name, "host": _name}), "source", "deprecatedSource")
    | _fields(_name, "reportingComponent", "reportingController", "reportingInstance")
    | _fields(_keep, "reason", "type", "action", "firstTimestamp", "lastTimestamp", "eventTime", "count")
    | _fields(_keep, "deprecatedFirstTimestamp", "deprecatedLastTimestamp", "deprecatedCount")
    | {"series": _SERIES, "message": _text, "note": _text}
)
_LINES: Final[dict[str, Mapping[str, _Rule]]] = {
    "recording": {
        "format": _keep,
        "cluster": _object({"name": _name, "uid": _identifier}),
        "kubernetes": _runtime,
        "runtime": _runtime,
    },
    "log": _fields(_name, "namespace", "pod", "container")
    | _fields(_keep, "t", "restart_count", "previous")
    | _fields(_identifier, "uid", "container_id")
    | _fields(_text, "text", "error"),
    "note": {"t": _keep, "namespace": _name, "text": _text},
    "end": {"t": _keep},
}
