"""Leader election on a genuine API server: what happens to two processes when one is killed, cut off or asked to end."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.api import Api, ApiSettings
from collector.leading import LeaseElector
from collector.lease import LeaseTimes, lease_record

KUBECONFIG = os.environ.get("KUBECONFIG")
pytestmark = [pytest.mark.cluster, pytest.mark.skipif(not KUBECONFIG, reason="KUBECONFIG names no disposable cluster")]

CANDIDATE = """
import signal, sys, threading
from pathlib import Path
from collector.api import Api, ApiSettings
from collector.leading import LeaseElector
from podcause.logging import configure_logging
configure_logging("error")
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
tell = lambda leading: print("leading" if leading else "not leading", flush=True)
with Api(ApiSettings(kubeconfig=Path(sys.argv[1]))) as api, LeaseElector(api, sys.argv[2], "podcause", on_change=tell):
    print("started", flush=True)
    ended.wait()
"""


class Candidate:
    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CANDIDATE, kubeconfig, namespace],
            bufsize=0,  # what is read ahead would be no news to the selector
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.process.stdout, selectors.EVENT_READ)
        self.says("started", 20)

    def says(self, word: str, seconds: float) -> float:
        """How long until it says this word, which must be its next one."""
        began = time.monotonic()
        assert self._selector.select(seconds), f"not {word!r} within {seconds} s"
        assert self.process.stdout is not None
        assert self.process.stdout.readline().decode().strip() == word
        return time.monotonic() - began

    def is_silent(self, seconds: float) -> bool:
        return not self._selector.select(seconds)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._selector.close()


class Proxy:
    """A TCP proxy to the API server that can be cut: connections then stay open and nothing passes, as behind a lost route."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._cut = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._cut.set()

    def close(self) -> None:
        self._cut.set()
        for one in (self._server, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(self._target)
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self._cut.is_set():
                    return
                sink.sendall(data)


@pytest.fixture
def api() -> Iterator[Api]:
    with Api(ApiSettings(kubeconfig=Path(str(KUBECONFIG)))) as one:
        yield one


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    name = f"podcause-test-{uuid.uuid4().hex[:8]}"
    api.request("POST", "/api/v1/namespaces", body=f'{{"metadata":{{"name":"{name}"}}}}'.encode())
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def candidates(namespace: str) -> Iterator[tuple[Candidate, Candidate]]:
    """The leader and the standby."""
    with contextlib.ExitStack() as stack:
        both = []
        for _ in range(2):
            both.append(Candidate(str(KUBECONFIG), namespace))
            stack.callback(both[-1].end)
            if len(both) == 1:
                both[0].says("leading", 20)
        yield both[0], both[1]


def held_by(api: Api, namespace: str) -> str:
    return lease_record(api.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/podcause")).holder


def test_the_standby_leads_within_15_seconds_of_a_kill(candidates: tuple[Candidate, Candidate]) -> None:
    leader, standby = candidates
    assert standby.is_silent(2.0)
    leader.process.send_signal(signal.SIGKILL)
    took = standby.says("leading", 15)
    print(f"took over after {took:.1f} s")


def test_the_standby_leads_at_once_after_sigterm(candidates: tuple[Candidate, Candidate], api: Api, namespace: str) -> None:
    leader, standby = candidates
    leader.process.send_signal(signal.SIGTERM)
    leader.says("not leading", 5)
    assert leader.process.wait(10) == 0
    standby.says("leading", 5)
    assert held_by(api, namespace)


def test_a_stopped_leader_finds_another_in_its_place(candidates: tuple[Candidate, Candidate]) -> None:
    """SIGSTOP, as a suspended machine: when it goes on, its time is over by the clock before it says anything else."""
    leader, standby = candidates
    leader.process.send_signal(signal.SIGSTOP)
    standby.says("leading", 15)
    leader.process.send_signal(signal.SIGCONT)
    leader.says("not leading", 5)
    assert leader.is_silent(3.0)


def test_a_leader_that_is_cut_off_stops_before_another_starts(api: Api, namespace: str, tmp_path: Path) -> None:
    kubeconfig = Path(str(KUBECONFIG)).read_text(encoding="utf-8")
    host, _, port = api.host.removeprefix("https://").partition(":")
    proxy = Proxy((host, int(port)))
    detoured = tmp_path / "kubeconfig"
    detoured.write_text(kubeconfig.replace(f"https://{host}:{port}", f"https://127.0.0.1:{proxy.port}"), encoding="utf-8")
    times: dict[str, float] = {}
    settings = LeaseTimes()

    def tell(name: str, leading: bool) -> None:  # noqa: FBT001 - the callback's one argument
        times[f"{name} {leading}"] = time.monotonic()

    with (
        Api(ApiSettings(kubeconfig=detoured)) as through_proxy,
        LeaseElector(through_proxy, namespace, "podcause", identity="one", on_change=lambda now: tell("one", now)) as one,
    ):
        assert one.wait_until_leading(20)
        with LeaseElector(api, namespace, "podcause", identity="two", on_change=lambda now: tell("two", now)) as two:
            assert not two.wait_until_leading(3)
            proxy.cut()
            cut_at = time.monotonic()
            assert not one.wait_while_leading(15)
            assert two.wait_until_leading(20)
            assert held_by(api, namespace) == "two"
        proxy.close()
    assert times["one False"] - cut_at <= settings.renew_deadline_seconds + 0.5
    assert times["two True"] - times["one False"] >= settings.lease_seconds - settings.renew_deadline_seconds - 0.5
