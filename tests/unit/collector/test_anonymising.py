import ast
import gzip
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.anonymising import Anonymiser
from collector.generic_words import GENERIC_WORDS
from collector.pseudonyms import Pseudonyms
from collector.recording import lines_of
from podcause.diagnosing import Tally, diagnose_recordings

ROOT = Path(__file__).parents[3]
RECORDINGS = sorted((ROOT / "podcause" / "data" / "recordings").glob("*.jsonl.gz"))
UID = "695169e4-2739-42fe-b576-b9ab111083c8"


@pytest.fixture
def names() -> Pseudonyms:
    return Pseudonyms(b"key")


@pytest.fixture
def one() -> Anonymiser:
    return Anonymiser(b"key")


def pod(**overrides: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {
            "name": "ledger-6959dcb85c-kdc5s",
            "namespace": "payments",
            "uid": UID,
            "resourceVersion": "7",
            "labels": {"pod-template-hash": "6959dcb85c", "owner": "alice"},
            "annotations": {
                "contact": "alice@bigbank.example",
                "kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef",
            },
            "managedFields": [{"manager": "alice"}],
            "ownerReferences": [{"kind": "ReplicaSet", "name": "ledger-6959dcb85c", "uid": UID, "controller": True}],
        },
        "spec": {
            "nodeName": "ip-10-1-2-3.eu-west-1.compute.internal",
            "serviceAccountName": "alice",
            "containers": [
                {
                    "name": "ledger",
                    "image": "registry.bigbank.example:5000/payments/ledger:1.4@sha256:" + "ab" * 32,
                    "command": ["/ledger", "--password", "hunter2hunter2"],
                    "env": [{"name": "PASSWORD", "value": "hunter2"}],
                    "envFrom": [{"secretRef": {"name": "alice"}}],
                    "livenessProbe": {
                        "httpGet": {"path": "/ledger/healthz", "port": 8080, "httpHeaders": [{"name": "x", "value": "alice"}]}
                    },
                    "resources": {"limits": {"memory": "48Mi", "bigbank.example/gpu": "1"}},
                    "newFieldOfALaterRelease": "alice",
                }
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.9.8.7",
            "containerStatuses": [
                {
                    "name": "ledger",
                    "restartCount": 3,
                    "containerID": "containerd://" + "cd" * 32,
                    "state": {
                        "waiting": {
                            "reason": "CrashLoopBackOff",
                            "message": f"back-off 40s restarting failed container=ledger pod=ledger-6959dcb85c-kdc5s_payments({UID})",
                        }
                    },
                }
            ],
        },
    } | overrides


def test_nothing_of_a_pod_that_says_whose_it_is_remains(one: Anonymiser) -> None:
    text = json.dumps(one.pod(pod()))
    for word in (
        "ledger",
        "payments",
        "alice",
        "bigbank",
        "hunter2",
        UID,
        "6959dcb85c",
        "kdc5s",
        "10-1-2-3",
        "10.9.8.7",
        "ab" * 8,
        "cd" * 8,
    ):
        assert word not in text
    assert one.redacted == 1


def test_what_explains_a_failure_remains(one: Anonymiser) -> None:
    found = one.pod(pod())
    container = found["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"]["port"] == 8080
    assert container["resources"] == {"limits": {"memory": "48Mi"}}
    assert container["image"].rpartition("@")[0].endswith(":1.4")
    status = found["status"]["containerStatuses"][0]
    assert status["restartCount"] == 3
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"


def test_environments_annotations_and_labels_are_dropped(one: Anonymiser) -> None:
    found = one.pod(pod())
    assert not {"env", "envFrom", "newFieldOfALaterRelease"} & set(found["spec"]["containers"][0])
    assert set(found["metadata"]["annotations"]) == {"kubernetes.io/config.hash"}
    assert set(found["metadata"]["labels"]) == {"pod-template-hash"}
    assert "managedFields" not in found["metadata"]
    assert "serviceAccountName" not in found["spec"]


def test_a_name_is_the_same_in_pods_events_paths_and_messages(one: Anonymiser) -> None:
    name = one.pod(pod())["metadata"]["name"]
    container = one.pod(pod())["spec"]["containers"][0]["name"]
    event = one.event(
        {
            "metadata": {"name": "ledger-6959dcb85c-kdc5s.18ea6ac6cefe3834", "namespace": "payments"},
            "involvedObject": {
                "kind": "Pod",
                "name": "ledger-6959dcb85c-kdc5s",
                "uid": UID,
                "fieldPath": "spec.containers{ledger}",
            },
            "message": f"Back-off restarting failed container ledger in pod ledger-6959dcb85c-kdc5s_payments({UID})",
            "source": {"component": "kubelet", "host": "ip-10-1-2-3.eu-west-1.compute.internal"},
        }
    )
    involved = event["involvedObject"]
    assert involved["name"] == name
    assert involved["fieldPath"] == f"spec.containers{{{container}}}"
    assert event["metadata"]["name"].startswith(f"{name}.")
    assert event["message"] == (
        f"Back-off restarting failed container {container} in pod {name}_{event['metadata']['namespace']}({involved['uid']})"
    )
    assert event["source"]["host"] == one.pod(pod())["spec"]["nodeName"]
    assert event["source"]["component"] == "kubelet"


def test_owners_can_still_be_derived_from_names(one: Anonymiser) -> None:
    metadata = one.pod(pod())["metadata"]
    replica_set = metadata["ownerReferences"][0]["name"]
    assert metadata["name"].startswith(f"{replica_set}-")
    assert replica_set.endswith("-" + metadata["labels"]["pod-template-hash"])
    assert re.fullmatch(r"[bcdfghjklmnpqrstvwxz2456789]{10}", metadata["labels"]["pod-template-hash"])


def test_one_key_is_one_mapping_and_another_key_another() -> None:
    assert Pseudonyms(b"one").name("ledger") == Pseudonyms(b"one").name("ledger")
    assert Pseudonyms(b"one").name("ledger") != Pseudonyms(b"two").name("ledger")


def test_words_of_kubernetes_and_public_images_stay(names: Pseudonyms) -> None:
    for text in ("kube-system", "docker.io/library/nginx:1.27", "node-a", "default-scheduler", "main"):
        assert names.name(text) == text


def test_addresses_in_texts(names: Pseudonyms) -> None:
    text = names.text("dial tcp 10.20.30.40:5432 via [fd12:3456::1]:80, [::1]:80, 127.0.0.1:80, 0.0.0.0 at 16:26:43, v1.2.3")
    assert "10.20.30.40" not in text
    assert "fd12:3456" not in text
    assert re.search(r"dial tcp 10\.\d+\.\d+\.\d+:5432 ", text)
    for kept in ("[::1]:80", "127.0.0.1:80", "0.0.0.0", "16:26:43", "v1.2.3"):
        assert kept in text


@pytest.mark.parametrize(
    "text",
    [
        "lookup bigbank-cache on 127.0.0.1:53: no such host",
        "could not connect to server bigbank.payments.svc.cluster.local",
        "redis at bigbank-1:6379: connection refused",
        "Get https://bigbank.example/healthz: EOF",
        "java.net.UnknownHostException: bigbank",
        'secret "bigbank" not found',
        "couldn't find key password in Secret team/bigbank",
        'MountVolume.SetUp failed for volume "bigbank" : timeout',
        "Created pod: bigbank-x",
        "mail to admin@bigbank.example",
    ],
)
def test_names_that_only_a_text_says(names: Pseudonyms, text: str) -> None:
    found = names.text(text)
    assert "bigbank" not in found
    assert re.sub(r"\W*\w+\W*", "", found) == ""
    assert len(found.split()) == len(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "/usr/local/lib/python3.11/site-packages/flask/app.py:12: KeyError: 'DATABASE_URL'",
        "java.lang.IllegalStateException: Could not resolve placeholder",
        "open /etc/nginx/nginx.conf: no such file or directory",
        "panic: runtime error: index out of range [3] with length 3 at main.go:42",
        "exec /bin/app: exec format error",
        "Liveness probe failed: HTTP probe failed with statuscode: 503",
    ],
)
def test_texts_without_names_stay_as_they_are(names: Pseudonyms, text: str) -> None:
    assert names.text(text) == text


def test_a_company_s_own_controller_has_another_kind_and_group(one: Anonymiser) -> None:
    raw = pod()
    raw["metadata"]["ownerReferences"] = [
        {"kind": "BigbankApp", "apiVersion": "apps.bigbank.example/v1", "name": "x", "uid": UID}
    ]
    (owner,) = one.pod(raw)["metadata"]["ownerReferences"]
    assert "igbank" not in json.dumps(owner)
    assert owner["kind"].startswith("Kind")


def test_logs_are_redacted_and_lines_of_unknown_streams_left_out(one: Anonymiser) -> None:
    one.pod(pod())
    line = {
        "t": "2026-01-01T00:00:00.000Z",
        "stream": "log",
        "namespace": "payments",
        "pod": "ledger-6959dcb85c-kdc5s",
        "container": "ledger",
        "text": "ledger: login with password=hunter2hunter2 at ledger.payments.svc failed\n",
        "error": None,
        "surprise": "ledger",
    }
    found = one.line(line)
    assert found is not None
    assert not re.search("ledger|payments|hunter2", json.dumps(found))
    assert "[REDACTED]" in found["text"]
    assert one.line({"stream": "secrets", "t": "x"}) is None
    assert one.line({"stream": ["pods"]}) is None


def test_hostile_objects_do_no_harm(one: Anonymiser) -> None:
    for content in (
        None,
        3,
        "x",
        [],
        {},
        {"metadata": 3, "spec": [], "status": {"conditions": {}}},
        {"metadata": {"name": {"a": 1}, "labels": []}},
    ):
        one.line({"stream": "pods", "type": "ADDED", "t": "x", "object": content})
        one.line({"stream": "events", "type": "ADDED", "t": "x", "object": content})


def newest(lines: list[bytes]) -> list[tuple[object, ...]]:
    found = {one.diagnosis.id: one for one in diagnose_recordings([("test", lines)], Tally())}
    return sorted(
        (
            one.diagnosis.problem,
            one.diagnosis.cause.id,
            one.diagnosis.cause.confidence,
            str(one.diagnosis.state),
            one.diagnosis.occurrences,
        )
        for one in found.values()
    )


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name.partition(".")[0])
def test_an_anonymised_recording_has_the_same_diagnoses(path: Path, one: Anonymiser) -> None:
    before = list(lines_of(path))
    after = [json.dumps(one.line(msgspec.json.decode(line))).encode() for line in before]
    assert newest(after) == newest(before)
    raw = gzip.decompress(path.read_bytes()).decode()
    # No UID of the cluster, the pods or the events is left.
    uids = set(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", raw))
    text = b"".join(after).decode()
    assert not [uid for uid in uids if uid in text]


def test_every_word_that_the_processor_looks_for_is_kept() -> None:
    """Replaced in a message, it would change what the message means; a container may well be called so."""
    wanted: set[str] = set()
    for path in sorted((ROOT / "processor" / "messages").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                wanted |= {word.lower() for word in re.findall(r"[A-Za-z]{3,}", re.sub(r"\\[a-zA-Z]", " ", node.value))}
    wanted -= {"capabilit", "ion", "misconfigur", "ontainer", "probeoutput", "rmor", "uration"}  # parts of words in patterns
    assert len(wanted) > 200
    assert sorted(wanted - GENERIC_WORDS) == [], "add them to collector/generic_words.py"
