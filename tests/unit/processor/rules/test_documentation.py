"""docs/causes.md is what the rules say; ``PODCAUSE_REWRITE=1`` writes it anew."""

import os
import re
import typing
from pathlib import Path

from processor.engine import Engine, MemoryStore
from processor.rules.cases import CASES
from processor.rules.documentation import causes_page
from schemas.diagnosis import CauseId

PAGE = Path(__file__).parents[4] / "docs" / "causes.md"


def test_the_page_of_causes_is_up_to_date() -> None:
    if os.environ.get("PODCAUSE_REWRITE") == "1":
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(causes_page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == causes_page()


def test_every_cause_has_one_heading_that_is_its_anchor() -> None:
    assert sorted(re.findall(r"^### (.*)$", causes_page(), re.MULTILINE)) == sorted(typing.get_args(CauseId))


def test_every_rule_id_ends_with_the_anchor_of_its_cause() -> None:
    said = set()
    for case in CASES:
        engine = Engine(MemoryStore())
        for observation in case.stream():
            said |= {(revision.rule.id.partition(".")[2], revision.diagnosis.cause.id) for revision in engine.feed(observation)}
    assert said == {(cause, cause) for cause in typing.get_args(CauseId)}
