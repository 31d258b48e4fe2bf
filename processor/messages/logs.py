"""What the last lines of a log point to. Logs refine a cause that the status already gives; they never make one."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_LOG_PERMISSION: Final = re.compile(
    r"read-only file ?system|\bEROFS\b|permission denied|\bEACCES\b|Access ?Denied(?:Exception)?[: ].*[/\\]|Operation not permitted|can't create [^:]+: Permission|"
    r"PermissionError",
    re.IGNORECASE,
)
_LOG_DEPENDENCY: Final = re.compile(
    r"connection refused|ECONNREFUSED|no such host|\bENOTFOUND\b|\bEAI_AGAIN\b|getaddrinfo|name or service not known|host not found in upstream|could not translate host name|temporary failure in name resolution|"
    r"could not resolve host|bad address|can't connect to|cannot connect to|could not connect|unable to connect|failed to connect|connection to .{0,80} (?:failed|refused|timed out)|"
    r"connection timed out|connect timeout|connect(?:ion)? timeout expired|dial tcp .*(?:timeout|refused)|i/o timeout|ETIMEDOUT|EHOSTUNREACH|no route to host|network is unreachable|"
    r"connection reset by peer|ECONNRESET|host is unreachable|UnknownHostException|ConnectException|SocketTimeoutException|Communications link failure|"
    r"is the server running|server selection timed? ?out|no reachable servers|ServiceUnavailable|cannot reach|could not reach|couldn't connect|"
    r"connection is not available|lookup .* on .*:53|waiting for .{0,60} (?:to be (?:ready|available)|timed out)",
    re.IGNORECASE,
)
_LOG_CONFIG: Final = re.compile(
    r"(?-i:KeyError: ['\"][A-Z][A-Z0-9_]+['\"])|missing (?:required )?(?:env|environment|config|setting|variable|parameter|property|option|flag|argument)|"
    r"(?:environment variable|env var|variable|setting|property|parameter|option|key|config(?:uration)?)s? .{0,60}(?:is |are |was |must be |not )(?:required|not set|unset|missing|undefined|empty|invalid|set|found|defined)|"
    r"required (?:env|environment|config|setting|variable|property|key|flag|argument)|invalid (?:config|configuration|value|argument|option|setting|port|url)|"
    r"bad (?:config|directive|value|option)|FATAL CONFIG|unknown (?:directive|option|argument|flag|key|configuration)|unrecognized (?:option|argument)|"
    r"(?:config|configuration|settings?|properties|\.ya?ml|\.json|\.toml|\.conf|\.cfg|\.ini|\.env)\b.{0,80}(?:not found|no such file|does not exist|cannot find|can't open|could not (?:read|open|load|parse)|invalid|syntax|error|failed)|"
    r"(?:cannot|can't|could not|couldn't|unable to|failed to) (?:find|read|open|load|parse) .{0,80}(?:config|settings?|\.ya?ml|\.json|\.toml|\.conf|\.cfg|\.ini|\.env)|"
    r"FileNotFoundError|\bENOENT\b|No such file or directory|unbound variable|parameter not set|parameter null or not set|"
    r"error parsing|failed to parse|parse error|yaml: |\bemerg\b.*(?:directive|invalid|unknown|in /)|undefined environment|Could not resolve placeholder|"
    r"improperlyconfigured|\bValidationErrors?\b.{0,40}(?:for|in) .{0,20}(?:settings|config)|configuration error|misconfigur|^usage: ",
    re.IGNORECASE,
)
#: Lines that only mention trouble on the way to something else.
_LOG_NOISE: Final = re.compile(r"\b(?:debug|trace|info|notice|warn|warning)\b|retry(?:ing)? in|will retry", re.IGNORECASE)


#: Lines that look like a cause and are none: a program's own bug, a database's rights, a port that may not be bound.
_LOG_OTHER: Final = re.compile(
    r"Cannot (?:read|set) propert|permission denied for (?:table|relation|schema|database|sequence|function)|bind\(?\)?.{0,80}permission denied",
    re.IGNORECASE,
)
#: Lines that say what a process died of: a Go panic, a Python or Java exception's last line, a runtime's fatal error.
_LOG_FATAL: Final = re.compile(
    r"^(?:panic: |fatal error: |[\w.]+(?:Error|Exception)(?::|$)|Exception in thread|Segmentation fault|thread '[^']*' panicked at)"
)


@dataclass(frozen=True, slots=True)
class LogHint:
    """What a log's tail points to, with the line that says so."""

    cause: str
    line: str


@lru_cache(maxsize=4096)
def read_log(text: str, max_lines: int = 40) -> LogHint | None:
    """The cause that the last lines of a log name, or None. The last telling line wins: what was said last is nearest to the end."""
    lines = [line for line in text[-8192:].splitlines() if line.strip()][-max_lines:]
    fallback: LogHint | None = None
    for line in reversed(lines):
        short = line.strip()[:512]
        for pattern, cause in (
            (_LOG_DEPENDENCY, "dependency_unavailable"),
            (_LOG_PERMISSION, "read_only_or_permission"),
            (_LOG_CONFIG, "config_error"),
        ):
            if pattern.search(short) is not None and _LOG_OTHER.search(short) is None:
                hint = LogHint(cause, short)
                if _LOG_NOISE.search(short) is None:
                    return hint
                fallback = fallback or hint
                break
        else:
            if _LOG_FATAL.search(short) is not None:
                # What it died of, and it is none of these: what an earlier line complains of was survived.
                return None
    return fallback


_LISTENING: Final = re.compile(
    r"(?:listening|listen|serving|started|running|bound|server|http)[^\n]{0,60}?(?:port[ =:]+|(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::\]|\*)?:)(\d{2,5})\b",
    re.IGNORECASE,
)


def listening_port(text: str) -> int | None:
    """The port that a log says the process listens on, or None."""
    found = None
    for match in _LISTENING.finditer(text[-8192:]):
        port = int(match[1])
        if 0 < port < 65536:
            found = port
    return found


#: runc's init, after it has become the container's first process, can only write to the container's log.
_UNFIT: Final = re.compile(
    r"exec user process caused|^exec [^\s:]{1,256}: (?:exec format error|no such file or directory|permission denied)$"
)


def unfit_executable(text: str) -> str | None:
    """The last line of a log when it says that the program itself could not be executed, or None."""
    lines = text[-1024:].split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last if _UNFIT.search(last) is not None else None
