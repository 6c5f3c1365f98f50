"""What stands in the cells of a sheet."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

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


class Content(Struct, frozen=True):
    """What stands on a sheet: the cells that are not empty, in their order."""

    cells: dict[Coordinates, Cell]
    arrays: frozenset[Coordinates] = frozenset()
    """Those that array formulas fill, whose formulas are read for each of them alone."""


class Sheet(Struct, dict=True):
    """One sheet: its name, what stands on it, and the part of the file that its drawings are in."""

    name: str
    part: str
    read: Callable[[], Content]

    @cached_property
    def content(self) -> Content:
        """What stands on it, read when somebody asks for it: most sheets of ours nobody asks for.

        Raises:
            UnreadableError: the part is damaged or too large.
        """
        return self.read()

    @cached_property
    def cells(self) -> dict[Coordinates, Cell]:
        """The cells that are not empty, by row and column."""
        return self.content.cells

    @property
    def is_read(self) -> bool:
        """Whether somebody has asked for what stands on it."""
        return "content" in self.__dict__

    @property
    def formulas(self) -> int:
        """How many formula cells there are."""
        return sum(cell.formula is not None for cell in self.cells.values())

    def text(self, row: int, column: int) -> str:
        """The text in a cell; empty where there is none."""
        cell = self.cells.get((row, column))
        return cell.value if cell is not None and isinstance(cell.value, str) else ""
