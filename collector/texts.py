"""Users' texts on their way into one record: cleaned, redacted, cut, and counted. Pure.

Every text that a user, an application or a registry wrote passes here; nothing else in the collector may copy one.
"""

import re
from typing import Final

from collector.raw_values import encodable, sequence
from collector.redaction import redact, redact_command
from collector.settings import TranslationSettings

#: Read before redaction, so that a hostile text costs a bounded time; far more than any record can carry.
_READ_MAX_CHARACTERS: Final = 4 * 65_536
_ARGUMENTS_MAX: Final = 64
_CUT: Final = " […] "
#: Terminal colours and other control sequences, then single control characters except tab and line feed.
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]{0,32}[A-Za-z]")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Texts:
    """The texts of one record. ``redacted`` counts replaced secrets; ``truncated`` says whether anything was cut."""

    __slots__ = ("_cap", "_settings", "redacted", "truncated")

    def __init__(self, settings: TranslationSettings, cap: int | None = None) -> None:
        self._settings = settings
        self._cap = cap
        self.redacted = 0
        self.truncated = False

    def message(self, value: object) -> str | None:
        """A message, or None when there is none. Of a long one the middle is cut: the beginning says what, the end why."""
        return self._text(value, self._settings.text_characters)

    def argument(self, value: object) -> str | None:
        """One short text of a user, such as a probe's path."""
        return self._text(value, self._settings.argument_characters)

    def command(self, *parts: object) -> tuple[str, ...]:
        """A command with its arguments, each cut on its own; a secret may stand in the argument after its flag."""
        arguments = [_clean(argument) for part in parts for argument in sequence(part) if isinstance(argument, str)]
        if not arguments:
            return ()
        if len(arguments) > _ARGUMENTS_MAX:
            arguments = arguments[:_ARGUMENTS_MAX]
            self.truncated = True
        redacted, count = redact_command(arguments)
        self.redacted += count
        return tuple(self._middle_cut(argument, self._settings.argument_characters) for argument in redacted)

    def log(self, value: str) -> str:
        """The last lines of a log: from a long one the beginning is cut."""
        text = self._redacted(_clean(value[-_READ_MAX_CHARACTERS:]))
        lines = text.rstrip("\n").split("\n")
        if len(lines) > self._settings.log_lines:
            text = "\n".join(lines[-self._settings.log_lines :])
        limit = self._limit(self._settings.log_characters)
        if len(text) > limit or len(value) > _READ_MAX_CHARACTERS:
            self.truncated = True
            text = text[-limit:]
        return text

    def _text(self, value: object, limit: int) -> str | None:
        if not isinstance(value, str) or not value:
            return None
        if len(value) > _READ_MAX_CHARACTERS:
            value = value[:_READ_MAX_CHARACTERS]
            self.truncated = True
        return self._middle_cut(self._redacted(_clean(value)), limit)

    def _redacted(self, text: str) -> str:
        text, count = redact(text)
        self.redacted += count
        return text

    def _middle_cut(self, text: str, limit: int) -> str:
        limit = self._limit(limit)
        if len(text) <= limit:
            return text
        self.truncated = True
        kept = max(limit - len(_CUT), 8)
        head = kept * 3 // 4
        return text[:head] + _CUT + text[head - kept :]

    def _limit(self, limit: int) -> int:
        return limit if self._cap is None else min(limit, self._cap)


def _clean(text: str) -> str:
    if text.isprintable():
        return text if text.isascii() else encodable(text)
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    return encodable(_CONTROLS.sub("\ufffd", text.replace("\r\n", "\n")))
