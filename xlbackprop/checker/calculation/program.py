"""Programs: kinds of formulas compiled once, then run over all cells of the kind in all worlds."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Container, Iterator
from functools import cached_property
from itertools import permutations

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from xlbackprop.checker.calculation.operations import (
    DECIDING,
    FUNCTIONS,
    SELECTING,
    Term,
    add,
    compare,
    constant,
    differentiate,
    divide,
    multiply,
    negate,
    power,
    repeated,
    subtract,
)
from xlbackprop.checker.file.formula import Node, UnsupportedError, parts
from xlbackprop.engine import Array

Identities = npt.NDArray[np.int64]

BLANK, TEXT = 0, 1
"""The nodes of all empty cells, and of all cells with text."""
_EQUALITIES = frozenset({"=", "<>"})
_COMPARISONS = _EQUALITIES | {"<", ">", "<=", ">="}
_OPERATORS = {"+": add, "-": subtract, "*": multiply, "/": divide, "^": power}


class Slot(Struct, frozen=True):
    """Where a formula reads cells: the first of its operands, and how many rows and columns of them there are."""

    start: int
    rows: int
    columns: int
    is_range: bool
    selects: bool = False
    """Whether the number is used to choose a cell, as in INDEX."""
    decides: bool = False
    """Whether the number is used in a condition."""

    @property
    def size(self) -> int:
        return self.rows * self.columns


class Program(Struct, frozen=True, eq=False, dict=True):
    """A compiled kind of formula: a tree whose leaves are numbers and slots."""

    tree: Node
    slots: tuple[Slot, ...]
    width: int
    """How many operands it has."""
    element: tuple[int, int] = (0, 0)
    """Which element of its result a cell shows: those of an array formula show one each."""

    @cached_property
    def build(self) -> str:
        """How it is built, whatever cells it reads."""
        return _build(self.tree)

    def takes_empty_for_text(self, operands: Identities) -> npt.NDArray[np.bool_]:
        """Which cells compare an empty cell with a text, by the nodes that they read."""
        is_text = ((one[1], other[0] == "text") for one, other in compared(self.tree) if one[0] == "slot")
        starts = [self.slots[number].start for number, is_with_text in is_text if is_with_text]
        return np.asarray((operands[:, starts] == BLANK).any(axis=1))

    def run(self, operands: Array, counted: npt.NDArray[np.bool_] | None = None) -> tuple[Term, list[Term]]:
        """The values for operands of shape (cells, operands, worlds), and the terms of the slots.

        Args:
            operands: the values that are read.
            counted: which of the operands hold numbers, of shape (cells, operands).

        Raises:
            UnsupportedError: the formula uses what cannot be followed.
        """
        cells, _, worlds = operands.shape
        leaves = []
        for slot in self.slots:
            part = operands[:, slot.start : slot.start + slot.size]
            mask = None
            if slot.is_range and counted is not None:
                held = counted[:, slot.start : slot.start + slot.size]
                if not held.all():
                    mask = held.reshape(cells, slot.rows, slot.columns, 1)
            leaves.append(Term(part.reshape(cells, slot.rows, slot.columns, worlds), counted=mask))
        try:
            return _evaluated(self.tree, leaves), leaves
        except (IndexError, TypeError, ValueError) as error:
            raise UnsupportedError("an unusual use of a function") from error

    def value(self, operands: Array, counted: npt.NDArray[np.bool_] | None = None) -> Array:
        """The values of all cells, of shape (cells, worlds)."""
        root, _ = self.run(operands, counted)
        return self._shown(root, operands.shape[0], operands.shape[2])

    def differentiated(self, operands: Array, counted: npt.NDArray[np.bool_] | None = None) -> tuple[Array, Array]:
        """The values of all cells, and their derivatives by their operands, of shape (cells, operands, worlds)."""
        root, leaves = self.run(operands, counted)
        values = self._shown(root, operands.shape[0], operands.shape[2])
        return values, self.pull(root, leaves, np.ones(values.shape))

    def _shown(self, root: Term, cells: int, worlds: int) -> Array:
        row, column = self.element
        rows, columns = root.value.shape[1:3]
        if self.element == (0, 0) and (rows, columns) != (1, 1):
            raise UnsupportedError("an array in a single cell")
        shown = root.value[:, min(row, rows - 1), min(column, columns - 1), :]
        return repeated(shown, (cells, worlds))

    def shown(self, root: Term, operands: Array) -> Array:
        """What the cells show of a result."""
        return self._shown(root, operands.shape[0], operands.shape[2])

    def pull(self, root: Term, leaves: list[Term], adjoint: Array) -> Array:
        """The adjoints of the operands, of shape (cells, operands, worlds), for those of the cells."""
        cells, worlds = adjoint.shape
        row, column = self.element
        rows, columns = root.value.shape[1:3]
        whole = np.zeros((cells, rows, columns, worlds))
        whole[:, min(row, rows - 1), min(column, columns - 1), :] = adjoint
        differentiate(root, whole)
        result = np.zeros((cells, self.width, worlds))
        for slot, leaf in zip(self.slots, leaves, strict=True):
            if leaf.adjoint is not None:
                shape = (cells, slot.rows, slot.columns, worlds)
                part = repeated(leaf.adjoint, shape).reshape(cells, slot.size, worlds)
                result[:, slot.start : slot.start + slot.size] += part
        return result


def _build(node: Node) -> str:
    match node[0]:
        case "slot":
            return "x"
        case "n":
            return f"{node[1]:g}"
        case "call":
            return f"{node[1]}({','.join(map(_build, node[2]))})"
        case _:
            return f"({node[0]}{','.join(map(_build, parts(node)))})"


def _evaluated(node: Node, leaves: list[Term]) -> Term:
    kind = node[0]
    if kind == "slot":
        return leaves[node[1]]
    if kind == "n":
        return constant(node[1])
    operator = _OPERATORS.get(kind)
    if operator is not None:
        return operator(_evaluated(node[1], leaves), _evaluated(node[2], leaves))
    if kind in _COMPARISONS:
        return compare(kind, _evaluated(node[1], leaves), _evaluated(node[2], leaves))
    if kind == "text":
        return constant(number_for(node[1]))
    if kind == "neg":
        return negate(_evaluated(node[1], leaves))
    if kind == "call":
        function = FUNCTIONS.get(node[1])
        if function is None:
            raise UnsupportedError(f"the function {node[1]}")
        return function([_evaluated(argument, leaves) for argument in node[2]])
    raise UnsupportedError("what is no number")


def equalities(node: Node) -> Iterator[tuple[int, float]]:
    """The slots that are compared with a number for being equal, each with it."""
    if node[0] == "=" and (node[1][0], node[2][0]) == ("slot", "n"):
        yield node[1][1], node[2][1]
    for part in parts(node):
        yield from equalities(part)


def compared(node: Node, operators: Container[str] = _COMPARISONS) -> Iterator[tuple[Node, Node]]:
    """What a formula compares, each side once with the other."""
    inner = parts(node)
    yield from permutations(inner) if node[0] in operators else ()
    for part in inner:
        yield from compared(part, operators)


def number_for(text: str) -> float:
    """A number that stands for a text, whatever its capitals, and that people do not type."""
    return -1.0 - zlib.crc32(text.casefold().encode()) / 3


def selecting_slots(node: Node) -> set[int]:
    """The slots whose numbers choose a cell."""
    return _slots_inside(node, lambda name, place: place >= SELECTING.get(name, 1 << 30), False)


def deciding_slots(node: Node) -> set[int]:
    """The slots whose numbers stand in a condition, or are held to others for being equal."""
    held = {one[1] for one, other in compared(node, _EQUALITIES) if one[0] == "slot"}
    return held | _slots_inside(node, lambda name, place: name in DECIDING and place == 0, False)


def _slots_inside(node: Node, is_meant: Callable[[str, int], bool], is_inside: bool) -> set[int]:
    if node[0] == "slot":
        return {node[1]} if is_inside else set()
    found: set[int] = set()
    if node[0] == "call":
        for place, argument in enumerate(node[2]):
            found |= _slots_inside(argument, is_meant, is_inside or is_meant(node[1], place))
    else:
        for part in node[1:]:
            if isinstance(part, tuple):
                found |= _slots_inside(part, is_meant, is_inside)
    return found
