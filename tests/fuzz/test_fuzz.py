"""A short run of the fuzz; ``make fuzz`` runs the long one."""

import runpy
from pathlib import Path


def test_five_thousand_damaged_observations_end_without_an_exception() -> None:
    tally = runpy.run_path(str(Path(__file__).with_name("fuzz_engine.py")))["run"](5000)
    assert sum(tally[fate] for fate in ("taken", "refused by the codec", "refused by the engine")) == 5000
    assert tally["taken"] > 0
    assert tally["revisions"] > 0
