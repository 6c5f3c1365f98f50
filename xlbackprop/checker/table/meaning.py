"""Meaning: what the leaves of a table's trees stand for, and whether a tree is the quantity it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from msgspec import Struct

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.formula import Node, Position, leaves, value_of
from xlbackprop.checker.table.trees import Key, Trees
from xlbackprop.checker.worlds import WORLDS, Shape, World, close, derivation_of, world
from xlbackprop.derivation import Derivation
from xlbackprop.engine import Array
from xlbackprop.network import LEARNING_RATE


class Meaning(Struct, frozen=True):
    """What the leaves of a table's trees mean."""

    shape: Shape
    cells: Mapping[Position, str]
    """Numbers that stand elsewhere, by cell."""
    lines: Mapping[int, str]
    """Helper lines whose quantity is known; − before the name where the helper holds its negative."""
    numbering: Mapping[str, str]
    """Labels of the sheet whose quantity has another name in the walkthrough's own numbering."""
    literals: tuple[tuple[str, float], ...]
    """Given numbers that are typed into the formulas."""
    changing_samples: bool

    @property
    def derivation(self) -> Derivation:
        return derivation_of(self.shape)

    @property
    def world(self) -> World:
        return world(self.shape, self.literals, self.changing_samples)

    def own(self, label: str) -> str:
        """The walkthrough's own name for what the sheet calls so."""
        return self.numbering.get(label, label)

    def known(self, name: str) -> bool:
        """Whether a given number is found somewhere: in a cell or in the formulas."""
        return name in self.cells.values() or any(name == literal for literal, _ in self.literals)


class Judge:
    """The one question asked of formulas: is this tree that quantity, in every world?"""

    def __init__(self, book: Book, trees: Trees, meaning: Meaning) -> None:
        self.book = book
        self.trees = trees
        self.meaning = meaning
        self._values: dict[Key, Array | None] = {}

    @cached_property
    def _world(self) -> World:
        return self.meaning.world

    def value(self, key: Key) -> Array | None:
        """The values of a cell's formula in all worlds; None when it cannot be followed."""
        if key not in self._values:
            self._values[key] = self.tree_value(self.trees.written_out(key, self.meaning.lines))
        return self._values[key]

    def tree_value(self, tree: Node) -> Array | None:
        """The values of any tree."""
        return value_of(tree, self.leaf, (WORLDS,))

    def leaf(self, node: Node) -> Array | float | None:
        """The values of a leaf; None (which makes the tree's value None) for what cannot be followed."""
        meaning = self.meaning
        match node:
            case ("q", name, distance):
                return self._world.value(meaning.own(name), distance)
            case ("x", position):
                name = meaning.cells.get(position)
                return number(self.book, position) if name is None else self._world.value(name, 0)
            case ("line" | "col", line, distance, *_):
                name = meaning.lines.get(line)
                return None if name is None else self._world.value(name, 0 if name == LEARNING_RATE else distance)
            case ("blank", _):
                return 0.0
            case _:
                return None

    def right(self, label: str) -> Array | None:
        """The values that what the sheet calls so must have."""
        return self._world.value(self.meaning.own(label), 0)

    def is_right(self, label: str, key: Key) -> bool:
        """Whether a formula gives the quantity in all worlds."""
        found, right = self.value(key), self.right(label)
        return found is not None and right is not None and close(found, right)


def number(book: Book, position: Position) -> float | None:
    """The number in a cell, as stored."""
    sheet = book.by_name.get(position[0])
    cell = sheet.cells.get(position[1:]) if sheet else None
    return cell.number if cell is not None else None


def deep_leaves(trees: Trees, key: Key) -> Iterator[Node]:
    """The leaves of a cell's tree with every helper written out."""
    yield from leaves(trees.written_out(key, {}))
