"""The steps of one iteration: what is given, what is calculated in which order, and what is learned from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.expression import Expression
from xlbackprop.names import LEARNING_RATE, derivative

GIVEN = "Given in this iteration"
UPDATE = "Update: a new value for everything that is learned"


class Section(Struct, frozen=True):
    """A stretch of the calculation, such as the forward pass."""

    heading: str
    names: tuple[str, ...]


def given(derivation: Derivation) -> tuple[str, ...]:
    """The quantities that an iteration begins with: inputs, targets, weights and biases."""
    return tuple(name for name, quantity in derivation.quantities.items() if quantity.expression is None)


def updated_name(name: str) -> str:
    """What a weight or bias is called once it is updated."""
    return f"new {name}"


def updated_sentence(name: str) -> str:
    """What it is then, in plain words that can follow "… is"."""
    return f"{name} in the next iteration, a step downhill"


class Update(Struct, frozen=True):
    """The step of one weight or bias downhill."""

    name: str
    sentence: str
    role: Role
    expression: Expression
    value: float


def updates(derivation: Derivation, values: Mapping[str, float]) -> Iterator[Update]:
    """What every weight and bias that is learned becomes, from the values of an iteration and the learning rate."""
    for name in derivation.learned:
        quantity = derivation[name]
        assert quantity.update is not None
        gradient = values[derivative(derivation.labels.total_loss, name)]
        value = values[name] - values[LEARNING_RATE] * gradient
        yield Update(updated_name(name), updated_sentence(name), quantity.role, quantity.update, value)


def sections(derivation: Derivation) -> tuple[Section, ...]:
    """Everything that is calculated within an iteration, in the order of the calculation."""
    return tuple(section for section in _sections(derivation) if section.names)


def _sections(derivation: Derivation) -> Iterator[Section]:
    calculated = [name for name, quantity in derivation.quantities.items() if quantity.expression is not None]
    roles = {name: derivation[name].role for name in calculated}
    yield Section("Forward pass", tuple(name for name in calculated if roles[name] in (Role.HIDDEN, Role.OUTPUT)))
    yield Section("Loss", tuple(name for name in calculated if roles[name] is Role.LOSS))
    backward = [name for name in calculated if roles[name] is Role.GRADIENT]
    last = len(derivation.labels.weights) - 1
    for layer in range(last, -1, -1):
        end = backward.index(derivation.gradients(layer)[-1]) + 1
        number = "" if last == 1 else f" {layer + 1}"
        where = "output layer" if layer == last else f"hidden layer{number}"
        yield Section(f"Backward pass: {where}", tuple(backward[:end]))
        backward = backward[end:]
