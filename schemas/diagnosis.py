"""Diagnoses: one revision of one pod's episode, as published on ``<prefix>.diagnoses.v1``.

Frozen structs that mirror the JSON exactly (contract section 3). No rule and no decision is here.
"""

from typing import Final, Literal

import msgspec

SCHEMA_VERSION: Final = "1.0.0"

Severity = Literal["critical", "error", "warning", "info"]
State = Literal["opened", "updated", "resolved"]
Problem = Literal["container_restarts", "image_pull", "container_create", "not_ready", "not_started", "evicted"]
Resolution = Literal["recovered", "deleted", "replaced", "completed", "expired"]
EvidenceKind = Literal["event", "status", "log", "spec"]
CauseId = Literal[
    "app_error_exit",
    "exits_zero",
    "dependency_unavailable",
    "config_error",
    "read_only_or_permission",
    "oom_killed",
    "signal_crash",
    "killed_externally",
    "command_not_found",
    "permission_denied_exec",
    "architecture_mismatch",
    "liveness_probe_misconfigured",
    "liveness_probe_failing",
    "startup_too_slow",
    "startup_probe_failing",
    "post_start_hook_failed",
    "readiness_probe_failing",
    "image_not_found",
    "image_pull_auth",
    "image_pull_network",
    "image_pull_rate_limited",
    "invalid_image_name",
    "image_pull_failed",
    "config_missing",
    "security_context_rejected",
    "create_container_error",
    "volume_mount_failed",
    "sandbox_failed",
    "unschedulable",
    "evicted_resource_pressure",
    "preempted",
    "node_lost",
    "admission_rejected",
    "deadline_exceeded",
    "unknown",
]

#: OpenTelemetry severity numbers (logs data model, SeverityNumber) of the four severities used.
SEVERITY_NUMBERS: Final[dict[Severity, int]] = {"critical": 21, "error": 17, "warning": 13, "info": 9}

MESSAGE_MAX_CHARACTERS: Final = 1024
EVIDENCE_MAX_ITEMS: Final = 20
EVIDENCE_TEXT_MAX_CHARACTERS: Final = 1024


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Common settings of every part of a diagnosis."""


class Alternative(_Record, frozen=True, kw_only=True):
    """Another cause that the same evidence allows, and how likely it is (0 to 1)."""

    id: CauseId
    confidence: float


class Cause(_Record, frozen=True, kw_only=True):
    """The cause, how sure the rule is (0 to 1), and one sentence."""

    id: CauseId
    confidence: float
    summary: str
    alternatives: tuple[Alternative, ...] = ()


class DiagnosisBody(_Record, frozen=True, kw_only=True):
    """The episode."""

    id: str
    fingerprint: str
    revision: int
    state: State
    problem: Problem
    cause: Cause
    remediation: tuple[str, ...] = ()
    opened_at: str
    first_observed_at: str
    last_observed_at: str
    resolved_at: str | None = None
    resolution: Resolution | None = None
    occurrences: int
    window_seconds: int


class Rule(_Record, frozen=True, kw_only=True):
    """Which rule decided, and its version."""

    id: str
    version: str


class K8sCluster(_Record, frozen=True, kw_only=True):
    """``k8s.cluster``."""

    name: str
    uid: str


class K8sName(_Record, frozen=True, kw_only=True):
    """An object known by its name."""

    name: str


class K8sPod(_Record, frozen=True, kw_only=True):
    """``k8s.pod``."""

    name: str
    uid: str | None = None
    labels: dict[str, str] = {}


class K8sContainer(_Record, frozen=True, kw_only=True):
    """``k8s.container``."""

    name: str
    type: str | None = None
    restart_count: int | None = None


class K8sWorkload(_Record, frozen=True, kw_only=True):
    """``k8s.workload``: the top workload, or the pod itself when no owner is known."""

    kind: str
    name: str
    uid: str | None = None


class K8s(_Record, frozen=True, kw_only=True):
    """OpenTelemetry's resource names for Kubernetes (semantic conventions, k8s.*)."""

    cluster: K8sCluster
    namespace: K8sName
    pod: K8sPod
    workload: K8sWorkload
    node: K8sName | None = None
    container: K8sContainer | None = None
    deployment: K8sName | None = None
    statefulset: K8sName | None = None
    daemonset: K8sName | None = None
    replicaset: K8sName | None = None
    job: K8sName | None = None
    cronjob: K8sName | None = None


class Image(_Record, frozen=True, kw_only=True):
    """``container.image``."""

    name: str
    tag: str | None = None
    digest: str | None = None


class ContainerImage(_Record, frozen=True, kw_only=True):
    """``container``."""

    image: Image


class Termination(_Record, frozen=True, kw_only=True):
    """The last termination."""

    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    started_at: str | None = None
    finished_at: str | None = None
    duration_ms: int | None = None
    message: str | None = None


class ProbeVerdict(_Record, frozen=True, kw_only=True):
    """The probe that decided, and what it answered. ``target`` is for people: ``:9999/healthz``."""

    kind: Literal["liveness", "readiness", "startup"]
    handler: str | None = None
    target: str | None = None
    initial_delay_seconds: int | None = None
    period_seconds: int | None = None
    timeout_seconds: int | None = None
    failure_threshold: int | None = None
    output: str | None = None


class Resources(_Record, frozen=True, kw_only=True):
    """Limits that matter to the cause."""

    memory_limit_bytes: int


class Evidence(_Record, frozen=True, kw_only=True):
    """One thing that the decision used. ``source_id`` is the observation's id."""

    kind: EvidenceKind
    text: str
    reason: str | None = None
    count: int | None = None
    first_at: str | None = None
    last_at: str | None = None
    source_id: str | None = None


class RedactionCount(_Record, frozen=True, kw_only=True):
    """How many secrets were replaced in the observations behind this record."""

    count: int


class Producer(_Record, frozen=True, kw_only=True):
    """Who wrote the record."""

    name: str
    version: str


class Diagnosis(_Record, rename={"timestamp": "@timestamp"}, frozen=True, kw_only=True):
    """One revision of one episode: the value on ``<prefix>.diagnoses.v1``."""

    timestamp: str
    schema_version: str
    message: str
    severity: Severity
    severity_number: int
    diagnosis: DiagnosisBody
    rule: Rule
    k8s: K8s
    container: ContainerImage | None = None
    termination: Termination | None = None
    probe: ProbeVerdict | None = None
    resources: Resources | None = None
    evidence: tuple[Evidence, ...] = ()
    redaction: RedactionCount | None = None
    truncated: bool = False
    producer: Producer
