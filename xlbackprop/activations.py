"""The activation functions: each one entry with its value, its derivative, its formula and its sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.expression import Exponential, Expression, Function

Array = NDArray[np.float64]


class Activation(Struct, frozen=True):
    """One activation function, told twice: in numbers for the engine, in symbols for the derivation.

    Neither telling is computed from the other, so that a slip in one of them shows.
    """

    value: Callable[[Array], Array]
    """The activation of an array of pre-activations, element by element, without overflow."""
    derivative: Callable[[Array, Array], Array]
    """The derivative, from the pre-activation and the activation."""
    function: Function
    """The function as a reader writes it."""
    local_derivative: Callable[[Expression, Expression], Expression]
    """The derivative as a reader writes it, from the symbols of the pre-activation and the activation."""
    sentence: str
    """What the function does to a number, to follow the words "the activation of …:"."""


def _sigmoid(x: Array) -> Array:
    # beyond 700 the exponential nears the largest double, and the result is 0 to 300 decimals anyhow
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum(-x, 700.0))))


ACTIVATIONS: Mapping[str, Activation] = {
    # Rumelhart, Hinton, Williams, Nature 323 (1986), eq. 2; its derivative is the factor in eq. 5.
    "sigmoid": Activation(
        value=_sigmoid,
        derivative=lambda x, a: a * (1.0 - a),
        function=Function("σ", lambda x: 1 / (1 + Exponential(-x))),
        local_derivative=lambda x, a: a * (1 - a),
        sentence="the sigmoid σ squeezes any number into the range from 0 to 1",
    ),
}
