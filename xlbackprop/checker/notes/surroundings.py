"""Around the table: what a workbook says beside it, noted apart from the mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.cells import Cell, Sheet
from xlbackprop.checker.file.container import UnreadableError
from xlbackprop.checker.file.formula import Formula
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.judgement.row_values import half_unit
from xlbackprop.checker.judgement.slip_search import Budget
from xlbackprop.checker.judgement.table_judge import Verdict
from xlbackprop.checker.notes.charts import chart_notes
from xlbackprop.checker.notes.written_formulas import written_derivations
from xlbackprop.checker.report.findings import Note
from xlbackprop.grid import Coordinates, ranges

_PORTABLE = frozenset(
    [
        "EXP",
        "POWER",
        "SQRT",
        "ABS",
        "LN",
        "LOG",
        "LOG10",
        "SUM",
        "PRODUCT",
        "SUMSQ",
        "SUMPRODUCT",
        "SUBSTITUTE",
        "SUMXMY2",
        "AVERAGE",
        "MIN",
        "MAX",
        "IF",
        "IFERROR",
        "ROUND",
        "ROUNDUP",
        "ROUNDDOWN",
        "INT",
        "MOD",
        "PI",
        "SIGN",
        "TANH",
        "SINH",
        "COSH",
        "N",
        "T",
        "VALUE",
        "FIND",
        "AND",
        "OR",
        "NOT",
        "ROW",
        "ROWS",
        "COLUMN",
        "COLUMNS",
        "INDEX",
        "MATCH",
        "VLOOKUP",
        "HLOOKUP",
        "LOOKUP",
        "COUNT",
        "COUNTA",
        "COUNTIF",
        "SUMIF",
        "MMULT",
        "TRANSPOSE",
        "CONCATENATE",
        "FIXED",
        "TEXT",
        "LEFT",
        "RIGHT",
        "MID",
        "LEN",
        "TRUE",
        "FALSE",
        "CHOOSE",
        "IFNA",
        "ISNUMBER",
        "ISBLANK",
        "ISERROR",
        "NA",
        "MEDIAN",
        "STDEV",
        "VAR",
        "RANK",
        "HYPERLINK",
        "ROWS",
        "TRIM",
        "REPT",
        "UPPER",
        "LOWER",
        "CHAR",
    ]
)
_VOLATILE = frozenset(["OFFSET", "INDIRECT", "RAND", "RANDBETWEEN", "RANDARRAY", "NOW", "TODAY", "CELL", "INFO"])
_SAME = 1e-7
"""Relative; a long training enlarges the differences between two programs' last bits."""
_SAME_NEAR_ZERO = 1e-12


def look_around(book: Book, verdicts: Sequence[Verdict], recalculated: Values, budget: Budget) -> Iterator[Note]:
    """Everything worth saying that is no mistake in a table."""
    seen = set()
    for verdict in verdicts:
        sheet = verdict.table.sheet
        if sheet.name not in seen:
            seen.add(sheet.name)
            yield from _readable(sheet.name, written_derivations(book, sheet, verdict.meaning, budget))
    yield from _readable("", chart_notes(book, verdicts))
    yield from _functions(book)
    # where we know the table for certain, the other sheets measure rounding on purpose, which programs do differently
    certain = any(verdict.table.certain for verdict in verdicts)
    yield from _stale([sheet for sheet in book.sheets if sheet.name in seen or not certain], recalculated)


def _readable(sheet: str, notes: Iterator[Note]) -> Iterator[Note]:
    """The notes, as far as the drawings they are about can be read: the table is judged all the same."""
    try:
        yield from notes
    except UnreadableError as error:
        yield Note(sheet, (), "damaged_part", str(error))


def _functions(book: Book) -> Iterator[Note]:
    for sheet in (sheet for sheet in book.sheets if sheet.is_read):
        strange: dict[str, list[tuple[int, int]]] = {}
        names: dict[Formula | None, frozenset[str]] = {
            formula: formula.functions - _PORTABLE
            for formula in sheet.distinct_formulas
            if not formula.functions <= _PORTABLE
        }
        if names:
            for place, cell in sheet.cells.items():
                for name in names.get(cell.formula, ()):
                    strange.setdefault(name.removeprefix("_XLFN."), []).append(place)
        for name, places in sorted(strange.items()):
            cells = ranges(places)
            if name in _VOLATILE:
                yield Note(sheet.name, cells, "volatile", f"{name} gives something else at every recalculation")
            else:
                yield Note(sheet.name, cells, "function", f"not every spreadsheet program has the function {name}")


def _stale(sheets: Sequence[Sheet], recalculated: Values) -> Iterator[Note]:
    """Cells whose stored value is not what their formula gives."""
    volatile = any(formula.functions & _VOLATILE for sheet in sheets for formula in sheet.distinct_formulas)
    for sheet in sheets:
        stale, circular, errors = [], [], []
        for place, cell in _calculated(sheet, recalculated):
            value = recalculated.get((sheet.name, *place))
            if value == cell.value and isinstance(value, float):
                continue
            if value == "#CIRC!":
                circular.append(place)
            elif isinstance(value, str) and value.startswith("#"):
                errors.append(place)
            elif not volatile and _differs(cell, value):
                stale.append(place)
        if circular:
            yield Note(sheet.name, ranges(circular), "circular", "the formulas refer to themselves in a circle")
        if errors:
            yield Note(
                sheet.name, ranges(errors), "error_value", "the formulas give an error value when they are recalculated"
            )
        if stale:
            yield Note(sheet.name, ranges(stale), "stale_value", _stale_words(sheet, stale[0], recalculated))


def _calculated(sheet: Sheet, recalculated: Values) -> list[tuple[Coordinates, Cell]]:
    """The formula cells of a sheet, without those in blocks that hold what it gives."""
    found = [(place, cell) for place, cell in sheet.content.alone.items() if cell.formula is not None]
    if not sheet.content.blocks:
        return found
    for block in sheet.content.blocks:
        given, columns = recalculated.numbers(sheet, block), list(block.places)
        for index in (index for index, formula in enumerate(block.formulas) if formula is not None):
            off = np.abs(block.numbers[:, index] - given[:, index])
            near = off <= _SAME * np.abs(given[:, index]) + _SAME_NEAR_ZERO
            others = np.flatnonzero(~near) + block.first
            found += [((row, columns[index]), sheet.cells[row, columns[index]]) for row in others.tolist()]
    return sorted(found, key=lambda item: item[0])


def _differs(cell: Cell, value: float | str | None) -> bool:
    if cell.number is None or cell.value == value or not isinstance(value, float):
        return False
    allowed = _SAME * abs(value) + _SAME_NEAR_ZERO
    off = abs(cell.number - value)
    return not off <= allowed and off > allowed + 2 * half_unit(cell.digits, cell.number)


def _stale_words(sheet: Sheet, place: tuple[int, int], recalculated: Values) -> str:
    stored, value = sheet.cells[place].number, recalculated[(sheet.name, *place)]
    return (
        f"the stored values are not what the formulas give: {ranges([place])[0]} holds {stored:.10g}, its formula gives"
        f" {value:.10g}; the cells were judged after recalculation"
    )
