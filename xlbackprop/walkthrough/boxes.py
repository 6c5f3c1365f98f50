"""The numbered boxes: the written derivation of a walkthrough, line by line, from its definitions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.network import RATE_NOW, derivative, layer_title
from xlbackprop.symbols import Call, Expression, Mathematics, Symbol, abridged, sum_of, symbols
from xlbackprop.walkthrough.steps import updated_name

MOST_LINES = 16
LONGEST_LINE = 130
"""Characters; longer ones leave out what lies between the ends of their sums."""

_MOST_LAYERS = 4
"""Hidden layers that are written down, from the last one back; those before them go on in the same way."""

_FIRST_PATTERNS, _LAST_PATTERNS = 4, 3
"""Of the forward pass through many layers: units and activations of two layers; those of the last one, and the loss."""

_TERMS = (8, 5, 4, 3, 2)
"""How many terms of a sum a line that is too long may keep, the more the better."""

_MATHEMATICS = Mathematics()

Read = Callable[[Expression], str]


class Box(Struct, frozen=True):
    """One numbered box of the derivation."""

    number: int
    heading: str
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.number}  {self.heading}"


class _Lines(Struct, frozen=True):
    """Lines of one pattern, one for each of some quantities."""

    names: Sequence[str]
    write: Callable[[str], str]

    def first(self, most: int) -> Iterator[str]:
        """The first lines, and how many more there are if there are more."""
        more = len(self.names) - most + 1
        yield from map(self.write, self.names if more <= 1 else self.names[: most - 1])
        if more > 1:
            yield f"… and {more:,} more like these"


def boxes(derivation: Derivation, columns: Collection[str]) -> tuple[Box, ...]:
    """The derivation in boxes: 1 to 3 up to the output layer's gradients, then three for every hidden layer.

    Where the training is more than a step down the gradient of each sample, the last box has the update.

    Args:
        derivation: what to write down.
        columns: the quantities in which the gradients are written out.
    """
    names, known = derivation.names, frozenset(columns)
    last = len(names.weights) - 1
    gradients = derivation.gradients(last)
    named = ([derivative(names.total_loss, unit) for unit in units] for units in names.pre_activations)
    deltas = [[delta for delta in layer if delta in known] for layer in named]

    def chain(gradient: str) -> str:
        return _equated(gradient, derivation.chain(gradient))

    def expanded(name: str) -> str:
        return _equated(name, derivation.expanded(name, known))

    contents: list[tuple[str, list[_Lines]]] = [
        ("Forward pass", _forward(derivation)),
        (
            f"Chain rule for {names.weights[last][0][0]}: slopes multiply",
            [_Lines([*_links(derivation, gradients[0])], str)],
        ),
        ("Gradients of the output layer", [_Lines(deltas[last], expanded), _Lines(gradients, expanded)]),
    ]
    written = range(last - 1, max(-1, last - 1 - _MOST_LAYERS), -1)
    for layer in written:
        where = layer_title(layer, last + 1)
        outputs = [derivative(names.total_loss, unit) for unit in names.activations[layer]]
        losses = [derivative(loss, names.activations[layer][0]) for loss in names.losses]
        parts = [name for name in losses if len(losses) > 1 and name in derivation.quantities]
        gradients = derivation.gradients(layer)
        paths = len(names.activations[layer + 1])
        reaching = f"What reaches the {where}" + (f": effects add over {paths} paths" if paths > 1 else "")
        contents += [
            (reaching, [_Lines(parts, expanded), _Lines(outputs, expanded)]),
            (f"Chain rule for the {where}", [_Lines(gradients, chain)]),
            (f"Gradients of the {where}, written out", [_Lines(deltas[layer], expanded), _Lines(gradients, expanded)]),
        ]
    if left := last - len(written):
        heading = f"Hidden layer{f's {left} to' if left > 1 else ''} 1 in the same way"
        contents.append((heading, [_Lines(deltas[0], expanded), _Lines(derivation.gradients(0), expanded)]))
    update = _update(derivation)
    if update:
        contents.append((f"Update: {derivation.optimiser}", [_Lines(update, str)]))
    return tuple(Box(number, heading, _shortened(parts)) for number, (heading, parts) in enumerate(contents, 1))


def equation(name: str, *sides: Expression, read: Read = _MATHEMATICS.read) -> str:
    """A quantity and what it equals: `h1 = w1 · i1 + w2 · i2`."""
    return " = ".join([name, *map(read, sides)])


def _shortened(parts: Sequence[_Lines]) -> tuple[str, ...]:
    """All lines, or the first ones of each pattern where there are too many, or of the first and the last patterns."""
    parts = [part for part in parts if part.names]
    if sum(len(part.names) for part in parts) <= MOST_LINES:
        return tuple(line for part in parts for line in map(part.write, part.names))
    if 2 * len(parts) <= MOST_LINES:
        return tuple(line for part in parts for line in part.first(MOST_LINES // len(parts)))
    first, between, end = parts[:_FIRST_PATTERNS], parts[_FIRST_PATTERNS:-_LAST_PATTERNS], parts[-_LAST_PATTERNS:]
    shown, others = ([line for part in some for line in part.first(2)] for some in (first, end))
    return (*shown, f"… and {sum(len(part.names) for part in between):,} more for the layers between", *others)


def _fitted(write: Callable[[Read], str]) -> str:
    """A line, with as many terms of its sums as it has room for."""
    line = write(_MATHEMATICS.read)
    for terms in _TERMS:
        if len(line) <= LONGEST_LINE:
            return line
        line = write(partial(_read_abridged, terms))
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1].rpartition(" ")[0] + " …"


def _read_abridged(terms: int, expression: Expression) -> str:
    return _MATHEMATICS.read(abridged(expression, terms))


def _equated(name: str, *sides: Expression) -> str:
    return _fitted(lambda read: equation(name, *sides, read=read))


def _forward(derivation: Derivation) -> list[_Lines]:
    names = derivation.names

    def write(name: str) -> str:
        expression = derivation.expression(name)
        spelled = [expression.body] if isinstance(expression, Call) and name == names.activations[0][0] else []
        return _equated(name, expression, *spelled)

    rows = [row for units in zip(names.pre_activations, names.activations, strict=True) for row in units]
    return [_Lines(row, write) for row in (*rows, (names.total_loss, *names.losses))]


def _links(derivation: Derivation, gradient: str) -> Iterator[str]:
    """The chain rule for one weight of the output layer, from the loss to the weight, link by link."""
    names = derivation.names
    _, weight = derivation[gradient].derivative_of or ("", "")
    total = derivation.expression(names.total_loss)
    dependents = derivation.dependents(weight)
    touched = [loss for loss in names.losses if loss in dependents]
    if len(names.losses) > 1:
        yield _fitted(lambda read: f"{gradient} = ∂({read(total)})/∂{weight}")
    others = [loss for loss in names.losses if loss not in touched][:1]
    why = f"   ({others[0]} does not contain {weight})" if others else ""
    yield _equated(gradient, sum_of([Symbol(derivative(loss, weight)) for loss in touched])) + why
    chain = derivation.chain(gradient)
    yield _equated(gradient, chain)
    for link in (symbol.name for symbol in symbols(chain)):
        of, by = derivation[link].derivative_of or ("", "")
        differentiated = touched[0] if of == names.total_loss and len(touched) == 1 else of
        yield _fitted(partial(_link, derivation, link, differentiated, by))


def _link(derivation: Derivation, link: str, differentiated: str, by: str, read: Read) -> str:
    inner, result = (derivation.expression(name) for name in (differentiated, link))
    return f"{link} = ∂({read(inner)})/∂{by} = {read(result)}"


def _update(derivation: Derivation) -> list[str]:
    """One weight of the output layer, from its gradient to its new value; nothing where that is one plain step."""
    weight = derivation.names.weights[-1][0][0]
    update = derivation.update(weight)
    needed = _needed(derivation, update)
    if not needed and len(derivation.settings) == 1:
        return []
    lines = [_equated(name, derivation.expression(name)) for name in needed]
    return [*lines, _equated(updated_name(weight), update)]


def _needed(derivation: Derivation, update: Expression) -> list[str]:
    """What an update needs that is kept from iteration to iteration or corrected: means, states, corrections, rate."""
    ahead, found = [update], set[str]()
    while ahead:
        for symbol in symbols(ahead.pop()):
            name, quantity = symbol.name, derivation.quantities.get(symbol.name)
            if name in found or quantity is None or quantity.expression is None:
                continue
            if quantity.role is Role.MEMORY or (quantity.role is Role.GRADIENT and name in derivation.carried):
                found.add(name)
                ahead.append(quantity.expression)
    order = list(derivation.quantities)
    return sorted(found, key=lambda name: (name == RATE_NOW, name not in derivation.carried, order.index(name)))
