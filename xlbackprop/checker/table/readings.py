"""Readings: with which activations and which loss a table calculates, told by what its own columns give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product

import numpy as np
from msgspec.structs import replace

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.table.meaning import Judge, Meaning
from xlbackprop.checker.table.trees import Key, Trees
from xlbackprop.checker.table.weight_numbering import other_numberings
from xlbackprop.checker.worlds import Shape, close
from xlbackprop.derivation import Role
from xlbackprop.engine import Array
from xlbackprop.network import ACTIVATIONS, LEARNING_RATE, LOSSES, SOFTMAX, softmax

RowsRight = Callable[[Meaning, str], float]
"""Which part of the numbers of a column are what its label says, from the other numbers of their rows."""

LINEAR = "identity"
"""What outputs are rather than rectifiers, where their numbers do not tell."""
SQUARES, MEAN_OF_SQUARES = "half squared error", "mean squared error"
_TELLING = "leaky relu"
"""With it in all layers the sums of all units are above 0 in some worlds and below in others, and none is nothing."""
_MOST_READINGS = 24
_AS_GOOD = 0.25
"""Of a column: losses whose columns fit so much worse than those of another are tried too, since one may be wrong."""


def is_plain(book: Book, trees: Trees, meaning: Meaning) -> bool:
    """Whether all activations and losses are those that the meaning says, or all columns are what they should be."""
    judge = Judge(book, trees, meaning)
    wrong = {name for name, key in trees.typical.items() if not judge.is_right(name, key)}
    names = meaning.derivation.names
    losses = {*names.losses, names.total_loss}
    outputs = {name for layer in names.activations for name in layer}
    return not wrong or not (wrong & (outputs | losses) or losses.isdisjoint(trees.typical))


def readings(book: Book, trees: Trees, meaning: Meaning, rows_right: RowsRight | None = None) -> tuple[Shape, ...]:
    """The shape whose activations and loss fit the columns of a table best, then those that fit its numbers as well.

    The activations are what the columns of the activations are; of the losses that fit the loss columns, the one
    under which most columns of the table are right.

    Args:
        book: the workbook.
        trees: the formulas of the table.
        meaning: what is understood of it so far.
        rows_right: judges columns that no formula tells of.
    """
    return _Readings(book, trees, meaning, rows_right).shapes()


class _Readings:
    def __init__(self, book: Book, trees: Trees, meaning: Meaning, rows_right: RowsRight | None) -> None:
        self._book = book
        self._trees = trees
        lines = {line: name for line, name in meaning.lines.items() if name == LEARNING_RATE}
        self._meaning = replace(meaning, lines=lines)
        self._names = meaning.derivation.names
        self._rows_right = rows_right
        self._followed: Mapping[str, Key] = {n: k for n, k in trees.typical.items() if trees.is_followed(k)}
        self._judges: dict[Shape, Judge] = {}

    def shapes(self) -> tuple[Shape, ...]:
        shape = self._meaning.shape
        if not self._followed and self._rows_right is None:
            return (shape,)
        options = [list(self._activations(layer)) for layer in range(len(self._names.weights))]
        trials = [
            trial for chosen in product(*options) for trial in self._with_losses(replace(shape, activations=chosen))
        ][:_MOST_READINGS]
        scores = [self._score(trial) for trial in trials] if len(trials) > 1 else [0.0]
        best = trials[scores.index(max(scores))]
        if self._rows_right is None:
            return (best,)
        others = [replace(best, activations=chosen) for chosen in product(*options) if chosen != best.activations]
        return (best, *others)

    def _activations(self, layer: int) -> list[str]:
        """The activations that most units of a layer have: more than one where that is undecided."""
        table, shape = self._trees.table, self._meaning.shape
        outputs, is_last = self._names.activations[layer], layer == len(self._names.weights) - 1
        kinds = list(dict.fromkeys([*([LINEAR] if is_last else []), *ACTIVATIONS]))
        kinds += [SOFTMAX] if is_last and len(outputs) > 1 else []
        needed = LOSSES[shape.loss].goes_with if is_last and table.is_loss_given else None
        if table.are_activations_given or needed is not None:
            return [needed or shape.layer_activations[layer]]
        votes = dict.fromkeys(kinds, 0.0)
        for kind, share in self._votes_of_formulas(layer, kinds):
            votes[kind] += share
        for unit in outputs:
            if unit in table.lines and unit not in self._followed and self._rows_right is not None:
                for kind in kinds:
                    votes[kind] += self._rows_right(self._read(self._with_activation(layer, kind)), unit)
        most = max(votes.values())
        if most:
            return [kind for kind in kinds if votes[kind] > most - 1e-9]
        if any(unit in table.lines for unit in outputs):
            return [shape.layer_activations[layer]]
        return kinds  # without a column of their own: what uses them tells

    def _votes_of_formulas(self, layer: int, kinds: list[str]) -> Iterator[tuple[str, float]]:
        probe = replace(self._plain, activations=(_TELLING,) * len(self._names.weights))
        tried: list[list[tuple[str, float]]] = []
        for numbering in other_numberings(self._meaning):
            judge = Judge(self._book, self._trees, replace(self._read(probe), numbering=numbering))
            sums = [judge.right(unit) for unit in self._names.pre_activations[layer]]
            votes = []
            for index, output in enumerate(self._names.activations[layer]):
                value = judge.value(self._followed[output]) if output in self._followed else None
                if value is not None:
                    votes += [(k, 1.0) for k in kinds if close(value, _activation(k, sums, index))]
            tried.append(votes)
            if votes:
                break
        yield from max(tried, key=len)

    @property
    def _plain(self) -> Shape:
        return replace(self._meaning.shape, loss=SQUARES, share_factor=1.0, loss_factor=1.0)

    def _with_activation(self, layer: int, kind: str) -> Shape:
        kinds = list(self._plain.layer_activations)
        kinds[layer] = kind
        return replace(self._plain, activations=tuple(kinds))

    def _with_losses(self, shape: Shape) -> list[Shape]:
        """The losses that the loss columns may be, those that fit them, and each as it is known."""
        labels = [name for name in (*self._names.losses, self._names.total_loss) if name in self._trees.table.lines]
        options = list(_losses(shape, self._meaning.shape.loss if self._trees.table.is_loss_given else None))
        fits = {option: sum(self._right(option, label) for label in labels) for option in options}
        most = max(fits.values())
        kinds = {option.loss for option in options if fits[option] > most - _AS_GOOD}
        return [
            option
            for option in options
            if option.loss in kinds
            and (fits[option] > most - _AS_GOOD or option.share_factor == option.loss_factor == 1)
        ]

    def _score(self, shape: Shape) -> float:
        """How many columns are right."""
        quantities = self._read(shape).derivation.quantities
        labels = []
        for label in self._trees.table.lines:
            quantity = quantities.get(self._meaning.own(label))
            if label in self._followed or (
                quantity is not None
                and quantity.expression is not None
                and quantity.role not in (Role.INPUT, Role.TARGET)
                and self._rows_right is not None
            ):
                labels.append(label)
        return sum(self._right(shape, label) for label in labels)

    def _right(self, shape: Shape, label: str) -> float:
        """Which part of a column is right."""
        if label in self._followed:
            judge = self._judges.setdefault(shape, Judge(self._book, self._trees, self._read(shape)))
            return float(judge.is_right(label, self._followed[label]))
        return 0.0 if self._rows_right is None else self._rows_right(self._read(shape), label)

    def _read(self, shape: Shape) -> Meaning:
        return replace(self._meaning, shape=shape)


def _activation(kind: str, sums: list[Array | None], index: int) -> Array:
    known = np.array(sums)
    return softmax.softmax(known.T).T[index] if kind == SOFTMAX else ACTIVATIONS[kind].value(known[index])


def _losses(shape: Shape, given: str | None) -> Iterator[Shape]:
    """The losses that go with the activations of the outputs, with the constant factors that people give them."""
    outputs = shape.sizes[-1]
    last = shape.layer_activations[-1]
    wanted = SQUARES if given == MEAN_OF_SQUARES else given
    for loss, entry in LOSSES.items():
        if loss == MEAN_OF_SQUARES or wanted not in (None, loss) or entry.goes_with not in (None, last):
            continue
        shares = (1.0, 2.0, 2.0 / outputs) if loss == SQUARES else (1.0, float(outputs), 1.0 / outputs)
        for share in dict.fromkeys(shares):
            for part in dict.fromkeys((1.0, 0.5, 1.0 / outputs)):
                yield replace(shape, loss=loss, share_factor=share, loss_factor=share * part)


def words_of(shape: Shape) -> str:
    """The activations and the loss in words: `tanh, then sigmoid; binary cross-entropy`."""
    kinds = shape.layer_activations
    activations = kinds[0] if len(set(kinds)) == 1 else ", then ".join(kinds)
    loss = shape.loss
    if loss == SQUARES:
        named = {2.0 / shape.sizes[-1]: MEAN_OF_SQUARES, 2.0: "squared error", 1.0: SQUARES}
        loss = named.get(shape.loss_factor, f"squared error times {shape.loss_factor / 2:g}")
    return f"{activations}; {loss}"
