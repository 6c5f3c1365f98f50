"""The diagram of the network: which quantity stands in which cell, and which cells an arrow joins."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from xlbackprop.names import Names

TOP_ROW = 4
_UNIT_ROWS = 12
"""The rows that the units share below the title row; a network that needs more takes more."""


class Node(Struct, frozen=True):
    """One quantity in one cell (row and column counted from 1)."""

    name: str
    row: int
    column: int


class Arrow(Struct, frozen=True):
    """A connection: from the right edge of one cell to the left edge of another, or down or up a column."""

    start: Node
    end: Node

    @property
    def description(self) -> str:
        return f"from {self.start.name} to {self.end.name}"


class Title(Struct, frozen=True):
    """The heading over a column of units."""

    text: str
    column: int


class Diagram(Struct, frozen=True, dict=True):
    """Every cell and every arrow of the drawing."""

    titles: tuple[Title, ...]
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]

    @property
    def last_row(self) -> int:
        return max(TOP_ROW + _UNIT_ROWS, *(node.row for node in self.nodes))

    @property
    def last_column(self) -> int:
        return max(node.column for node in self.nodes)


def diagram(names: Names) -> Diagram:
    """Lay a network out: inputs in column A, then for each layer a gap for the arrows, its weights, its units.

    A unit is a block of cells: its weights and its bias on the left, its pre-activation over its activation on the
    right. So every arrow runs through a gap and none crosses a number.
    """
    layers = len(names.weights)
    heights = [max(2, len(names.weights[layer][0]) + bool(names.biases[layer])) for layer in range(layers)]
    rows = max(
        _UNIT_ROWS, *((height + 1) * len(units) for height, units in zip(heights, names.activations, strict=True))
    )
    titles = [Title("inputs", 1)]
    sources = [Node(name, row, 1) for name, row in zip(names.inputs, _spread(len(names.inputs), 1, rows), strict=True)]
    nodes, arrows = list(sources), []
    for layer, weights in enumerate(names.weights):
        column = 3 + 3 * layer
        biases = names.biases[layer]
        outputs = []
        number = f" {layer + 1}" if layers > 2 else ""
        titles.append(Title("output layer" if layer == layers - 1 else f"hidden layer{number}", column + 1))
        for unit, top in enumerate(_spread(len(weights), heights[layer], rows)):
            inlets = [Node(weight, top + index, column) for index, weight in enumerate(weights[unit])]
            nodes += inlets
            if biases:
                nodes.append(Node(biases[unit if len(biases) > 1 else 0], top + len(inlets), column))
            nodes.append(Node(names.pre_activations[layer][unit], top, column + 1))
            outputs.append(Node(names.activations[layer][unit], top + 1, column + 1))
            arrows += [Arrow(source, inlet) for source, inlet in zip(sources, inlets, strict=True)]
        nodes += outputs
        sources = outputs
    losses = list(_losses(names, sources, nodes, arrows))
    titles.append(Title("loss", losses[0].column))
    return Diagram(tuple(titles), tuple(nodes), tuple(arrows))


def _losses(names: Names, outputs: list[Node], nodes: list[Node], arrows: list[Arrow]) -> Iterator[Node]:
    column = outputs[0].column + 2
    losses = [Node(name, output.row, column) for name, output in zip(names.losses, outputs, strict=True)]
    nodes += [Node(name, loss.row - 1, column - 1) for name, loss in zip(names.targets, losses, strict=True)]
    nodes += losses
    arrows += [Arrow(output, loss) for output, loss in zip(outputs, losses, strict=True)]
    gaps = [(upper.row + lower.row) // 2 for upper, lower in pairwise(losses)]
    total = Node(names.total_loss, gaps[len(gaps) // 2] if gaps else losses[0].row + 3, column)
    nodes.append(total)
    near = sorted(losses, key=lambda loss: abs(loss.row - total.row))[:2]
    arrows += [Arrow(loss, total) for loss in near]
    yield from losses


def _spread(count: int, height: int, rows: int) -> list[int]:
    """The top rows of `count` blocks of a height, spread evenly over the rows below the titles."""
    slot = rows // count
    return [TOP_ROW + 1 + index * slot + (slot - height) // 2 for index in range(count)]
