"""docs/causes.md from the rules' own words and cases: what a cause means, how it is recognised, what to do. Text only, no file."""

from typing import Final

from processor.rules import CAUSES
from processor.rules.cases import CASES, Case
from processor.rules.view import CauseDoc
from schemas.diagnosis import Problem

_HEADINGS: Final[dict[Problem, str]] = {
    "container_restarts": "The container ends again and again",
    "not_ready": "The container runs and is not ready",
    "image_pull": "The image cannot be pulled",
    "container_create": "The container cannot be created",
    "not_started": "The pod does not start",
    "evicted": "The pod is taken away",
}
_KINDS: Final = (("fires", "Said when"), ("near_miss", "Not said when"), ("edge", "On the edge"))
_HEAD: Final = """# Causes

<!-- Made by `PODCAUSE_REWRITE=1 make test` from processor/rules; edit the rules, not this file. -->

What a diagnosis can say: `diagnosis.cause.id`, by `diagnosis.problem`. `rule.id` is `<family>.<cause>`, and its cause is a heading here,
so `docs/causes.md#<cause>` is where to read on. Each cause comes with the cases that the tests run through the engine.
"""


def causes_page() -> str:
    """The page, as Markdown."""
    parts = [_HEAD]
    for problem, heading in _HEADINGS.items():
        docs = [doc for doc in CAUSES if doc.problem == problem]
        listed = ", ".join(f"[`{doc.id}`](#{doc.id})" for doc in docs)
        parts.append(f"## {heading}\n\n`{problem}`: {listed}\n")
        parts.extend(map(_section, docs))
    return "\n".join(parts)


def _section(doc: CauseDoc) -> str:
    lines = [f"### {doc.id}", "", doc.means, "", f"**Recognised by:** {doc.recognised}", "", "**What to do:**", ""]
    lines.extend(f"- {step}" for step in doc.fix)
    lines.append("")
    for kind, words in _KINDS:
        lines.extend([f"{words}:", ""])
        lines.extend(_example(doc, case) for case in CASES if case.cause == doc.id and case.kind == kind)
        lines.append("")
    return "\n".join(lines)


def _example(doc: CauseDoc, case: Case) -> str:
    causes = [f"`{cause}`{' (resolved)' if state == 'resolved' else ''}" for _, _, cause, state in case.said]
    expected = {"fires": [f"`{doc.id}`"], "near_miss": [], "edge": None}[case.kind]
    return f"- {case.name}" if causes == expected else f"- {case.name} → {' and '.join(causes) or 'nothing'}"
