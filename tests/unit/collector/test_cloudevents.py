"""Keys and CloudEvents headers of observations."""

import pytest

from collector.cloudevents import goes_to_every_partition, message_headers, message_key
from collector.translating import Translator
from schemas.observation import Cluster, Observation

TRANSLATOR = Translator(Cluster(name="east", uid="c-1"))
AT = "2026-01-01T00:00:00.000Z"
_METADATA = {"name": "web-1", "namespace": "shop", "uid": "u", "resourceVersion": "7"}


def _some(observation: Observation | None) -> Observation:
    assert observation is not None
    return observation


POD = TRANSLATOR.pod({"metadata": _METADATA}, AT)
DELETED = TRANSLATOR.pod_deleted({"metadata": _METADATA}, AT)
EVENT = _some(
    TRANSLATOR.event(
        {
            "metadata": {"uid": "e", "resourceVersion": "8"},
            "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
        },
        AT,
    )
)
LOG = _some(
    TRANSLATOR.log(
        namespace="shop", pod_name="web-1", container="c", text="x", observed_at=AT, pod_uid="u", container_id="x://1"
    )
)
CLOCK = TRANSLATOR.clock(AT)
GAP = TRANSLATOR.gap("pods", AT, "2026-01-01T00:01:00.000Z", "410")


def test_the_headers_of_a_pod() -> None:
    assert message_headers(POD) == [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", b"c-1/u/7"),
        ("ce_source", b"/clusters/c-1"),
        ("ce_type", b"io.podcause.observation.pod.v1"),
        ("ce_time", AT.encode()),
        ("ce_dataschema", b"https://podcause.io/schemas/v1/observation.json"),
        ("ce_partitionkey", b"east/shop/web-1"),
        ("ce_subject", b"shop/web-1"),
    ]


@pytest.mark.parametrize(
    ("observation", "kind", "identity", "key", "everywhere"),
    [
        (POD, "pod", "c-1/u/7", "east/shop/web-1", False),
        (DELETED, "pod_deleted", "c-1/u/7", "east/shop/web-1", False),
        (EVENT, "event", "c-1/e/8", "east/shop/web-1", False),
        (LOG, "log", "c-1/u/x://1", "east/shop/web-1", False),
        (CLOCK, "clock", f"c-1/all/{AT}", "east", True),
        (GAP, "gap", f"c-1/pods/{AT}", "east", True),
    ],
)
def test_every_kind(observation: Observation, kind: str, identity: str, key: str, everywhere: bool) -> None:  # noqa: FBT001 - a table
    headers = dict(message_headers(observation))
    assert headers["ce_type"] == f"io.podcause.observation.{kind}.v1".encode()
    assert headers["ce_id"] == identity.encode()
    assert headers["ce_partitionkey"] == key.encode()
    assert ("ce_subject" in headers) is not everywhere
    assert message_key(observation) == key
    assert goes_to_every_partition(observation) is everywhere
