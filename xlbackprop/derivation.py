"""The derivation: every quantity of the walkthrough defined once, as an expression over other quantities.

This is the one place to look a quantity up, and the one place to change it: column formulas, box texts, mathematics
and sentences are all readings of what stands here. The equations are those of Rumelhart, Hinton and Williams,
Nature 323 (1986), cited as RHW.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from functools import cached_property

from msgspec import Struct

from xlbackprop.activations import ACTIVATIONS
from xlbackprop.definition import Definition
from xlbackprop.expression import Call, Expression, Number, Symbol, substitute, sum_of, symbols
from xlbackprop.names import LEARNING_RATE, Names, derivative

LEARNING_RATE_SENTENCE = "the learning rate: how far each update goes against the gradient"


class Role(Enum):
    """What a quantity is to the network; it decides its colour everywhere."""

    INPUT = "input"
    TARGET = "target"
    WEIGHT = "weight"
    HIDDEN = "hidden"
    OUTPUT = "output"
    LOSS = "loss"
    GRADIENT = "gradient"


class Quantity(Struct, frozen=True):
    """One quantity of the walkthrough and the whole of what is known about it."""

    name: str
    role: Role
    sentence: str
    """What the quantity is, in plain words that can follow "name is …"."""
    expression: Expression | None = None
    """Its definition within an iteration; None for a number that is given."""
    update: Expression | None = None
    """For what is learned: its value from the iteration before."""
    derivative_of: tuple[str, str] | None = None
    """For ∂y/∂x: the names of y and x."""


class Derivation(Struct, frozen=True, dict=True):
    """All quantities of one walkthrough in the order of the calculation."""

    labels: Names
    quantities: Mapping[str, Quantity]

    def __getitem__(self, name: str) -> Quantity:
        return self.quantities[name]

    def expanded(self, name: str, columns: Collection[str]) -> Expression:
        """The definition of a quantity over `columns` only: every other quantity in it is written out.

        Raises:
            ValueError: the quantity is given or learned and has no definition within an iteration.
        """
        expression = self[name].expression
        if expression is None:
            raise ValueError(f"{name} is not calculated within an iteration")
        return self._inlined(expression, columns)

    def updated(self, name: str, columns: Collection[str]) -> Expression:
        """The update of what is learned, over the learning rate and `columns` of the iteration before only.

        Raises:
            ValueError: the quantity is not learned.
        """
        update = self[name].update
        if update is None:
            raise ValueError(f"{name} is not learned")

        def replace(symbol: Symbol) -> Expression:
            if symbol.name == LEARNING_RATE or symbol.name in columns:
                return symbol
            return substitute(
                self.expanded(symbol.name, columns), lambda inner: Symbol(inner.name, previous=symbol.previous)
            )

        return substitute(update, replace)

    def chain(self, gradient: str) -> Expression:
        """A gradient as its links: ∂E/∂w5 as ∂E/∂a_o1 · ∂a_o1/∂o1 · ∂o1/∂w5."""
        return self.expanded(gradient, self.quantities.keys() - set(self.deltas))

    def depends(self, name: str, on: str) -> bool:
        """Whether a quantity changes within an iteration when `on` does."""
        expression = self[name].expression
        used = {symbol.name for symbol in symbols(expression)} if expression else set()
        return on in used or any(self.depends(other, on) for other in used)

    @cached_property
    def learned(self) -> tuple[str, ...]:
        """What training changes: the weights, and the biases if they are learned."""
        return tuple(name for name, quantity in self.quantities.items() if quantity.update is not None)

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """What stays the same in every iteration: the inputs, the targets, and the biases if they are fixed."""
        return tuple(
            name for name, quantity in self.quantities.items() if quantity.update is None and not quantity.expression
        )

    @cached_property
    def deltas(self) -> tuple[str, ...]:
        """∂E/∂(pre-activation) of every unit, often written δ."""
        layers = self.labels.pre_activations
        return tuple(derivative(self.labels.total_loss, unit) for layer in layers for unit in layer)

    def gradients(self, layer: int) -> tuple[str, ...]:
        """The gradients of a layer's weights, then of its biases when they are learned."""
        weights = [weight for row in self.labels.weights[layer] for weight in row]
        wanted = [derivative(self.labels.total_loss, parameter) for parameter in [*weights, *self.labels.biases[layer]]]
        return tuple(name for name in wanted if name in self.quantities)

    def _inlined(self, expression: Expression, columns: Collection[str]) -> Expression:
        def replace(symbol: Symbol) -> Expression:
            definition = None if symbol.name in columns else self._definition(symbol.name)
            return symbol if definition is None else self._inlined(definition, columns)

        return substitute(expression, replace)

    def _definition(self, name: str) -> Expression | None:
        quantity = self.quantities.get(name)
        return quantity.expression if quantity else None


def derive(definition: Definition) -> Derivation:
    """Define every quantity of a walkthrough."""
    names = definition.names
    quantities = [*_given(names), *_forward(definition), *_loss(names), *_backward(definition)]
    return Derivation(names, {quantity.name: quantity for quantity in quantities})


def _given(names: Names) -> Iterator[Quantity]:
    for index, name in enumerate(names.inputs, 1):
        yield Quantity(name, Role.INPUT, f"input {index}, given")
    for index, name in enumerate(names.targets, 1):
        yield Quantity(name, Role.TARGET, f"the target: what output {index} should become")


def _forward(definition: Definition) -> Iterator[Quantity]:
    names = definition.names
    last = len(names.weights) - 1
    for layer, rows in enumerate(names.weights):
        activation = ACTIVATIONS[definition.layers[layer].activation]
        sources = names.activations[layer - 1] if layer else names.inputs
        role = Role.OUTPUT if layer == last else Role.HIDDEN
        units, outputs, biases = names.pre_activations[layer], names.activations[layer], names.biases[layer]
        for unit, row in zip(units, rows, strict=True):
            for weight, source in zip(row, sources, strict=True):
                yield _learned(names, weight, f"the weight of {source} in {unit}")
        for bias in biases:
            sentence = f"the bias of {', '.join(_owners(bias, biases, units))}"
            yield _learned(names, bias, sentence) if definition.train_biases else Quantity(bias, Role.WEIGHT, sentence)
        for unit, row in zip(units, rows, strict=True):
            terms = [Symbol(weight) * Symbol(source) for weight, source in zip(row, sources, strict=True)]
            terms += [Symbol(bias) for bias in biases if unit in _owners(bias, biases, units)]
            words = "the weighted sum of " + _listed(sources) + (", plus the bias" if biases else "")
            yield Quantity(unit, role, words, sum_of(terms))  # RHW 1
        for unit, output in zip(units, outputs, strict=True):
            words = f"the activation of {unit}: {activation.sentence}"
            yield Quantity(output, role, words, Call(activation.function, Symbol(unit)))  # RHW 2


def _loss(names: Names) -> Iterator[Quantity]:
    for loss, target, output in zip(names.losses, names.targets, names.activations[-1], strict=True):
        words = f"the error of {output}: half the squared distance from its target {target}"
        yield Quantity(loss, Role.LOSS, words, Number(0.5) * (Symbol(target) - Symbol(output)) ** 2)  # RHW 3
    total = sum_of([Symbol(loss) for loss in names.losses])
    yield Quantity(
        names.total_loss, Role.LOSS, "the loss: how wrong the whole network is, which training makes small", total
    )


def _backward(definition: Definition) -> Iterator[Quantity]:
    names, total = definition.names, definition.names.total_loss
    last = len(names.weights) - 1
    for layer in range(last, -1, -1):
        activation = ACTIVATIONS[definition.layers[layer].activation]
        units, outputs = names.pre_activations[layer], names.activations[layer]
        rows, biases = names.weights[layer], names.biases[layer]
        sources = names.activations[layer - 1] if layer else ()
        for index, output in enumerate(outputs):
            if layer == last:
                slope = Symbol(output) - Symbol(names.targets[index])  # RHW 4
            elif layer == last - 1:
                slope = sum_of([Symbol(derivative(loss, output)) for loss in names.losses])
            else:
                above = names.pre_activations[layer + 1]
                slope = sum_of([_link(total, unit, output) for unit in above])  # RHW 7
            yield _derivative(total, output, slope)
        for unit, output in zip(units, outputs, strict=True):
            yield _derivative(output, unit, activation.local_derivative(Symbol(unit), Symbol(output)))
        for unit, output in zip(units, outputs, strict=True):
            yield _derivative(total, unit, _link(total, output, unit))  # RHW 5
        for unit, row in zip(units, rows, strict=True):
            for weight, source in zip(row, sources or names.inputs, strict=True):
                yield _derivative(unit, weight, Symbol(source))
        for unit, row in zip(units, rows, strict=True):
            for weight, source in zip(row, sources, strict=False):
                yield _derivative(unit, source, Symbol(weight))
        if layer == last:
            for source in sources:
                for loss, unit in zip(names.losses, units, strict=True):
                    yield _derivative(loss, source, _link(total, unit, source))
        for unit, row in zip(units, rows, strict=True):
            for weight in row:
                yield _derivative(total, weight, _link(total, unit, weight))  # RHW 6
        for bias in biases if definition.train_biases else ():
            owned = _owners(bias, biases, units)
            yield _derivative(total, bias, sum_of([Symbol(derivative(total, unit)) for unit in owned]))


def _learned(names: Names, parameter: str, sentence: str) -> Quantity:
    gradient = Symbol(derivative(names.total_loss, parameter), previous=True)
    step = Symbol(parameter, previous=True) - Symbol(LEARNING_RATE) * gradient  # RHW 8
    return Quantity(parameter, Role.WEIGHT, sentence, update=step)


def _derivative(of: str, by: str, expression: Expression) -> Quantity:
    sentence = f"how much {of} changes when {by} changes"
    return Quantity(derivative(of, by), Role.GRADIENT, sentence, expression, derivative_of=(of, by))


def _link(of: str, through: str, by: str) -> Expression:
    """One step of the chain rule: ∂of/∂through · ∂through/∂by."""
    return Symbol(derivative(of, through)) * Symbol(derivative(through, by))


def _owners(bias: str, biases: tuple[str, ...], units: tuple[str, ...]) -> tuple[str, ...]:
    """The units that a bias belongs to: all of the layer when it has only one bias."""
    return units if len(biases) == 1 else (units[biases.index(bias)],)


def _listed(things: tuple[str, ...]) -> str:
    return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)
