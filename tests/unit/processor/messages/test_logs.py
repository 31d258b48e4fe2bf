"""What last lines point to: one line per family of runtimes, and lines that only look like it."""

from collections.abc import Callable

import pytest

from processor.messages import LogHint, listening_port, read_log, unfit_executable

TABLE = [
    ("dial tcp 10.96.0.10:5432: connect: connection refused", "dependency_unavailable"),
    ("Error: connect ECONNREFUSED 10.96.0.10:6379", "dependency_unavailable"),
    ("Error: getaddrinfo ENOTFOUND db.shop.svc", "dependency_unavailable"),
    ("java.net.UnknownHostException: db", "dependency_unavailable"),
    (
        'psycopg2.OperationalError: could not translate host name "db" to address: Name or service not known',
        "dependency_unavailable",
    ),
    ("pymongo.errors.ServerSelectionTimeoutError: No reachable servers", "dependency_unavailable"),
    ("wget: bad address 'db:80'", "dependency_unavailable"),
    ("KeyError: 'DATABASE_URL'", "config_error"),
    ("panic: required environment variable DATABASE_URL is not set", "config_error"),
    ("Error: Cannot find module './config.json'", "config_error"),
    ("django.core.exceptions.ImproperlyConfigured: SECRET_KEY", "config_error"),
    ("Could not resolve placeholder 'db.url' in value", "config_error"),
    ("sh: DATABASE_URL: parameter not set", "config_error"),
    ("*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***", "config_error"),
    ("open /etc/web/web.yaml: no such file or directory", "config_error"),
    ("mkdir: cannot create directory '/data': Read-only file system", "read_only_or_permission"),
    ("OSError: [Errno 30] Read-only file system: '/app/cache'", "read_only_or_permission"),
    ("PermissionError: [Errno 13] Permission denied: '/data/x'", "read_only_or_permission"),
    ("Error: EACCES: permission denied, open '/data/x'", "read_only_or_permission"),
    ("chown: /data: Operation not permitted", "read_only_or_permission"),
    ("segmentation fault", None),
    ("ValueError: 3 is not 4", None),
    ("listening on :8080", None),
    ("", None),
]


@pytest.mark.parametrize(("line", "cause"), TABLE, ids=[line[:50] or "empty" for line, _ in TABLE])
def test_what_a_line_names(line: str, cause: str | None) -> None:
    assert read_log(f"starting\n{line}\nbye\n") == (LogHint(cause, line) if cause is not None else None)


def test_what_was_said_last_is_nearest_to_the_end() -> None:
    assert read_log("KeyError: 'DB'\nconnection refused\nbye") == LogHint("dependency_unavailable", "connection refused")


def test_a_line_that_only_mentions_trouble_gives_way_to_one_that_ends_it() -> None:
    assert read_log("KeyError: 'DB'\nconnection refused, will retry") == LogHint("config_error", "KeyError: 'DB'")


def test_a_line_that_only_mentions_trouble_is_better_than_none() -> None:
    assert read_log("connection refused, will retry\nbye") == LogHint(
        "dependency_unavailable", "connection refused, will retry"
    )


@pytest.mark.parametrize(("lines", "expected"), [(39, LogHint("config_error", "KeyError: 'DB'")), (40, None)])
def test_only_the_last_forty_lines_count(lines: int, expected: LogHint | None) -> None:
    assert read_log("KeyError: 'DB'\n" + "bye\n" * lines) == expected


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("listening on :8080", 8080),
        ("Server started on http://localhost:3000", 3000),
        ("Tomcat started on port(s): 8081 (http)", None),
        ("Listening at: http://0.0.0.0:8000 (1)", 8000),
        ("serving on port 9000\nserving on port 9001", 9001),
        ("listening on :99999", None),
        ("listening on :0", None),
        ("took 8080 ms", None),
        ("", None),
    ],
)
def test_the_port_that_a_log_says_is_listened_on(text: str, port: int | None) -> None:
    assert listening_port(text) == port


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("exec /web: exec format error\n", "exec /web: exec format error"),
        ("exec /web.sh: no such file or directory", "exec /web.sh: no such file or directory"),
        ("exec /web: permission denied", "exec /web: permission denied"),
        (
            'standard_init_linux.go:211: exec user process caused "exec format error"',
            'standard_init_linux.go:211: exec user process caused "exec format error"',
        ),
        ("exec /web: exec format error\nand then it went on", None),
        ("exec /web: no such table", None),
        ("could not exec /web: permission denied", None),
        ("", None),
    ],
)
def test_a_log_that_ends_because_the_program_cannot_be_executed(text: str, line: str | None) -> None:
    assert unfit_executable(text) == line


@pytest.mark.parametrize("read", [read_log, listening_port, unfit_executable])
def test_hostile_logs_cost_no_time(read: Callable[[str], object], seconds_at_worst: Callable[..., tuple[float, str]]) -> None:
    seconds, text = seconds_at_worst(read)
    assert seconds < 0.5, text
