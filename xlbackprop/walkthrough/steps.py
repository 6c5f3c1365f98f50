"""The steps of one iteration: what is given, what is calculated in which order, and what is learned from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.engine import Trace
from xlbackprop.network import GRADIENT_DESCENT, ITERATION, WEIGHT_DECAY, layer_title
from xlbackprop.symbols import Expression, Old, Symbol, symbols

GIVEN = "Given in this iteration"
UPDATE_HEADING = "Update: a new value for everything that is learned"


class Section(Struct, frozen=True):
    """A stretch of the calculation, such as the forward pass."""

    heading: str
    names: tuple[str, ...]


class Given(Struct, frozen=True):
    """A number that an iteration begins with."""

    label: str
    name: str
    sentence: str
    role: Role
    kind: Literal["quantity", "setting", "iteration", "old"]

    @property
    def symbol(self) -> Symbol:
        """The symbol under which definitions use it."""
        return Old(self.name) if self.kind == "old" else Symbol(self.name)


def givens(derivation: Derivation) -> Iterator[Given]:
    """Everything that an iteration begins with, as far as its definitions use it."""
    given = set(derivation.given)
    used = {
        symbol.name
        for name, quantity in derivation.quantities.items()
        for expression in (None if name in given else quantity.expression, quantity.update)
        if expression
        for symbol in symbols(expression)
    }
    if ITERATION in used:
        yield Given(ITERATION, ITERATION, "the number of the iteration, from 0", Role.ORDER, "iteration")
    for name in derivation.given:
        yield Given(name, name, derivation[name].sentence, derivation[name].role, "quantity")
    for setting in derivation.settings.values():
        yield Given(setting.name, setting.name, setting.sentence, Role.TARGET, "setting")
    for name in derivation.olds:
        if name not in given:
            words = f"{name} in the iteration before; 0 before the first"
            yield Given(Old(name).label, name, words, derivation[name].role, "old")


class Moment(Struct, frozen=True):
    """The numbers of one iteration, with the settings, and those of the iteration before."""

    values: Mapping[str, float]
    before: Mapping[str, float]
    """Empty before the first iteration, when everything that is carried from iteration to iteration is 0."""

    def value(self, symbol: Symbol) -> float:
        """The number that a symbol stands for in a definition or an update."""
        return self.before.get(symbol.name, 0.0) if isinstance(symbol, Old) else self.values[symbol.name]


def moment(derivation: Derivation, trace: Trace, iteration: int) -> Moment:
    """The numbers of an iteration, counted from 0."""
    settings = {name: setting.value for name, setting in derivation.settings.items()}
    return Moment(trace.at(iteration) | settings | {ITERATION: iteration}, trace.at(iteration - 1) if iteration else {})


def updated_name(name: str) -> str:
    """What a weight or bias is called once it is updated."""
    return f"new {name}"


def updated_sentence(name: str) -> str:
    """What it is then, in plain words that can follow "… is"."""
    return f"{name} in the next iteration"


class Update(Struct, frozen=True):
    """What becomes of one weight or bias."""

    name: str
    sentence: str
    role: Role
    expression: Expression
    value: float
    moved: str
    """The same sentence where it moves."""
    against: str
    """The same where it moves with a learning rate below 0."""
    unmoved: str
    """The same where it does not: before the batch is complete, or where its gradient is 0."""


def updates(derivation: Derivation, trace: Trace, iteration: int) -> Iterator[Update]:
    """What every weight and bias that is learned becomes after an iteration."""
    decays = WEIGHT_DECAY.symbol in derivation.settings
    plain = derivation.optimiser == GRADIENT_DESCENT.name and not decays
    for name in derivation.learned:
        value = trace.after(name, iteration)
        sentence = updated_sentence(name)
        yield Update(
            updated_name(name),
            sentence,
            derivation[name].role,
            derivation.update(name),
            value,
            f"{sentence}, a step {'downhill' if plain else 'on'}",
            f"{sentence}, a step {'uphill: η is below 0' if plain else 'on'}",
            f"{sentence}: unchanged to twelve decimals",
        )


def sections(derivation: Derivation) -> tuple[Section, ...]:
    """Everything that is calculated within an iteration, in the order of the calculation."""
    return tuple(section for section in _sections(derivation) if section.names)


def _sections(derivation: Derivation) -> Iterator[Section]:
    given = set(derivation.given)
    calculated = [name for name in derivation.quantities if name not in given]
    roles = {name: derivation[name].role for name in calculated}
    yield Section("Forward pass", tuple(name for name in calculated if roles[name] in (Role.HIDDEN, Role.OUTPUT)))
    yield Section("Loss", tuple(name for name in calculated if roles[name] is Role.LOSS))
    backward = [name for name in calculated if roles[name] is Role.GRADIENT]
    layers = len(derivation.names.weights)
    for layer in reversed(range(layers)):
        end = backward.index(derivation.gradients(layer)[-1]) + 1
        yield Section(f"Backward pass: {layer_title(layer, layers)}", tuple(backward[:end]))
        backward = backward[end:]
    yield Section("The mean over the batch", tuple(backward))
    yield Section("What the optimiser needs", tuple(name for name in calculated if roles[name] is Role.MEMORY))
