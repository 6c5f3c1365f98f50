"""What stands in the cells of a sheet."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from xlbackprop.checker.file.formula import CellFormula
from xlbackprop.engine import Array
from xlbackprop.ground.grid import Coordinates

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


def number_of(text: str) -> float | None:
    """The number that a text is in a file; None where it is none, or one that no cell can hold, such as 1E309."""
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    return number if math.isfinite(number) else None


class Cell(Struct, gc=False):
    """One cell that is not empty."""

    value: float | str | None
    """As stored; an error value is its text, such as `#NUM!`."""
    other_digits: str = ""
    """The text of a number as the file has it, where that is not the shortest that says the same."""
    formula: CellFormula | None = None

    @property
    def digits(self) -> str:
        """The text of a number as the file has it; empty where there is none."""
        return self.other_digits or (repr(self.value) if isinstance(self.value, float) else "")

    @property
    def number(self) -> float | None:
        return self.value if isinstance(self.value, float) else None


class Block(Struct, frozen=True, eq=False):
    """Rows one below the other that differ in nothing but their numbers, kept as arrays: all cells hold a number."""

    first: int
    """The number of the first row."""
    places: Mapping[int, int]
    """Where each column stands in the arrays."""
    formulas: tuple[CellFormula | None, ...]
    """Of each column."""
    numbers: Array
    """Of shape (rows, columns)."""
    texts: npt.NDArray[np.bytes_]
    """The same as the file has them."""

    @property
    def rows(self) -> range:
        """The numbers of its rows."""
        return range(self.first, self.first + len(self.numbers))

    def cell(self, row: int, column: int) -> Cell | None:
        """One of its cells, made when somebody asks for it; None where it has none."""
        place = self.places.get(column)
        if place is None or row not in self.rows:
            return None
        number = float(self.numbers[row - self.first, place])
        text = self.texts[row - self.first, place].decode()
        return Cell(number, "" if text == repr(number) else text, self.formulas[place])


class Blocks:
    """The blocks of a sheet, from the first row to the last."""

    def __init__(self, blocks: Sequence[Block] = ()) -> None:
        self._blocks = blocks
        self._firsts = [block.first for block in blocks]

    def at(self, row: int) -> Block | None:
        """The block that a row is in."""
        block = self._blocks[index - 1] if (index := bisect_right(self._firsts, row)) else None
        return block if block is not None and row in block.rows else None

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)


class Cells(Mapping[Coordinates, Cell]):
    """The cells of a sheet that has blocks, by row and column."""

    def __init__(self, alone: Mapping[Coordinates, Cell], blocks: Blocks) -> None:
        self._alone = alone
        self._blocks = blocks

    def __getitem__(self, place: Coordinates) -> Cell:
        cell: Cell | None = self.get(place)
        if cell is None:
            raise KeyError(place)
        return cell

    def get(self, place: Coordinates, default: Any = None) -> Any:
        """A cell; the default where there is none."""
        cell = self._alone.get(place)
        if cell is None and (block := self._blocks.at(place[0])) is not None:
            cell = block.cell(*place)
        return default if cell is None else cell

    def __contains__(self, place: object) -> bool:
        if place in self._alone or not isinstance(place, tuple):
            return place in self._alone
        block = self._blocks.at(place[0])
        return block is not None and place[1] in block.places

    def __iter__(self) -> Iterator[Coordinates]:
        waiting = list(self._blocks)[::-1]
        for place in self._alone:
            while waiting and waiting[-1].first < place[0]:
                yield from _places_of(waiting.pop())
            yield place
        while waiting:
            yield from _places_of(waiting.pop())

    def __len__(self) -> int:
        return len(self._alone) + sum(block.numbers.size for block in self._blocks)


def _places_of(block: Block) -> Iterator[Coordinates]:
    return ((row, column) for row in block.rows for column in block.places)


class Content(Struct, frozen=True):
    """What stands on a sheet: the cells that are not empty, in their order."""

    alone: dict[Coordinates, Cell]
    """All cells but those in blocks."""
    blocks: Blocks = Blocks()
    """No other cell stands beside one."""
    arrays: Mapping[Coordinates, str] = MappingProxyType({})
    """The array formulas in the cells that they fill; the formulas of these cells are read for each of them alone."""


class Sheet(Struct, dict=True, weakref=True, eq=False):
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
    def cells(self) -> Mapping[Coordinates, Cell]:
        """The cells that are not empty, by row and column."""
        content = self.content
        return Cells(content.alone, content.blocks) if content.blocks else content.alone

    @property
    def is_read(self) -> bool:
        """Whether somebody has asked for what stands on it."""
        return "content" in self.__dict__

    @property
    def formulas(self) -> int:
        """How many formula cells there are."""
        content = self.content
        alone = sum(cell.formula is not None for cell in content.alone.values())
        return alone + sum(
            len(block.numbers) * (len(block.formulas) - block.formulas.count(None)) for block in content.blocks
        )

    @property
    def distinct_formulas(self) -> set[CellFormula]:
        """Its formulas, each once for all cells that have it."""
        found = {cell.formula for cell in self.content.alone.values()}
        found.update(formula for block in self.content.blocks for formula in block.formulas)
        return {formula for formula in found if formula is not None}

    @property
    def texts(self) -> Iterator[tuple[Coordinates, Cell]]:
        """The cells whose value is a text, by row and column."""
        return (item for item in self.content.alone.items() if isinstance(item[1].value, str))

    def text(self, row: int, column: int) -> str:
        """The text in a cell; empty where there is none."""
        cell = self.content.alone.get((row, column))
        return cell.value if cell is not None and isinstance(cell.value, str) else ""
