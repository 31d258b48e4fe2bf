"""`podcause accuracy`: the engine over directories of known truth, and how often it is right. It changes nothing."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from collector.recording import lines_of
from podcause.accuracy import Verdict, cause_scores, confidence_bins, judge, truth_of_case, truth_of_scenario
from podcause.diagnosing import Tally, diagnose_objects, diagnose_recordings
from podcause.logging import configure_logging
from podcause.objects import objects_in
from podcause.rendering import clean, newest_revisions

TRUTH_FILE: Final = "truth.json"
FIELD_CASE_NOW: Final = "2026-01-01T12:00:00.000Z"
_DEFAULTS: Final = (Path("../shared/recordings"), Path("../shared/field-cases"))


def judge_directory(directory: Path) -> Iterator[Verdict]:
    """Judge each scenario (a directory with truth.json) or each field case (JSON files that say what is expected)."""
    if (directory / TRUTH_FILE).is_file():
        for scenario in json.loads((directory / TRUTH_FILE).read_text())["scenarios"]:
            path = directory / f"{scenario['name']}.jsonl.gz"
            if path.is_file():
                yield judge(
                    truth_of_scenario(scenario), newest_revisions(diagnose_recordings([(str(path), lines_of(path))], Tally()))
                )
        return
    for path in sorted(directory.glob("*.json")):
        case = json.loads(path.read_text())
        objects, _ = objects_in(json.dumps({"kind": "List", "items": [case["pod"], *case["events"]]}))
        diagnoses = diagnose_objects(objects, Tally(), now=FIELD_CASE_NOW)
        yield judge(truth_of_case(case), newest_revisions(diagnoses))


@click.command(name="accuracy")
@click.argument("directories", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option("--wrong", "only_wrong", is_flag=True, help="List only what is wrong.")
@click.option(
    "--known-wrong",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON object, directory name to names known to be wrong. Exit 1 when another one is wrong.",
)
def command(directories: tuple[Path, ...], known_wrong: Path | None, *, as_json: bool, only_wrong: bool) -> None:
    """Judge the engine by directories of known truth: recordings with a truth.json, or field cases."""
    configure_logging("error")
    chosen = directories or tuple(path for path in _DEFAULTS if path.is_dir())
    if not chosen:
        raise click.UsageError(f"no directory given, and none of {', '.join(map(str, _DEFAULTS))} is here")
    verdicts = {directory.resolve().name: list(judge_directory(directory)) for directory in chosen}
    if as_json:
        click.echo(json.dumps({name: _as_json(found) for name, found in verdicts.items()}, indent=1))
    else:
        for name, found in verdicts.items():
            _print(name, found, only_wrong=only_wrong)
    if known_wrong is not None and not _as_known(verdicts, json.loads(known_wrong.read_text())):
        sys.exit(1)


def _as_known(verdicts: dict[str, list[Verdict]], known: dict[str, list[str]]) -> bool:
    """Whether nothing is wrong beyond what is known to be."""
    good = True
    for name, found in verdicts.items():
        wrong = {verdict.truth.name for verdict in found if not verdict.right}
        listed = set(known.get(name, []))
        for new in sorted(wrong - listed):
            good = False
            click.echo(f"{name}: {new} is wrong and was not", err=True)
        for better in sorted((listed - wrong) & {verdict.truth.name for verdict in found}):
            click.echo(f"{name}: {better} is right now: take it off the list of known wrong ones", err=True)
    return good


def _print(name: str, verdicts: list[Verdict], *, only_wrong: bool) -> None:
    right = sum(verdict.right for verdict in verdicts)
    click.echo(f"{name}: {right} of {len(verdicts)} as the truth says")
    for verdict in verdicts:
        if only_wrong and verdict.right:
            continue
        said = ", ".join(
            f"{episode.container or 'pod'}={episode.cause} {episode.confidence:.2f} {episode.state}"
            f"{'' if episode.right else ' (!)'}"
            for episode in verdict.episodes
        )
        click.echo(f"  {'ok   ' if verdict.right else 'WRONG'} {verdict.truth.name}: {clean(said) or 'nothing'}")
        for problem in verdict.problems:
            click.echo(f"        {clean(problem)}")
    click.echo("  cause                          said right precision  due found recall")
    for score in cause_scores(verdicts):
        click.echo(
            f"  {score.cause:<30} {score.said:>4} {score.said_right:>5} {_share(score.precision):>9} "
            f"{score.expected:>4} {score.found:>5} {_share(score.recall):>6}"
        )
    click.echo("  confidence    count  mean  right")
    for bin_ in confidence_bins(verdicts):
        share = _share(bin_.right / bin_.count if bin_.count else None)
        mean = f"{bin_.mean_confidence:.2f}" if bin_.count else "-"
        click.echo(f"  {bin_.low:.1f} to {bin_.high:.1f}  {bin_.count:>7}  {mean:>4}  {share:>5}")
    alarms = [
        verdict.truth.name for verdict in verdicts if any(problem.startswith("false alarm") for problem in verdict.problems)
    ]
    click.echo(f"  false alarms: {', '.join(alarms) or 'none'}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _as_json(verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        "right": sum(verdict.right for verdict in verdicts),
        "of": len(verdicts),
        "scenarios": [
            {
                "name": verdict.truth.name,
                "right": verdict.right,
                "expected": [{"container": item.container, "causes": list(item.causes)} for item in verdict.truth.expected],
                "diagnose": verdict.truth.diagnose,
                "said": [
                    {
                        "container": episode.container,
                        "problem": episode.problem,
                        "cause": episode.cause,
                        "confidence": episode.confidence,
                        "state": episode.state,
                        "right": episode.right,
                    }
                    for episode in verdict.episodes
                ],
                "problems": list(verdict.problems),
            }
            for verdict in verdicts
        ],
        "causes": [
            {
                "cause": score.cause,
                "said": score.said,
                "said_right": score.said_right,
                "expected": score.expected,
                "found": score.found,
                "precision": score.precision,
                "recall": score.recall,
            }
            for score in cause_scores(verdicts)
        ],
        "confidence": [
            {
                "low": item.low,
                "high": item.high,
                "count": item.count,
                "right": item.right,
                "mean": round(item.mean_confidence, 4),
            }
            for item in confidence_bins(verdicts)
        ],
    }
