"""Cases of images that cannot be pulled."""

from typing import Final

from msgspec.structs import replace

from processor.rules.cases.case import APP, POD, Case, edge, event, fires, near_miss, pod, running, waiting
from schemas.observation import Observation, Pod

_PENDING: Final[Pod] = replace(POD, phase="Pending")
_HEAD: Final = 'failed to pull and unpack image "docker.io/shop/web:1": failed to resolve reference "docker.io/shop/web:1": '
_NOT_FOUND: Final = _HEAD + "docker.io/shop/web:1: not found"
_DENIED: Final = _HEAD + "unexpected status from HEAD request to https://r.example/v2/: 401 Unauthorized"
_NO_HOST: Final = _HEAD + 'failed to do request: Head "https://r.example/v2/": dial tcp: lookup r.example: no such host'
_LIMITED: Final = _HEAD + "429 Too Many Requests - toomanyrequests: You have reached your pull rate limit."
_FULL: Final = "failed to extract layer: no space left on device"


def _tries(text: str, *moments: float) -> list[Observation]:
    """The status after each try, and the back-off between them."""
    seen: list[Observation] = []
    for moment in moments:
        seen.append(pod(moment, waiting(APP, "ErrImagePull", text), like=_PENDING))
        seen.append(pod(moment + 10, waiting(APP, "ImagePullBackOff", 'Back-off pulling image "shop/web:1"'), like=_PENDING))
    return seen


CASES: Final[tuple[Case, ...]] = (
    fires(
        "image_not_found",
        "at the first proof, by status alone",
        _tries(_NOT_FOUND, 5),
        20,
        ("app", "image_pull", "image_not_found", "opened"),
    ),
    fires(
        "image_not_found",
        "by events alone",
        [event(5, "Failed", f'Failed to pull image "shop/web:1": {_NOT_FOUND}'), event(5, "Failed", "Error: ErrImagePull")],
        20,
        ("app", "image_pull", "image_not_found", "opened"),
    ),
    near_miss("image_not_found", "a pull that succeeds", [event(5, "Pulled", 'Successfully pulled image "shop/web:1"')], 20),
    edge(
        "image_not_found",
        "it was missing, and is pushed before the next try",
        [*_tries(_NOT_FOUND, 5), pod(30, running(APP, 30))],
        60,
        ("app", "image_pull", "image_not_found", "resolved"),
    ),
    fires("image_pull_auth", "401", _tries(_DENIED, 5), 20, ("app", "image_pull", "image_pull_auth", "opened")),
    near_miss(
        "image_pull_auth",
        "a registry that hides what is missing behind denied",
        _tries(_HEAD + "pull access denied, repository does not exist or may require authorization", 5),
        20,
        ("app", "image_pull", "image_not_found", "opened"),
    ),
    edge(
        "image_pull_auth",
        "the tag is 401, and the registry says not found",
        _tries(_NOT_FOUND.replace("web:1", "web:401"), 5),
        20,
        ("app", "image_pull", "image_not_found", "opened"),
    ),
    fires(
        "image_pull_network",
        "no such host, twice",
        _tries(_NO_HOST, 5, 30),
        50,
        ("app", "image_pull", "image_pull_network", "opened"),
    ),
    near_miss("image_pull_network", "once is a blip", [*_tries(_NO_HOST, 5), pod(30, running(APP, 30))], 60),
    edge(
        "image_pull_network",
        "the second failure, by the event's count",
        [event(5, "Failed", f'Failed to pull image "shop/web:1": {_NO_HOST}', count=2, first=0)],
        20,
        ("app", "image_pull", "image_pull_network", "opened"),
    ),
    edge("image_pull_network", "the first failure", _tries(_NO_HOST, 5), 20),
    fires(
        "image_pull_rate_limited",
        "429, twice",
        _tries(_LIMITED, 5, 30),
        50,
        ("app", "image_pull", "image_pull_rate_limited", "opened"),
    ),
    near_miss(
        "image_pull_rate_limited",
        "the tag is 429, and the registry says not found",
        _tries(_NOT_FOUND.replace("web:1", "web:429"), 5),
        20,
        ("app", "image_pull", "image_not_found", "opened"),
    ),
    edge("image_pull_rate_limited", "once", _tries(_LIMITED, 5), 20),
    fires(
        "invalid_image_name",
        "by its waiting reason",
        [pod(5, waiting(APP, "InvalidImageName", "couldn't parse image name"), like=_PENDING)],
        20,
        ("app", "image_pull", "invalid_image_name", "opened"),
    ),
    near_miss(
        "invalid_image_name",
        "a name that is valid and names nothing",
        _tries(_NOT_FOUND, 5),
        20,
        ("app", "image_pull", "image_not_found", "opened"),
    ),
    edge(
        "invalid_image_name",
        "by the short event alone",
        [event(5, "Failed", "Error: InvalidImageName")],
        20,
        ("app", "image_pull", "invalid_image_name", "opened"),
    ),
    fires(
        "image_pull_failed",
        "a full disk, twice",
        _tries(_FULL, 5, 30),
        50,
        ("app", "image_pull", "image_pull_failed", "opened"),
    ),
    near_miss("image_pull_failed", "waiting for its turn", [pod(5, waiting(APP, "ContainerCreating"), like=_PENDING)], 20),
    edge(
        "image_pull_failed",
        "two back-offs, and no one says why",
        [event(5, "BackOff", 'Back-off pulling image "shop/web:1"', count=2, first=0)],
        20,
        ("app", "image_pull", "image_pull_failed", "opened"),
    ),
    edge("image_pull_failed", "one back-off", [event(5, "BackOff", 'Back-off pulling image "shop/web:1"')], 20),
)
