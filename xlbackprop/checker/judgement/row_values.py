"""Values: the numbers of a table row by row, how exactly each is known, and what they should be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlbackprop.checker.file.formula import Node, Position, UnsupportedError, evaluate, leaves
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.table.recognise import IterationTable
from xlbackprop.checker.worlds import ANOTHER_ROW
from xlbackprop.engine import Array
from xlbackprop.ground.grid import Coordinates
from xlbackprop.network import LEARNING_RATE

_MARGIN = 2.0
"""Numbers copied from what a cell shows may have been rounded twice."""
_SMALLEST = 1e-15
_LAST_BITS = 8e-16
_TYPED_DECIMALS = 2
"""An initial weight with no more decimals than this was typed, not rounded."""
_DROPPED_ZEROS = 4
"""The last digits may be zeros that are not stored, or fell to a narrow column; a number with still fewer was typed."""
_DOUBLE_DIGITS = 15
_MOST_TOGETHER = 10_000
"""Numbers in one array, when a formula is tried with each of its leaves moved in turn."""


class RowValues:
    """The numbers of one table, and the half unit of the last digit that each was stored with."""

    def __init__(self, table: IterationTable, recalculated: Values) -> None:
        self._table = table
        self._recalculated = recalculated
        self.values: dict[str, Array] = {}
        self.doubts: dict[str, Array] = {}
        self._lines: dict[int, Array] = {}
        for name, line in table.lines.items():
            self.values[name], self.doubts[name] = self._line(name, line)

    def of(self, label: str) -> Array:
        """The numbers of a quantity, one an iteration; nan where there is none."""
        return self.values[label]

    def on(self, line: int) -> Array:
        """The numbers of any line, one an iteration."""
        if line not in self._lines:
            self._lines[line] = self._line("", line)[0]
        return self._lines[line]

    def expected(
        self, tree: Node, given_cells: Mapping[Position, float], rate: float | None = None
    ) -> tuple[Array, Array]:
        """What a right formula gives in every row from the row's own numbers, and how exactly that is known."""
        rows = len(self._table.steps)

        def known(node: Node) -> tuple[Any, Any]:
            match node:
                case ("q", name, distance) if name in self.values:
                    return shifted(self.values[name], distance), shifted(self.doubts[name], distance)
                case ("q", name, _) if name == LEARNING_RATE and rate is not None:
                    return rate, 0.0
                case ("line", line, distance, _):
                    return shifted(self.on(line), distance), 0.0
                case ("x", position):
                    return given_cells.get(position, np.nan), 0.0
                case _:
                    return np.nan, 0.0

        def value(moved: Sequence[Node], shape: tuple[int, ...], by: float = 1.0) -> Array:
            turns = {node: turn for turn, node in enumerate(moved)}

            def leaf(node: Node) -> Any:
                number, doubt = known(node)
                turn = turns.get(node)
                if turn is None:
                    return number
                each = np.array(np.broadcast_to(number, shape))
                each[turn] += by * doubt
                return each

            try:
                with np.errstate(all="ignore"):
                    return np.broadcast_to(np.asarray(evaluate(tree, leaf), dtype=np.float64), shape)
            except UnsupportedError:
                return np.full(shape, np.nan)

        right = value((), (rows,))
        distinct = [leaf for leaf in dict.fromkeys(leaves(tree)) if leaf[0] == "q"]
        doubt = np.abs(right) * 1e-12
        together = max(1, _MOST_TOGETHER // rows)
        for start in range(0, len(distinct), together):
            moved = distinct[start : start + together]
            with np.errstate(all="ignore"):
                up, down = (np.abs(value(moved, (len(moved), rows), by) - right) for by in (1.0, -1.0))
            for each in np.fmax(up, down):  # beyond a kink one of them alone differs
                doubt = doubt + each
        return right, doubt

    def _line(self, name: str, line: int) -> tuple[Array, Array]:
        table = self._table
        values = numbers_along(table, line, self._recalculated)
        given = bool(re.fullmatch(r"[it]\d", name))
        stored = ~np.isnan(values) & np.isnan(_calculated_along(table, line, self._recalculated))
        counts = {step: _digits(table.digits(line, step)) for step in np.flatnonzero(stored).tolist()}
        whole = [significant >= _DOUBLE_DIGITS for _, significant in counts.values() if significant]
        rounded = 2 * sum(whole) <= len(whole)
        most_decimals = max((decimals for decimals, digits in counts.values() if digits < _DOUBLE_DIGITS), default=0)
        doubts = np.abs(values) * _LAST_BITS
        for step, (decimals, significant) in counts.items():
            typed = (
                step == 0
                and bool(re.fullmatch(r"[wb]\d+", name))
                and (decimals <= _TYPED_DECIMALS or most_decimals - decimals > _DROPPED_ZEROS)
            )
            if rounded and significant < _DOUBLE_DIGITS and not given and not typed:
                lost = most_decimals - decimals if significant else _DROPPED_ZEROS + 1
                doubts[step] += 0.5 * 10.0 ** -(decimals if lost <= _DROPPED_ZEROS else most_decimals)
        known = values[~np.isnan(values)]
        if given and len(known) < len(values) and len(set(known.tolist())) == 1:
            values = np.full(len(values), known[0])  # written once, meant for all rows
            doubts = np.zeros(len(values))
        return values, doubts


def is_off(numbers: RowValues, label: str, right: Array, doubt: Array) -> NDArray[np.bool_]:
    """Where the numbers of a quantity are others than the right ones, as exactly as both are known."""
    with np.errstate(all="ignore"):
        limit = _MARGIN * (doubt + numbers.doubts[label]) + _SMALLEST
        return np.asarray(np.abs(numbers.of(label) - right) > limit)


def numbers_along(table: IterationTable, line: int, recalculated: Values) -> Array:
    """What the cells of a line give, or hold where that is not known, one an iteration; nan where it is no number."""
    given = _calculated_along(table, line, recalculated)
    values = np.where(np.isnan(given), table.numbers(line), given)
    for place in recalculated.without_number(table.sheet.name):
        across, along = place if table.transposed else place[::-1]
        step = table.step_at(along) if across == line else None
        if step is not None:
            values[step] = np.nan
    return values


def _calculated_along(table: IterationTable, line: int, recalculated: Values) -> Array:
    """The numbers that the formulas of a line give, one an iteration; nan where none is known."""

    def one(place: Coordinates) -> float:
        value = recalculated.get((table.sheet.name, *place))
        return value if isinstance(value, float) else np.nan

    return table.gathered(line, one, lambda block: recalculated.numbers(table.sheet, block))


def _digits(text: str) -> tuple[int, int]:
    """Decimals and significant digits of a number; 0.506875 has six even where a file says 0.50687499999999996."""
    try:
        shortest = repr(float(text))
    except ValueError:
        return 0, 0
    match = re.fullmatch(r"-?(\d*)\.?(\d*)(?:e([+-]?\d+))?", shortest.removesuffix(".0"))
    if match is None:
        return 0, 0
    whole, fraction, exponent = match[1], match[2], int(match[3] or 0)
    return max(0, len(fraction) - exponent), len((whole + fraction).lstrip("0"))


def half_unit(text: str, value: float) -> float:
    """Half a unit of the last digit with which one number is stored."""
    decimals, significant = _digits(text)
    return 0.5 * 10.0**-decimals if 0 < significant < _DOUBLE_DIGITS else abs(value) * 1e-15


def shifted(values: Array, distance: int) -> Array:
    """The numbers so many rows away, one an iteration; nan outside the table."""
    if distance == 0:
        return values
    if distance == ANOTHER_ROW:
        return np.full(len(values), np.nan)
    moved = np.full(len(values), np.nan)
    if distance < 0:
        moved[1:] = values[:-1]
    else:
        moved[:-1] = values[1:]
    return moved
