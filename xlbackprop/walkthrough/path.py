"""The path from a weight to the loss: what changes along it, and the slopes that are multiplied."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from xlbackprop.derivation import Derivation
from xlbackprop.network import derivative
from xlbackprop.symbols import Product, Symbol, symbols


class Path(Struct, frozen=True):
    """How one weight or bias reaches the loss."""

    weight: str
    gradient: str
    parts: tuple[str, ...]
    """The slopes that its gradient is made of."""
    is_product: bool
    """Whether they are multiplied; else, for a bias that several units share, added."""
    lit: tuple[str, ...]
    """What changes within an iteration when the weight does, from the weight itself on, and the weights on the way."""


def paths(derivation: Derivation) -> Iterator[Path]:
    """The path of everything that is learned."""
    names = derivation.names
    made = {name: set(_used(derivation, name)) for name in names.base}
    rows = [row for layer in names.weights[1:] for row in layer]
    sources = [units for units, layer in zip(names.activations, names.weights[1:], strict=False) for _ in layer]
    into = [pair for row, units in zip(rows, sources, strict=True) for pair in zip(row, units, strict=True)]
    order = [name for name in derivation.quantities if made.get(name)]
    for weight in derivation.learned:
        gradient = derivative(names.total_loss, weight)
        reached = {weight}
        for name in order:
            if made[name] & reached:
                reached.add(name)
        reached |= {each for each, unit in into if unit in reached}
        parts = _factors(derivation, gradient)
        is_product = parts != [gradient]
        if not is_product:
            parts = _used(derivation, gradient)
        lit = tuple(name for name in names.base if name in reached)
        yield Path(weight, gradient, tuple(parts), is_product, lit)


def _factors(derivation: Derivation, slope: str) -> list[str]:
    """A slope as the factors that it is a product of, as far as these are slopes themselves."""
    used = _used(derivation, slope)
    are_slopes = all(each in derivation.quantities and derivation[each].derivative_of for each in used)
    if used and are_slopes and isinstance(derivation[slope].expression, Product | Symbol):
        return [factor for each in used for factor in _factors(derivation, each)]
    return [slope]


def _used(derivation: Derivation, name: str) -> list[str]:
    expression = derivation[name].expression
    return [symbol.name for symbol in symbols(expression)] if expression else []
