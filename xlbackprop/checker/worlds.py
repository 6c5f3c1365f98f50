"""Worlds: random networks computed by the engine, in which a formula has to give the right number every time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Derivation, derive
from xlbackprop.engine import Array, train
from xlbackprop.network import LEARNING_RATE, Definition, Layer

WORLDS = 5
"""How many random networks a formula is tried with; two wrong formulas in 10⁹ would agree in one of them."""

ELSEWHERE = 9
"""The distance of every row that is neither this one nor one of its neighbours."""

CLOSENESS = 1e-9
"""Relative; the engine and a formula sum in another order, a slip is off by far more with such numbers."""

Literals = tuple[tuple[str, float], ...]


class Shape(Struct, frozen=True):
    """The network of a sheet, as far as the formulas need it."""

    sizes: tuple[int, ...]
    bias_counts: tuple[int, ...]
    train_biases: bool = False
    activations: tuple[str, ...] = ()
    """Of every layer; sigmoid in all of them where nothing is said."""
    loss: str = "half squared error"

    @property
    def layer_activations(self) -> tuple[str, ...]:
        return self.activations or ("sigmoid",) * len(self.bias_counts)

    def definition(self, generator: random.Random, literals: Mapping[str, float]) -> Definition:
        """A random network of this shape, its given numbers replaced by those that are typed into the formulas."""
        names = derivation_of(self).names
        inputs = [literals.get(name, _number(generator, 0.3, 1.7)) for name in names.inputs]
        targets = [literals.get(name, _number(generator, 0.05, 0.95)) for name in names.targets]
        layers = []
        for layer, rows in enumerate(names.weights):
            weights = tuple(tuple(_signed(generator) for _ in row) for row in rows)
            biases = tuple(literals.get(name, _number(generator, 0.2, 0.9)) for name in names.biases[layer])
            layers.append(Layer(weights=weights, bias=biases or None, activation=self.layer_activations[layer]))
        return Definition(
            title="-",
            teaches="-",
            inputs=tuple(inputs),
            targets=tuple(targets),
            learning_rate=literals.get(LEARNING_RATE, _number(generator, 0.6, 1.9)),
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


@lru_cache(maxsize=64)
def derivation_of(shape: Shape) -> Derivation:
    """The derivation for a shape; its numbers do not matter."""
    layers = []
    for sources, units, biases, activation in zip(
        shape.sizes, shape.sizes[1:], shape.bias_counts, shape.layer_activations, strict=False
    ):
        layers.append(Layer(weights=((0.0,) * sources,) * units, bias=(0.0,) * biases or None, activation=activation))
    return derive(
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


@lru_cache(maxsize=64)
def world(shape: Shape, literals: Literals = (), changing_samples: bool = False) -> World:
    """The random networks for a shape, the same ones every time.

    Args:
        shape: of the network.
        literals: given numbers that a sheet types into its formulas, by name.
        changing_samples: whether inputs and targets differ from row to row.
    """
    generator = random.Random(1986)
    collected: dict[int, dict[str, list[float]]] = {}
    fixed = dict(literals)
    for _ in range(WORLDS):
        first = shape.definition(generator, fixed)
        for distance in (-1, 0, 1):
            trace = train(first)
            _collect(collected.setdefault(distance, {}), trace.at(0), first.learning_rate)
            other = shape.definition(generator, fixed)
            sample = other if changing_samples else first
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
            first = Definition(
                title="-",
                teaches="-",
                inputs=sample.inputs,
                targets=sample.targets,
                learning_rate=first.learning_rate,
                iterations=2,
                layers=layers,
                train_biases=shape.train_biases,
                loss=shape.loss,
            )
        far = shape.definition(generator, fixed)
        _collect(collected.setdefault(ELSEWHERE, {}), train(far).at(0), first.learning_rate)
    return World(
        MappingProxyType(
            {
                distance: {name: np.array(values) for name, values in rows.items()}
                for distance, rows in collected.items()
            }
        )
    )


def close(found: Array, right: Array) -> bool:
    """Whether two sets of values agree in every world."""
    return bool((np.abs(found - right) <= CLOSENESS * np.abs(right) + 1e-13).all())


def _collect(rows: dict[str, list[float]], values: Mapping[str, float], learning_rate: float) -> None:
    for name, value in values.items():
        rows.setdefault(name, []).append(value)
    rows.setdefault(LEARNING_RATE, []).append(learning_rate)


def _number(generator: random.Random, low: float, high: float) -> float:
    return generator.uniform(low, high)


def _signed(generator: random.Random) -> float:
    return generator.uniform(0.3, 1.6) * generator.choice([-1, 1])
