"""The diagram of the network: which quantity stands in which cell, and which cells an arrow joins."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from xlbackprop.network import Names, layer_title

TOP_ROW = 4
_UNIT_ROWS = 12
"""The rows that the units share below the title row; a network that needs more takes more."""

_MOST_ROWS = 40
"""A layer that needs more rows is drawn without its weights, then without gaps, then in several columns."""

_MOST_ARROWS = 150
"""Between two layers; more of them show nothing."""


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
    align: str = "center"


class _Layer(Struct, frozen=True):
    """How a layer is drawn: as blocks of cells under one another, one for each unit."""

    count: int
    height: int
    """Rows of a block."""
    gap: int
    with_weights: bool = False

    @property
    def columns(self) -> int:
        """In how many columns the blocks stand."""
        return -(-self.count * (self.height + self.gap) // _MOST_ROWS) if self.gap == 0 else 1

    @property
    def rows(self) -> int:
        """The rows that it needs at the least."""
        return self._in_a_column * (self.height + self.gap)

    @property
    def _in_a_column(self) -> int:
        return -(-self.count // self.columns)

    def places(self, rows: int, column: int, pitch: int) -> list[tuple[int, int]]:
        """Row and column of the top of each block, spread evenly over the rows below the titles."""
        tops = _spread(self._in_a_column, self.height, rows)
        places = [(top, column + pitch * index) for index in range(self.columns) for top in tops]
        return places[: self.count]


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

    @property
    def layers(self) -> list[int]:
        """The columns with which layers begin, each after one that only arrows cross."""
        taken = {node.column for node in self.nodes}
        return sorted(column for column in taken if column - 1 not in taken and column > 1)


def diagram(names: Names) -> Diagram:
    """Lay a network out: inputs in column A, then for each layer a gap for the arrows, its weights, its units.

    A unit is a block of cells: its weights and its bias on the left, its pre-activation over its activation on the
    right. So every arrow runs through a gap and none crosses a number. What would not fit a screen is left out: the
    weights of a layer, and the arrows between layers that have too many.
    """
    last = len(names.weights) - 1
    layers = [_drawn(len(names.inputs), 1), *(_layer(names, layer) for layer in range(last + 1))]
    rows = max(_UNIT_ROWS, *(layer.rows for layer in layers))
    titles = [Title("inputs", 1)]
    sources = [Node(name, *place) for name, place in zip(names.inputs, layers[0].places(rows, 1, 1), strict=True)]
    nodes, arrows = list(sources), []
    column = layers[0].columns
    for layer, (before, drawn) in enumerate(pairwise(layers)):
        column += 2
        weights, biases = names.weights[layer], names.biases[layer]
        if not drawn.with_weights:
            titles.append(Title(f"{weights[0][0]} … {weights[-1][-1]}", column - 1, align="left"))
        titles.append(Title(layer_title(layer, last + 1), column + 1))
        pitch = _OUTPUT_COLUMNS if layer == last else 1
        joined = before.columns == drawn.columns == 1 and len(sources) * len(weights) <= _MOST_ARROWS
        outputs = []
        for unit, (top, place) in enumerate(drawn.places(rows, column + 1, pitch)):
            value = Node(names.pre_activations[layer][unit], top, place)
            inlets = [value] * len(sources)
            if drawn.with_weights:
                inlets = [Node(weight, top + index, column) for index, weight in enumerate(weights[unit])]
                nodes += inlets
                if biases:
                    nodes.append(Node(biases[unit if len(biases) > 1 else 0], top + len(inlets), column))
            nodes.append(value)
            outputs.append(Node(names.activations[layer][unit], top + 1, place))
            arrows += [Arrow(source, inlet) for source, inlet in zip(sources, inlets, strict=True) if joined]
        nodes += outputs
        column += 1 + pitch * (drawn.columns - 1)
        sources = outputs
    losses = list(_losses(names, sources, nodes, arrows))
    titles.append(Title("loss", losses[0].column))
    return Diagram(tuple(titles), tuple(nodes), tuple(arrows))


_OUTPUT_COLUMNS = 3
"""An output, its target, its loss."""


def _layer(names: Names, layer: int) -> _Layer:
    """A layer with its weights where they have room; else only its units."""
    units, sources = len(names.weights[layer]), len(names.weights[layer][0])
    height = max(2, sources + bool(names.biases[layer]))
    if (height + 1) * units <= _MOST_ROWS:
        return _Layer(units, height, 1, with_weights=True)
    return _drawn(units, 2)


def _drawn(count: int, height: int) -> _Layer:
    """Blocks with gaps between them where those have room."""
    return _Layer(count, height, 1 if (height + 1) * count <= _MOST_ROWS else 0)


def _losses(names: Names, outputs: list[Node], nodes: list[Node], arrows: list[Arrow]) -> Iterator[Node]:
    """The loss of every output on its right, with the target, and the total between the two in the middle."""
    losses = [Node(name, output.row, output.column + 2) for name, output in zip(names.losses, outputs, strict=True)]
    nodes += [Node(name, loss.row - 1, loss.column - 1) for name, loss in zip(names.targets, losses, strict=True)]
    nodes += losses
    if len(losses) <= _MOST_ARROWS:
        arrows += [Arrow(output, loss) for output, loss in zip(outputs, losses, strict=True)]
    column = losses[-1].column
    here = [loss for loss in losses if loss.column == column]
    gaps = [(upper.row + lower.row) // 2 for upper, lower in pairwise(here)]
    total = Node(names.total_loss, gaps[len(gaps) // 2] if gaps else here[0].row + 3, column)
    nodes.append(total)
    near = sorted(here, key=lambda loss: abs(loss.row - total.row))[:2]
    arrows += [Arrow(loss, total) for loss in near if abs(loss.row - total.row) > 1]
    yield from losses


def _spread(count: int, height: int, rows: int) -> list[int]:
    """The top rows of `count` blocks of a height, spread evenly over the rows below the titles."""
    slot = rows // count
    return [TOP_ROW + 1 + index * slot + (slot - height) // 2 for index in range(count)]
