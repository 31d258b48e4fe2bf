"""The Event forms: one line per wording and era (Kubernetes 1.8 to 1.37), near misses, and text that nobody meant well."""

from collections.abc import Callable

import pytest

from processor.messages import Form, Reading, is_admission_reason, is_shutdown_reason, read_event

APP = "spec.containers{app}"
SIDECAR = "spec.initContainers{mesh}"


def reading(form: Form, text: str, container: str | None = "app", *, init: bool = False, probe: str | None = None) -> Reading:
    return Reading(form=form, container=container, container_is_init=init, probe=probe, text=text)


#: era, reason, message, fieldPath, the form and the probe, if any. The text is kept whole.
WHOLE = [
    ("≤1.13", "Pulling", 'pulling image "shop/web:1"', APP, Form.PULLING),
    ("1.14+", "Pulling", 'Pulling image "shop/web:1"', APP, Form.PULLING),
    ("≤1.18", "Pulled", 'Successfully pulled image "shop/web:1"', APP, Form.PULLED),
    ("1.19-1.24", "Pulled", 'Successfully pulled image "shop/web:1" in 2.1s', APP, Form.PULLED),
    ("1.25-1.29", "Pulled", 'Successfully pulled image "shop/web:1" in 2.1s (2.1s including waiting)', APP, Form.PULLED),
    ("1.30+", "Pulled", 'Successfully pulled image "w" in 2s (2s including waiting). Image size: 9 bytes.', APP, Form.PULLED),
    ("all", "Pulled", 'Container image "shop/web:1" already present on machine', APP, Form.PULLED),
    ("1.35+", "Pulled", 'Container image "w" already present on machine and can be accessed by the pod', APP, Form.PULLED),
    ("≤1.13", "Created", "Created container", APP, Form.CREATED),
    ("1.14-1.31", "Created", "Created container app", APP, Form.CREATED),
    ("1.32-1.34", "Created", "Created container: app", APP, Form.CREATED),
    ("1.35+", "Created", "Container created", APP, Form.CREATED),
    ("≤1.13", "Started", "Started container", APP, Form.STARTED),
    ("1.14-1.34", "Started", "Started container app", APP, Form.STARTED),
    ("1.35+", "Started", "Container started", APP, Form.STARTED),
    ("all", "BackOff", 'Back-off pulling image "shop/web:1"', APP, Form.IMAGE_BACKOFF),
    ("1.32+", "BackOff", 'Back-off pulling image "shop/web:1": ErrImagePull: not found', APP, Form.IMAGE_BACKOFF),
    ("≤1.25", "BackOff", "Back-off restarting failed container", APP, Form.CRASH_BACKOFF),
    ("≤1.5", "BackOff", "Back-off restarting failed docker container", APP, Form.CRASH_BACKOFF),
    ("all", "Failed", 'Failed to pull image "shop/web:1": rpc error: code = NotFound', APP, Form.IMAGE_FAILED),
    ("all", "Failed", "Error: ErrImagePull", APP, Form.IMAGE_BACKOFF),
    ("all", "Failed", "Error: ImagePullBackOff", APP, Form.IMAGE_BACKOFF),
    ("all", "Failed", "Error: InvalidImageName", APP, Form.IMAGE_BACKOFF),
    ("all", "Failed", "Error: ErrImageNeverPull", APP, Form.IMAGE_BACKOFF),
    ("all", "Failed", "Error: ImageInspectError", APP, Form.IMAGE_BACKOFF),
    ("1.13+", "Failed", "Error: RegistryUnavailable", APP, Form.IMAGE_BACKOFF),
    ("1.30+", "Failed", "Error: SignatureValidationFailed", APP, Form.IMAGE_BACKOFF),
    ("all", "InspectFailed", 'Failed to inspect image "shop/web:1": rpc error', APP, Form.IMAGE_FAILED),
    ("1.32+", "InspectFailed", 'Failed to inspect image "": rpc error', APP, Form.IMAGE_FAILED),
    ("all", "InspectFailed", 'Failed to apply default image tag "Web": couldn\'t parse image', APP, Form.IMAGE_FAILED),
    ("all", "ErrImageNeverPull", 'Container image "w" is not present with pull policy of Never', APP, Form.IMAGE_FAILED),
    ("all", "Failed", 'Error: secret "db" not found', APP, Form.CREATE_FAILED),
    ("all", "Failed", "Error: couldn't find key url in ConfigMap shop/web", APP, Form.CREATE_FAILED),
    ("1.21+", "Failed", "Internal PreCreateContainer hook failed: no devices", APP, Form.CREATE_FAILED),
    ("1.21+", "Failed", "Internal PreStartContainer hook failed: no devices", APP, Form.CREATE_FAILED),
    (
        "≤1.25",
        "FailedPostStartHook",
        'Exec lifecycle hook ([false]) for Container "app" in Pod "w" failed',
        APP,
        Form.HOOK_FAILED,
    ),
    ("1.26+", "FailedPostStartHook", "PostStartHook failed", APP, Form.HOOK_FAILED),
    ("all", "Killing", "FailedPostStartHook", APP, Form.HOOK_FAILED),
    ("1.35+", "Killing", "killing", APP, Form.PLANNED_RESTART),
    ("1.14+", "Killing", 'Container is in "unknown" state, try killing it before restart', APP, Form.LOST_STATE),
    ("1.14+", "Killing", 'Init container is in "unknown" state, try killing it before restart', APP, Form.LOST_STATE),
]

POD_LEVEL = [
    ("all", "Scheduled", "Successfully assigned shop/web-1 to node-1", Form.SCHEDULED),
    ("all", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", Form.UNSCHEDULABLE),
    ("≤1.13", "Preempted", "by shop/big on node node-1", Form.PREEMPTED),
    ("≤1.22", "Preempted", "Preempted by shop/big on node node-1", Form.PREEMPTED),
    ("1.23-1.28", "Preempted", "Preempted by a pod on node node-1", Form.PREEMPTED),
    ("1.29+", "Preempted", "Preempted by pod 4f2d on node node-1", Form.PREEMPTED),
    ("all", "Preempting", "Preempted in order to admit critical pod", Form.PREEMPTED),
    ("all", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", Form.SANDBOX_CHANGED),
    ("≤1.16", "FailedCreatePodSandBox", "Failed create pod sandbox: no IP", Form.SANDBOX_FAILED),
    ("1.17+", "FailedCreatePodSandBox", "Failed to create pod sandbox: no IP", Form.SANDBOX_FAILED),
    ("all", "FailedPodSandBoxStatus", "Unable to get pod sandbox status: gone", Form.SANDBOX_FAILED),
    ("1.26+", "FailedPrepareDynamicResources", "Failed to prepare dynamic resources: no", Form.SANDBOX_FAILED),
    ("all", "NetworkNotReady", "network is not ready: cni plugin not initialized", Form.SANDBOX_FAILED),
    ("all", "FailedCreatePodContainer", "unable to ensure pod container exists: cgroup", Form.SANDBOX_FAILED),
    ("all", "Failed", "error making pod data directories: read-only", Form.SANDBOX_FAILED),
    ("all", "FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "tls" not found', Form.VOLUME_FAILED),
    ("≤1.15", "FailedMount", 'Unable to mount volumes for pod "web_shop(1)": timeout', Form.VOLUME_FAILED),
    ("1.16-1.26", "FailedMount", "Unable to attach or mount volumes: unmounted volumes=[tls]", Form.VOLUME_FAILED),
    ("all", "FailedMapVolume", 'MapVolume.SetUpDevice failed for volume "raw" : busy', Form.VOLUME_FAILED),
    ("all", "FailedAttachVolume", 'Multi-Attach error for volume "pvc-1"', Form.VOLUME_FAILED),
    ("1.21+", "FailedBinding", "ephemeral volume scratch: PVC exists", Form.VOLUME_FAILED),
    ("all", "Evicted", "The node was low on resource: memory. ", Form.EVICTED),
    ("all", "Evicted", "The node had condition: [DiskPressure]. ", Form.EVICTED),
    ("all", "Evicted", 'Usage of EmptyDir volume "cache" exceeds the limit "1Gi". ', Form.EVICTED),
    ("all", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline", Form.DEADLINE),
    ("all", "NodeNotReady", "Node is not ready", Form.NODE_NOT_READY),
    ("all", "TaintManagerEviction", "Marking for deletion Pod shop/web-1", Form.TAINT_EVICTION),
    ("≤1.15", "NodeControllerEviction", "Marking for deletion Pod web-1 from Node node-1", Form.TAINT_EVICTION),
    ("1.34+", "DeviceTaintManagerEviction", "Marking for deletion", Form.TAINT_EVICTION),
    ("1.20+", "NodeShutdown", "Pod was rejected as the node is shutting down.", Form.NODE_SHUTDOWN),
    ("all", "OutOfcpu", "Node didn't have enough resource: cpu, requested: 1, used: 4, capacity: 4", Form.ADMISSION),
    ("all", "OutOfephemeral-storage", "Node didn't have enough resource", Form.ADMISSION),
    ("all", "UnexpectedAdmissionError", "Allocate failed due to no devices", Form.ADMISSION),
    ("1.18+", "TopologyAffinityError", "Resources cannot be allocated with Topology locality", Form.ADMISSION),
]

#: What looks like one of ours and is none.
OTHER = [
    ("BackOff", "Back-off is fine"),
    ("BackOff", "Back-off restarting failed containers"),
    ("BackOff", ""),
    ("Unhealthy", "probe failed: x"),
    ("Unhealthy", "liveness probe failed: x"),
    ("Unhealthy", "Liveness probe warning: x"),
    ("ProbeWarning", "Readiness probe warning: Probe terminated redirects, Response body: x"),
    ("ProbeError", "Liveness probe error: HTTP probe failed with statuscode: 500\nbody: x"),
    ("FailedScheduling", "skip schedule deleting pod: shop/web-1"),
    ("TaintManagerEviction", "Cancelling deletion of Pod shop/web-1"),
    ("FailedPreStopHook", "PreStopHook failed"),
    ("FailedKillPod", "error killing pod: x"),
    ("ExceededGracePeriod", "Container runtime did not kill the pod within specified grace period."),
    ("FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (a)"),
    ("DNSConfigForming", "Nameserver limits were exceeded"),
    ("ResizeCompleted", "Pod resize completed"),
    ("SuccessfulAttachVolume", 'AttachVolume.Attach succeeded for volume "pvc-1"'),
    ("FailedSync", "error determining status: x"),
    ("Failed", "something"),
    ("NotOutOfcpu", "x"),
    ("OutOf", "x"),
    ("killing", "Stopping container app"),
    ("", ""),
]


@pytest.mark.parametrize(
    ("reason", "message", "path", "form"), [row[1:] for row in WHOLE], ids=[f"{row[0]} {row[2][:40]}" for row in WHOLE]
)
def test_an_event_of_a_container(reason: str, message: str, path: str, form: Form) -> None:
    assert read_event(reason, message, path) == reading(form, message)


@pytest.mark.parametrize(
    ("reason", "message", "form"), [row[1:] for row in POD_LEVEL], ids=[f"{row[0]} {row[2][:40]}" for row in POD_LEVEL]
)
def test_an_event_of_the_pod(reason: str, message: str, form: Form) -> None:
    assert read_event(reason, message, None) == reading(form, message, None)


@pytest.mark.parametrize(("reason", "message"), OTHER)
def test_what_says_nothing_about_failures_is_other(reason: str, message: str) -> None:
    assert read_event(reason, message, None) == reading(Form.OTHER, message, None)


@pytest.mark.parametrize(
    ("message", "path", "expected"),
    [
        # the name comes from the text where it has one
        ("Stopping container app", None, reading(Form.PLAIN_STOP, "Stopping container app")),
        (
            "Killing container with id docker://app:Need to kill Pod",
            None,
            reading(Form.PLAIN_STOP, "Killing container with id docker://app:Need to kill Pod"),
        ),
        (
            "Container app failed liveness probe, will be restarted",
            None,
            reading(Form.PROBE_KILL, "Container app failed liveness probe, will be restarted", probe="liveness"),
        ),
        (
            "Container app failed startup probe, will be restarted",
            None,
            reading(Form.PROBE_KILL, "Container app failed startup probe, will be restarted", probe="startup"),
        ),
        # 1.14+, restartPolicy Never beside another container that lives on
        (
            "Container app failed liveness probe",
            None,
            reading(Form.PROBE_KILL, "Container app failed liveness probe", probe="liveness"),
        ),
        # 1.28+, a native sidecar
        (
            "Init container mesh failed liveness probe",
            SIDECAR,
            reading(Form.PROBE_KILL, "Init container mesh failed liveness probe", "mesh", init=True, probe="liveness"),
        ),
        # ≤1.13, containers by id, which the kubelet replaced by the name
        (
            "Killing container with id docker://app:Container failed liveness probe.. Container will be killed and recreated.",
            APP,
            reading(
                Form.PROBE_KILL,
                "Killing container with id docker://app:Container failed liveness probe.. Container will be killed and recreated.",
                probe="liveness",
            ),
        ),
        # ≤1.7
        (
            'Killing container with id docker://app:pod "web_shop(1)" container "app" is unhealthy, it will be killed and re-created.',
            APP,
            reading(
                Form.PROBE_KILL,
                'Killing container with id docker://app:pod "web_shop(1)" container "app" is unhealthy, it will be killed and re-created.',
                probe="liveness",
            ),
        ),
        (
            "Killing container with id docker://app:Container spec hash changed (1 vs 2).. Container will be killed and recreated.",
            None,
            reading(
                Form.PLANNED_RESTART,
                "Killing container with id docker://app:Container spec hash changed (1 vs 2).. Container will be killed and recreated.",
            ),
        ),
        (
            "Killing container with id docker://app:FailedPostStartHook",
            None,
            reading(Form.HOOK_FAILED, "Killing container with id docker://app:FailedPostStartHook"),
        ),
        (
            "Container app definition changed, will be restarted",
            None,
            reading(Form.PLANNED_RESTART, "Container app definition changed, will be restarted"),
        ),
        (
            "Init container mesh definition changed",
            SIDECAR,
            reading(Form.PLANNED_RESTART, "Init container mesh definition changed", "mesh", init=True),
        ),
        ("Container app resize requires restart", None, reading(Form.PLANNED_RESTART, "Container app resize requires restart")),
        # near misses: an unknown reason to kill is a stop, never a probe's kill
        (
            "Container app failed liveness probe twice",
            APP,
            reading(Form.PLAIN_STOP, "Container app failed liveness probe twice"),
        ),
        ("Container app failed readiness probe", APP, reading(Form.PLAIN_STOP, "Container app failed readiness probe")),
        ("", APP, reading(Form.PLAIN_STOP, "")),
    ],
)
def test_killing_tells_a_probes_kill_from_a_stop(message: str, path: str | None, expected: Reading) -> None:
    assert read_event("Killing", message, path) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Liveness probe failed: ", reading(Form.PROBE_FAILED, "", probe="liveness")),
        ("Liveness probe failed:", reading(Form.PROBE_FAILED, "", probe="liveness")),
        ("Startup probe failed: a\nb", reading(Form.PROBE_FAILED, "a\nb", probe="startup")),
        ("Readiness probe errored: no task", reading(Form.PROBE_ERRORED, "no task", probe="readiness")),
        ("Readiness probe errored and resulted in unknown state: x", reading(Form.PROBE_ERRORED, "x", probe="readiness")),
    ],
)
def test_unhealthy_keeps_what_the_probe_met(message: str, expected: Reading) -> None:
    assert read_event("Unhealthy", message, APP) == expected


def test_a_crash_back_off_names_its_container_from_1_26_on() -> None:
    text = "Back-off restarting failed container app in pod web-1_shop(4f2d)"
    assert read_event("BackOff", text, None) == reading(Form.CRASH_BACKOFF, text)


def test_an_aggregated_event_is_read_without_its_prefix() -> None:
    said = read_event("Unhealthy", "(combined from similar events): Liveness probe failed: x", APP)
    assert said == reading(Form.PROBE_FAILED, "x", probe="liveness")


def test_an_aggregated_events_text_is_surer_than_its_path() -> None:
    said = read_event(
        "Killing", "(combined from similar events): Container app failed liveness probe, will be restarted", SIDECAR
    )
    assert said == reading(Form.PROBE_KILL, "Container app failed liveness probe, will be restarted", probe="liveness")


@pytest.mark.parametrize(
    ("path", "container", "init"),
    [
        ("spec.containers{app}", "app", False),
        ("spec.initContainers{mesh}", "mesh", True),
        ("spec.ephemeralContainers{debug}", "debug", False),
        ("spec.containers[0]", None, False),
        ("implicitly required container POD", None, False),
        ("spec.containers{}", None, False),
        ("", None, False),
        (None, None, False),
    ],
)
def test_the_field_path_names_the_container(path: str | None, container: str | None, init: bool) -> None:  # noqa: FBT001 - a table
    assert read_event("Started", "Container started", path) == reading(Form.STARTED, "Container started", container, init=init)


@pytest.mark.parametrize(
    "reason", ["OutOfcpu", "OutOfpods", "UnexpectedAdmissionError", "NodeAffinity", "AppArmor", "Insufficientcpu"]
)
def test_admission_reasons(reason: str) -> None:
    assert is_admission_reason(reason) is True


@pytest.mark.parametrize(
    "reason", ["Evicted", "OOMKilled", "outofcpu", "OutOf", "XNodeAffinity", "NodeAffinityX", "NodeShutdown", ""]
)
def test_other_reasons_are_no_admission(reason: str) -> None:
    assert is_admission_reason(reason) is False


@pytest.mark.parametrize(
    ("reason", "expected"), [("Terminated", True), ("Shutdown", True), ("NodeShutdown", True), ("NodeLost", False)]
)
def test_shutdown_reasons(reason: str, *, expected: bool) -> None:
    assert is_shutdown_reason(reason) is expected


@pytest.mark.parametrize(
    ("reason", "head"),
    [
        ("Killing", "Container "),
        ("Killing", "Killing container with id docker://c:"),
        ("BackOff", "Back-off restarting failed container "),
        ("BackOff", "Back-off "),
        ("Unhealthy", "Liveness probe errored"),
        ("Failed", "Error: "),
    ],
)
def test_hostile_messages_cost_no_time(reason: str, head: str, seconds_at_worst: Callable[..., tuple[float, str]]) -> None:
    seconds, text = seconds_at_worst(lambda message: read_event(reason, message, APP), head)
    assert seconds < 0.5, text


def test_hostile_reasons_and_paths_cost_no_time(seconds_at_worst: Callable[..., tuple[float, str]]) -> None:
    seconds, text = seconds_at_worst(lambda reason: read_event(reason, "x", reason), "spec.containers{", "OutOf")
    assert seconds < 0.5, text
