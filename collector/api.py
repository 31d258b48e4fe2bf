"""Requests to the API server: configuration and authentication by the kubernetes client, raw HTTP through its connection pool.

The importer of `kubernetes`. Bodies leave as bytes: it builds no model objects and decodes nothing but errors. It does not
retry, wait or decide; every failure is an ApiError that says whether a retry helps.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode

import structlog
import urllib3
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config
from kubernetes.config.config_exception import ConfigException
from kubernetes.utils.keepalive import tcp_keepalive_socket_options
from urllib3.exceptions import HTTPError, ReadTimeoutError

from collector.api_errors import (
    ApiConfigurationError,
    ApiError,
    ApiProtocolError,
    ApiTimeoutError,
    ApiUnreachableError,
    UnauthorizedError,
    api_error,
)

JSON: Final = "application/json"
#: Keepalive of idle watches: a dead peer is noticed after 4 + 2 x 3 = 10 s (``DEAD_PEER_SECONDS``), not after minutes.
_KEEPALIVE: Final = {"idle": 4, "interval": 2, "count": 3}
#: What was sent this long ago has arrived, or the connection is known to be broken.
DEAD_PEER_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 60.0
_POOL_SIZE: Final = 32
_CHUNK_BYTES: Final = 65_536
#: An object has at most 1.5 MiB in etcd (embed.DefaultMaxRequestBytes); as JSON it may be several times that.
_LONGEST_LINE_BYTES: Final = 16 * 1024 * 1024
_LONGEST_ERROR_BYTES: Final = 65_536
_USER_AGENT: Final = "podcause-collector"
_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Which cluster. Without ``kubeconfig`` and ``context``: the pod's own ServiceAccount, else the user's kubeconfig."""

    kubeconfig: Path | None = None
    context: str | None = None


class Api:
    """One cluster's API server; a context manager. Methods may be called from several threads."""

    def __init__(self, settings: ApiSettings | None = None) -> None:
        self._settings = settings or ApiSettings()
        self._lock = threading.Lock()
        self._client = self._load()

    def __enter__(self) -> Self:
        """Nothing to open: connections are made on demand."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close idle connections."""
        self._client.rest_client.close()

    @property
    def host(self) -> str:
        """The API server's address."""
        return str(self._client.configuration.host)

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        accept: str = JSON,
        read_timeout_seconds: float = _READ_SECONDS,
    ) -> bytes:
        """The body of a GET. Raises ApiError."""
        return self.request("GET", path, params, accept=accept, read_timeout_seconds=read_timeout_seconds)

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        accept: str = JSON,
        content_type: str = JSON,
        read_timeout_seconds: float = _READ_SECONDS,
    ) -> bytes:
        """The body of the answer to one request. Raises ApiError."""
        what = f"{method} {path}"
        response = self._open(what, method, path, params, body, accept, content_type, read_timeout_seconds)
        try:
            data: bytes = response.read()
        except ReadTimeoutError as error:
            response.close()
            raise ApiTimeoutError(f"{what}: no answer within {read_timeout_seconds:.0f} s") from error
        except (HTTPError, OSError) as error:
            response.close()
            raise ApiUnreachableError(f"{what}: {_cut(error)}") from error
        response.release_conn()
        return data

    def stream(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        accept: str = JSON,
        read_timeout_seconds: float = _READ_SECONDS,
    ) -> "ByteLines":
        """The lines of a GET whose answer does not end soon, such as a watch. Raises ApiError, as the iteration does."""
        what = f"GET {path}"
        return ByteLines(what, self._open(what, "GET", path, params, None, accept, JSON, read_timeout_seconds))

    def _open(
        self,
        what: str,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        accept: str,
        content_type: str,
        read_timeout_seconds: float,
    ) -> urllib3.BaseHTTPResponse:
        """The answer, its body unread. Credentials are read for each request; after a 401 the whole configuration is."""
        query = f"?{urlencode(params)}" if params else ""
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_timeout_seconds)
        for attempt in (1, 2):
            client = self._client
            headers = {"accept": accept, "user-agent": _USER_AGENT, **self._credentials(what, client)}
            if body is not None:
                headers["content-type"] = content_type
            try:
                response: urllib3.BaseHTTPResponse = client.rest_client.pool_manager.request(
                    method,
                    f"{client.configuration.host}{path}{query}",
                    headers=headers,
                    body=body,
                    timeout=timeout,
                    retries=False,
                    preload_content=False,
                    redirect=False,
                )
            except ReadTimeoutError as error:
                raise ApiTimeoutError(f"{what}: no answer within {read_timeout_seconds:.0f} s") from error
            except (HTTPError, OSError) as error:
                raise ApiUnreachableError(f"{what}: {_cut(error)}") from error
            if 200 <= response.status < 300:
                return response
            failure = _failure(what, response)
            if not isinstance(failure, UnauthorizedError) or attempt == 2:
                raise failure
            self._reload(client)
        raise AssertionError  # the second attempt returned or raised

    def _credentials(self, what: str, client: Any) -> dict[str, str]:  # noqa: ANN401 - untyped library
        with self._lock:  # an exec plugin runs once, not once per thread
            try:
                settings = client.configuration.auth_settings()
            except (ConfigException, OSError, ValueError) as error:
                raise UnauthorizedError(f"{what}: credentials cannot be read: {_cut(error)}") from error
        return {one["key"]: one["value"] for one in settings.values() if one["in"] == "header" and one["value"]}

    def _reload(self, refused: object) -> None:
        """Read the configuration again: a rotated client certificate or token file is only seen so."""
        with self._lock:
            if self._client is not refused:
                return  # another thread has
            try:
                self._client = self._load()
            except ApiConfigurationError as error:
                _log.warning("credentials_not_reloaded", reason=str(error))

    def _load(self) -> Any:  # noqa: ANN401 - untyped library
        configuration = kubernetes_client.Configuration()
        settings = self._settings
        try:
            if settings.kubeconfig is None and settings.context is None and _in_cluster():
                kubernetes_config.load_incluster_config(configuration)
            else:
                kubernetes_config.load_kube_config(
                    config_file=None if settings.kubeconfig is None else str(settings.kubeconfig),
                    context=settings.context,
                    client_configuration=configuration,
                    persist_config=False,
                )
        except (ConfigException, OSError, ValueError, TypeError, KeyError) as error:
            raise ApiConfigurationError(f"the cluster's configuration cannot be used: {_cut(error)}") from error
        configuration.connection_pool_maxsize = _POOL_SIZE
        configuration.socket_options = tcp_keepalive_socket_options(**_KEEPALIVE)
        return kubernetes_client.ApiClient(configuration)


class ByteLines:
    """Lines without their line ends, as they come. ``close`` ends the iteration, from any thread."""

    def __init__(self, what: str, response: urllib3.BaseHTTPResponse) -> None:
        self._what = what
        self._response = response
        self._closed = False

    def close(self) -> None:
        """End it; a thread that waits for a line goes on."""
        self._closed = True
        try:
            self._response.shutdown()  # wakes the reader; closing alone does not
        except (ValueError, RuntimeError, OSError):
            return  # it has ended already

    def __iter__(self) -> Iterator[bytes]:
        """Each line. Raises ApiError; ends when the server ends it, or after ``close``."""
        buffer = bytearray()
        try:
            for chunk in self._response.stream(_CHUNK_BYTES):
                buffer += chunk
                if b"\n" in chunk:
                    *lines, rest = buffer.split(b"\n")
                    buffer = rest
                    for line in lines:
                        if self._closed:
                            return
                        if line:
                            yield bytes(line)
                elif len(buffer) > _LONGEST_LINE_BYTES:
                    raise ApiProtocolError(f"{self._what}: a line longer than {_LONGEST_LINE_BYTES} bytes")
        except ReadTimeoutError as error:
            if not self._closed:
                raise ApiTimeoutError(f"{self._what}: nothing came within the time") from error
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            # ValueError, AttributeError: what ssl and http.client raise when the socket goes under them.
            if not self._closed:
                raise ApiUnreachableError(f"{self._what}: {_cut(error)}") from error
        finally:
            self._response.close()


def _failure(what: str, response: urllib3.BaseHTTPResponse) -> ApiError:
    try:
        body = response.read(_LONGEST_ERROR_BYTES)
    except (HTTPError, OSError):
        body = b""
    response.close()
    return api_error(what, response.status, body, response.headers.get("Retry-After"))


def _in_cluster() -> bool:
    """Whether this is a pod with a ServiceAccount; a KUBECONFIG that is named goes first."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG")


def _cut(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:400]
