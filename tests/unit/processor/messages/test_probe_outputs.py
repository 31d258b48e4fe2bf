"""What failed probes met: HTTP, TCP, gRPC and exec, in the wordings of Go and of the runtimes."""

from collections.abc import Callable

import pytest

from processor.messages import Answer, ProbeOutput, read_probe_output

TABLE = [
    ("HTTP probe failed with statuscode: 404", ProbeOutput(Answer.STATUS, 404)),
    ("HTTP probe failed with statuscode: 503", ProbeOutput(Answer.STATUS, 503)),
    # Go ≤ 1.13 (Kubernetes ≤ 1.18) wrote the URL bare, later it is quoted
    (
        "Get http://10.1.0.7:8080/healthz: dial tcp 10.1.0.7:8080: connect: connection refused",
        ProbeOutput(Answer.REFUSED, None, 8080),
    ),
    (
        'Get "http://10.1.0.7:8080/healthz": dial tcp 10.1.0.7:8080: connect: connection refused',
        ProbeOutput(Answer.REFUSED, None, 8080),
    ),
    (
        'Get "http://[fd00::7]:8080/": dial tcp [fd00::7]:8080: connect: connection refused',
        ProbeOutput(Answer.REFUSED, None, 8080),
    ),
    ('Get "http://10.1.0.7:80/": dial tcp 10.1.0.7:80: i/o timeout', ProbeOutput(Answer.CONNECT_TIMEOUT, None, 80)),
    (
        'Get "http://10.1.0.7:80/": dial tcp 10.1.0.7:80: connect: no route to host',
        ProbeOutput(Answer.CONNECT_TIMEOUT, None, 80),
    ),
    ('Get "http://api:80/": dial tcp: lookup api: no such host', ProbeOutput(Answer.CONNECT_TIMEOUT, None, 80)),
    (
        'Get "http://10.1.0.7:80/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        ProbeOutput(Answer.ANSWER_TIMEOUT, None, 80),
    ),
    (
        "Get http://10.1.0.7:80/: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        ProbeOutput(Answer.ANSWER_TIMEOUT, None, 80),
    ),
    (
        'Get "http://10.1.0.7:80/": read tcp 10.1.0.1:9->10.1.0.7:80: read: connection reset by peer',
        ProbeOutput(Answer.RESET, None, 80),
    ),
    ('Get "http://10.1.0.7:80/": EOF', ProbeOutput(Answer.RESET, None, 80)),
    (
        'Get "https://10.1.0.7:80/": http: server gave HTTP response to HTTPS client',
        ProbeOutput(Answer.WRONG_PROTOCOL, None, 80),
    ),
    (
        'Get "https://10.1.0.7:80/": tls: first record does not look like a TLS handshake',
        ProbeOutput(Answer.WRONG_PROTOCOL, None, 80),
    ),
    (
        'Get "http://10.1.0.7:50051/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x00\\x00"',
        ProbeOutput(Answer.WRONG_PROTOCOL, None, 50051),
    ),
    ("dial tcp 10.1.0.7:5432: connect: connection refused", ProbeOutput(Answer.REFUSED, None, 5432)),
    ("dial tcp 10.1.0.7:5432: i/o timeout", ProbeOutput(Answer.CONNECT_TIMEOUT, None, 5432)),
    ('service unhealthy (responded with "NOT_SERVING")', ProbeOutput(Answer.NOT_SERVING)),
    (
        'timeout: failed to connect service "10.1.0.7:9555" within 1s: context deadline exceeded',
        ProbeOutput(Answer.CONNECT_TIMEOUT, None, 9555),
    ),
    (
        'timeout: failed to connect service "10.1.0.7:9555" within 1s: connection error: desc = "transport: Error while dialing: '
        'dial tcp 10.1.0.7:9555: connect: connection refused"',
        ProbeOutput(Answer.REFUSED, None, 9555),
    ),
    ("timeout: health rpc did not complete within 1s", ProbeOutput(Answer.ANSWER_TIMEOUT)),
    (
        "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service",
        ProbeOutput(Answer.UNIMPLEMENTED),
    ),
    ("error: something that no one knows", ProbeOutput(Answer.UNKNOWN)),
    # exec: 1.20 to 1.30, and from 1.31
    ('command "sleep 9" timed out', ProbeOutput(Answer.COMMAND_TIMEOUT)),
    ('command timed out: "sleep 9" timed out after 1s', ProbeOutput(Answer.COMMAND_TIMEOUT)),
    ("", ProbeOutput(Answer.COMMAND_FAILED)),
    ("cat: can't open '/tmp/healthy': No such file or directory\n", ProbeOutput(Answer.COMMAND_FAILED)),
    ("curl: (7) Failed to connect to localhost port 80: Connection refused", ProbeOutput(Answer.COMMAND_FAILED)),
    ("the command timed out", ProbeOutput(Answer.COMMAND_FAILED)),
    ("sh: pg_isready: not found", ProbeOutput(Answer.MISSING_COMMAND)),
    ("/bin/sh: 1: pg_isready: not found\n", ProbeOutput(Answer.MISSING_COMMAND)),
    ("bash: line 1: pg_isready: command not found", ProbeOutput(Answer.MISSING_COMMAND)),
    ("health: user alice: not found in table", ProbeOutput(Answer.COMMAND_FAILED)),
    (
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "curl": executable file not found in $PATH',
        ProbeOutput(Answer.MISSING_COMMAND),
    ),
    (
        'rpc error: code = Unknown desc = failed to exec in container: exec: "/ok": stat /ok: no such file or directory: unknown',
        ProbeOutput(Answer.MISSING_COMMAND),
    ),
    # numbers that are no status and no port
    ("HTTP probe failed with statuscode: 5", ProbeOutput(Answer.COMMAND_FAILED)),
    ("statuscode: 503", ProbeOutput(Answer.COMMAND_FAILED)),
]


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=[text[:50] or "empty" for text, _ in TABLE])
def test_what_the_probe_met(text: str, expected: ProbeOutput) -> None:
    assert read_probe_output(text) == expected


def test_hostile_outputs_cost_no_time(seconds_at_worst: Callable[..., tuple[float, str]]) -> None:
    seconds, text = seconds_at_worst(read_probe_output, 'command "', 'exec: "', "OCI runtime exec failed", 'Get "http://')
    assert seconds < 0.5, text
