"""The steps of one iteration: what is given, what is calculated in which order, and what is learned from it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from xlbackprop.derivation import Derivation, Role


class Section(Struct, frozen=True):
    """A stretch of the calculation, such as the forward pass."""

    heading: str
    names: tuple[str, ...]


def given(derivation: Derivation) -> tuple[str, ...]:
    """The quantities that an iteration begins with: inputs, targets, weights and biases."""
    return tuple(name for name, quantity in derivation.quantities.items() if quantity.expression is None)


def learned(derivation: Derivation) -> tuple[str, ...]:
    """The weights and biases that an update changes."""
    return tuple(name for name, quantity in derivation.quantities.items() if quantity.update is not None)


def updated_name(name: str) -> str:
    """What a weight or bias is called once it is updated."""
    return f"new {name}"


def updated_sentence(name: str) -> str:
    """What it is then, in plain words that can follow "… is"."""
    return f"{name} in the next iteration, a step downhill"


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
