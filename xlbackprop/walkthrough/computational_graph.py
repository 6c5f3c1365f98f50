"""The computational graph as a picture of both passes: where cards stand, what they say, and which arrows join them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from xlbackprop.network import Names, layer_title
from xlbackprop.walkthrough.diagram import Title

LINE_COLUMNS = 3
"""Of a line: a name, its number, and the slope of the loss over it."""


class Line(Struct, frozen=True):
    """A quantity in a card: row and column are those of its name, counted from 0."""

    name: str
    row: int
    column: int


class Link(Struct, frozen=True):
    """A pair of arrows across a gap, forward and backward, between two lines."""

    weight: str
    """The weight on it; empty where a loss flows into the total."""
    source: Line
    target: Line


class Gap(Struct, frozen=True):
    """The column between two columns of cards, which the arrows cross."""

    column: int
    links: tuple[Link, ...]


class Picture(Struct, frozen=True):
    """The whole of it: columns of cards with gaps between them, in rows counted from 0."""

    titles: tuple[Title, ...]
    lines: tuple[Line, ...]
    gaps: tuple[Gap, ...]
    rows: int
    columns: int

    @property
    def links(self) -> tuple[Link, ...]:
        return tuple(link for gap in self.gaps for link in gap.links)


class _Card(Struct, frozen=True):
    """A unit: what flows in, over or beside what it makes of it."""

    inflow: tuple[str, ...]
    made: tuple[str, ...]

    def height(self, *, side_by_side: bool) -> int:
        return max(len(self.inflow), len(self.made)) if side_by_side else len(self.inflow) + len(self.made)


def picture(names: Names, *, side_by_side: bool) -> Picture:
    """Lay a network out: the inputs, each layer, the total loss.

    Args:
        side_by_side: let a unit's values stand beside its weights, which is lower and wider, instead of under them.
    """
    layers = [[_Card((), (name,)) for name in names.inputs]]
    for layer, (rows, biases) in enumerate(zip(names.weights, names.biases, strict=True)):
        values = zip(names.pre_activations[layer], names.activations[layer], strict=True)
        ends: list[tuple[str, ...]] = [()] * len(rows)
        if layer == len(names.weights) - 1:
            ends = [*zip(names.targets, names.losses, strict=True)]
        layers.append(
            [
                _Card((*row, *_bias(biases, unit)), (*value, *end))
                for unit, (row, value, end) in enumerate(zip(rows, values, ends, strict=True))
            ]
        )
    layers.append([_Card((), (names.total_loss,))])
    height = max(sum(card.height(side_by_side=side_by_side) + 1 for card in cards) - 1 for cards in layers)
    column, found = 0, list[list[dict[str, Line]]]()
    titles, lines, gaps = list[Title](), list[Line](), list[Gap]()
    for index, cards in enumerate(layers):
        is_outside = index in (0, len(layers) - 1)
        titles.append(Title(_title(index, len(layers)), column))
        # the total stands above, so that there is room under it
        room = 1 if index == len(layers) - 1 else height
        placed = _placed(cards, column, room, side_by_side=side_by_side and not is_outside)
        found.append(placed)
        lines += [line for card in placed for line in card.values()]
        column += (2 if is_outside else LINE_COLUMNS * (1 + side_by_side)) + 1
    for index, (before, after) in enumerate(pairwise(found)):
        gaps.append(Gap(after[0][next(iter(after[0]))].column - 1, tuple(_links(names, index, before, after))))
    return Picture(tuple(titles), tuple(lines), tuple(gaps), height, column - 1)


def _bias(biases: Sequence[str], unit: int) -> Sequence[str]:
    return biases if len(biases) < 2 else biases[unit : unit + 1]


def _title(index: int, count: int) -> str:
    if index == 0:
        return "inputs"
    if index == count - 1:
        return "loss"
    return layer_title(index - 1, count - 2)


def _placed(cards: Sequence[_Card], column: int, height: int, *, side_by_side: bool) -> list[dict[str, Line]]:
    """The lines of every card by name, the cards spread evenly over the height."""
    slot = (height + 1) // len(cards)
    placed = []
    for index, card in enumerate(cards):
        room = slot - 1 - card.height(side_by_side=side_by_side)
        top = index * slot + max(0, room // 2)
        lines = [Line(name, top + row, column) for row, name in enumerate(card.inflow)]
        under, right = (0, LINE_COLUMNS) if side_by_side else (len(card.inflow), 0)
        lines += [Line(name, top + under + row, column + right) for row, name in enumerate(card.made)]
        placed.append({line.name: line for line in lines})
    return placed


def _links(names: Names, layer: int, before: list[dict[str, Line]], after: list[dict[str, Line]]) -> list[Link]:
    if layer == len(names.weights):
        total = after[0][names.total_loss]
        return [Link("", card[loss], total) for card, loss in zip(before, names.losses, strict=True)]
    outputs = names.activations[layer - 1] if layer else names.inputs
    sources = [card[name] for card, name in zip(before, outputs, strict=True)]
    rows = zip(names.weights[layer], after, strict=True)
    return [
        Link(weight, source, card[weight]) for row, card in rows for weight, source in zip(row, sources, strict=True)
    ]
