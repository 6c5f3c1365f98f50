"""The numbered boxes: the written derivation of a walkthrough, line by line, from its definitions."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from xlbackprop.derivation import Derivation
from xlbackprop.expression import Call, Expression, symbols
from xlbackprop.names import derivative
from xlbackprop.readings import Mathematics

_MATHEMATICS = Mathematics()


class Box(Struct, frozen=True):
    """One numbered box of the derivation."""

    number: int
    heading: str
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.number}  {self.heading}"


def boxes(derivation: Derivation, columns: Collection[str]) -> tuple[Box, ...]:
    """The derivation in boxes: 1 to 3 up to the output layer's gradients, then three for every hidden layer.

    Args:
        derivation: what to write down.
        columns: the quantities in which the gradients are written out.
    """
    names, columns = derivation.labels, frozenset(columns)
    last = len(names.weights) - 1
    gradients = derivation.gradients(last)
    contents = [
        ("Forward pass", _forward(derivation)),
        (f"Chain rule for {names.weights[last][0][0]}", _links(derivation, gradients[0])),
        ("Gradients of the output layer", _expanded(derivation, gradients, columns)),
    ]
    for layer in range(last - 1, -1, -1):
        where = "hidden layer" if last == 1 else f"hidden layer {layer + 1}"
        outputs = [derivative(names.total_loss, unit) for unit in names.activations[layer]]
        parts = [
            name
            for loss in names.losses
            if (name := derivative(loss, names.activations[layer][0])) in derivation.quantities
        ]
        gradients = derivation.gradients(layer)
        contents += [
            (f"What reaches the {where}", _expanded(derivation, [*parts, *outputs], columns)),
            (f"Chain rule for the {where}", (_chain(derivation, gradient) for gradient in gradients)),
            (f"Gradients of the {where}, written out", _expanded(derivation, gradients, columns)),
        ]
    return tuple(Box(number, heading, tuple(lines)) for number, (heading, lines) in enumerate(contents, 1))


def equation(name: str, *sides: Expression) -> str:
    """A quantity and what it equals: `h1 = w1 · i1 + w2 · i2`."""
    return " = ".join([name, *(_MATHEMATICS.read(side) for side in sides)])


def _forward(derivation: Derivation) -> Iterator[str]:
    names = derivation.labels
    for units in zip(names.pre_activations, names.activations, strict=True):
        for row in units:
            for name in row:
                expression = derivation.expanded(name, derivation.quantities)
                spelled = [expression.body] if isinstance(expression, Call) and name == names.activations[0][0] else []
                yield equation(name, expression, *spelled)
    for name in (names.total_loss, *names.losses):
        yield equation(name, derivation.expanded(name, derivation.quantities))


def _links(derivation: Derivation, gradient: str) -> Iterator[str]:
    """The chain rule for one weight of the output layer, from the loss to the weight, link by link."""
    names = derivation.labels
    _, weight = derivation[gradient].derivative_of or ("", "")
    total = derivation.expanded(names.total_loss, derivation.quantities)
    dependents = derivation.dependents(weight)
    touched = [loss for loss in names.losses if loss in dependents]
    yield f"{gradient} = ∂({_MATHEMATICS.read(total)})/∂{weight}"
    yield f"{gradient} = {' + '.join(derivative(loss, weight) for loss in touched)}"
    chain = derivation.chain(gradient)
    yield equation(gradient, chain)
    for link in (symbol.name for symbol in symbols(chain)):
        of, by = derivation[link].derivative_of or ("", "")
        differentiated = touched[0] if of == names.total_loss and len(touched) == 1 else of
        inner = derivation.expanded(differentiated, derivation.quantities)
        result = derivation.expanded(link, derivation.quantities)
        yield f"{link} = ∂({_MATHEMATICS.read(inner)})/∂{by} = {_MATHEMATICS.read(result)}"


def _chain(derivation: Derivation, gradient: str) -> str:
    return equation(gradient, derivation.chain(gradient))


def _expanded(derivation: Derivation, wanted: Collection[str], columns: Collection[str]) -> Iterator[str]:
    for name in wanted:
        yield equation(name, derivation.expanded(name, columns))
