"""Kubernetes objects as kubectl prints them: found in JSON text, and checked as far as translation relies on them.

Accepts a v1 List, a PodList, an EventList, bare Pods and Events (core/v1 and events.k8s.io/v1), and several of them one after
the other. Objects may be partial, as when retyped from a `describe`: only a name is certain. Everything that is neither a Pod
nor an event about a Pod is passed over. It must not open files, and must not decide what any of it means.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import msgspec

from podcause.object_shapes import EventShape, PodShape
from schemas.timestamps import InvalidTimestampError, format_ms, parse_ms

#: Where Kubernetes keeps times, in metadata and statuses and in events of both API groups.
_TIME_KEYS: Final = frozenset(
    {
        "creationTimestamp",
        "deletionTimestamp",
        "deprecatedFirstTimestamp",
        "deprecatedLastTimestamp",
        "eventTime",
        "finishedAt",
        "firstTimestamp",
        "lastObservedTime",
        "lastProbeTime",
        "lastTimestamp",
        "lastTransitionTime",
        "startTime",
        "startedAt",
    }
)
#: What users write: a key there that looks like a time means nothing.
_USERS_KEYS: Final = frozenset({"annotations", "labels", "managedFields", "spec"})
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_FAILED_PATH: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING_FIELD: Final = re.compile(r"missing required field `(?P<name>[^`]*)`")


class ObjectError(ValueError):
    """Text that holds no readable objects; the message names the line or the field."""


@dataclass(frozen=True, slots=True)
class RawObject:
    """A Pod or an Event on a Pod, as it was written; checked."""

    kind: str
    body: dict[str, Any]
    where: str
    """What a message puts before the name of one of its fields."""


def objects_in(text: str) -> tuple[list[RawObject], str | None]:
    """The Pods and their events in that text, in its order, and the newest time in it (of any object).

    Raises ObjectError.
    """
    objects: list[RawObject] = []
    newest_ms: int | None = None
    documents = 0
    for place, document in _documents(text):
        documents += 1
        for where, kind, body in _items(place, document):
            times = list(_times(where, body))
            if times:
                newest_ms = max(times) if newest_ms is None else max(newest_ms, *times)
            if _is_wanted(kind, body):
                _check(where, kind, body)
                objects.append(RawObject(kind, body, where))
    if not documents:
        raise ObjectError("line 1: empty: no JSON in it")
    _place_events(objects)
    return objects, None if newest_ms is None else format_ms(newest_ms)


def _documents(text: str) -> Iterator[tuple[str, object]]:
    """Each JSON document of the text, and what a message puts before its fields (nothing when there is one alone)."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    at = _skip_space(text, 0)
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        try:
            document, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise ObjectError(f"line {error.lineno}: not JSON: {error.msg} (column {error.colno})") from error
        except RecursionError as error:
            raise ObjectError(f"line {line}: nested too deeply") from error
        except ValueError as error:
            raise ObjectError(f"line {line}: not JSON: {error}") from error
        if _ESCAPED_SURROGATE.search(text, at, end):
            document = _without_surrogates(document)
        following = _skip_space(text, end)
        alone = at == _skip_space(text, 0) and following >= len(text)
        yield ("" if alone else f"line {line}: "), document
        at = following


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n\x1e":
        at += 1
    return at


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _without_surrogates(value: object) -> object:
    """Half of a UTF-16 pair cannot be written as UTF-8."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _items(place: str, document: object) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each object of a document: where it is (ends ready for a field's name), its kind, its body."""
    if not isinstance(document, dict):
        raise ObjectError(f"{place or 'line 1: '}not an object: expected a v1 List, a Pod, an Event, or a recording")
    kind = document.get("kind")
    if kind == "Status" and document.get("status") != "Success":
        raise ObjectError(f"{place}kind: Status, an error of the API server: {document.get('message') or 'no message'}")
    if kind == "Table":
        raise ObjectError(f"{place}kind: Table: ask kubectl for objects, with -o json")
    if (isinstance(kind, str) and kind.endswith("List")) or (kind is None and "items" in document):
        if "items" not in document:
            raise ObjectError(f"{place}items: missing")
        items = document["items"] if document["items"] is not None else []
        if not isinstance(items, list):
            raise ObjectError(f"{place}items: expected a list")
        of_kind = None if kind in (None, "List") else str(kind).removesuffix("List")
        for index, item in enumerate(items):
            where = f"{place}items[{index}]"
            if not isinstance(item, dict):
                raise ObjectError(f"{where}: expected an object")
            yield f"{where}.", _kind(f"{where}.", item, of_kind), item
    else:
        yield place, _kind(place, document, None), document


def _kind(where: str, body: dict[str, Any], of_list: str | None) -> str:
    """The kind: written, its list's (an API list's items have none), or plain from what only that kind has."""
    kind = body.get("kind")
    if isinstance(kind, str) and kind:
        return kind
    if kind is not None and not isinstance(kind, str):
        raise ObjectError(f"{where}kind: expected text")
    if of_list:
        return of_list
    if "involvedObject" in body or "regarding" in body:
        return "Event"
    if "spec" in body or "status" in body:
        return "Pod"
    raise ObjectError(f"{where}kind: missing")


def _is_wanted(kind: str, body: dict[str, Any]) -> bool:
    if kind != "Event":
        return kind == "Pod" and str(body.get("apiVersion") or "v1") == "v1"
    about = body.get("involvedObject") or body.get("regarding")
    return not isinstance(about, dict) or about.get("kind") in (None, "", "Pod")


def _times(where: str, value: object) -> Iterator[int]:
    """Every time in an object, in milliseconds; a pod's deletion counts from when it was asked for, not from when it is due."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _times(f"{where.removesuffix('.')}[{index}].", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in _TIME_KEYS and item not in (None, ""):
                grace = value.get("deletionGracePeriodSeconds") if key == "deletionTimestamp" else None
                yield _time(f"{where}{key}", item) - (grace * 1000 if isinstance(grace, int) else 0)
            elif key not in _USERS_KEYS and isinstance(item, dict | list):
                yield from _times(f"{where}{key}.", item)


def _time(where: str, value: object) -> int:
    if not isinstance(value, str):
        raise ObjectError(f"{where}: expected an RFC 3339 time")
    try:
        return parse_ms(value)
    except InvalidTimestampError as error:
        raise ObjectError(f"{where}: {error}") from error


def _check(where: str, kind: str, body: dict[str, Any]) -> None:
    """Refuse what translation could not read."""
    try:
        msgspec.convert(body, PodShape if kind == "Pod" else EventShape)
    except msgspec.ValidationError as error:
        raise ObjectError(f"{where}{_field_and_reason(str(error))}") from error
    if kind == "Pod":
        named, field = body.get("metadata"), "metadata.name"
    else:
        field = "regarding.name" if "regarding" in body and "involvedObject" not in body else "involvedObject.name"
        named = body.get(field.split(".", maxsplit=1)[0])
    if not (named or {}).get("name"):
        raise ObjectError(f"{where}{field}: missing")


def _field_and_reason(message: str) -> str:
    """``spec.containers[0].name: missing`` from msgspec's words."""
    found = _FAILED_PATH.match(message)
    what, path = (found["what"], found["path"] or "") if found else (message, "")
    path = path.removeprefix(".")
    missing = _MISSING_FIELD.search(what)
    if missing:
        return f"{path}.{missing['name']}: missing" if path else f"{missing['name']}: missing"
    return f"{path or 'object'}: {what[:1].lower()}{what[1:].replace('`', '')}"


def _place_events(objects: list[RawObject]) -> None:
    """Give an event without a namespace that of the one pod of its name: retyped events often lack it."""
    namespaces: dict[str, set[str]] = {}
    for item in objects:
        if item.kind == "Pod":
            metadata = item.body["metadata"]
            namespaces.setdefault(metadata["name"], set()).add(metadata.get("namespace") or "default")
    for item in objects:
        if item.kind == "Pod":
            item.body["metadata"].setdefault("namespace", "default")
            continue
        about = item.body.get("involvedObject") or item.body.get("regarding") or {}
        if not about.get("namespace"):
            of_event = (item.body.get("metadata") or {}).get("namespace")
            of_pods = namespaces.get(about["name"], set())
            about["namespace"] = of_event or (next(iter(of_pods)) if len(of_pods) == 1 else "default")
        about["kind"] = "Pod"
    _place_in_containers(objects)


#: Reasons of events about one container (pkg/kubelet/events/event.go).
_OF_CONTAINERS: Final = frozenset({"Unhealthy", "BackOff", "Failed", "Killing", "Pulled", "Pulling", "Created", "Started"})


def _place_in_containers(objects: list[RawObject]) -> None:
    """Give an event about a container without a fieldPath that of the pod's one container: what `describe` prints has none."""
    only: dict[tuple[str, str], str] = {}
    for item in objects:
        if item.kind == "Pod":
            names = _container_names(item.body)
            if len(names) == 1:
                only[item.body["metadata"]["namespace"], item.body["metadata"]["name"]] = names.pop()
    for item in objects:
        if item.kind == "Event" and item.body.get("reason") in _OF_CONTAINERS:
            about = item.body.get("involvedObject") or item.body.get("regarding") or {}
            name = only.get((about.get("namespace") or "", about.get("name") or ""))
            if name is not None and not about.get("fieldPath"):
                about["fieldPath"] = f"spec.containers{{{name}}}"


def _container_names(pod: dict[str, Any]) -> set[str]:
    names: set[str] = set()
    for part, keys in (("spec", ("containers", "initContainers")), ("status", ("containerStatuses", "initContainerStatuses"))):
        body = pod.get(part)
        if isinstance(body, dict):
            lists = [items for items in map(body.get, keys) if isinstance(items, list)]
            found = [item for items in lists for item in items if isinstance(item, dict)]
            names.update(item["name"] for item in found if isinstance(item.get("name"), str))
    return names
