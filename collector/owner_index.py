"""Who owns the owners: the controllers of ReplicaSets and Jobs, from metadata-only watches where they are granted.

Fed with changes by a watch, asked by the publishing loop; where nothing is known the rules of `collector.owners` stand. No
request is made here, and none per pod anywhere.
"""

import threading
from typing import Final

import msgspec

from collector.owners import owners
from collector.raw_values import mapping, short_text
from collector.watch_items import Change, Item, ListEnd, ListStart, Resource
from schemas.observation import Pod, Workload

_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json;q=0.5"
_METADATA: Final = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json;q=0.5"


def owner_resources(namespace: str | None) -> tuple[Resource, ...]:
    """The two watches, of one namespace or (None) of all."""
    scope = "" if namespace is None else f"/namespaces/{namespace}"
    return tuple(
        Resource(name, f"{group}{scope}/{name}", list_accept=_METADATA_LIST, watch_accept=_METADATA, stalled_seconds=180)
        for name, group in (("replicasets", "/apis/apps/v1"), ("jobs", "/apis/batch/v1"))
    )


class OwnerIndex:
    """UID to controller. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._controllers: dict[str, Workload | None] = {}
        self._feeds: dict[str, set[str]] = {}
        self._listed: dict[str, set[str]] = {}

    def take(self, feed: str, item: Item) -> None:
        """One item of a watch. What cannot be read is left out."""
        if isinstance(item, ListStart):
            self._listed[feed] = set()
        elif isinstance(item, ListEnd):
            self._listed_through(feed)
        elif isinstance(item, Change):
            metadata = mapping(mapping(msgspec.json.decode(item.body)).get("metadata"))
            uid = short_text(metadata.get("uid"))
            if uid is None:
                return
            with self._lock:
                if item.type == "DELETED":
                    # Its pods may outlive it by a moment: their owner stays what it was until the next list.
                    return
                self._controllers[uid] = owners(metadata)[1]
                self._feeds.setdefault(feed, set()).add(uid)
                if feed in self._listed:
                    self._listed[feed].add(uid)

    def _listed_through(self, feed: str) -> None:
        seen = self._listed.pop(feed, set())
        with self._lock:
            for gone in self._feeds.get(feed, set()) - seen:
                self._controllers.pop(gone, None)
            self._feeds[feed] = seen

    def owner(self, pod: Pod) -> Workload | None:
        """The top workload: the controller's controller where that is known, else what the pod alone tells."""
        controller = pod.controller
        if controller is None or controller.uid is None:
            return pod.owner
        with self._lock:
            if controller.uid not in self._controllers:
                return pod.owner
            return self._controllers[controller.uid] or controller
