"""The command `xlbackprop check`: each file read, recalculated, recognised, judged and reported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from xlbackprop.checker.checking import Checked, check
from xlbackprop.checker.report.findings import EXIT_CODES
from xlbackprop.checker.table.column_map import load as load_map
from xlbackprop.errors import UserError
from xlbackprop.progress import waiting


def run(files: Sequence[Path], *, as_json: bool, annotate: Path | None, engine: str, map_file: Path | None) -> int:
    """Check files, print the reports and give the exit code.

    Raises:
        UserError: an option cannot be used.
    """
    if annotate is not None and len(files) != 1:
        raise UserError(f"--annotate: found {len(files)} files, expected one")
    table_map = load_map(map_file) if map_file is not None else None
    checked = []
    for path in files:
        with waiting(f"checking {path.name}"):
            checked.append(check(path, engine=engine, table_map=table_map))
    reports = [each.report for each in checked]
    kept = _annotate(checked[0], annotate) if annotate is not None else None
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(reports), indent=2).decode() + "\n")
    else:
        from rich.console import Console

        from xlbackprop.checker.report.terminal import show

        show(reports, Console())
        if kept:
            sys.stdout.write(kept + "\n")
    return max(EXIT_CODES[report.status] for report in reports)


def _annotate(checked: Checked, target: Path) -> str:
    """Write the annotated copy; the words that say so."""
    from xlbackprop.checker.report.annotated_copy import annotate

    if checked.book is None:
        return ""
    lost = annotate(checked.book, checked.report, target)
    words = f"\nWrote {target}: the workbook with the mistakes marked and a summary in front."
    return words + (f"\nNot kept in the copy: {'; '.join(lost)}." if lost else "")
