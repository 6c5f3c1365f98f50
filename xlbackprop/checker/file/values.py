"""What the formulas of a file give: the values of its formula cells, by position or a whole block at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from msgspec import Struct

from xlbackprop.checker.file.cells import Block, Blocks, Sheet
from xlbackprop.checker.file.formula import Position
from xlbackprop.engine import Array
from xlbackprop.ground.grid import Coordinates


class SheetValues(Struct, frozen=True, eq=False):
    """The values of one sheet's formula cells."""

    alone: Mapping[Coordinates, float | str]
    """By row and column; those in blocks only where they are no number."""
    blocks: Blocks = Blocks()
    numbers: Mapping[int, Array] = MappingProxyType({})
    """Those of each block by its first row, in its shape; nan where there is none."""


class Values(Mapping[Position, float | str]):
    """Values by their position."""

    def __init__(self, by_sheet: Mapping[str, SheetValues] | None = None) -> None:
        self._by_sheet = by_sheet or {}

    def numbers(self, sheet: Sheet, block: Block) -> Array:
        """The numbers that the formulas of a block give, in its shape; nan where none is known."""
        found = self._by_sheet.get(sheet.name)
        known = None if found is None else found.numbers.get(block.first)
        return np.full_like(block.numbers, np.nan) if known is None else known

    def without_number(self, sheet: str) -> Sequence[Coordinates]:
        """The formula cells of a sheet that give something else than a number."""
        return self._without_number.get(sheet, ())

    @cached_property
    def _without_number(self) -> dict[str, Sequence[Coordinates]]:
        return {
            name: [place for place, value in values.alone.items() if isinstance(value, str)]
            for name, values in self._by_sheet.items()
        }

    def __getitem__(self, position: Position) -> float | str:
        value = self.get(position)
        if value is None:
            raise KeyError(position)
        return value  # type: ignore[no-any-return]

    def get(self, position: Position, default: Any = None) -> Any:
        """The value in a cell; the default where there is none."""
        name, row, column = position
        values = self._by_sheet.get(name)
        if values is None:
            return default
        value: float | str | None = values.alone.get((row, column))
        if value is None and (block := values.blocks.at(row)) is not None and column in block.places:
            number = float(values.numbers[block.first][row - block.first, block.places[column]])
            return default if math.isnan(number) else number
        return default if value is None else value

    def __contains__(self, position: object) -> bool:
        return isinstance(position, tuple) and self.get(position) is not None

    def __iter__(self) -> Iterator[Position]:
        for name, values in self._by_sheet.items():
            yield from ((name, *place) for place in values.alone)
            for block in values.blocks:
                columns = list(block.places)
                for row, column in np.argwhere(~np.isnan(values.numbers[block.first])).tolist():
                    yield name, block.first + row, columns[column]

    def __len__(self) -> int:
        return sum(
            len(values.alone) + sum(int((~np.isnan(numbers)).sum()) for numbers in values.numbers.values())
            for values in self._by_sheet.values()
        )
