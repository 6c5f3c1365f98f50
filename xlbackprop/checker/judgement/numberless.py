"""Cells that give no number where one belongs: errors, text, emptied formulas."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from xlbackprop.checker.file.arrays import has_array
from xlbackprop.checker.file.book import Book, main_part
from xlbackprop.checker.file.cells import Cell, Sheet, number_of
from xlbackprop.checker.file.formula import CellFormula, Position
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.judgement.row_values import numbers_along
from xlbackprop.checker.report.findings import Finding, shortened
from xlbackprop.checker.table.recognise import IterationTable
from xlbackprop.ground.grid import Coordinates, address, ranges

_OF_ONE_PROGRAM = frozenset({"POW"})
"""Functions that one program alone knows: their formulas are judged."""
_NOT_READ = "#ERROR!"
"""What IronCalc gives for a formula that it cannot read."""
CIRCLE = "#CIRC!"
_NOTHING = frozenset({"empty", "gap"})
_REPEATED = re.compile(rb"<(?:\w+:)?calcPr\b[^<>]*\biterate=[\"'](?:1|true)[\"']")
"""A workbook whose circles are calculated again and again."""
_GIVEN = re.compile(r"[itb]\d+")
_POWER_OF_E = re.compile(r"(?<![A-Za-z0-9_.$])[eE]\s*\^\s*(\([^()]*\)|-?[$A-Za-z0-9.]+)")


def numberless_cells(book: Book, table: IterationTable, recalculated: Values) -> Iterator[Finding]:
    """A finding for each column, or row, of a table in which cells give no number, at the first cause."""
    groups: dict[tuple[str, str, int], list[Coordinates]] = defaultdict(list)
    step_of: dict[Coordinates, int] = {}
    whole = [
        stretch
        for stretch in table.stretches
        if _is_whole([table.on(line, stretch.start) for line in table.lines.values()])
    ]
    rows = [step for stretch in whole for step in stretch]
    for name, line in table.lines.items():
        cells = ((stretch, table.on(line, stretch.start)) for stretch in whole)
        filled = sum(len(stretch) for stretch, cell in cells if cell is not None and cell.formula is not None)
        has_formulas = 2 * filled > len(rows)
        without = np.isnan(numbers_along(table, line, recalculated))
        is_between = ~(np.append(True, without[:-1]) | np.append(without[1:], True))
        for step in (step for step in rows if without[step]):
            place = table.place(name, step)
            what = _lack(book, table, place, recalculated, has_formulas or bool(is_between[step]))
            if what == "empty" and not has_formulas:
                what = "gap"
            if what and not (_GIVEN.fullmatch(name) and what in _NOTHING):
                groups[name, what, _number_of(table.sheet.cells.get(place))].append(place)
                step_of[place] = step
    circles = {key: min(step_of[place] for place in places) for key, places in groups.items() if key[1] == CIRCLE}
    first = min(circles, key=lambda key: circles[key], default=None)
    for key, places in groups.items():
        name, what, number = key
        if what == CIRCLE and key != first:
            continue  # the other cells of the circle, and what is calculated from it
        if number and what.startswith("#"):
            every = [table.place(name, step) for step in rows]
            places = [place for place in every if _number_of(table.sheet.cells.get(place)) == number]
        yield without_number(table.sheet, name, what, places, recalculated)


def unread_cells(table: IterationTable, recalculated: Values) -> list[Coordinates]:
    """The formulas of a table that give no number to compare, without those that only read others of them."""
    found: dict[Coordinates, CellFormula] = {}
    for name, line in table.lines.items():
        for step in np.flatnonzero(np.isnan(numbers_along(table, line, recalculated))).tolist():
            cell = table.on(line, step)
            if cell is not None and cell.formula is not None:
                place = table.place(name, step)
                value = recalculated.get((table.sheet.name, *place), cell.value)
                if not isinstance(value, float):
                    found[place] = cell.formula
    sheet = table.sheet.name
    unread = {(sheet, *place) for place in found}
    return sorted(
        place
        for place, formula in found.items()
        if unread.isdisjoint(reference.at(sheet, *place) for reference in formula.references)
        and not formula.functions & _OF_ONE_PROGRAM
    )


def empty_given_cells(table: IterationTable) -> list[Coordinates]:
    """The cells of inputs, targets and biases that hold nothing and that a formula of their own step reads."""
    given = [(name, line) for name, line in table.lines.items() if _GIVEN.fullmatch(name)]
    found: list[Coordinates] = []
    for stretch in table.stretches:
        empty = {table.place(name, stretch.start) for name, line in given if table.on(line, stretch.start) is None}
        cells = (
            (table.place(name, stretch.start), table.on(line, stretch.start)) for name, line in table.lines.items()
        )
        read = {
            reference.at(table.sheet.name, *place)[1:]
            for place, cell in (cells if empty else ())
            if cell is not None and cell.formula is not None
            for reference in cell.formula.references
        }
        found += empty & read
    return sorted(found)


def _is_whole(cells: Sequence[Cell | None]) -> bool:
    """Whether a row is one of calculation; the last may hold the updates alone."""
    return 4 * (len(cells) - cells.count(None)) > 3 * len(cells)


def _number_of(cell: Cell | None) -> int:
    """What tells the formula of a cell from others; 0 where there is none."""
    return 0 if cell is None or cell.formula is None else id(cell.formula)


def _lack(book: Book, table: IterationTable, place: Coordinates, recalculated: Values, is_needed: bool) -> str:
    """What a cell holds in place of a number; empty where it holds one."""
    cell = table.sheet.cells.get(place)
    if cell is None:
        return "empty" if is_needed else ""
    value: float | str | None = recalculated.get((table.sheet.name, *place), cell.value)
    if not isinstance(value, str) or not value.strip():
        return ""
    if not value.startswith("#"):
        return "text" if _is_or_hands_on_text(cell) else ""
    if value == CIRCLE:
        return value
    if not is_error_of(cell, value):
        return ""
    if cell.formula is not None and _only_reads_error(book, table.sheet.name, place, cell.formula, recalculated):
        return ""
    return value


def error_cells(book: Book, recalculated: Values) -> Iterator[Position]:
    """The formula cells of a workbook that give an error value of their own, not one that they read."""
    for sheet in (sheet for sheet in book.sheets if sheet.is_read):
        texts = (place for place, cell in sheet.content.alone.items() if isinstance(cell.value, str))
        for place in sorted({*texts, *recalculated.without_number(sheet.name)}):
            cell = sheet.cells[place]
            value = recalculated.get((sheet.name, *place), cell.value)
            if cell.formula is None or not isinstance(value, str) or not value.startswith("#"):
                continue
            if value == CIRCLE or not is_error_of(cell, value):
                continue
            if not _only_reads_error(book, sheet.name, place, cell.formula, recalculated):
                yield (sheet.name, *place)


def error_findings(
    book: Book, wanted: Callable[[Position], bool], name: Callable[[Position], str], recalculated: Values
) -> Iterator[Finding]:
    """A finding for each formula of a workbook that gives an error of its own, or is calculated from itself.

    Args:
        book: the workbook.
        wanted: which cells to tell of.
        name: what a cell is called.
        recalculated: what the formulas give.
    """
    groups: dict[tuple[str, str, int], list[Coordinates]] = defaultdict(list)
    for position in filter(wanted, error_cells(book, recalculated)):
        cell = book.by_name[position[0]].cells[position[1:]]
        groups[position[0], str(recalculated.get(position, cell.value)), id(cell.formula)].append(position[1:])
    for position in filter(wanted, _circular_cells(book, recalculated)):
        cell = book.by_name[position[0]].cells[position[1:]]
        groups[position[0], CIRCLE, id(cell.formula)].append(position[1:])
    for (sheet, what, _), places in groups.items():
        yield without_number(book.by_name[sheet], name((sheet, *places[0])), what, places, recalculated)


def _circular_cells(book: Book, recalculated: Values) -> Iterator[Position]:
    """The cells that read themselves, unless circles are meant to be calculated again and again."""
    main = book.container.read(main_part(book.container)) if book.container.kind == "xlsx" else b""
    for sheet in (sheet for sheet in book.sheets if sheet.is_read and not _REPEATED.search(main)):
        for place in recalculated.without_number(sheet.name):
            position, formula = (sheet.name, *place), sheet.cells[place].formula
            if formula is not None and position in (reference.at(*position) for reference in formula.references):
                yield position


def is_error_of(cell: Cell, value: str) -> bool:
    """Whether an error value is one of the cell, not of an engine that knows less than the program it was made with."""
    if value == _NOT_READ or isinstance(cell.value, float):
        return False
    if cell.formula is None or value not in ("#NAME?", "#VALUE!"):
        return True
    if value == "#VALUE!":
        return cell.value == value or cell.formula.tree is None or not has_array(cell.formula.tree)
    return not cell.formula.functions & _OF_ONE_PROGRAM and (cell.value == value or cell.formula.is_followed)


def _only_reads_error(book: Book, sheet: str, place: Coordinates, formula: CellFormula, recalculated: Values) -> bool:
    """Whether the error of a formula is that of a cell that it reads."""
    if is_broken(formula):
        return False
    for reference in formula.references:
        position = reference.at(sheet, *place)
        other = book.by_name.get(position[0])
        cell = other.cells.get(position[1:]) if other is not None else None
        value = recalculated.get(position, None if cell is None else cell.value)
        if isinstance(value, str) and (value.startswith("#") or (cell is not None and _is_or_hands_on_text(cell))):
            return True
    return False


def _is_or_hands_on_text(cell: Cell) -> bool:
    """Whether the text that a cell shows is typed there, or is that of the one cell that it refers to."""
    return cell.formula is None or (cell.formula.tree is not None and cell.formula.tree[0] == "ref")


def without_number(sheet: Sheet, name: str, what: str, places: list[Coordinates], recalculated: Values) -> Finding:
    """The finding on cells that give no number.

    Args:
        sheet: where they stand.
        name: what they are called; may be empty.
        what: an error value, `text`, `empty` where formulas stand around, or `gap` where numbers do.
        places: row and column of each.
        recalculated: what the formulas give.
    """
    where = address(*places[0])
    cell = sheet.cells.get(places[0])
    formula = None if cell is None else cell.formula
    _, is_alike = _neighbouring(sheet, places[0], formula)
    if formula is not None and (is_alike or is_broken(formula)):
        places = [place for place, other in sheet.cells.items() if other.formula is formula]
    first = places[0]
    stands = "" if cell is None else str(cell.value)
    if formula is not None:
        stands = f"={formula.written(*first)}"
    expected, _ = _neighbouring(sheet, first, formula)
    cells = ranges(places)
    subject = f"{name} in {shortened(cells)}" if name else shortened(cells)
    if what in _NOTHING:
        words, kind = f"is empty where a {'number' if what == 'gap' else 'formula'} belongs", "empty_cell"
    elif what == "text":
        text = str(recalculated.get((sheet.name, *first), stands))
        words, kind = f"holds the text “{text[:20]}” where a number belongs", "text_value"
        number = stands.strip().replace(",", ".")
        expected = expected or (number if number_of(number) is not None else "")
    elif what == CIRCLE:
        words, kind = "is calculated from itself, in a circle", "circular_reference"
    elif formula is not None and "#REF!" in stands:
        words, kind = "refers to a cell that was deleted (#REF!)", "broken_reference"
    elif is_alike and len(places) > 1:
        words, kind = f"takes other cells than the formulas on both sides, and gives {what} in {where}", "error_value"
    else:
        words, kind = f"gives {what}, no number", "error_value"
        mended = _POWER_OF_E.sub(lambda match: f"EXP({match[1].removeprefix('(').removesuffix(')')})", stands)
        if formula is not None and mended != stands:
            expected = mended
            words += "; EXP(x) is how spreadsheets write e^x"
    cell = sheet.cells.get(first)
    value = recalculated.get((sheet.name, *first), None if cell is None else cell.value)
    return Finding(
        sheet.name, cells, name or cells[0].partition(":")[0], kind, stands, expected, value, None, f"{subject} {words}"
    )


def is_broken(formula: CellFormula) -> bool:
    """Whether a formula gives an error wherever it stands: it refers to a cell that was deleted, or to no number e."""
    text = formula.written(1 << 20, 1 << 13)
    return "#REF!" in text or _POWER_OF_E.search(text) is not None


def _neighbouring(sheet: Sheet, place: Coordinates, own: CellFormula | None) -> tuple[str, bool]:
    """The formula of the line that a cell stands in, as it would stand there; whether it differs in references alone.

    Two cells alone are no line: a_h1 and a_h2 stand on both sides of h2.
    """

    def at(down: int, across: int) -> CellFormula | None:
        cell = sheet.cells.get((place[0] + down, place[1] + across))
        return None if cell is None else cell.formula

    for down, across in ((1, 0), (0, 1)):
        twice, before, after, later = (at(step * down, step * across) for step in (-2, -1, 1, 2))
        if before is None or before is own or is_broken(before):
            continue
        is_alike = own is not None and before is after and _texts(own) == _texts(before)
        is_end = (
            own is not None and before is twice and after is own and (is_broken(own) or _texts(own) == _texts(before))
        )
        if is_alike or is_end or (before is after and (before is twice or before is later)):
            return f"={before.written(*place)}", is_alike
    return "", False


def _texts(formula: CellFormula) -> list[str]:
    """A formula without its references."""
    return [piece for piece in formula.pieces if isinstance(piece, str)]
