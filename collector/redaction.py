"""Secrets in users' texts, replaced by ``[REDACTED]`` and counted: once, here, at the source. Pure.

Everything downstream relies on it. It must be cheap where there is nothing to find, bounded on hostile input, and must leave
what diagnosis needs: names of objects and images, digests, addresses, ports, codes. The forms are in `redaction_patterns`,
tokens known by their prefix in `vendor_tokens`.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from collector import vendor_tokens
from collector.redaction_patterns import (
    FORMS,
    HARMLESS_NAME,
    HOST,
    MOUNT_PATH,
    OBJECT_NAME,
    PLACEHOLDER,
    PRIVATE_KEY_BEGIN,
    PRIVATE_KEY_END,
    PRIVATE_KEY_LINES,
    PRIVATE_KEY_LINES_BEFORE_END,
    PROSE,
    SECRET_FLAG,
    Form,
)

REPLACEMENT: Final = "[REDACTED]"
#: Joins a command's arguments while it is searched: white space to an expression, in no real argument.
_ARGUMENT_SEPARATOR: Final = "\x1f"
_SECRET_GROUPS: Final = ("s", "d", "q", "e")
_AT_END_OF_VALUE: Final = re.compile(r"[ \t]*(?:[,;}\])]|\r?\n|$)")
_BASE64_DIGITS: Final = 4
#: Every token known by its prefix has one.
_LONG_RUN: Final = re.compile(r"[a-z0-9_-]{20}")
_PARTS: Final = re.compile(r"[a-z0-9]{3,}")
#: What closes a bracket around a value, rather than being its end.
_CLOSING: Final = ")]}"


def redact(text: str) -> tuple[str, int]:
    """The text without its secrets, and how many were replaced."""
    lowered = text.lower()
    if not _suspicious(lowered):
        return text, 0
    count = 0
    if "private key" in lowered:
        text, count = _without_private_keys(text)
    for pattern in vendor_tokens.patterns(lowered):
        text, found = pattern.subn(REPLACEMENT, text)
        count += found
    for form in FORMS:
        for hint in form.hints:
            if hint in lowered:
                text, found = _without(form, text)
                count += found
                break
    return text, count


def redact_command(arguments: Sequence[str]) -> tuple[list[str], int]:
    """A command's arguments without their secrets; one may stand in the argument after its flag."""
    count = 0
    redacted: list[str] = []
    previous = ""
    for argument in arguments:
        flag = SECRET_FLAG.fullmatch(previous) if previous.startswith("-") else None
        if flag is not None and not argument.startswith("-") and not _harmless(flag["key"], argument):
            redacted.append(REPLACEMENT)
            count += 1
        else:
            redacted.append(argument)
        previous = argument
    joined, found = redact(_ARGUMENT_SEPARATOR.join(redacted))
    parts = joined.split(_ARGUMENT_SEPARATOR)
    if len(parts) == len(redacted):
        return parts, count + found
    return [joined.replace(_ARGUMENT_SEPARATOR, " ")], count + found  # a secret spanned arguments


def _suspicious(text: str) -> bool:
    """Whether a lower-cased text can hold any form at all: most cannot, and substrings are found faster than expressions."""
    return (
        "pass" in text
        or "key" in text
        or "token" in text
        or "secret" in text
        or "auth" in text
        or "cred" in text
        or "pwd" in text
        or ("://" in text and "@" in text)
        or ("=" in text and ("?" in text or "&" in text or "sig=" in text))
        or "@tcp(" in text
        or "@unix(" in text
        or "thin:" in text
        or "bearer" in text
        or "basic" in text
        or "cookie" in text
        or "eyj" in text
        or "mysql" in text
        or "mariadb" in text
        or "redis-cli" in text
        or "curl" in text
        or "wget" in text
        or ".dockerc" in text
        or "hooks.slack.com" in text
        or (_LONG_RUN.search(text) is not None and _may_hold_vendor_token(text))
    )


def _may_hold_vendor_token(text: str) -> bool:
    for hint in vendor_tokens.HINTS:  # noqa: SIM110 - any() with a generator takes twice the time, and this runs for every text
        if hint in text:
            return True
    return False


def _without(form: Form, text: str) -> tuple[str, int]:
    count = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal count
        group = next(name for name in _SECRET_GROUPS if name in found.re.groupindex and found[name] is not None)
        value = found[group].rstrip(_CLOSING) if group == "s" else found[group]
        if not value or not _is_secret(form, found, group, value):
            return found[0]
        count += 1
        start = found.start(group) - found.start()
        return f"{found[0][:start]}{REPLACEMENT}{found[0][start + len(value) :]}"

    return form.pattern.sub(replaced, text), count


def _is_secret(form: Form, found: re.Match[str], group: str, value: str) -> bool:
    if PLACEHOLDER.fullmatch(value) or REPLACEMENT in value:
        return False
    match form.judgement:
        case "base64_pair":
            return _is_base64_pair(value)
        case "scheme_value":
            return "://" in found[0] or not _is_word(value)
        case "assigned":
            return _is_assigned_secret(found, group, value)
        case "flag":
            return not _harmless(found["key"], value) and value.lower().rstrip(".,:;") not in PROSE
        case "flag_word":
            return value.lower().rstrip(".,:;") not in PROSE
        case _:
            return True


def _is_assigned_secret(found: re.Match[str], group: str, value: str) -> bool:
    key, separator = found["key"].lower(), found["sep"]
    if _harmless(found["key"], value):
        return False
    is_password = key.startswith(("pass", "pwd"))
    if not is_password and value.isdigit() and len(value) <= 6:
        return False  # max_tokens=4096
    if key in ("secret", "secrets") and OBJECT_NAME.fullmatch(value):
        return False  # secret="namespace/name"
    if "=" in separator or (group != "s" and separator[0] in "\"'\\"):
        return True
    if is_password:
        if group != "s":
            return True
        if value.lower().rstrip(".:") in PROSE:
            return False
        return _AT_END_OF_VALUE.match(found.string, found.end()) is not None or _is_mixed(value)
    return _is_random(value)


def _harmless(key: str, value: str) -> bool:
    """Whether the name or the value say that this is about a secret rather than one."""
    if HARMLESS_NAME.search(key) or PLACEHOLDER.fullmatch(value) or MOUNT_PATH.fullmatch(value):
        return True
    return (key.lower() == "pwd" and value.startswith("/")) or value.startswith(("http://", "https://"))


def _is_word(value: str) -> bool:
    return value.rstrip(".:").isalpha() and (value.islower() or value.istitle() or value.isupper()) and len(value) <= 24


def _is_mixed(value: str) -> bool:
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and HOST.fullmatch(value) is None


def _is_random(value: str) -> bool:
    """Whether it looks made by a machine: letters and digits mixed, long, no host, no digest and no object's name."""
    value = value.rstrip(".:)]}")
    if len(value) < 8 or not _is_mixed(value) or value.startswith(("sha256:", "sha512:")):
        return False
    mixed_parts = sum(map(_is_mixed, _PARTS.findall(value)))
    return len(value) >= 20 or not value.islower() or value.isalnum() or mixed_parts > 1


def _is_base64_pair(value: str) -> bool:
    """Whether it is base64 of ``user:password`` (RFC 7617), not the next word of a sentence."""
    if len(value) % _BASE64_DIGITS:
        return False
    try:
        return b":" in base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def _without_private_keys(text: str) -> tuple[str, int]:
    """Private keys in PEM, whole or cut off at either end."""
    parts: list[str] = []
    position = count = 0
    while (begin := PRIVATE_KEY_BEGIN.search(text, position)) is not None:
        parts.append(text[position : begin.start()])
        parts.append(REPLACEMENT)
        count += 1
        end = PRIVATE_KEY_END.search(text, begin.end())
        following = PRIVATE_KEY_BEGIN.search(text, begin.end())
        if end is not None and (following is None or end.end() <= following.start()):
            position = end.end()
        else:
            lines = PRIVATE_KEY_LINES.match(text, begin.end())
            position = begin.end() if lines is None else lines.end()
    rest = text[position:]
    end = PRIVATE_KEY_END.search(rest)
    if end is not None:
        before = PRIVATE_KEY_LINES_BEFORE_END.search(rest[: end.start()])
        if before is not None:
            rest = f"{rest[: before.start()]}{REPLACEMENT}{rest[end.end() :]}"
            count += 1
    parts.append(rest)
    return "".join(parts), count
