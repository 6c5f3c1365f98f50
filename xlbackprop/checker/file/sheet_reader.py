"""The cells of one sheet, read from its part of the file."""

from __future__ import annotations

import re

from xlbackprop.checker.file.cells import Cell, Sheet
from xlbackprop.checker.file.container import Container, UnreadableError
from xlbackprop.checker.file.formula import Formula, Formulas
from xlbackprop.grid import Coordinates, column_number

MOST_CELLS = 3_000_000
LONGEST_TEXT = 2_000
"""Characters of a text that are looked at; no label and no written formula is as long."""

_ADDRESS = re.compile(r"([A-Za-z]{1,3})([1-9]\d{0,6})")
_EMPTY_CELL = re.compile(rb'<c r="[^<>]*/>')


def read_sheet(container: Container, name: str, part: str, texts: list[str], formulas: Formulas) -> Sheet:
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
        if isinstance(content, str) and rule is None:
            content = content[:LONGEST_TEXT]
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
