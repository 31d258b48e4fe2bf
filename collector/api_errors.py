"""What can go wrong with a request to the API server, and whether a retry helps. Plain exceptions; nothing connects."""

from collections.abc import Sequence
from typing import Final

import msgspec

_QUOTED_CHARACTERS: Final = 300


class ApiError(Exception):
    """A request failed. ``status`` is the HTTP status (None: no answer), ``reason`` Kubernetes' word for it (``Expired``).

    ``retry_after_seconds`` is what the server asked for. ``retryable`` says whether the same request may succeed later.
    """

    retryable = True

    def __init__(
        self, message: str, *, status: int | None = None, reason: str | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds

    @property
    def label(self) -> str:
        """The bounded word for metrics."""
        return str(self.status) if self.status is not None else "connection"


class ApiConfigurationError(ApiError):
    """No usable kubeconfig or ServiceAccount. A retry does not help."""

    retryable = False


class ApiUnreachableError(ApiError):
    """No connection, or it broke."""


class ApiTimeoutError(ApiUnreachableError):
    """Connected, but nothing came in time."""

    @property
    def label(self) -> str:
        """The bounded word for metrics."""
        return "timeout"


class ApiProtocolError(ApiError):
    """An answer that is not what the API server says: no JSON, or without end."""


class UnauthorizedError(ApiError):
    """401: the credentials are not known, or have expired. They are read anew for each request."""


class ForbiddenError(ApiError):
    """403: a rule is missing; the message names it."""

    retryable = False


class NotFoundError(ApiError):
    """404: the object or the resource does not exist."""

    retryable = False


class ConflictError(ApiError):
    """409: another has written it since it was read, or it exists already."""

    retryable = False


class GoneError(ApiError):
    """410: the resource version or the continue token is older than what the server keeps. List again."""

    retryable = False


class OverloadedError(ApiError):
    """429: wait for ``retry_after_seconds``."""


class ServerError(ApiError):
    """5xx."""


class BadRequestError(ApiError):
    """Any other 4xx: the request itself is wrong."""

    retryable = False


_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    408: ServerError,
    409: ConflictError,
    410: GoneError,
    429: OverloadedError,
}


class _Details(msgspec.Struct, frozen=True, rename="camel"):
    retry_after_seconds: int | None = None


class _Status(msgspec.Struct, frozen=True):
    """metav1.Status (apimachinery pkg/apis/meta/v1/types.go), as far as errors are told by it."""

    message: str | None = None
    reason: str | None = None
    code: int | None = None
    details: _Details | None = None


_statuses: Final = msgspec.json.Decoder(_Status)


def api_error(what: str, status: int, body: bytes | bytearray | memoryview, retry_after: str | None = None) -> ApiError:
    """The error that an answer means. ``retry_after`` is the header, ``body`` a Status or anything else; it is cut."""
    try:
        told = _statuses.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        told = _Status(message=bytes(body[:_QUOTED_CHARACTERS]).decode("utf-8", "replace").strip() or None)
    code = told.code or status
    kind = _BY_STATUS.get(code, ServerError if code >= 500 else BadRequestError)
    wait: float | None = None
    if retry_after is not None and retry_after.strip().isdigit():
        wait = float(retry_after)
    elif told.details is not None and told.details.retry_after_seconds:
        wait = float(told.details.retry_after_seconds)
    words: Sequence[str] = [word for word in (told.reason, (told.message or "")[:_QUOTED_CHARACTERS]) if word]
    return kind(f"{what}: {code} {': '.join(words)}".rstrip(), status=code, reason=told.reason, retry_after_seconds=wait)
