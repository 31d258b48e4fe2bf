"""Requests to the cluster that KUBECONFIG names: one pool of connections, JSON in and out, no model objects, no retry."""

import functools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import msgspec
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

THREADS: Final = 12
_SECONDS: Final = 60.0
_Item = TypeVar("_Item")


class RequestError(Exception):
    """The API server refused; ``status`` is the HTTP status."""

    def __init__(self, what: str, status: int, body: bytes) -> None:
        super().__init__(f"{what}: {status}: {body[:300].decode(errors='replace')}")
        self.status = status


class Cluster:
    """The API server. Methods may be called from several threads."""

    def __init__(self) -> None:
        configuration = kubernetes_client.Configuration()
        kubernetes_config.load_kube_config(client_configuration=configuration, persist_config=False)
        configuration.connection_pool_maxsize = 2 * THREADS
        self._configuration: Any = configuration
        self._pool: Any = kubernetes_client.ApiClient(configuration).rest_client.pool_manager

    def request(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:  # noqa: ANN401 - raw JSON
        """The answer's JSON. Raises RequestError, and urllib3's errors when the server is away."""
        settings = self._configuration.auth_settings().values()
        headers = {one["key"]: one["value"] for one in settings if one["in"] == "header" and one["value"]}
        answer = self._pool.request(
            method,
            f"{self._configuration.host}{path}",
            body=None if body is None else msgspec.json.encode(body),
            headers={**headers, "Content-Type": content_type, "User-Agent": "podcause-bench"},
            timeout=_SECONDS,
            retries=False,
        )
        if answer.status >= 300:
            raise RequestError(f"{method} {path}", answer.status, answer.data)
        return msgspec.json.decode(answer.data)

    def ensure(self, method: str, path: str, body: object = None, *, accepted: int = 409) -> None:
        """The request, where this one refusal (already there: 409, already gone: 404) is as good as success."""
        try:
            self.request(method, path, body)
        except RequestError as error:
            if error.status != accepted:
                raise

    def each(self, work: Callable[[_Item], None], items: Iterable[_Item]) -> None:
        """The same work on many items, some at a time. Raises the first failure."""
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(work, items):
                pass

    @functools.cached_property
    def version(self) -> str:
        """The API server's version."""
        return str(self.request("GET", "/version")["gitVersion"])
