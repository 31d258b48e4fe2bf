"""What a registry or runtime says when an image cannot be pulled."""

import re
from functools import lru_cache
from typing import Final

_IMAGE_INVALID: Final = re.compile(
    r"InvalidImageName|couldn't parse image|invalid reference format|Failed to apply default image tag|must be lowercase",
    re.IGNORECASE,
)
_IMAGE_RATE: Final = re.compile(r"toomanyrequests|too many requests|rate limit|\b429\b", re.IGNORECASE)
_IMAGE_NETWORK: Final = re.compile(
    r"no such host|i/o timeout|connection refused|TLS handshake timeout|connection reset|network is unreachable|no route to host|"
    r"server misbehaving|x509:|gave HTTP response to HTTPS client|Temporary failure in name resolution|name resolution|"
    r"Client\.Timeout|context deadline exceeded|unexpected EOF|: EOF|proxyconnect|RegistryUnavailable|"
    r"50[0234] (?:Bad Gateway|Service|Gateway|Internal)|received unexpected HTTP status: 5|tls: ",
    re.IGNORECASE,
)
_IMAGE_PLATFORM: Final = re.compile(
    r"no match(?:ing manifest)? for (?:platform|linux)|no child with platform|does not match the specified platform|no image found in (?:image index|manifest list) for architecture",
    re.IGNORECASE,
)
_IMAGE_AMBIGUOUS: Final = re.compile(
    r"pull access denied|repository does not exist or may require|insufficient_scope|requested access to the resource is denied|may not exist",
    re.IGNORECASE,
)
_IMAGE_AUTH: Final = re.compile(
    r"unauthorized|authentication required|\b401\b|\b403\b|forbidden|no basic auth credentials|access denied|denied:|authorization failed|invalid username/password|incorrect username or password|permission",
    re.IGNORECASE,
)
_IMAGE_NOT_FOUND: Final = re.compile(
    r"manifest unknown|not found|\b404\b|name unknown|no such image|is not present with pull policy of Never|ErrImageNeverPull|does not exist",
    re.IGNORECASE,
)
_IMAGE_HEAD: Final = re.compile(r'^(?:Back-off pulling image "[^"]*"|Failed to pull image "[^"]*")(?:: )?')
_QUOTED: Final = re.compile(r'"[^"\n]*"')
_LONGEST: Final = 4096


def image_error(text: str) -> str:
    """The part of a pull failure that says why: the text without the kubelet's own head."""
    return _IMAGE_HEAD.sub("", text).removeprefix("ErrImagePull: ")


@lru_cache(maxsize=4096)
def image_cause(text: str) -> tuple[str, float, tuple[tuple[str, float], ...]]:
    """Cause, confidence and alternatives that a registry's or runtime's words name."""
    why = _without_names(image_error(text[:_LONGEST]))
    for pattern, cause, confidence, others in (
        (_IMAGE_INVALID, "invalid_image_name", 0.97, ()),
        (_IMAGE_RATE, "image_pull_rate_limited", 0.95, ()),
        (_IMAGE_NETWORK, "image_pull_network", 0.92, (("image_not_found", 0.05),)),
        (_IMAGE_PLATFORM, "image_not_found", 0.75, (("architecture_mismatch", 0.2),)),
        (_IMAGE_AMBIGUOUS, "image_not_found", 0.6, (("image_pull_auth", 0.4),)),
        (_IMAGE_AUTH, "image_pull_auth", 0.92, (("image_not_found", 0.05),)),
        (_IMAGE_NOT_FOUND, "image_not_found", 0.95, (("image_pull_auth", 0.04),)),
    ):
        if pattern.search(why) is not None:
            return cause, confidence, others
    return "image_pull_failed", 0.5 if not why else 0.7, (("image_not_found", 0.25),)


def _without_names(text: str) -> str:
    """The words of a text: what is quoted, images and addresses may hold any word or number and say nothing about the failure."""
    return " ".join(word for word in _QUOTED.sub(" ", text).split() if not _is_name(word.rstrip(":,.")))


def _is_name(word: str) -> bool:
    _, slash, rest = word.partition("/")
    return bool(slash) and ("://" in word or ":" in rest or "@" in rest)
