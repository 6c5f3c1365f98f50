"""OpenDocument spreadsheets (.ods): their sheets, values and formulas, within the limits of every file."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from xlbackprop.checker.file.arrays import fill
from xlbackprop.checker.file.cells import Cell, Content, Sheet, number_of
from xlbackprop.checker.file.container import LONGEST_TEXT, MOST_CELLS, MOST_SHEETS, Container, UnreadableError
from xlbackprop.checker.file.formula import FormulaReader
from xlbackprop.ground.grid import MOST_COLUMNS, MOST_ROWS, Coordinates, address, quoted

CONTENT = "content.xml"

_LITERAL = r'"(?:[^"]|"")*"'
_BRACKET = r"\[(?:[^\]']|'(?:[^']|'')*')*\]"
_PIECE = re.compile(rf"({_LITERAL})|({_BRACKET})|(;)|\b(?:COM\.MICROSOFT|ORG\.LIBREOFFICE|ORG\.OPENOFFICE)\.")
_ADDRESS = re.compile(r"(?:\$?('(?:[^']|'')*'|[^.':\[\]]+))?\.(\$?[A-Z]{1,3}\$?\d{1,7})")
_REPEATED = {"number-columns-repeated": MOST_COLUMNS, "number-rows-repeated": MOST_ROWS}


def sheets_of(container: Container) -> tuple[Sheet, ...]:
    """The sheets of an OpenDocument spreadsheet.

    Raises:
        UnreadableError: it is damaged, or larger than what is read.
    """
    reader = _Reader()
    container.parse(CONTENT, reader.start, reader.end, reader.text)
    if not reader.contents:
        raise UnreadableError("the workbook has no sheet with cells")
    return tuple(Sheet(name, "", partial(_same, content)) for name, content in reader.contents.items())


def _same(content: Content) -> Content:
    return content


class _Reader:
    def __init__(self) -> None:
        self.contents: dict[str, Content] = {}
        self._formulas = FormulaReader()
        self._name = ""
        self._cells: dict[Coordinates, Cell] = {}
        self._blocks: dict[str, str] = {}
        self._row = self._column = 0
        self._rows = 1
        self._columns = 1
        self._row_cells: list[tuple[int, dict[str, str], str]] = []
        self._cell: dict[str, str] | None = None
        self._texts: list[str] = []
        self._paragraphs = 0
        self._ignored = 0
        self._kept = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if self._ignored or tag in {"annotation", "shapes", "tracked-changes"}:
            self._ignored += 1
        elif tag == "table" and self._cell is None:
            if len(self.contents) >= MOST_SHEETS:
                raise UnreadableError(f"the workbook has more than {MOST_SHEETS} sheets, the most that is read")
            self._name = _local(attributes).get("name", "")
            self._cells, self._blocks, self._row = {}, {}, 0
        elif tag == "table-row":
            self._rows, self._column, self._row_cells = _repeats(attributes, "number-rows-repeated"), 0, []
        elif tag in {"table-cell", "covered-table-cell"}:
            self._cell, self._columns = _local(attributes), _repeats(attributes, "number-columns-repeated")
            self._texts, self._paragraphs = [], 0
        elif tag == "p" and self._cell is not None:
            self._texts += ["\n"] * (self._paragraphs > 0)
            self._paragraphs += 1
        elif tag in {"s", "tab"} and self._cell is not None:
            self._texts.append(" ")

    def end(self, tag: str) -> None:
        """End it."""
        if self._ignored:
            self._ignored -= 1
        elif tag in {"table-cell", "covered-table-cell"} and self._cell is not None:
            text = "".join(self._texts)
            if text or "value-type" in self._cell or "formula" in self._cell:
                for column in range(self._column + 1, min(self._column + self._columns, MOST_COLUMNS) + 1):
                    self._row_cells.append((column, self._cell, text))
            self._column += self._columns
            self._cell = None
        elif tag == "table-row":
            self._kept += len(self._row_cells) * self._rows
            if self._kept > MOST_CELLS:
                raise UnreadableError(f"the workbook has more than {MOST_CELLS:,} cells")
            if self._row_cells:
                for row in range(self._row + 1, min(self._row + self._rows, MOST_ROWS) + 1):
                    for column, attributes, text in self._row_cells:
                        self._keep(row, column, attributes, text)
            self._row += self._rows
        elif tag == "table" and self._cell is None:
            filled = fill(self._cells, self._formulas, self._blocks)
            self.contents[self._name] = Content(dict(sorted(self._cells.items())), arrays=filled)

    def text(self, data: str) -> None:
        """Take the text of a cell."""
        if self._cell is not None and self._paragraphs and not self._ignored:
            self._texts.append(data)

    def _keep(self, row: int, column: int, attributes: dict[str, str], text: str) -> None:
        kind, plain = attributes.get("value-type", ""), attributes.get("value", "")
        content: float | str | None = text[:LONGEST_TEXT] or None
        if kind in {"float", "percentage", "currency"}:
            number = number_of(plain)
            content = plain if number is None else number
        elif kind == "boolean":
            content = float(attributes.get("boolean-value") == "true")
        written = in_our_notation(attributes.get("formula", ""))
        rule = self._formulas.read(written, row, column) if written else None
        if written and "number-matrix-columns-spanned" in attributes:
            down = int(attributes.get("number-matrix-rows-spanned", "1"))
            across = int(attributes["number-matrix-columns-spanned"])
            last = address(min(row + down - 1, MOST_ROWS), min(column + across - 1, MOST_COLUMNS))
            self._blocks[f"{address(row, column)}:{last}"] = written
        if rule is not None or (content is not None and (isinstance(content, float) or content.strip())):
            digits = plain if isinstance(content, float) and plain != repr(content) else ""
            self._cells[row, column] = Cell(content, digits, rule)


def _local(attributes: dict[str, str]) -> dict[str, str]:
    return {key.rpartition(":")[2]: value for key, value in attributes.items()}


def _repeats(attributes: dict[str, str], name: str) -> int:
    text = _local(attributes).get(name, "1")
    return min(int(text), _REPEATED[name]) if text.isdigit() and len(text) < 9 else 1


def in_our_notation(formula: str) -> str:
    """A formula of OpenDocument, `of:=SUM([.A1:.B3];2)`, as Excel writes it, without its equals sign."""

    def piece(match: re.Match[str]) -> str:
        literal, bracket, semicolon = match.groups()
        if literal is not None:
            return literal
        if bracket is not None:
            return _reference(bracket[1:-1])
        return "," if semicolon else ""

    _, _, text = formula.partition("=")
    return _PIECE.sub(piece, text).strip()


def _reference(text: str) -> str:
    """`$'Sheet 1'.A1:.B3` as `'Sheet 1'!A1:B3`; #REF! where a part of it was deleted."""
    parts: list[Any] = [_ADDRESS.fullmatch(part) for part in re.split(r":(?=\.|\$|'|[^:]*\.)", text)]
    if not parts or any(part is None for part in parts):
        return "#REF!"
    sheet = parts[0][1]
    prefix = "" if sheet is None else quoted(sheet.strip("'").replace("''", "'")) + "!"
    return prefix + ":".join(part[2] for part in parts)
