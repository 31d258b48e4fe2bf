"""Tokens that are recognised by their own form: detect-secrets' patterns, and those that it lacks.

detect-secrets (Yelp, Apache-2.0) is used for its plugins' expressions alone: nothing of it scans, verifies or reaches a network
here. It is imported when a text first contains a vendor's prefix, since it takes a quarter of a second. Only those plugins are
used whose expressions need bounded work at each character; its patterns for JWTs, npm, OpenAI and URLs are quadratic on hostile
input, and ours stand in `redaction_patterns`.
"""

import importlib
import re
from functools import cache
from typing import Final

#: What a lower-cased text must contain, and the detect-secrets plugin (module, class) that then looks closer.
_PLUGINS: Final[dict[str, tuple[str, str]]] = {
    "accountkey=": ("azure_storage_key", "AzureStorageKeyDetector"),
    "discord": ("discord", "DiscordBotTokenDetector"),
    "gho_": ("github_token", "GitHubTokenDetector"),
    "ghp_": ("github_token", "GitHubTokenDetector"),
    "ghr_": ("github_token", "GitHubTokenDetector"),
    "ghs_": ("github_token", "GitHubTokenDetector"),
    "ghu_": ("github_token", "GitHubTokenDetector"),
    "glagent-": ("gitlab_token", "GitLabTokenDetector"),
    "glcbt-": ("gitlab_token", "GitLabTokenDetector"),
    "gldt-": ("gitlab_token", "GitLabTokenDetector"),
    "glft-": ("gitlab_token", "GitLabTokenDetector"),
    "glimt-": ("gitlab_token", "GitLabTokenDetector"),
    "gloas-": ("gitlab_token", "GitLabTokenDetector"),
    "glpat-": ("gitlab_token", "GitLabTokenDetector"),
    "glptt-": ("gitlab_token", "GitLabTokenDetector"),
    "glrt-": ("gitlab_token", "GitLabTokenDetector"),
    "glsoat-": ("gitlab_token", "GitLabTokenDetector"),
    "gr1348941": ("gitlab_token", "GitLabTokenDetector"),
    "hooks.slack.com": ("slack", "SlackDetector"),
    "k_live_": ("stripe", "StripeDetector"),
    "mailchimp": ("mailchimp", "MailchimpDetector"),
    "pypi-": ("pypi_token", "PypiTokenDetector"),
    "sg.": ("sendgrid", "SendGridDetector"),
    "sq0csp-": ("square_oauth", "SquareOAuthDetector"),
    "telegram": ("telegram_token", "TelegramBotTokenDetector"),
    "twilio": ("twilio", "TwilioKeyDetector"),
    "xox": ("slack", "SlackDetector"),
}

#: A vendor's prefix begins a word, or what precedes it is no part of a token (``_`` joins words in many names).
_START: Final = r"(?<![A-Za-z0-9])"
_OWN: Final[dict[str, str]] = {
    "akia": r"AKIA[0-9A-Z]{16}(?![0-9A-Za-z])",
    "asia": r"ASIA[0-9A-Z]{16}(?![0-9A-Za-z])",
    "aiza": r"AIza[0-9A-Za-z_-]{35}",
    "dckr_": r"dckr_(?:pat|oat)_[0-9A-Za-z_-]{20,128}",
    "dop_v1_": r"do[opr]_v1_[0-9a-f]{64}",
    "github_pat_": r"github_pat_[0-9A-Za-z_]{20,255}",
    "hf_": r"hf_[0-9A-Za-z]{30,64}",
    "hvs.": r"hvs\.[0-9A-Za-z_-]{20,256}",
    "npm_": r"npm_[0-9A-Za-z]{36}",
    "pypi-": r"pypi-[0-9A-Za-z_-]{50,512}",
    "shpat_": r"shpat_[0-9a-f]{32}",
    "sk-": r"sk-(?:ant-|proj-|svcacct-|or-)?[0-9A-Za-z_-]{20,256}",
    "k_test_": r"[rs]k_test_[0-9A-Za-z]{24,128}",
    "k_live_": r"[rs]k_live_[0-9A-Za-z]{24,128}",
    "whsec_": r"whsec_[0-9A-Za-z+/=]{24,128}",
    "xapp-": r"xapp-[0-9]-[0-9A-Za-z-]{20,256}",
    "xox": r"xox[abeoprs]-[0-9A-Za-z-]{16,256}",
    "ya29.": r"ya29\.[0-9A-Za-z_-]{20,512}",
}

#: Every text that can hold one of these tokens contains one of these, lower-cased.
HINTS: Final = tuple(sorted({*_PLUGINS, *_OWN}))


def patterns(lowered: str) -> list[re.Pattern[str]]:
    """The expressions worth trying on a text, given lower-cased; each match is a token in its whole length."""
    found: list[re.Pattern[str]] = []
    plugins = {_PLUGINS[hint] for hint in HINTS if hint in _PLUGINS and hint in lowered}
    for module, detector in sorted(plugins):
        found.extend(_plugin_patterns(module, detector))
    found.extend(_own_pattern(hint) for hint in _OWN if hint in lowered)
    return found


@cache
def _plugin_patterns(module: str, detector: str) -> tuple[re.Pattern[str], ...]:
    plugin = getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), detector)
    return tuple(plugin.denylist)


@cache
def _own_pattern(hint: str) -> re.Pattern[str]:
    return re.compile(_START + _OWN[hint])
