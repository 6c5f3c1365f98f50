"""What the formulas of a file give: the values of its formula cells, by position or a whole block at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from xlbackprop.checker.file.cells import Block, Sheet
from xlbackprop.checker.file.formula import Position
from xlbackprop.engine import Array
from xlbackprop.grid import Coordinates


class SheetValues(Struct, frozen=True, eq=False):
    """The values of one sheet's formula cells."""

    alone: Mapping[Coordinates, float | str]
    """By row and column; those in blocks only where they are no number."""
    blocks: tuple[tuple[Block, Array], ...] = ()
    """The numbers of each block, in its shape; nan where there is none."""


class Values(Mapping[Position, float | str]):
    """Values by their position."""

    def __init__(self, by_sheet: Mapping[str, SheetValues] | None = None) -> None:
        self._by_sheet = by_sheet or {}

    def numbers(self, sheet: Sheet, block: Block) -> Array:
        """The numbers that the formulas of a block give, in its shape; nan where none is known."""
        found = self._by_sheet.get(sheet.name)
        known = [] if found is None else [numbers for other, numbers in found.blocks if other is block]
        return known[0] if known else np.full_like(block.numbers, np.nan)

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
        if value is None:
            for block, numbers in values.blocks:
                place = block.places.get(column)
                if place is not None and row in block.rows:
                    number = float(numbers[row - block.first, place])
                    return default if np.isnan(number) else number
            return default
        return value

    def __contains__(self, position: object) -> bool:
        return isinstance(position, tuple) and self.get(position) is not None

    def __iter__(self) -> Iterator[Position]:
        for name, values in self._by_sheet.items():
            yield from ((name, *place) for place in values.alone)
            for block, numbers in values.blocks:
                columns = list(block.places)
                for row, column in np.argwhere(~np.isnan(numbers)).tolist():
                    yield name, block.first + row, columns[column]

    def __len__(self) -> int:
        return sum(
            len(values.alone) + sum(int((~np.isnan(numbers)).sum()) for _, numbers in values.blocks)
            for values in self._by_sheet.values()
        )
