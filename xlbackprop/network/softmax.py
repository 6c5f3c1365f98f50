"""The softmax: the activation of a whole output layer at once, told in numbers and in symbols."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xlbackprop.network.activations import Array
from xlbackprop.symbols import Builtin, Exponential, Expression, Stable, apply, sum_of

SOFTMAX = "softmax"

SENTENCE = "the softmax turns the outputs into shares that add up to 1"
"""What the function does, to follow the words "the activation of …:"."""

REASONS = {
    True: "the share of {unit} itself: what it wins of the others' shares, most when it has half",
    False: "the shares add up to 1: what {unit} wins, {output} loses in part",
}
"""Why a derivative is what it is, of the unit's own activation and of another's, with {output} and {unit}."""


def softmax(x: Array) -> Array:
    """The shares along the last axis (Bridle, NATO ASI F68 (1990), eq. 3); subtracting the maximum avoids overflow."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def pull_back(a: Array, by_activation: Array) -> Array:
    """∂E/∂x from ∂E/∂a, both along the last axis."""
    return np.asarray(a * (by_activation - (a * by_activation).sum(axis=-1, keepdims=True)))


def jacobian(a: Array) -> Array:
    """∂a_j/∂x_k, shape (…, j, k)."""
    return np.asarray(a[..., np.newaxis] * (np.eye(a.shape[-1]) - a[..., np.newaxis, :]))


def share(units: Sequence[Expression], index: int) -> Expression:
    """One output's activation as a reader writes it, from the symbols of all pre-activations."""
    highest = apply(Builtin.MAXIMUM, *units)

    def quotient(shift: Expression | None) -> Expression:
        powers = [Exponential(unit if shift is None else unit - shift) for unit in units]
        return powers[index] / sum_of(powers)

    return Stable(quotient(None), quotient(highest))


def log_of_sum(units: Sequence[Expression]) -> Expression:
    """ln Σ exp(x), without overflow."""
    highest = apply(Builtin.MAXIMUM, *units)
    return highest + apply(Builtin.LOGARITHM, sum_of([Exponential(unit - highest) for unit in units]))


def local_derivative(output: Expression, other: Expression, *, same: bool) -> Expression:
    """∂a_j/∂x_k as a reader writes it, from the symbols of a_j and a_k."""
    return output * (1 - output) if same else -(output * other)
