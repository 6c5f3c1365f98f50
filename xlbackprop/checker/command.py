"""The command `xlbackprop check`: files handed to workers, their reports printed in the order of the files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from msgspec.structs import replace

from xlbackprop.checker.report.findings import EXIT_CODES
from xlbackprop.checker.workers import Outcome, Request, checked_by_workers, requests
from xlbackprop.ground import terminal
from xlbackprop.ground.errors import UserError
from xlbackprop.ground.files import atomic_write, require_ending, require_writable
from xlbackprop.ground.progress import Listener, bar, nobody, waiting


def run(files: Sequence[Path], *, as_json: bool, annotate: Path | None, engine: str, map_file: Path | None) -> int:
    """Check files, print the reports and give the exit code.

    Raises:
        UserError: an option cannot be used.
    """
    if annotate is not None:
        _require_copy(files, annotate)
    with tempfile.TemporaryDirectory(prefix="xlbackprop-", ignore_cleanup_errors=True) as scratch:
        copy = None if annotate is None else Path(scratch) / "copy.xlsx"
        outcomes = _outcomes(requests(files, engine, map_file, copy))
        _show(files, outcomes, as_json=as_json)
        if copy is not None and annotate is not None:
            _place(outcomes[0], copy, annotate, as_json=as_json)
    return max(EXIT_CODES[outcome.report.status] for outcome in outcomes)


def _outcomes(requests: Sequence[Request]) -> list[Outcome]:
    found: dict[int, Outcome] = {}
    with ExitStack() as shown:
        listener: Listener = nobody
        if len(requests) > 1:
            listener = shown.enter_context(bar())
        else:
            shown.enter_context(waiting(f"checking {requests[0].path.name}"))
        for number, outcome in shown.enter_context(checked_by_workers(requests)):
            found[number] = outcome
            listener(f"checked {requests[number].path.name}", len(found), len(requests))
    return [found[number] for number in range(len(requests))]


def _show(files: Sequence[Path], outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    reports = [replace(each.report, file=terminal.safe_line(path)) for each, path in zip(outcomes, files, strict=True)]
    if as_json:
        terminal.say_json(msgspec.json.format(msgspec.json.encode(reports), indent=2).decode())
    else:
        from xlbackprop.checker.report.terminal import show

        show(reports, terminal.console())


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


def _place(outcome: Outcome, copy: Path, target: Path, *, as_json: bool) -> None:
    """Put the annotated copy in its place, and say so."""
    if outcome.problem:
        raise UserError(f"--annotate: {target} was not written: {outcome.problem}")
    if outcome.lost is None:
        return
    with atomic_write(target) as temporary:
        shutil.copyfile(copy, temporary)
    words = f"\nWrote {target}: the workbook with the mistakes marked and a summary in front.\n"
    if outcome.lost:
        words += f"Not kept in the copy: {'; '.join(outcome.lost)}.\n"
    if as_json:
        terminal.say_to_stderr(words)
    else:
        terminal.say(words, end="")
