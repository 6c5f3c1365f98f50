"""The report on a file, made in the process of the tests: a worker takes longer to start than most files to check."""

from __future__ import annotations

from pathlib import Path

from xlbackprop import Report
from xlbackprop.checker.checking import checked
from xlbackprop.checker.table.column_map import load


def check(path: Path, *, engine: str = "ironcalc", map_file: Path | None = None) -> Report:
    """What `xlbackprop.check` says, without its limits."""
    return checked(path, engine=engine, table_map=None if map_file is None else load(map_file)).report


def findings_of(report: Report) -> list[tuple[tuple[str, ...], str]]:
    """The cells of every mistake, and what belongs there."""
    return [(finding.cells, finding.expected) for finding in report.findings]
