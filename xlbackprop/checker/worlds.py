"""Worlds: random networks computed by the engine, in which a formula has to give the right number every time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.derivation import Derivation, Quantity, Role, derive
from xlbackprop.engine import Array, train
from xlbackprop.network import (
    ACTIVATIONS,
    LEARNING_RATE,
    LOSSES,
    SOFTMAX,
    Definition,
    Layer,
    Names,
    derivative,
    softmax,
)
from xlbackprop.symbols import Expression, Number, Product, Quotient, Stable, Symbol

WORLDS = 5
"""How many random networks a formula is tried with; two wrong formulas in 10⁹ would agree in one of them."""

ANOTHER_ROW = 9
"""The distance of every row that is neither this one nor one of its neighbours."""

CLOSENESS = 1e-9
"""Relative; the engine and a formula sum in another order, a slip is off by far more with such numbers."""

_MOST_DRAWS = 6
"""Of one network, until its units are where they can be told apart; a typed learning rate may keep them from it."""
_LARGEST_SUM = 12.0
"""Beyond it a sigmoid is so near 1 that its logarithm loses its digits."""
_SMALLER_WEIGHTS, _SMALLER_RATES = 0.6, 0.02
"""Where activations have no bounds, so that nothing grows from row to row."""

Literals = tuple[tuple[str, float], ...]


class Shape(Struct, frozen=True):
    """The network of a sheet, as far as the formulas need it."""

    sizes: tuple[int, ...]
    bias_counts: tuple[int, ...]
    train_biases: bool = False
    activations: tuple[str, ...] = ()
    """Of every layer; sigmoid in all of them where nothing is said."""
    loss: str = "half squared error"
    share_factor: float = 1.0
    """How many times that loss the sheet takes for every output."""
    loss_factor: float = 1.0
    """How many times that loss the sheet takes for all of them, and so for the gradients."""

    @property
    def layer_activations(self) -> tuple[str, ...]:
        return self.activations or ("sigmoid",) * len(self.bias_counts)

    @property
    def is_bounded(self) -> bool:
        """Whether no activation grows with its argument."""
        return all(kind == SOFTMAX or ACTIVATIONS[kind].bounded for kind in self.layer_activations)

    @property
    def has_kinks(self) -> bool:
        """Whether an activation has a corner, as rectifiers have."""
        return not {"relu", "leaky relu"}.isdisjoint(self.layer_activations)

    def definition(self, generator: random.Random, literals: Mapping[str, float], turn: int) -> Definition:
        """A random network of this shape, its given numbers replaced by those that are typed into the formulas.

        Args:
            generator: of the numbers.
            literals: the typed numbers, by name.
            turn: which of several networks it is; where activations have kinks, each unit is on one side of its own
                in some of them and on the other in the rest.
        """
        names = derivation_of(self).names
        inputs = [literals.get(name, _number(generator, 0.3, 1.7)) for name in names.inputs]
        targets = [literals.get(name, _number(generator, 0.05, 0.95)) for name in names.targets]
        if LOSSES[self.loss].goes_with == SOFTMAX and literals.keys().isdisjoint(names.targets):
            targets = [target / sum(targets) for target in targets]  # shares, as the outputs are
        layers = []
        arriving = np.array(inputs)
        for layer, rows in enumerate(names.weights):
            activation = self.layer_activations[layer]
            weights = [[_signed(generator) for _ in row] for row in rows]
            biases = [literals.get(name, _number(generator, 0.2, 0.9)) for name in names.biases[layer]]
            if not self.is_bounded:
                weights = [[_SMALLER_WEIGHTS * weight for weight in row] for row in weights]
                for unit, row in enumerate(weights):
                    own = len(biases) == len(rows) and names.biases[layer][unit] not in literals
                    total = float(arriving @ np.array(row)) + (biases[unit % len(biases)] if biases else 0.0)
                    if (total > 0) != _is_positive(unit, turn):
                        weights[unit] = [-weight for weight in row]
                        biases = [-b if own and index == unit else b for index, b in enumerate(biases)]
                sums = np.array(weights) @ arriving + np.array(biases or [0.0])
                arriving = sums if activation == SOFTMAX else ACTIVATIONS[activation].value(sums)
            layers.append(Layer(weights=tuple(map(tuple, weights)), bias=tuple(biases) or None, activation=activation))
        rate = _number(generator, 0.6, 1.9) * (1.0 if self.is_bounded else _SMALLER_RATES)
        return Definition(
            title="-",
            teaches="-",
            inputs=tuple(inputs),
            targets=tuple(targets),
            learning_rate=literals[LEARNING_RATE] * self.loss_factor if LEARNING_RATE in literals else rate,
            iterations=2,
            layers=tuple(layers),
            train_biases=self.train_biases,
            loss=self.loss,
        )


class World(Struct, frozen=True):
    """The values of every quantity in a few neighbouring rows of a table, one an imagined network.

    `values[distance][name]` has shape (WORLDS,); the weights of a row come from the row before by a true update.
    """

    values: Mapping[int, Mapping[str, Array]]

    def value(self, name: str, distance: int) -> Array | None:
        """A quantity in the row at a distance; a name that begins with − is the negative of the quantity."""
        row = self.values.get(distance)
        if row is None:
            return None
        found = row.get(name.removeprefix("−"))
        return -found if found is not None and name.startswith("−") else found


def derivation_of(shape: Shape) -> Derivation:
    """The derivation for a shape; its numbers do not matter."""
    return _derivation_of(_explicit(shape))


@lru_cache(maxsize=64)
def _derivation_of(shape: Shape) -> Derivation:
    layers = []
    for sources, units, biases, activation in zip(
        shape.sizes, shape.sizes[1:], shape.bias_counts, shape.layer_activations, strict=False
    ):
        layers.append(Layer(weights=((0.0,) * sources,) * units, bias=(0.0,) * biases or None, activation=activation))
    derivation = derive(
        Definition(
            title="-",
            teaches="-",
            inputs=(0.0,) * shape.sizes[0],
            targets=(0.0,) * shape.sizes[-1],
            learning_rate=1.0,
            iterations=1,
            layers=tuple(layers),
            train_biases=shape.train_biases,
            loss=shape.loss,
        )
    )
    factors = _factors(shape, derivation)
    known = _with_links(shape, derivation)
    quantities = {
        name: replace(
            each, expression=_times(factors.get(name, 1.0), _as_written(each)), update=_without_limit(each.update)
        )
        for name, each in known.items()
    }
    return replace(derivation, quantities=quantities)


def _with_links(shape: Shape, derivation: Derivation) -> dict[str, Quantity]:
    """The quantities with both links of outputs whose loss and activation are derived as one."""
    known = dict(derivation.quantities)
    if LOSSES[shape.loss].goes_with is None:
        return known
    first = next(index for index, each in enumerate(known.values()) if each.role is Role.GRADIENT)
    links = {link.name: link for link in _links(shape, derivation.names)}
    return dict([*list(known.items())[:first], *links.items(), *list(known.items())[first:]])


def _links(shape: Shape, names: Names) -> Iterator[Quantity]:
    outputs = [Symbol(name) for name in names.activations[-1]]
    for unit, target, a in zip(names.pre_activations[-1], map(Symbol, names.targets), outputs, strict=True):
        if LOSSES[shape.loss].goes_with == SOFTMAX:
            yield _link(names.total_loss, a.name, -target / a)
            for other in outputs:
                yield _link(other.name, unit, softmax.local_derivative(other, a, same=other == a))
        else:
            slope = (a - target) / (a * (1 - a))
            yield _link(names.total_loss, a.name, slope if len(outputs) == 1 else slope / len(outputs))
            yield _link(a.name, unit, a * (1 - a))


def _link(of: str, by: str, expression: Expression) -> Quantity:
    sentence = f"how much {of} changes when {by} changes"
    return Quantity(derivative(of, by), Role.GRADIENT, sentence, expression, derivative_of=(of, by))


def _link_values(shape: Shape, values: Mapping[str, Array]) -> dict[str, Array]:
    """The values of those links, from the numbers of the engine."""
    loss = LOSSES[shape.loss]
    if loss.goes_with is None:
        return {}
    names = derivation_of(shape).names
    t = np.array([values[name] for name in names.targets])
    a = np.array([values[name] for name in names.activations[-1]])
    found = {}
    for index, (unit, output) in enumerate(zip(names.pre_activations[-1], names.activations[-1], strict=True)):
        if loss.goes_with == SOFTMAX:
            found[derivative(names.total_loss, output)] = -t[index] / a[index]
            for other, name in enumerate(names.activations[-1]):
                found[derivative(name, unit)] = softmax.jacobian(a.T)[:, other, index]
        else:
            slope = a[index] * (1 - a[index])
            found[derivative(names.total_loss, output)] = (a[index] - t[index]) / slope / len(a)
            found[derivative(output, unit)] = slope
    return found


def _explicit(shape: Shape) -> Shape:
    """The shape with every activation said, so that what is remembered of it is found again."""
    return replace(shape, activations=shape.layer_activations)


def _factors(shape: Shape, derivation: Derivation) -> dict[str, float]:
    """By what the definitions of a network are multiplied whose loss is a multiple of a known one."""
    names = derivation.names
    ends = list(names.activations[-1])
    if LOSSES[shape.loss].goes_with is not None:
        ends += names.pre_activations[-1]
    slopes = {derivative(names.total_loss, end): shape.loss_factor for end in ends}
    shares = dict.fromkeys(names.losses, shape.share_factor)
    return {**slopes, **shares, names.total_loss: shape.loss_factor / shape.share_factor}


def _as_written(quantity: Quantity) -> Expression | None:
    """A definition; that of a loss as people write it, which is what stands in their sheets."""
    if quantity.role is Role.LOSS and isinstance(quantity.expression, Stable):
        return quantity.expression.written
    return quantity.expression


def _without_limit(update: Expression | None) -> Expression | None:
    """An update as people write it, which lets weights grow without end."""
    return update.written if isinstance(update, Stable) else update


def _times(factor: float, expression: Expression | None) -> Expression | None:
    """An expression so many times, its own constant factor multiplied out."""
    match expression:
        case None:
            return None
        case _ if factor == 1.0:
            return expression
        case Product((Number(value), *rest)):
            return Product((Number(factor * value), *rest))
        case Quotient(numerator, Number(value)):
            return _times(factor / value, numerator)
        case _:
            return Number(factor) * expression


def world(shape: Shape, literals: Literals = (), changing_samples: bool = False) -> World:
    """The random networks for a shape, the same ones every time.

    Args:
        shape: of the network.
        literals: given numbers that a sheet types into its formulas, by name.
        changing_samples: whether inputs and targets differ from row to row.
    """
    return _world(_explicit(shape), literals, changing_samples)


@lru_cache(maxsize=128)
def _world(shape: Shape, literals: Literals, changing_samples: bool) -> World:
    plain = replace(shape, share_factor=1.0, loss_factor=1.0)
    if shape != plain and LEARNING_RATE not in dict(literals):
        known = _world(plain, literals, changing_samples)
        rows = {distance: _scaled(shape, values) for distance, values in known.values.items()}
        return World(MappingProxyType(rows))
    generator = random.Random(1986)
    collected: dict[int, dict[str, list[float]]] = {}
    for turn in range(WORLDS):
        for _ in range(_MOST_DRAWS):
            drawn = _drawn(shape, dict(literals), changing_samples, generator, turn)
            if shape.is_bounded or _is_clear(shape, drawn[0], turn):
                break
        for distance, values in drawn.items():
            row = collected.setdefault(distance, {})
            for name, value in values.items():
                row.setdefault(name, []).append(value)
    return World(MappingProxyType({distance: _completed(shape, values) for distance, values in collected.items()}))


def _completed(shape: Shape, collected: Mapping[str, list[float]]) -> Mapping[str, Array]:
    """The values of a row in all networks, those of the links that the engine skips among them."""
    values = {name: np.array(numbers) for name, numbers in collected.items()}
    return _scaled(shape, {**values, **_link_values(shape, values)})


def _scaled(shape: Shape, values: Mapping[str, Array]) -> Mapping[str, Array]:
    """The values of a row for a loss that is a multiple of the known one, which trains with that part of the rate."""
    if shape.share_factor == shape.loss_factor == 1.0:
        return values
    names = derivation_of(shape).names
    factors = dict.fromkeys(names.losses, shape.share_factor) | {LEARNING_RATE: 1 / shape.loss_factor}
    quantities = derivation_of(shape).quantities
    for name, quantity in quantities.items():
        of = quantity.derivative_of[0] if quantity.derivative_of else name
        if (quantity.role is Role.GRADIENT and of in names.losses) or of == names.total_loss:
            factors[name] = shape.loss_factor
    return {name: factors.get(name, 1.0) * value for name, value in values.items()}


def _drawn(
    shape: Shape, literals: Mapping[str, float], changing_samples: bool, generator: random.Random, turn: int
) -> dict[int, dict[str, float]]:
    """One random network in neighbouring rows: its values by distance."""
    found = {}
    first = shape.definition(generator, literals, turn)
    for distance in (-1, 0, 1):
        trace = train(first)
        found[distance] = {**trace.at(0), LEARNING_RATE: first.learning_rate}
        other = shape.definition(generator, literals, turn)
        sample = first
        if changing_samples:
            sample = other if shape.is_bounded else _between(first, other)
        following = trace.at(1)
        layers = tuple(
            Layer(
                weights=tuple(tuple(following[name] for name in row) for row in rows),
                bias=tuple(following[name] for name in biases) or None,
                activation=activation,
            )
            for rows, biases, activation in zip(
                trace.names.weights, trace.names.biases, shape.layer_activations, strict=True
            )
        )
        first = replace(first, inputs=sample.inputs, targets=sample.targets, layers=layers)
    far = shape.definition(generator, literals, turn)
    found[ANOTHER_ROW] = {**train(far).at(0), LEARNING_RATE: first.learning_rate}
    return found


def _between(one: Definition, other: Definition) -> Definition:
    """The network with a sample that is near its own, so that its units stay on their sides."""

    def mixed(values: tuple[float, ...], others: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(0.9 * value + 0.1 * each for value, each in zip(values, others, strict=True))

    return replace(
        one,
        inputs=mixed(one.samples[0].inputs, other.samples[0].inputs),
        targets=mixed(one.samples[0].targets, other.samples[0].targets),
    )


def _is_positive(unit: int, turn: int) -> bool:
    """On which side of 0 the weighted sum of a unit is in one of the networks."""
    return bool((unit + turn) % 3)


def _is_clear(shape: Shape, values: Mapping[str, float], turn: int) -> bool:
    """Whether the units of a network are on the sides they should be on, and none is far out."""
    layers = derivation_of(shape).names.pre_activations
    sums = [(values[name], _is_positive(unit, turn)) for layer in layers for unit, name in enumerate(layer)]
    return all(abs(total) < _LARGEST_SUM and (total > 0) == is_positive for total, is_positive in sums)


def close(found: Array, right: Array) -> bool:
    """Whether two sets of values agree in every world."""
    return bool((np.abs(found - right) <= CLOSENESS * np.abs(right) + 1e-13).all())


def _number(generator: random.Random, low: float, high: float) -> float:
    return generator.uniform(low, high)


def _signed(generator: random.Random) -> float:
    return generator.uniform(0.3, 1.6) * generator.choice([-1, 1])
