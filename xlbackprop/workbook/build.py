"""The workbook: a definition, its derivation and its trace put together into an Excel file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace
from openpyxl.packaging.core import DocumentProperties
from openpyxl.packaging.custom import StringProperty
from openpyxl.workbook.workbook import Workbook

from xlbackprop.derivation import Derivation
from xlbackprop.engine import train
from xlbackprop.errors import UserError, did_you_mean
from xlbackprop.grid import NoRoomError
from xlbackprop.network import Definition, to_properties
from xlbackprop.progress import Listener, nobody
from xlbackprop.walkthrough import Lesson, fit
from xlbackprop.workbook.sheets.registry import SHEETS, filler_of, name_of, reason_against, title_of
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.writer import save

ALWAYS = ("walkthrough", "data")
"""The sheets that every workbook has, because the others read them: the table, and the samples if there are several."""

_NO_TIME = datetime(2000, 1, 1)
"""The real time of writing would make equal workbooks differ."""


def _ignored(title: str, reason: str) -> None:
    pass


def build(
    definition: Definition,
    path: str | Path,
    *,
    columns: str = "compact",
    sheets: Collection[str] | None = None,
    iteration: int = 0,
    listener: Listener = nobody,
    left_out: Callable[[str, str], None] = _ignored,
) -> Path:
    """Write the workbook of a walkthrough.

    Args:
        definition: what to compute; see `load`.
        path: the file to write, `.xlsx`; an existing one is replaced only by a complete new one.
        columns: `compact` for the columns of the original sheet, `full` for every link of the chain rule.
        sheets: which sheets appear, by their names in `SHEETS` or by their titles; the Walkthrough always does. None
            for all that the walkthrough has a use for, and that are not too large for it.
        iteration: the one that the sheets which show a single iteration open with, from 0.
        listener: is told how far the work has come.
        left_out: is told the title of every sheet that is too large for the walkthrough, and in which respect.

    Returns:
        The path written.

    Raises:
        UserError: the file cannot be written, there is no such sheet or iteration, or no room for it.
    """
    path = Path(path)
    if not 0 <= iteration < definition.iterations:
        raise UserError(f"iteration: found {iteration}, expected a number from 0 to {definition.iterations - 1}")
    arrangement = fit(definition, columns)
    chosen = _chosen(sheets, definition, arrangement.table.derivation, left_out)
    lesson = Lesson(definition, arrangement, train(definition, listener=listener), iteration=iteration)
    workbook, pages = _filled(lesson, chosen, ALWAYS if sheets is None else SHEETS, left_out)
    pages[0].sheet.sheet_view.tabSelected = True
    save(workbook, {page.sheet.title: page.content() for page in pages}, path, listener)
    return path


def _filled(
    lesson: Lesson, chosen: tuple[str, ...], required: Collection[str], left_out: Callable[[str, str], None]
) -> tuple[Workbook, list[Page]]:
    """The workbook with the chosen sheets, but for those that turn out too large and are not required."""
    workbook = _empty(lesson.definition)
    lesson = replace(lesson, sheets=tuple(map(title_of, chosen)))
    try:
        return workbook, [filler_of(name)(workbook, lesson) for name in chosen]
    except NoRoomError as error:
        too_large = name_of(error.sheet)
        if too_large in required:
            raise
        left_out(error.sheet, str(error.problem))
    return _filled(lesson, tuple(name for name in chosen if name != too_large), required, left_out)


def _empty(definition: Definition) -> Workbook:
    workbook = Workbook()
    workbook.remove(workbook.active)
    workbook.properties = _properties(definition)
    for name, text in to_properties(definition).items():
        workbook.custom_doc_props.append(StringProperty(name=name, value=text))
    workbook.security = None  # openpyxl would write an empty element, which Gnumeric warns of
    workbook.calculation.fullCalcOnLoad = True
    theme.add_styles(workbook)
    return workbook


def _chosen(
    sheets: Collection[str] | None,
    definition: Definition,
    derivation: Derivation,
    left_out: Callable[[str, str], None],
) -> tuple[str, ...]:
    """The names of the sheets to make, in the order of the workbook."""
    if sheets is None:
        reasons = {name: reason_against(name, definition, derivation) for name in SHEETS}
        for name, reason in reasons.items():
            if reason is not None and reason.is_size:
                left_out(title_of(name), reason.words)
        return tuple(name for name, reason in reasons.items() if reason is None)
    if not sheets:
        raise UserError(f"sheets: found none, expected one or more of {', '.join(SHEETS)}")
    asked = set(map(name_of, sheets))
    asked |= {name for name in ALWAYS if reason_against(name, definition, derivation) is None}
    for name in sorted(asked):
        if name not in SHEETS:
            raise UserError(f'sheets: there is no sheet "{name}"; {did_you_mean(name, SHEETS)}')
        reason = reason_against(name, definition, derivation)
        if reason is not None:
            raise UserError(f'sheets: no sheet "{name}" for this walkthrough: {reason.words}')
    return tuple(name for name in SHEETS if name in asked)


def _properties(definition: Definition) -> DocumentProperties:
    return DocumentProperties(
        title=definition.title,
        description=definition.teaches,
        creator="xlbackprop",
        language="en",
        created=_NO_TIME,
        modified=_NO_TIME,
    )
