"""Why a pull fails: registries' words through containerd, CRI-O and dockershim. Names of images are no words."""

from collections.abc import Callable

import pytest

from processor.messages import image_cause, image_error

CONTAINERD = 'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/shop/web:9": failed to resolve reference "docker.io/shop/web:9": '
DOCKER = "rpc error: code = Unknown desc = Error response from daemon: "
CRIO = (
    "rpc error: code = Unknown desc = initializing source docker://quay.io/shop/web:9: reading manifest 9 in quay.io/shop/web: "
)

TABLE = [
    (CONTAINERD + "docker.io/shop/web:9: not found", "image_not_found"),
    (DOCKER + "manifest for shop/web:9 not found: manifest unknown: manifest unknown", "image_not_found"),
    (CRIO + "manifest unknown", "image_not_found"),
    (
        CONTAINERD
        + "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope",
        "image_not_found",
    ),
    (DOCKER + "pull access denied for shop/web, repository does not exist or may require 'docker login'", "image_not_found"),
    ('Container image "web" is not present with pull policy of Never', "image_not_found"),
    (CRIO + "unauthorized: access to the requested resource is not authorized", "image_pull_auth"),
    (
        CONTAINERD
        + "failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://a/t: 401 Unauthorized",
        "image_pull_auth",
    ),
    (DOCKER + "Get https://r.example/v2/shop/web/manifests/9: no basic auth credentials", "image_pull_auth"),
    (
        CONTAINERD + "unexpected status from HEAD request to https://r.example/v2/shop/web/manifests/9: 403 Forbidden",
        "image_pull_auth",
    ),
    (
        CONTAINERD + 'failed to do request: Head "https://r.example/v2/": dial tcp: lookup r.example: no such host',
        "image_pull_network",
    ),
    (
        CONTAINERD + 'failed to do request: Head "https://r.example/v2/": dial tcp 10.0.0.1:443: i/o timeout',
        "image_pull_network",
    ),
    (
        CONTAINERD + 'failed to do request: Head "https://r.example/v2/": x509: certificate signed by unknown authority',
        "image_pull_network",
    ),
    (
        DOCKER + "Get https://r.example/v2/: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        "image_pull_network",
    ),
    (DOCKER + "Get https://r.example/v2/: http: server gave HTTP response to HTTPS client", "image_pull_network"),
    (
        CONTAINERD + "unexpected status from HEAD request to https://r.example/v2/: 503 Service Unavailable",
        "image_pull_network",
    ),
    (DOCKER + "toomanyrequests: You have reached your pull rate limit.", "image_pull_rate_limited"),
    (CONTAINERD + "unexpected status code 429 Too Many Requests", "image_pull_rate_limited"),
    (
        'Failed to apply default image tag "Shop/Web": couldn\'t parse image name "Shop/Web": invalid reference format',
        "invalid_image_name",
    ),
    ("Error: InvalidImageName", "invalid_image_name"),
    ("no match for platform in manifest: not found", "image_not_found"),
    (DOCKER + "no matching manifest for linux/arm64 in the manifest list entries", "image_not_found"),
    (CONTAINERD + "failed to extract layer: no space left on device", "image_pull_failed"),
    ("", "image_pull_failed"),
    # an image's own name says nothing about its pull
    (CONTAINERD.replace("web:9", "web:429") + "docker.io/shop/web:429: not found", "image_not_found"),
    (CONTAINERD.replace("web:9", "web:1.2.403") + "docker.io/shop/web:1.2.403: not found", "image_not_found"),
    (
        'Failed to pull image "r.example/permission-service:2": '
        + CONTAINERD.replace("docker.io/shop/web:9", "r.example/permission-service:2")
        + "r.example/permission-service:2: not found",
        "image_not_found",
    ),
    (DOCKER + "manifest for shop/forbidden:401 not found: manifest unknown", "image_not_found"),
    (
        DOCKER + 'Get "https://r.example/v2/unauthorized/web": dial tcp 10.0.0.1:403: connect: connection refused',
        "image_pull_network",
    ),
]


@pytest.mark.parametrize(("text", "cause"), TABLE, ids=[f"{cause} {text[-40:]}" for text, cause in TABLE])
def test_why_a_pull_fails(text: str, cause: str) -> None:
    assert image_cause(text)[0] == cause


def test_a_registry_that_does_not_tell_missing_from_forbidden_leaves_both_open() -> None:
    assert image_cause("pull access denied for shop/web, repository does not exist or may require 'docker login'") == (
        "image_not_found",
        0.6,
        (("image_pull_auth", 0.4),),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('Failed to pull image "shop/web:9": not found', "not found"),
        ('Back-off pulling image "shop/web:9"', ""),
        ('Back-off pulling image "shop/web:9": ErrImagePull: not found', "not found"),
        ("not found", "not found"),
        ('Failed to pull image "shop/web', 'Failed to pull image "shop/web'),
    ],
)
def test_the_part_that_says_why(text: str, why: str) -> None:
    assert image_error(text) == why


def test_hostile_errors_cost_no_time(seconds_at_worst: Callable[..., tuple[float, str]]) -> None:
    seconds, text = seconds_at_worst(image_cause, 'Failed to pull image "')
    assert seconds < 0.5, text
