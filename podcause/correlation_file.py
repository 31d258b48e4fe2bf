"""The thresholds of the engine from a TOML file: keys are the fields of CorrelationSettings. It judges names and types, not pods.

not_ready_after_seconds = 300

[[severity_rules]]
severity = "critical"
namespace = "payments"
"""

import dataclasses
import difflib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from processor.settings import CorrelationSettings, SeverityRule

_KEYS: Final = {field.name for field in dataclasses.fields(CorrelationSettings)} - {"one_moment"}
_RULE_KEYS: Final = {field.name for field in dataclasses.fields(SeverityRule)}
_Command = TypeVar("_Command", bound=Callable[..., Any])


class CorrelationFileError(ValueError):
    """A file that cannot be read or says what is no setting; the message names the file and the key."""


def load(path: Path) -> CorrelationSettings:
    """The settings that a file gives, the defaults for the rest. Raises CorrelationFileError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CorrelationFileError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorrelationFileError(f"{path}: not TOML: {error}") from error
    _refuse_unknown(path, "", content, _KEYS)
    rules = content.get("severity_rules", [])
    if isinstance(rules, list):
        for number, rule in enumerate(rules):
            if isinstance(rule, dict):
                _refuse_unknown(path, f"severity_rules[{number}].", rule, _RULE_KEYS)
    try:
        settings = msgspec.convert(content, CorrelationSettings)
    except msgspec.ValidationError as error:
        raise CorrelationFileError(f"{path}: {error}") from error
    for name in sorted(_KEYS - {"severity_rules"}):
        if getattr(settings, name) < (0 if name == "grace_seconds" else 1):
            raise CorrelationFileError(f"{path}: {name}: a number of seconds above 0 is needed, not {getattr(settings, name)}")
    return settings


def _refuse_unknown(path: Path, where: str, content: dict[str, Any], known: set[str]) -> None:
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0)
            raise CorrelationFileError(f"{path}: {where}{key}: unknown; did you mean {near[0]}?")


class _CorrelationFile(click.ParamType):
    """A file of thresholds, read at once."""

    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> CorrelationSettings:  # noqa: ANN401 - click's signature
        """The settings."""
        try:
            return load(Path(value))
        except CorrelationFileError as error:
            self.fail(str(error), param, ctx)


def correlation_option(command: _Command) -> _Command:
    """Adds --correlation, which passes ``correlation: CorrelationSettings | None``."""
    return click.option(
        "--correlation",
        type=_CorrelationFile(),
        envvar="PODCAUSE_CORRELATION",
        help="Thresholds and severities, TOML: see processor/settings.py for the keys.  [default: the contract's]",
    )(command)
