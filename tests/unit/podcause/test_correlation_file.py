from pathlib import Path

import pytest

from podcause.correlation_file import CorrelationFileError, load
from processor.settings import CorrelationSettings, SeverityRule


def written(folder: Path, text: str) -> Path:
    path = folder / "correlation.toml"
    path.write_text(text)
    return path


def test_what_the_file_does_not_say_stays_at_its_default(tmp_path: Path) -> None:
    text = 'not_ready_after_seconds = 300\n[[severity_rules]]\nseverity = "critical"\nnamespace = "payments"\nlabel = ["tier", "gold"]\n'
    assert load(written(tmp_path, text)) == CorrelationSettings(
        not_ready_after_seconds=300,
        severity_rules=(SeverityRule("critical", namespace="payments", label=("tier", "gold")),),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not_ready_seconds = 1", "not_ready_seconds: unknown; did you mean not_ready_after_seconds?"),
        ("one_moment = true", "one_moment: unknown; did you mean"),
        ("window_seconds = 'long'", "Expected `int`, got `str` - at `$.window_seconds`"),
        ("window_seconds = 0", "window_seconds: a number of seconds above 0 is needed, not 0"),
        ("window_seconds =", "not TOML: "),
        ('[[severity_rules]]\nseverity = "loud"', "Invalid enum value 'loud' - at `$.severity_rules[0].severity`"),
        ('[[severity_rules]]\nseverity = "info"\ncauses = "x"', "severity_rules[0].causes: unknown; did you mean cause?"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(CorrelationFileError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorrelationFileError, match="No such file or directory"):
        load(tmp_path / "none.toml")
