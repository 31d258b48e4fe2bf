"""Users' texts on their way into one record: cleaned, redacted, cut, and counted. Pure.

Every text that a user, an application or a registry wrote passes here; nothing else in the collector may copy one.
"""

import re
from typing import Final

from collector.raw_values import encodable, sequence
from collector.redaction import redact, redact_command
from collector.settings import TranslationSettings

#: How much is read at all, so that a hostile object costs a bounded time; far more than a record can carry.
_TEXT_MAX_CHARACTERS: Final = 65_536
_RECORD_MAX_CHARACTERS: Final = 4 * 65_536
_ARGUMENTS_MAX: Final = 64
#: A text is not cut within a word of less than this: half a secret is not recognised.
_WORD_MAX_CHARACTERS: Final = 4096
_CUT: Final = " […] "
#: Terminal colours and other control sequences, then single control characters except tab and line feed.
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]{0,32}[A-Za-z]")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SPACE: Final = re.compile(r"\s")

#: Redacted texts and commands of one object, so that building it once more, shorter, costs little.
Memo = dict[str | tuple[str, ...], tuple[str | tuple[str, ...], int]]


class Texts:
    """The texts of one record. ``redacted`` counts replaced secrets; ``truncated`` says whether anything was cut."""

    __slots__ = ("_cap", "_memo", "_readable", "_settings", "redacted", "truncated")

    def __init__(self, settings: TranslationSettings, cap: int | None = None, memo: Memo | None = None) -> None:
        self._settings = settings
        self._cap = cap
        self._memo = {} if memo is None else memo
        self._readable = _RECORD_MAX_CHARACTERS
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
        found = [argument for part in parts for argument in sequence(part) if isinstance(argument, str)]
        if not found:
            return ()
        if len(found) > _ARGUMENTS_MAX:
            self.truncated = True
        arguments = tuple(_clean(self._read(argument)) for argument in found[:_ARGUMENTS_MAX])
        known = self._memo.get(arguments)
        if known is None:
            redacted, count = redact_command(arguments)
            known = self._memo[arguments] = tuple(redacted), count
        self.redacted += known[1]
        return tuple(self._middle_cut(argument, self._settings.argument_characters) for argument in known[0])

    def log(self, value: str) -> str:
        """The last lines of a log: of a long one the beginning is cut."""
        if len(value) > _RECORD_MAX_CHARACTERS:
            value = value[-_RECORD_MAX_CHARACTERS:]
            value = value[_cut_before_word(value[:_WORD_MAX_CHARACTERS]) :]
            self.truncated = True
        text = self._redacted(_clean(value))
        lines = text.rstrip("\n").split("\n")
        if len(lines) > self._settings.log_lines:
            text = "\n".join(lines[-self._settings.log_lines :])
        limit = self._limit(self._settings.log_characters)
        if len(text) > limit:
            self.truncated = True
            text = text[-limit:]
        return text

    def _text(self, value: object, limit: int) -> str | None:
        if not isinstance(value, str) or not value:
            return None
        return self._middle_cut(self._redacted(_clean(self._read(value))), limit)

    def _read(self, value: str) -> str:
        """As much of the text as may be read."""
        allowed = min(_TEXT_MAX_CHARACTERS, self._readable)
        if len(value) > allowed:
            self.truncated = True
            value = value[:allowed]
            value = value[: len(value) - _cut_before_word(value[: -_WORD_MAX_CHARACTERS - 1 : -1])]
        self._readable -= len(value)
        return value

    def _redacted(self, text: str) -> str:
        known = self._memo.get(text)
        if known is None:
            known = self._memo[text] = redact(text)
        self.redacted += known[1]
        return str(known[0])

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


def _cut_before_word(edge: str) -> int:
    """How many characters to leave out at a cut, so that it lies between words; the edge is given from the cut inwards."""
    space = _SPACE.search(edge)
    return len(edge) if space is None else space.start()


def _clean(text: str) -> str:
    if text.isprintable():
        return text if text.isascii() else encodable(text)
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    return encodable(_CONTROLS.sub("\ufffd", text.replace("\r\n", "\n")))
