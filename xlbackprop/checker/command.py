"""The command `xlbackprop check`: each file read, recalculated, recognised, judged and reported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from xlbackprop import terminal
from xlbackprop.checker.checking import Checked, checked
from xlbackprop.checker.report.findings import EXIT_CODES
from xlbackprop.checker.table.column_map import load as load_map
from xlbackprop.errors import UserError
from xlbackprop.files import require_ending, require_writable
from xlbackprop.progress import waiting


def run(files: Sequence[Path], *, as_json: bool, annotate: Path | None, engine: str, map_file: Path | None) -> int:
    """Check files, print the reports and give the exit code.

    Raises:
        UserError: an option cannot be used.
    """
    if annotate is not None:
        _require_copy(files, annotate)
    table_map = load_map(map_file) if map_file is not None else None
    results = []
    for path in files:
        with waiting(f"checking {path.name}"):
            results.append(checked(path, engine=engine, table_map=table_map))
    reports = [replace(each.report, file=terminal.safe_line(path)) for each, path in zip(results, files, strict=True)]
    if as_json:
        terminal.say_json(msgspec.json.format(msgspec.json.encode(reports), indent=2).decode())
    else:
        from xlbackprop.checker.report.terminal import show

        show(reports, terminal.console())
    if annotate is not None and (kept := _annotate(results[0], annotate)):
        (terminal.say_beside if as_json else terminal.say)(kept)
    return max(EXIT_CODES[report.status] for report in reports)


def _require_copy(files: Sequence[Path], target: Path) -> None:
    """See to it, before any work, that a copy of the one file can be written."""
    if len(files) != 1:
        raise UserError(f"--annotate: found {len(files)} files, expected one")
    try:
        require_ending(target, ".xlsx")
        require_writable(target)
    except UserError as error:
        raise UserError(f"--annotate: {error}") from None
    if target.exists() and files[0].exists() and target.samefile(files[0]):
        raise UserError(f"--annotate: {target} is the file that is checked; choose another name for the copy")


def _annotate(checked: Checked, target: Path) -> str:
    """Write the annotated copy; the words that say so."""
    from xlbackprop.checker.report.annotated_copy import annotate

    if checked.book is None:
        return ""
    lost = annotate(checked.book, checked.report, target)
    words = f"\nWrote {target}: the workbook with the mistakes marked and a summary in front."
    return words + (f"\nNot kept in the copy: {'; '.join(lost)}." if lost else "")
