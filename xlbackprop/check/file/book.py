"""A workbook as the checker sees it: cells with value, stored digits and formula, and what stands around them."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from posixpath import dirname, join, normpath

from msgspec import Struct

from xlbackprop.check.file.container import Container, Element, UnreadableError
from xlbackprop.check.file.formula import Formula, Formulas, column_number
from xlbackprop.walkthrough.table import column_letter

MOST_CELLS = 3_000_000
Coordinates = tuple[int, int]
"""Row and column, counted from 1."""


class Cell(Struct, gc=False):
    """One cell that is not empty."""

    value: float | str | None
    """As stored; an error value is its text, such as `#NUM!`."""
    digits: str = ""
    """The text of a number as the file has it."""
    formula: Formula | None = None

    @property
    def number(self) -> float | None:
        return self.value if isinstance(self.value, float) else None


class Sheet(Struct):
    """One sheet: its cells by row and column, and the part of the file that its drawings are in."""

    name: str
    part: str
    cells: dict[Coordinates, Cell]

    def text(self, row: int, column: int) -> str:
        """The text in a cell; empty where there is none."""
        cell = self.cells.get((row, column))
        return cell.value if cell is not None and isinstance(cell.value, str) else ""


class Book(Struct, dict=True):
    """All sheets of a workbook with cells, in the order of its tabs."""

    path: Path
    container: Container
    sheets: tuple[Sheet, ...]
    defined_names: dict[str, str]

    @cached_property
    def by_name(self) -> dict[str, Sheet]:
        return {sheet.name: sheet for sheet in self.sheets}

    @property
    def formulas(self) -> int:
        """How many formula cells there are."""
        return sum(cell.formula is not None for sheet in self.sheets for cell in sheet.cells.values())


def read(path: Path) -> Book:
    """Read a workbook.

    Raises:
        UnreadableError: it is no `.xlsx` workbook, damaged, encrypted or dangerous.
    """
    container = Container(path)
    relations = relationships(container, "")
    main = next((target for kind, target in relations.values() if kind == "officeDocument"), "xl/workbook.xml")
    tree = container.tree(main)
    targets = relationships(container, main)
    strings = next((target for kind, target in targets.values() if kind == "sharedStrings"), "")
    texts = _strings(container, strings) if strings in container.names else []
    formulas = Formulas()
    sheets = []
    for element in tree.all("sheet"):
        kind, part = targets.get(element.attributes.get("id", ""), ("", ""))
        if kind == "worksheet" and part in container.names:
            sheets.append(_sheet(container, element.attributes.get("name", ""), part, texts, formulas))
    if not sheets:
        raise UnreadableError("the workbook has no sheet with cells")
    names = {element.attributes.get("name", ""): element.content() for element in tree.all("definedName")}
    return Book(path, container, tuple(sheets), names)


def relationships(container: Container, part: str) -> dict[str, tuple[str, str]]:
    """What a part refers to, by id: the kind and the name of the other part; never anything outside the file."""
    folder, name = dirname(part), part.rpartition("/")[2]
    source = join(folder, "_rels", f"{name}.rels")
    if source not in container.names:
        return {}
    found = {}
    for element in container.tree(source).all("Relationship"):
        attributes = element.attributes
        if attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            resolved = target.lstrip("/") if target.startswith("/") else normpath(join(folder, target))
            found[attributes.get("Id", "")] = (attributes.get("Type", "").rpartition("/")[2], resolved)
    return found


def _strings(container: Container, part: str) -> list[str]:
    return [_plain(element) for element in container.tree(part).all("si")]


def _plain(element: Element) -> str:
    """The text of a rich string, without the readings that Asian scripts have beside it."""
    return "".join(
        child.content() if child.tag == "r" else child.text for child in element.children if child.tag in {"t", "r"}
    )


_ADDRESS = re.compile(r"([A-Za-z]{1,3})([1-9]\d{0,6})")
_EMPTY_CELL = re.compile(rb'<c r="[^<>]*/>')


def _sheet(container: Container, name: str, part: str, texts: list[str], formulas: Formulas) -> Sheet:
    """Read one sheet in a single pass; the callbacks run once for each of its elements."""
    cells: dict[Coordinates, Cell] = {}
    shared: dict[str, tuple[Formula, int, int]] = {}
    columns: dict[str, int] = {}
    row = column = 0
    kind = ""
    value: str | None = None
    formula: str | None = None
    formula_attributes: dict[str, str] = {}
    parts: list[str] = []
    collecting = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal row, column, kind, value, formula, formula_attributes, collecting
        if tag == "c":
            address = attributes.get("r")
            match = _ADDRESS.fullmatch(address) if address else None
            if match:
                letters = match[1]
                number = columns.get(letters)
                if number is None:
                    number = columns[letters] = column_number(letters)
                column, row = number, int(match[2])
            else:
                column += 1
            kind = attributes.get("t", "n")
            value = formula = None
        elif tag == "v" or tag == "t":
            collecting = True
            parts.clear()
        elif tag == "f":
            collecting = True
            parts.clear()
            formula_attributes = attributes
        elif tag == "row":
            number_text = attributes.get("r", "")
            row = int(number_text) if number_text.isdigit() and len(number_text) < 8 else row + 1
            column = 0

    def end(tag: str) -> None:
        nonlocal value, formula, collecting
        if tag == "c":
            if value is not None or formula is not None:
                _keep(kind, value, formula)
        elif tag == "v":
            value = "".join(parts)
            collecting = False
        elif tag == "t":
            value = (value or "") + "".join(parts)
            collecting = False
        elif tag == "f":
            formula = "".join(parts)
            collecting = False

    def data(text: str) -> None:
        if collecting:
            parts.append(text)

    def _keep(kind: str, value: str | None, text: str | None) -> None:
        if len(cells) >= MOST_CELLS:
            raise UnreadableError(f"the sheet {name} has more than {MOST_CELLS:,} cells")
        rule = _rule(text) if text is not None else None
        plain = value or ""
        content: float | str | None
        if kind == "s":
            content = texts[int(plain)] if plain.isdigit() and len(plain) < 9 and int(plain) < len(texts) else ""
        elif kind in {"str", "inlineStr", "e", "d"}:
            content = plain
        else:
            try:
                content = float(plain) if plain else None
            except ValueError:
                content = plain
        if content is None and rule is None:
            return
        if isinstance(content, str) and not content.strip() and rule is None:
            return
        cells[row, column] = Cell(content, plain if isinstance(content, float) else "", rule)

    def _rule(text: str) -> Formula | None:
        index = formula_attributes.get("si") if formula_attributes.get("t") == "shared" else None
        if index is not None and not text:
            master = shared.get(index)
            return master[0] if master else None
        rule = formulas.read(text.strip().lstrip("="), row, column) if text else None
        if index is not None and rule is not None:
            shared[index] = (rule, row, column)
        return rule

    container.parse(part, start, end, data, _EMPTY_CELL)
    return Sheet(name, part, cells)


def address(row: int, column: int) -> str:
    """The address of a cell, such as `J33`."""
    return f"{column_letter(column)}{row}"


def ranges(cells: list[Coordinates]) -> tuple[str, ...]:
    """The fewest ranges, column by column, that hold exactly these cells; equal neighbours become one block."""
    runs: list[tuple[int, int, int]] = []
    for row, column in sorted(set(cells), key=lambda cell: (cell[1], cell[0])):
        if runs and runs[-1][0] == column and runs[-1][2] == row - 1:
            runs[-1] = (column, runs[-1][1], row)
        else:
            runs.append((column, row, row))
    blocks: dict[tuple[int, int], list[list[int]]] = {}
    for column, top, bottom in runs:
        spans = blocks.setdefault((top, bottom), [])
        if spans and spans[-1][1] == column - 1:
            spans[-1][1] = column
        else:
            spans.append([column, column])
    found = [(top, left, bottom, right) for (top, bottom), spans in blocks.items() for left, right in spans]
    return tuple(
        address(top, left) if (top, left) == (bottom, right) else f"{address(top, left)}:{address(bottom, right)}"
        for top, left, bottom, right in sorted(found, key=lambda block: (block[1], block[0]))
    )
