"""Stable pseudonyms: the same word, address or UID becomes the same pseudonym wherever it stands. Nothing is read or written.

Each pseudonym is a keyed hash (HMAC-SHA-256), so none can be undone or guessed without the key, and none depends on the order in
which things are met. Words are replaced one by one, so that names keep the form from which owners are derived (`web-5d4f…-x7k2p`
is a pod of the ReplicaSet `web-5d4f…` of the Deployment `web`), and are found again in messages. What texts say besides names that
were met, addresses and UIDs is left as it is: it must not claim that a text written by an application names nobody.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from collector.generic_words import GENERIC_WORDS

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_SHORTEST_WORD: Final = 3
#: Random suffixes of generated names (apimachinery pkg/util/rand/rand.go): their form is what owners are derived by.
_SAFE_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_RANDOM_SUFFIX: Final = re.compile(rf"[{_SAFE_LETTERS}]{{5}}|(?=[a-z]*[0-9])[{_SAFE_LETTERS}]{{8,10}}")
_HEX_SUFFIX: Final = re.compile(r"(?=[a-f]*[0-9])[0-9a-f]{12,}")
_KUBERNETES_KIND: Final = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
_SYLLABLES: Final = tuple(consonant + vowel for consonant in "bdfgklmnprstvzhj" for vowel in "aeiou"[:4])

_UID: Final = re.compile(r"(?<![0-9A-Fa-f])[0-9a-f]{8}([-_])(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}(?![0-9A-Fa-f])")
_LONG_HEX: Final = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32,}(?![0-9A-Za-z])")
_IPV4: Final = re.compile(r"(?<![\w.])(?:ip-)?\d{1,3}([.-])\d{1,3}\1\d{1,3}\1\d{1,3}(?![\w]|\.\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?:\d\.\d+\.\d+\.\d+)?(?![\w:])")
_KEPT_ADDRESSES: Final = frozenset({"0.0.0.0", "127.0.0.1", "255.255.255.255"})  # noqa: S104 - compared, not bound
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

_LABEL: Final = r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?"
_TOP_LEVEL: Final = (
    r"com|net|org|io|dev|cloud|local|internal|svc|cluster|app|ai|lan|corp|intra|consul|edu|gov|biz|info|tech|xyz|[a-z]{2}"
)
#: Endings of files that are also countries.
_FILES: Final = frozenset("py sh rs js so md pl rb cc pm ps cs go ts jl ml hs gz db tf mk".split())  # noqa: SIM905
#: Texts in which something is a host or the name of an object, whatever it is called. The group is the name.
_NAMING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<![\w./@-])((?:{_LABEL}\.)+(?:{_TOP_LEVEL}))(?![\w-]|\.\w|\()",
        rf"(?<![\w./-])({_LABEL}(?:\.{_LABEL})*):\d{{2,5}}(?![\w.])",
        rf"(?:://|@)({_LABEL}(?:\.{_LABEL})*)(?=[:/\s\"']|$)",
        rf"\blookup ({_LABEL}(?:\.{_LABEL})*)",
        rf"(?:ENOTFOUND|EAI_AGAIN|UnknownHostException:|[Rr]esolve host:?|bad address|[Hh]ost(?:name)?) [\"']?({_LABEL}(?:\.{_LABEL})+)",
        rf"(?:ENOTFOUND|EAI_AGAIN|UnknownHostException:|[Rr]esolve host:?|bad address) [\"'(]?({_LABEL}(?:\.{_LABEL})*)",
        rf"\b[Hh]ost(?: ?name)? [\"']({_LABEL}(?:\.{_LABEL})*)[\"']",
        (
            r"(?i:\b(?:secret|configmap|persistentvolumeclaim|claim|volume|serviceaccount|service|pod|node|namespace|deployment|"
            r"statefulset|daemonset|job|resourceclaim|priorityclass|runtimeclass|object|key|container|image|user)s?)"
            r"[ :=]+[\"']([^\"'\s]{1,253})[\"']"
        ),
        r"\b(?:replica set|pod:|job:?) ([a-z0-9]+(?:-[a-z0-9]+)+)",
        r"(?i:\b(?:secret|configmap|pod|in)s?) ([a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*)",
    )
)


class Pseudonyms:
    """One mapping, fixed by its key. Names are learned from the fields that hold them, and then replaced in texts too."""

    __slots__ = ("_key", "_known", "_made")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[str, str] = {}
        self._made: dict[str, str] = {}

    def name(self, value: str) -> str:
        """The pseudonym of a name, an image or a host, which is learned: from now on its words are replaced in texts too."""
        self.learn(value)
        return self.identifiers(self._words(value))

    def learn(self, *names: str) -> None:
        """Remember the words of these names."""
        for name in names:
            for word in _WORD.findall(_without_identifiers(name)):
                lowered = word.lower()
                if lowered not in self._known and not _is_kept(lowered):
                    self._known[lowered] = self._word(lowered)

    def text(self, value: str) -> str:
        """A text of a kubelet, a runtime or an application, with the names that were learned or that it says itself replaced."""
        for pattern in _NAMING:
            for found in pattern.finditer(value):
                if not _is_file(found[1]):
                    self.learn(found[1])
        value = _EMAIL.sub(lambda found: self.name(found[0]), value)
        return self.identifiers(self._words(value))

    def identifiers(self, value: str) -> str:
        """The same with addresses, UIDs and digests replaced, and nothing else."""
        if not any(character in value for character in "0123456789:"):
            return value
        value = _UID.sub(lambda found: self._uid(found[0], found[1]), value)
        value = _LONG_HEX.sub(lambda found: self._hex(found[0]), value)
        value = _IPV4.sub(lambda found: self._ipv4(found[0], found[1]), value)
        return _IPV6.sub(lambda found: self._ipv6(found[0]), value)

    def kind(self, value: str, known: Iterable[str]) -> str:
        """The kind of a controller: Kubernetes' own are kept, a company's is not."""
        if value in known:
            return value
        return f"Kind{self._word(value.lower()).capitalize()}" if _KUBERNETES_KIND.match(value) else self.name(value)

    def _words(self, value: str) -> str:
        return _WORD.sub(self._replaced, value)

    def _replaced(self, found: re.Match[str]) -> str:
        word = found[0]
        pseudonym = self._known.get(word.lower())
        if pseudonym is None:
            return word
        if word.islower() or not word[0].isalpha():
            return pseudonym
        return pseudonym.upper() if word.isupper() else pseudonym.capitalize()

    def _word(self, lowered: str) -> str:
        made = self._made.get(lowered)
        if made is None:
            digest = self._digest("word", lowered)
            if _RANDOM_SUFFIX.fullmatch(lowered):
                made = _suffix(digest, len(lowered))
            elif _HEX_SUFFIX.fullmatch(lowered):
                made = digest.hex()[: len(lowered)].rjust(len(lowered), "0")
            else:
                made = "".join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in digest[:4])
            self._made[lowered] = made
        return made

    def _uid(self, uid: str, separator: str) -> str:
        digits = self._digest("uid", uid.replace("_", "-")).hex()
        return separator.join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))

    def _hex(self, digits: str) -> str:
        return (self._digest("hex", digits).hex() * (len(digits) // 64 + 1))[: len(digits)]

    def _ipv4(self, address: str, separator: str) -> str:
        plain = address.removeprefix("ip-").replace("-", ".")
        if plain in _KEPT_ADDRESSES or any(int(part) > 255 for part in plain.split(".")):
            return address
        digest = self._digest("ipv4", plain)
        pseudonym = separator.join(("10", str(digest[0]), str(digest[1]), str(digest[2])))
        return f"ip-{pseudonym}" if address.startswith("ip-") else pseudonym

    def _ipv6(self, address: str) -> str:
        try:
            parsed = ipaddress.IPv6Address(address)
        except ValueError:
            return address
        if parsed.is_unspecified or parsed.is_loopback:
            return address
        digits = self._digest("ipv6", parsed.exploded).hex()
        return f"fd00::{digits[:4]}:{digits[4:8]}"

    def _digest(self, what: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{what}\x1f{value}".encode(), hashlib.sha256)


def _is_kept(lowered: str) -> bool:
    return len(lowered) < _SHORTEST_WORD or lowered.isdecimal() or lowered in GENERIC_WORDS


def _without_identifiers(name: str) -> str:
    """A name without the parts that have pseudonyms of another form."""
    for pattern in (_UID, _LONG_HEX, _IPV4):
        name = pattern.sub(" ", name)
    return name


def _is_file(name: str) -> bool:
    return name.rpartition(".")[2] in _FILES and "." in name


def _suffix(digest: bytes, length: int) -> str:
    letters = "".join(_SAFE_LETTERS[byte % len(_SAFE_LETTERS)] for byte in digest[:length])
    # Eight to ten letters are told from a word by a digit among them.
    return letters if length < 8 or any(map(str.isdigit, letters)) else letters[:-1] + str(2 + digest[-1] % 2 * 2)
