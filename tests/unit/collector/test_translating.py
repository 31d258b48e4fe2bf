"""Raw objects to observations: whole ones, partial ones and hostile ones, compared exactly."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.settings import TranslationSettings
from collector.translating import TranslationError, Translator
from schemas.codec import RECORD_MAX_BYTES, decode_observation, encode
from schemas.observation import (
    Cluster,
    Condition,
    Container,
    ContainerState,
    Event,
    EventObservation,
    EventSeries,
    Log,
    LogObservation,
    ObjectReference,
    Pod,
    PodDeletedObservation,
    PodObservation,
    Port,
    Probe,
    Redaction,
    Running,
    Terminated,
    Waiting,
    Workload,
)

CLUSTER = Cluster(name="east", uid="c-1")
AT = "2026-01-01T12:00:00.000Z"
TRANSLATOR = Translator(CLUSTER, TranslationSettings(labels=("team",)))

RAW_EVENT: dict[str, Any] = {
    "metadata": {
        "name": "web-1.18ea",
        "namespace": "shop",
        "uid": "e-1",
        "resourceVersion": "77",
        "creationTimestamp": "2026-01-01T11:59:58Z",
        "managedFields": [{"manager": "kubelet"}],
    },
    "involvedObject": {
        "kind": "Pod",
        "namespace": "shop",
        "name": "web-1",
        "uid": "p-1",
        "resourceVersion": "70",
        "fieldPath": "spec.containers{web}",
    },
    "reason": "Unhealthy",
    "type": "Warning",
    "message": 'Liveness probe failed: Get "http://u:pw@10.0.0.1:99/": EOF',
    "source": {"component": "kubelet", "host": "node-a"},
    "firstTimestamp": "2026-01-01T11:59:00Z",
    "lastTimestamp": "2026-01-01T11:59:57Z",
    "eventTime": None,
    "count": 4,
    "series": None,
}


def test_an_event_of_the_kubelet() -> None:
    assert TRANSLATOR.event(RAW_EVENT, AT) == EventObservation(
        schema_version="1.0.0",
        id="c-1/e-1/77",
        cluster=CLUSTER,
        observed_at=AT,
        redaction=Redaction(count=1),
        event=Event(
            reason="Unhealthy",
            type="Warning",
            message='Liveness probe failed: Get "http://u:[REDACTED]@10.0.0.1:99/": EOF',
            involved_object=ObjectReference(
                namespace="shop", name="web-1", uid="p-1", field_path="spec.containers{web}", resource_version="70"
            ),
            uid="e-1",
            resource_version="77",
            count=4,
            first_at="2026-01-01T11:59:00.000Z",
            last_at="2026-01-01T11:59:57.000Z",
            created_at="2026-01-01T11:59:58.000Z",
            source_component="kubelet",
            source_host="node-a",
        ),
    )


def test_an_event_recorded_through_the_newer_api_and_read_through_either() -> None:
    core = {
        "metadata": {"name": "web-1.1", "namespace": "shop", "uid": "e-2", "resourceVersion": "5"},
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
        "reason": "FailedScheduling",
        "type": "Warning",
        "message": "0/1 nodes are available",
        "source": {},
        "eventTime": "2026-01-01T11:59:00.123456Z",
        "series": {"count": 3, "lastObservedTime": "2026-01-01T11:59:59.5Z"},
        "reportingComponent": "default-scheduler",
        "reportingInstance": "default-scheduler-x",
    }
    newer = {
        **{
            key: value
            for key, value in core.items()
            if key not in ("involvedObject", "message", "source", "reportingComponent")
        },
        "regarding": core["involvedObject"],
        "note": core["message"],
        "reportingController": "default-scheduler",
        "deprecatedSource": {},
    }
    expected = Event(
        reason="FailedScheduling",
        type="Warning",
        message="0/1 nodes are available",
        involved_object=ObjectReference(namespace="shop", name="web-1"),
        uid="e-2",
        resource_version="5",
        series=EventSeries(count=3, last_observed_at="2026-01-01T11:59:59.500Z"),
        event_at="2026-01-01T11:59:00.123Z",
        source_component="default-scheduler",
    )
    for raw in (core, newer):
        translated = TRANSLATOR.event(raw, AT)
        assert translated is not None
        assert translated.event == expected


@pytest.mark.parametrize(
    ("change", "kind", "published"),
    [
        ("ADDED", "Pod", True),
        ("MODIFIED", "Pod", True),
        ("DELETED", "Pod", False),
        ("BOOKMARK", "Pod", False),
        ("ADDED", "ReplicaSet", False),
    ],
)
def test_only_events_on_pods_are_published_and_expiry_is_no_news(change: str, kind: str, published: bool) -> None:  # noqa: FBT001 - a table
    raw = {**RAW_EVENT, "involvedObject": {**RAW_EVENT["involvedObject"], "kind": kind}}
    assert (TRANSLATOR.event(raw, AT, change) is not None) is published


RAW_POD: dict[str, Any] = {
    "metadata": {
        "name": "web-7dd554fdf8-r5wvj",
        "namespace": "shop",
        "uid": "p-1",
        "resourceVersion": "90",
        "creationTimestamp": "2026-01-01T11:00:00Z",
        "labels": {"app": "web", "team": "blue", "pod-template-hash": "7dd554fdf8"},
        "annotations": {"kubernetes.io/config.hash": "abc", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7dd554fdf8", "uid": "r-1", "controller": True}
        ],
        "managedFields": [{}],
    },
    "spec": {
        "nodeName": "node-a",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "initContainers": [
            {"name": "migrate", "image": "m:1"},
            {"name": "proxy", "image": "p:1", "restartPolicy": "Always"},
        ],
        "containers": [
            {
                "name": "web",
                "image": "web:2",
                "command": ["/web"],
                "args": ["--password", "hunter2", "-v"],
                "env": [{"name": "SECRET", "value": "leak"}],
                "ports": [{"name": "http", "containerPort": 8080}, {"containerPort": 9090, "protocol": "UDP"}],
                "resources": {
                    "limits": {"memory": "64Mi", "cpu": "250m", "ephemeral-storage": "1G"},
                    "requests": {"memory": "1e3"},
                },
                "livenessProbe": {"httpGet": {"path": "/h?token=abc", "port": "http", "scheme": "HTTPS"}, "periodSeconds": 3},
                "readinessProbe": {"tcpSocket": {"port": "nope"}, "initialDelaySeconds": 5, "failureThreshold": 1},
                "startupProbe": {"exec": {"command": ["cat", "/ok"]}, "timeoutSeconds": 2},
                "lifecycle": {"postStart": {"exec": {"command": ["x"]}}},
            }
        ],
        "ephemeralContainers": [{"name": "debug", "image": "busybox"}],
    },
    "status": {
        "phase": "Running",
        "startTime": "2026-01-01T11:00:01Z",
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": "2026-01-01T11:30:00Z"}
        ],
        "initContainerStatuses": [
            {
                "name": "migrate",
                "state": {"terminated": {"exitCode": 0, "reason": "Completed"}},
                "restartCount": 0,
                "ready": True,
            }
        ],
        "containerStatuses": [
            {
                "name": "web",
                "image": "docker.io/library/web:2",
                "imageID": "docker.io/library/web@sha256:aa",
                "containerID": "containerd://2",
                "restartCount": 3,
                "ready": False,
                "started": False,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
                "lastState": {
                    "terminated": {
                        "exitCode": 128,
                        "reason": "StartError",
                        "message": "token=abc not accepted",
                        "startedAt": "1970-01-01T00:00:00Z",
                        "finishedAt": "2026-01-01T11:59:00Z",
                        "containerID": "containerd://1",
                    }
                },
            }
        ],
    },
}

POD = Pod(
    namespace="shop",
    name="web-7dd554fdf8-r5wvj",
    uid="p-1",
    resource_version="90",
    created_at="2026-01-01T11:00:00.000Z",
    node="node-a",
    owner=Workload(kind="Deployment", name="web", api_version="apps/v1"),
    controller=Workload(kind="ReplicaSet", name="web-7dd554fdf8", uid="r-1", api_version="apps/v1"),
    static_uid="abc",
    labels={"team": "blue"},
    restart_policy="Always",
    termination_grace_period_seconds=30,
    started_at="2026-01-01T11:00:01.000Z",
    phase="Running",
    conditions=(
        Condition(type="Ready", status="False", reason="ContainersNotReady", last_transition_at="2026-01-01T11:30:00.000Z"),
    ),
    containers=(
        Container(
            name="migrate",
            type="init",
            image="m:1",
            state=ContainerState(terminated=Terminated(exit_code=0, reason="Completed")),
            restart_count=0,
            ready=True,
        ),
        Container(name="proxy", type="sidecar", image="p:1", restart_policy="Always"),
        Container(
            name="web",
            image="web:2",
            image_id="docker.io/library/web@sha256:aa",
            container_id="containerd://2",
            command=("/web", "--password", "[REDACTED]", "-v"),
            ports=(Port(port=8080, name="http"), Port(port=9090, protocol="UDP")),
            liveness=Probe(handler="http", port=8080, path="/h?token=[REDACTED]", scheme="HTTPS", period_seconds=3),
            readiness=Probe(handler="tcp", port="nope", initial_delay_seconds=5, failure_threshold=1),
            startup=Probe(handler="exec", command=("cat", "/ok"), timeout_seconds=2),
            memory_limit_bytes=64 * 1024 * 1024,
            memory_request_bytes=1000,
            cpu_limit_millicores=250,
            ephemeral_storage_limit_bytes=1_000_000_000,
            has_post_start_hook=True,
            state=ContainerState(waiting=Waiting(reason="CrashLoopBackOff", message="back-off 40s")),
            last_state=ContainerState(
                terminated=Terminated(
                    exit_code=128,
                    reason="StartError",
                    message="token=[REDACTED] not accepted",
                    finished_at="2026-01-01T11:59:00.000Z",
                    container_id="containerd://1",
                )
            ),
            restart_count=3,
            ready=False,
            started=False,
        ),
        Container(name="debug", type="ephemeral", image="busybox"),
    ),
)


def test_a_pod_is_its_projection() -> None:
    assert TRANSLATOR.pod(RAW_POD, AT) == PodObservation(
        schema_version="1.0.0", id="c-1/p-1/90", cluster=CLUSTER, observed_at=AT, redaction=Redaction(count=3), pod=POD
    )


def test_a_deleted_pod_is_its_last_state() -> None:
    raw = {
        "metadata": {
            "name": "a",
            "namespace": "n",
            "uid": "u",
            "resourceVersion": "9",
            "deletionTimestamp": "2026-01-01T12:00:30Z",
        }
    }
    expected = Pod(namespace="n", name="a", uid="u", resource_version="9", deletion_at="2026-01-01T12:00:30.000Z")
    assert TRANSLATOR.pod_deleted(raw, AT) == PodDeletedObservation(
        schema_version="1.0.0", id="c-1/u/9", cluster=CLUSTER, observed_at=AT, pod=expected
    )
    assert TRANSLATOR.pod_deleted(raw, AT, inferred=True, relist_resource_version="50") == PodDeletedObservation(
        schema_version="1.0.0", id="c-1/u/50", cluster=CLUSTER, observed_at=AT, pod=expected, inferred=True
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            {"running": {"startedAt": "2026-01-01T00:00:00+01:00"}},
            ContainerState(running=Running(started_at="2025-12-31T23:00:00.000Z")),
        ),
        ({"running": {}}, ContainerState(running=Running())),
        ({"waiting": {"reason": "ContainerCreating"}}, ContainerState(waiting=Waiting(reason="ContainerCreating"))),
        ({"terminated": {"exitCode": 137, "signal": 0}}, ContainerState(terminated=Terminated(exit_code=137))),
        ({"terminated": {"exitCode": "x", "startedAt": "yesterday"}}, ContainerState(terminated=Terminated())),
        ({"waiting": None, "running": None, "terminated": None}, None),
        ({}, None),
        (None, None),
        ("Running", None),
    ],
)
def test_states(state: object, expected: ContainerState | None) -> None:
    raw = {"metadata": {"name": "a"}, "status": {"containerStatuses": [{"name": "c", "state": state}]}}
    assert TRANSLATOR.pod(raw, AT).pod.containers == (Container(name="c", state=expected),)


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ({"httpGet": {"port": 80}}, Probe(handler="http", port=80, path="/", scheme="HTTP")),
        ({"httpGet": {"port": "80"}}, Probe(handler="http", port=80, path="/", scheme="HTTP")),
        ({"httpGet": {"port": "web"}}, Probe(handler="http", port=8080, path="/", scheme="HTTP")),
        ({"httpGet": None, "tcpSocket": {"port": "other"}}, Probe(handler="tcp", port="other")),
        ({"grpc": {"port": 9, "service": "s"}}, Probe(handler="grpc", port=9, grpc_service="s")),
        ({"exec": {"command": None}}, Probe(handler="exec")),
        (
            {"tcpSocket": {"port": 70_000}, "periodSeconds": 0, "timeoutSeconds": None, "failureThreshold": -1},
            Probe(handler="tcp"),
        ),
        ({"periodSeconds": 3}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_probes_have_kubernetes_defaults_and_their_port_is_looked_up(probe: object, expected: Probe | None) -> None:
    container = {"name": "c", "ports": [{"name": "web", "containerPort": 8080}], "livenessProbe": probe}
    pod = TRANSLATOR.pod({"metadata": {"name": "a"}, "spec": {"containers": [container]}}, AT).pod
    assert pod.containers[0].liveness == expected


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (None, "pod: an object is needed, not NoneType"),
        ([], "pod: an object is needed, not list"),
        ({}, "metadata.name: a name is needed"),
        ({"metadata": {"name": ""}}, "metadata.name: a name is needed"),
        ({"metadata": {"name": 7}}, "metadata.name: a name is needed"),
    ],
)
def test_a_pod_without_a_name_is_refused(raw: object, field: str) -> None:
    with pytest.raises(TranslationError, match=f"^{field}$"):
        TRANSLATOR.pod(raw, AT)


def test_an_event_that_names_no_pod_is_refused() -> None:
    with pytest.raises(TranslationError) as caught:
        TRANSLATOR.event({"reason": "BackOff"}, AT)
    assert caught.value.field == "involvedObject.name"


def test_a_name_is_enough() -> None:
    assert TRANSLATOR.pod({"metadata": {"name": "a"}}, AT).pod == Pod(namespace="default", name="a")
    event = TRANSLATOR.event({"involvedObject": {"name": "a"}, "count": 0, "series": {"count": None}}, AT)
    assert event is not None
    assert event.event == Event(involved_object=ObjectReference(namespace="default", name="a"))


def test_without_uid_or_version_equal_content_has_an_equal_id_and_other_content_another() -> None:
    def identity(phase: str, **metadata: str) -> str:
        return TRANSLATOR.pod({"metadata": {"name": "a", **metadata}, "status": {"phase": phase}}, AT).id

    assert identity("Running") == identity("Running")
    assert identity("Running", uid="u") == identity("Running", uid="u")
    assert (
        len(
            {
                identity("Running"),
                identity("Failed"),
                identity("Running", uid="u"),
                identity("Running", uid="u", resourceVersion="1"),
            }
        )
        == 4
    )


def test_a_log_keeps_its_last_lines() -> None:
    text = "".join(f"line {number}\n" for number in range(40)) + "\x1b[31mpassword=abc\x1b[0m \x00"
    log = TRANSLATOR.log(
        namespace="n",
        pod_name="p",
        container="c",
        text=text,
        observed_at=AT,
        pod_uid="u",
        container_id="containerd://1",
        restart_count=2,
    )
    assert log == LogObservation(
        schema_version="1.0.0",
        id="c-1/u/containerd://1",
        cluster=CLUSTER,
        observed_at=AT,
        redaction=Redaction(count=1),
        log=Log(
            namespace="n",
            pod_name="p",
            container="c",
            pod_uid="u",
            container_id="containerd://1",
            restart_count=2,
            text="\n".join([*(f"line {number}" for number in range(16, 40)), "password=[REDACTED] \ufffd"]),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [None, "unable to retrieve container logs for containerd://1", "failed to try resolving symlinks in path /var/log/x"],
)
def test_no_log_is_none(text: str | None) -> None:
    assert TRANSLATOR.log(namespace="n", pod_name="p", container="c", text=text, observed_at=AT) is None


def test_of_a_long_message_the_middle_is_cut_and_the_record_says_so() -> None:
    settings = TranslationSettings(text_characters=45)
    raw = {**RAW_EVENT, "message": "begin " + "x" * 100 + " end"}
    translated = Translator(CLUSTER, settings).event(raw, AT)
    assert translated is not None
    assert translated.event.message == "begin " + "x" * 24 + " […] " + "x" * 6 + " end"
    assert translated.truncated is True


@pytest.mark.parametrize("filler", ["x", "\x00", "é", '"', "\U0001f600", "a\n", "password=p "])
def test_no_record_is_over_the_limit(filler: str) -> None:
    long = filler * 80_000
    container = {
        "name": "c",
        "image": long,
        "command": [long] * 200,
        "ports": [{"containerPort": 1, "name": long}] * 40,
        "livenessProbe": {"exec": {"command": [long] * 100}},
    }
    pod = {
        "metadata": {"name": "a", "labels": {"team": long}},
        "spec": {"containers": [container, *({**container, "name": f"c{number}"} for number in range(50))]},
        "status": {
            "message": long,
            "reason": long,
            "conditions": [{"type": f"T{number}", "message": long} for number in range(300)],
        },
    }
    translated = TRANSLATOR.pod(pod, AT)
    assert len(encode(translated)) <= RECORD_MAX_BYTES
    assert translated.truncated is True
    log = TRANSLATOR.log(namespace="n", pod_name="p", container="c", text=long, observed_at=AT)
    assert log is not None
    assert len(encode(log)) <= RECORD_MAX_BYTES


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["80", "1Gi", "2026-01-01T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["metadata", "spec", "status", "name", "uid", "containers", "containerStatuses", "state", "lastState", "terminated", "waiting",
         "ports", "containerPort", "livenessProbe", "httpGet", "port", "resources", "limits", "memory", "ownerReferences", "kind",
         "labels", "command", "conditions", "type", "count", "series", "message", "startedAt", "exitCode"]), inner, max_size=6),
    max_leaves=40,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({"metadata": st.just({"name": "a"}), "spec": _JSON, "status": _JSON}), _JSON, _JSON)
def test_nothing_in_a_named_object_raises_and_every_record_survives_encoding(
    pod: dict[str, Any], metadata: object, rest: object
) -> None:
    translated = TRANSLATOR.pod(pod, AT)
    assert decode_observation(encode(translated)) == translated
    raw = {
        "metadata": metadata,
        "series": rest,
        "message": rest,
        "count": metadata,
        "source": rest,
        "involvedObject": {"name": "a", "uid": rest},
    }
    event = TRANSLATOR.event(raw, AT)
    assert event is not None
    assert decode_observation(encode(event)) == event
