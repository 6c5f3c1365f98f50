"""What stands in the cells of a sheet."""

from __future__ import annotations

from msgspec import Struct

from xlbackprop.checker.file.formula import Formula
from xlbackprop.grid import Coordinates


class Cell(Struct, gc=False):
    """One cell that is not empty."""

    value: float | str | None
    """As stored; an error value is its text, such as `#NUM!`."""
    other_digits: str = ""
    """The text of a number as the file has it, where that is not the shortest that says the same."""
    formula: Formula | None = None

    @property
    def digits(self) -> str:
        """The text of a number as the file has it; empty where there is none."""
        return self.other_digits or (repr(self.value) if isinstance(self.value, float) else "")

    @property
    def number(self) -> float | None:
        return self.value if isinstance(self.value, float) else None


class Sheet(Struct):
    """One sheet: its cells by row and column, and the part of the file that its drawings are in."""

    name: str
    part: str
    cells: dict[Coordinates, Cell]
    arrays: frozenset[Coordinates] = frozenset()
    """The cells that array formulas fill, whose formulas are read for each of them alone."""

    def text(self, row: int, column: int) -> str:
        """The text in a cell; empty where there is none."""
        cell = self.cells.get((row, column))
        return cell.value if cell is not None and isinstance(cell.value, str) else ""
