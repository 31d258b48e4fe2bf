"""The numbers as one Markdown table, a column for each collector. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from bench.collector.measuring import Result

_ROWS: Final[Sequence[tuple[str, Callable[[Result], str]]]] = (
    ("paced: events/s onto the topic", lambda one: f"{one.paced.events_per_second:.0f}"),
    ("paced: writes / lost / repeated", lambda one: f"{one.paced.writes} / {one.paced.lost} / {one.paced.repeats}"),
    ("paced: CPU s per 10,000 events", lambda one: f"{one.paced.cpu_seconds_per_10000:.1f}"),
    ("paced: write to topic, p50 / p99 ms", lambda one: f"{one.paced.p50_ms:.0f} / {one.paced.p99_ms:.0f}"),
    ("draining: events/s onto the topic", lambda one: f"{one.drained.events_per_second:.0f}" if one.drained else "-"),
    ("draining: writes / lost", lambda one: f"{one.drained.writes} / {one.drained.lost}" if one.drained else "-"),
    ("draining: CPU s per 10,000 events", lambda one: f"{one.drained.cpu_seconds_per_10000:.1f}" if one.drained else "-"),
    ("start: s to new events and pods", lambda one: f"{one.start_seconds:.1f}"),
    ("start: CPU s", lambda one: f"{one.start_cpu_seconds:.1f}"),
    ("start: peak MiB", lambda one: f"{one.start_peak_mib:.0f}"),
    ("peak MiB", lambda one: f"{one.peak_mib:.0f}"),
    ("MiB at the end", lambda one: f"{one.resident_mib:.0f}"),
    ("bytes a record", lambda one: f"{one.bytes_per_record:.0f}"),
)


def table(results: Sequence[Result]) -> str:
    """The table; an empty one when nothing was measured."""
    rows = [["", *(one.title for one in results)], *([name, *(show(one) for one in results)] for name, show in _ROWS)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        f"| {' | '.join(cell.ljust(width) if not number else cell.rjust(width) for number, (cell, width) in enumerate(zip(row, widths, strict=True)))} |"
        for row in rows
    ]
    rule = f"|{'|'.join('-' * (width + 2) if not number else '-' * (width + 1) + ':' for number, width in enumerate(widths))}|"
    return "\n".join([lines[0], rule, *lines[1:]])
