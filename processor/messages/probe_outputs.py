"""What a failed probe met, from the text of its Unhealthy event (pkg/probe/{http,tcp,grpc,exec}, pkg/kubelet/prober/prober.go)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final


class Answer(StrEnum):
    """What a probe met."""

    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect_timeout"
    ANSWER_TIMEOUT = "answer_timeout"
    STATUS = "status"
    WRONG_PROTOCOL = "wrong_protocol"
    NOT_SERVING = "not_serving"
    UNIMPLEMENTED = "unimplemented"
    RESET = "reset"
    MISSING_COMMAND = "missing_command"
    COMMAND_FAILED = "command_failed"
    COMMAND_TIMEOUT = "command_timeout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ProbeOutput:
    """A probe's answer: the HTTP status for STATUS, and the port that was asked when the text tells it."""

    answer: Answer
    status: int | None = None
    port: int | None = None


_STATUS: Final = re.compile(r"HTTP probe failed with statuscode: (\d{3})")
_PORT: Final = re.compile(r"(?:dial tcp |service \"|https?://)(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\"\[]+):(\d{1,5})")
_WRONG_PROTOCOL: Final = re.compile(
    r"malformed HTTP|gave HTTP response to HTTPS client|first record does not look like a TLS handshake|"
    r"unexpected HTTP status|http2: |frame too large|tls: |x509: |wrong version number|HTTP/1\.x transport connection broken|"
    r"error reading server preface|unknown protocol",
    re.IGNORECASE,
)
_RESET: Final = re.compile(
    r"connection reset by peer|: EOF$|unexpected EOF|broken pipe|server closed idle connection", re.IGNORECASE
)
_CONNECT_TIMEOUT: Final = re.compile(
    r"dial tcp [^ ]*: i/o timeout|failed to connect service|connect: no route to host|no such host|connection timed out",
    re.IGNORECASE,
)
_ANSWER_TIMEOUT: Final = re.compile(
    r"did not complete within|Client\.Timeout|request canceled|context deadline exceeded|i/o timeout|timed out awaiting",
    re.IGNORECASE,
)
_COMMAND_TIMEOUT: Final = re.compile(r'^command "?.*timed out|^command timed out', re.DOTALL)
_MISSING_COMMAND: Final = re.compile(
    r"executable file not found|exec: \"[^\"]+\": (?:stat|permission denied)|"
    r"(?:^|\n|: )(?:/?[\w./-]*sh|[\w./-]+): (?:line )?\d*:? ?[^\s:]+: (?:command )?not found\s*$|OCI runtime exec failed.*no such file or directory",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def read_probe_output(text: str) -> ProbeOutput:
    """What a failed probe met, from the text after ``probe failed: `` (pkg/probe/*, prober.go; both quotings of Go's url.Error)."""
    port_found = _PORT.search(text)
    port = int(port_found[1]) if port_found is not None else None
    status = _STATUS.search(text)
    if status is not None:
        return ProbeOutput(Answer.STATUS, int(status[1]), port)
    return ProbeOutput(
        _answer(text, looks_network=port is not None or text.startswith(("Get ", "dial ", "timeout: ", "error: "))), None, port
    )


def _answer(text: str, *, looks_network: bool) -> Answer:
    if "service unhealthy (responded with" in text:
        return Answer.NOT_SERVING
    if "does not implement the grpc health protocol" in text or "Unimplemented" in text:
        return Answer.UNIMPLEMENTED
    if _COMMAND_TIMEOUT.search(text) is not None:
        return Answer.COMMAND_TIMEOUT
    if _MISSING_COMMAND.search(text) is not None:
        return Answer.MISSING_COMMAND
    if looks_network:
        if "connection refused" in text:
            return Answer.REFUSED
        if _WRONG_PROTOCOL.search(text) is not None:
            return Answer.WRONG_PROTOCOL
        if _CONNECT_TIMEOUT.search(text) is not None:
            return Answer.CONNECT_TIMEOUT
        if _RESET.search(text) is not None:
            return Answer.RESET
        if _ANSWER_TIMEOUT.search(text) is not None:
            return Answer.ANSWER_TIMEOUT
        return Answer.UNKNOWN
    return Answer.COMMAND_FAILED
