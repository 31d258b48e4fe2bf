"""The forms in which secrets stand in texts, as expressions; whether a found value is one is decided in `redaction`.

Each expression does bounded work at each character, whatever the text: a repetition is bounded or cannot overlap what follows.
The group ``s`` is the secret. Forms that diagnosis needs (object names, images, digests, addresses, codes) must not match.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

#: How a found value is judged: ``sure`` needs no look; the others are told apart in `redaction`.
Judgement = Literal["sure", "base64_pair", "scheme_value", "assigned", "flag", "flag_word"]


@dataclass(frozen=True, slots=True)
class Form:
    """One form. ``hints``: a lower-cased text without any of them cannot match."""

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    judgement: Judgement = "sure"


#: Words that say that a value is secret. Lower-cased; `-`, `_` or nothing between their parts.
_KEY_OF: Final = (
    "access|account|api|application|auth|client|cookie|deploy|encrypt|encryption|hmac|jwt|license|master|primary|private|secondary|secret|"
    "service|session|shared|sharedaccess|signing|ssh|storage|subscription|webhook"
)
_WORD: Final = (
    rf"(?:(?<!by)(?<!com)pass(?:word|wd|phrase|code)?|pwd|secret(?:[_-]?access)?(?:[_-]?key)?|token|credential|cred|"
    rf"(?:{_KEY_OF})[_-]?key|_auth)"
)
#: What may follow the word in a name: a plural, a number, another part after a separator or in camel case.
_SUFFIX: Final = r"s?(?:[0-9]{1,4}|[_.-][\w.-]{0,32}|(?-i:[A-Z])[\w.-]{0,32})?"
_ASSIGNED_VALUE: Final = (
    r"(?:\\\"(?P<e>[^\"\\\s]{1,2048})\\\"|\"(?P<d>(?:[^\"\\\n]|\\.){1,2048})\"|'(?P<q>[^'\n]{1,2048})'|"
    r"(?P<s>[^\s,;&\"'<>`\\]{1,2048}))"
)
_WORD_HINTS: Final = ("pass", "pwd", "secret", "token", "key", "cred", "_auth")

PRIVATE_KEY_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
PRIVATE_KEY_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
#: The lines of a key whose END is cut off: headers, then base64; line ends may be written out as ``\n``.
PRIVATE_KEY_LINES: Final = re.compile(
    r"(?:(?:\s|\\[nr])+(?:[A-Za-z][A-Za-z-]{2,30}: [^\n\\]{1,200}|[A-Za-z0-9+/=]{20,}(?![^\s\\\"',]))){0,2000}"
    r"(?:(?:\s|\\[nr])+[A-Za-z0-9+/]{1,76}={0,2}(?=\s*$))?"
)
#: The lines of a key whose BEGIN is cut off.
PRIVATE_KEY_LINES_BEFORE_END: Final = re.compile(r"(?:[A-Za-z0-9+/=]{1,76}(?:\s|\\[nr])+){1,2000}$")

#: JSON Web Tokens: base64url of ``{"``, a dot, the payload, perhaps a signature (RFC 7519).
_JWT: Final = re.compile(
    r"(?<![A-Za-z0-9_-])(?P<s>eyJ[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{4,8192}(?:\.[A-Za-z0-9_-]{0,8192})?)"
)

FORMS: Final[tuple[Form, ...]] = (
    # scheme://user:password@host; a number and a slash after the colon are a port, not a password
    Form(
        ("://",),
        re.compile(
            r"://[^\s/@:\"'<>\\\[\]]{0,256}:(?P<s>(?![0-9]{1,5}(?:[/?#\s\"']|$))[^\s\"'<>@]{1,256}(?:@[^\s\"'<>/@]{0,128}(?=@)){0,4})@"
        ),
        "scheme_value",
    ),
    Form(("://",), re.compile(r"://(?P<s>[A-Za-z0-9_-]{20,255})@")),
    # Go's MySQL driver: user:password@tcp(host)
    Form(("@tcp(", "@unix("), re.compile(r"(?<![\w.-])[\w.-]{1,64}:(?P<s>[^\s@:/\"']{1,128})@(?:tcp|unix)\(")),
    # Oracle: thin:user/password@host
    Form(("thin:",), re.compile(r"thin:[^\s/@]{1,64}/(?P<s>[^\s@\"']{1,128})@")),
    Form(("eyj",), _JWT),
    # HTTP headers
    Form(
        ("authorization",),
        re.compile(
            r"(?i)authorization\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?:(?:bearer|basic|token|digest|apikey|negotiate|splunk)\s{1,3})?(?P<s>[^\s\"',;\\]{4,4096})"
        ),
        "scheme_value",
    ),
    Form(
        ("x-",),
        re.compile(
            r"(?i)\bx-(?:[a-z0-9]{1,16}-){0,3}(?:token|key|secret|auth)\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?P<s>[^\s\"',;\\]{6,4096})"
        ),
        "scheme_value",
    ),
    Form(
        ("bearer",),
        re.compile(r"(?i)\bbearer\s{1,3}(?!realm=|error=|scope=|service=)(?P<s>[A-Za-z0-9._~+/-]{8,8192}={0,2})"),
        "scheme_value",
    ),
    Form(("basic",), re.compile(r"(?i)\bbasic\s{1,3}(?P<s>[A-Za-z0-9+/]{6,2048}={0,2})"), "base64_pair"),
    Form(("cookie",), re.compile(r"(?i)cookie\\?[\"']?\s{0,3}:\s{0,3}\\?[\"']?[\w.-]{1,64}=(?P<s>[^\r\n\"']{4,4096})")),
    # query parameters; a presigned URL is a credential
    Form(
        ("=",),
        re.compile(
            r"(?i)[?&](?:amp;)?(?:(?:access|auth|id|refresh|session|security|x-amz-security)?[_-]?token|(?:api|access|account|subscription)?[_-]?key|"
            r"(?:client[_-]?)?secret|password|passwd|pwd|pass|auth|sig|signature|x-(?:amz|goog)-(?:signature|credential)|session(?:id)?|jwt|"
            r"credential|verify|code(?==[^&\s]{8}))=(?P<s>[^&\s\"'<>#]{1,4096})"
        ),
    ),
    Form(("sig=",), re.compile(r"(?i)\bsig=(?P<s>[A-Za-z0-9%+/=_-]{20,512})")),
    # docker's config.json: "auth": "base64 of user:password"
    Form(('auth"', "auth\\"), re.compile(r"\"auth\\?\"\s{0,3}:\s{0,3}\\?\"(?P<s>[A-Za-z0-9+/=]{8,4096})")),
    Form(
        (".dockerc",),
        re.compile(r"\.dockerc(?:onfigjson|fg)\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?P<s>[A-Za-z0-9+/=]{16,65536})"),
    ),
    # tools whose flag for a password is a letter
    Form(("mysql", "mariadb"), re.compile(r"(?:mysql|mariadb)[^\n|;&]{0,200}?\s-p(?P<s>[^\s\"']{1,256})")),
    Form(("requirepass", "masterauth"), re.compile(r"(?:requirepass|masterauth)\s{1,3}(?P<s>[^\s\"']{1,512})"), "flag_word"),
    Form(("sshpass",), re.compile(r"sshpass\s{1,3}-p\s{0,3}[\"']?(?P<s>[^\s\"']{1,256})")),
    Form(("redis-cli",), re.compile(r"redis-cli[^\n|;&]{0,200}?\s(?:-a|--pass)[\s=](?P<s>[^\s\"']{1,256})")),
    Form(
        ("curl", "wget"),
        re.compile(
            r"(?:curl|wget)[^\n|;]{0,300}?\s(?:-u|--user|--proxy-user)[\s=]?[\"']?[^\s:\"']{1,64}:(?P<s>[^\s\"']{1,256})"
        ),
    ),
    Form(("</",), re.compile(rf"(?i){_WORD}{_SUFFIX}>(?P<s>[^<\s]{{1,512}})</")),
    # name=value, name: value, "name": "value"; a space before a colon is prose ('volume "x-token" : secret "y" not found')
    Form(
        _WORD_HINTS,
        re.compile(rf"(?i)(?P<key>{_WORD}{_SUFFIX})(?P<sep>\\?[\"']?(?:\s{{0,3}}=>?\s{{0,3}}|:=?\s{{0,3}})){_ASSIGNED_VALUE}"),
        "assigned",
    ),
    # --name value
    Form(
        _WORD_HINTS,
        re.compile(
            rf"(?i)(?<![\w-])--?(?:[\w-]{{1,32}}?[_-])?(?P<key>{_WORD}{_SUFFIX})\s{{1,3}}[\"']?(?P<s>(?!-)[^\s\"']{{1,2048}})"
        ),
        "flag",
    ),
)

#: A flag alone, whose value is the next argument of a command.
SECRET_FLAG: Final = re.compile(rf"(?i)--?(?:[\w-]{{1,32}}?[_-])?(?P<key>{_WORD}{_SUFFIX})")

#: Names that hold where a secret is, or something about it, not the secret.
HARMLESS_NAME: Final = re.compile(
    r"(?i)(?:name|ref|refs|file|files|path|dir|directory|folder|mount|url|uri|host|port|endpoint|type|kind|len|length|size|count|limit|ttl|"
    r"expiry|expires|expiration|expired|timeout|interval|version|algorithm|policy|provider|namespace|id|ids|index|stdin|env|enabled|"
    r"disabled|required|present|found|used|usage|bucket|store|source|service|server|issuer|audience|scope|field|status|error|revision)s?$"
)
#: What stands where a secret would, and is none: placeholders, references to variables, answers.
PLACEHOLDER: Final = re.compile(
    r"(?i)\[?redacted\]?|\*+|x{3,}|\.{3,}|…|<[^>]{0,64}>?|\$\{?\(?[A-Za-z_].{0,128}|\{\{?.{0,128}|%\(?\w{0,64}\)?s?|null|nil|none|true|false|yes|no|on|off|"
    r"undefined|unset|empty|blank|-+|\d{0,3}"
)
#: Words of sentences that follow a name without being its value.
PROSE: Final = frozenset(
    """
    a access an and any are argument auth authentication authorization be been but by can cannot changed check connection
    could denied does doesn't error errors exceeded expected expired expires fail failed failing failure file flag for
    forbidden format found from get had has have if in incorrect input invalid is it key length malformed may mismatch
    missing must name needs no not null of on option or parameter permission please post provided put read refused rejected
    required requires secret server set should string that the this timeout to token too unable unauthorized unbound
    undefined unexpected unknown unsupported used using value was were when while will with without write wrong you your
    """.split()  # noqa: SIM905 - a text of words is easier to read and to change than a list of 100 lines
)
#: Where mounted secrets lie: a path, not a secret.
MOUNT_PATH: Final = re.compile(
    r"(?:file:/{0,2})?/(?:app|bin|conf|config|credentials|data|dev|etc|home|mnt|opt|proc|root|run|secret|secrets|srv|sys|tmp|usr|var|vault|workspace)(?:/[\w.@+-]{0,128}){0,12}"
)
HOST: Final = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?::[0-9]{1,5})?(?:/\S{0,256})?")
OBJECT_NAME: Final = re.compile(r"[a-z0-9.-]{1,253}/[a-z0-9.-]{1,253}|[a-z]+(?:-[a-z]+)+")
