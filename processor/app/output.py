"""A diagnosis as the record that goes to Kafka: key, value, CloudEvents headers (contract sections 1 and 3).

Pure. It must not decide anything: what a diagnosis says is the engine's.
"""

from typing import Final

from processor.app.records import OutgoingRecord
from schemas.codec import encode
from schemas.diagnosis import Diagnosis
from schemas.identity import pod_key
from schemas.json_schema import SCHEMA_ID

_DATA_SCHEMA: Final = SCHEMA_ID.format(name="diagnosis")


def diagnosis_record(diagnosis: Diagnosis, topic: str) -> OutgoingRecord:
    """The Kafka record of one revision. The key is the pod's, whichever observation (a clock, say) brought the revision about."""
    k8s, body = diagnosis.k8s, diagnosis.diagnosis
    key = pod_key(k8s.cluster.name, k8s.namespace.name, k8s.pod.name)
    headers = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": f"{body.id}.{body.revision}",
        "ce_source": f"/clusters/{k8s.cluster.uid}",
        "ce_type": f"io.podcause.diagnosis.{body.state}.v1",
        "ce_time": diagnosis.timestamp,
        "ce_subject": f"{k8s.namespace.name}/{k8s.pod.name}",
        "ce_dataschema": _DATA_SCHEMA,
        "ce_partitionkey": key,
    }
    return OutgoingRecord(
        topic=topic,
        key=key.encode(),
        value=encode(diagnosis),
        headers=tuple((name, text.encode()) for name, text in headers.items()),
        log_fields={
            "cluster": k8s.cluster.name,
            "namespace": k8s.namespace.name,
            "pod": k8s.pod.name,
            "uid": k8s.pod.uid,
            "container": k8s.container.name if k8s.container else None,
            "diagnosis_id": body.id,
            "revision": body.revision,
            "state": body.state,
            "cause": body.cause.id,
        },
    )
