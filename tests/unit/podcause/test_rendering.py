"""What reaches a terminal: one line per text, and nothing that a terminal would obey."""

import pytest

from podcause.rendering import clean, evidence_line
from schemas.diagnosis import Evidence


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("  two\n lines\r\n", "two  lines"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("bell\x07 and \x9b2J", "bell  and  2J"),
        ("right\u202eto left", "right to left"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("ä → 日本", "ä → 日本"),
    ],
)
def test_text_of_a_cluster_is_made_harmless(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        (Evidence(kind="log", text="last words"), "log: last words"),
        (
            Evidence(kind="event", reason="BackOff", text="Back-off", count=12, first_at="T1", last_at="T2"),
            "T2 event BackOff x12: Back-off",
        ),
        (Evidence(kind="status", text="exit code 1", count=1, first_at="T1"), "T1 status: exit code 1"),
    ],
)
def test_evidence_is_one_line(evidence: Evidence, line: str) -> None:
    assert evidence_line(evidence) == line
