"""The workbook: a definition, its derivation and its trace put together into an Excel file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import SupportsIndex

from msgspec.structs import replace

from xlbackprop.derivation import Derivation
from xlbackprop.engine import train
from xlbackprop.ground.errors import UserError, did_you_mean, index_of, shown
from xlbackprop.ground.files import require_ending, require_writable
from xlbackprop.ground.grid import LONGEST_PROPERTY, NoRoomError, cut
from xlbackprop.ground.progress import Listener, nobody
from xlbackprop.network import Definition, to_cells, to_properties, validated
from xlbackprop.walkthrough import Lesson, fit
from xlbackprop.workbook.sheets.registry import SHEETS, Sheet, name_of
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.writer import save


def _ignored(title: str, reason: str) -> None:
    pass


def build(
    definition: Definition,
    path: str | Path,
    *,
    columns: str = "compact",
    sheets: Collection[str] | None = None,
    iteration: SupportsIndex | None = None,
    listener: Listener = nobody,
    left_out: Callable[[str, str], None] = _ignored,
) -> Path:
    """Write the workbook of a walkthrough.

    Args:
        definition: what to compute; see `load`.
        path: the file to write, `.xlsx`; an existing one is replaced only by a complete new one.
        columns: `compact` for the columns of the original sheet, `full` for every link of the chain rule.
        sheets: which sheets appear, by their titles, in small letters with hyphens or not; the Walkthrough always does.
            None for all that the walkthrough has a use for, and that are not too large for it.
        iteration: the one that the sheets which show a single iteration open with, from 0. None for
            the first one in which weights move: 0, or the last one of the first batch.
        listener: is told how far the work has come.
        left_out: is told the title of every sheet that is too large for the walkthrough, and in which respect.

    Returns:
        The path written.

    Raises:
        UserError: the file cannot be written, there is no such sheet or iteration, or no room for it.
    """
    definition = validated(definition)
    path = Path(path)
    require_ending(path, ".xlsx")
    require_writable(path)
    iteration = opening_iteration(definition, iteration)
    arrangement = fit(definition, columns)
    chosen = _chosen(sheets, definition, arrangement.table.derivation, left_out)
    lesson = Lesson(definition, arrangement, train(definition, listener=listener), iteration=iteration)
    required = [sheet for sheet in chosen if sheet.is_read_by_others or sheets is not None]
    workbook, pages = _filled(lesson, chosen, required, left_out)
    save(workbook, [page.content() for page in pages], path, listener)
    return path


def opening_iteration(definition: Definition, found: SupportsIndex | None) -> int:
    """The iteration that is shown where there is one to choose: by default the first one in which weights move.

    Raises:
        UserError: there is no such iteration.
    """
    last = definition.iterations - 1
    if found is None:
        return min(definition.samples_a_batch - 1, last)
    return index_of("iteration", found, last)


def _filled(
    lesson: Lesson, chosen: Sequence[Sheet], required: Collection[Sheet], left_out: Callable[[str, str], None]
) -> tuple[Workbook, list[Page]]:
    """The workbook with the chosen sheets, but for those that turn out too large and are not required."""
    workbook = empty_workbook(lesson.definition)
    lesson = replace(lesson, sheets=tuple(sheet.title for sheet in chosen))
    try:
        pages = [sheet.fill(workbook, lesson) for sheet in chosen]
        return workbook, [*pages, _definition_page(workbook, lesson.definition)]
    except NoRoomError as error:
        if error.sheet in {sheet.title for sheet in required}:
            raise
        left_out(error.sheet, str(error.problem))
        fewer = [sheet for sheet in chosen if sheet.title != error.sheet]
    return _filled(lesson, fewer, required, left_out)


def empty_workbook(definition: Definition) -> Workbook:
    """A workbook without a sheet, with what the file says of itself."""
    title, description = (cut(text, LONGEST_PROPERTY) for text in (definition.title, definition.teaches))
    return Workbook(title, description, to_properties(definition))


def _definition_page(workbook: Workbook, definition: Definition) -> Page:
    """A hidden sheet that holds the definition for those who check the workbook after other programs have saved it."""
    page = Page(workbook, "Definition")
    page.frame.is_hidden = True
    page.text("A1", "What this workbook was made from, for `xlbackprop check`.")
    for row, text in enumerate(to_cells(definition), 2):
        page.text(f"A{row}", text)
    return page


def _chosen(
    sheets: Collection[str] | None, definition: Definition, derivation: Derivation, left_out: Callable[[str, str], None]
) -> list[Sheet]:
    """The sheets to make, in the order of the workbook."""
    if sheets is None:
        reasons = {sheet: sheet.reason_against(definition, derivation) for sheet in SHEETS}
        for sheet, reason in reasons.items():
            if reason is not None and reason.is_size:
                left_out(sheet.title, reason.words)
        return [sheet for sheet, reason in reasons.items() if reason is None]
    known = {sheet.name: sheet for sheet in SHEETS}
    if isinstance(sheets, str) or not isinstance(sheets, Collection):
        example = sheets if isinstance(sheets, str) else next(iter(known))
        raise UserError(f'sheets: found {shown(sheets)}, expected a list of names, such as ["{example}"]')
    if not all(isinstance(name, str) for name in sheets):
        wrong = next(name for name in sheets if not isinstance(name, str))
        raise UserError(f"sheets: found {shown(wrong)} in it, expected names: {', '.join(known)}")
    if not sheets:
        raise UserError(f"sheets: found none, expected one or more of {', '.join(known)}")
    asked = set(map(name_of, sheets))
    for name in sorted(asked):
        if name not in known:
            raise UserError(f'sheets: there is no sheet "{name}"; {did_you_mean(name, known)}')
        reason = known[name].reason_against(definition, derivation)
        if reason is not None:
            raise UserError(f'sheets: no sheet "{name}" for this walkthrough: {reason.words}')
    return [
        sheet
        for sheet in SHEETS
        if sheet.name in asked or (sheet.is_read_by_others and sheet.reason_against(definition, derivation) is None)
    ]
