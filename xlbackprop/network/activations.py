"""The activation functions: each one entry with its value, its derivative, its formula and its sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.symbols import Builtin, Call, Exponential, Expression, Function, Number, Stable, apply, conditional

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
    reason: str
    """Why its derivative is what it is."""
    bounded: bool = False
    """Whether it stays between two numbers however large its argument is."""

    def written(self, x: Expression) -> Expression:
        """The activation of x as a reader writes it: what leaves x as it is needs no name of a function."""
        call = Call(self.function, x)
        return x if call.body == x else call


def _sigmoid(x: Array) -> Array:
    # beyond 700 the exponential nears the largest double, and the result is 0 to 300 decimals anyhow
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum(-x, 700.0))))


_LEAK = 0.01
_GELU_SCALE, _GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


def _gelu_tanh(x: Array) -> Array:
    return np.tanh(_GELU_SCALE * (x + _GELU_CUBE * x**3))


def _gelu_tanh_symbol(x: Expression) -> Expression:
    return apply(Builtin.HYPERBOLIC_TANGENT, Number(_GELU_SCALE) * (x + Number(_GELU_CUBE) * x**3))


def _logarithm_of_one_and(small: Expression) -> Expression:
    """ln(1 + y) for a y from 0 to 1, to eight digits where 1 + y itself loses them: the error of y is y²/2."""
    return conditional(small, 1e-8, small, apply(Builtin.LOGARITHM, 1 + small))


SIGMOID = Function("σ", lambda x: 1 / (1 + Exponential(-x)))

ACTIVATIONS: Mapping[str, Activation] = {
    # Rumelhart, Hinton, Williams, Nature 323 (1986), eq. 2; its derivative is the factor in eq. 5.
    "sigmoid": Activation(
        value=_sigmoid,
        derivative=lambda x, a: a * (1.0 - a),
        function=SIGMOID,
        local_derivative=lambda x, a: a * (1 - a),
        reason="σ is steepest in the middle, 0.25 at most, and flat far out",
        sentence="the sigmoid σ squeezes any number into 0 to 1",
        bounded=True,
    ),
    # LeCun et al., Efficient BackProp (1998), section 4.4.
    "tanh": Activation(
        value=np.tanh,
        derivative=lambda x, a: 1.0 - a * a,
        function=Function(
            "tanh",
            lambda x: Stable((Exponential(2 * x) - 1) / (Exponential(2 * x) + 1), apply(Builtin.HYPERBOLIC_TANGENT, x)),
        ),
        local_derivative=lambda x, a: 1 - a**2,
        reason="tanh is steepest in the middle, 1 at most, and flat far out",
        sentence="the hyperbolic tangent squeezes any number into −1 to 1",
        bounded=True,
    ),
    # Nair and Hinton, ICML (2010); the derivative at 0 is taken to be 0.
    "relu": Activation(
        value=lambda x: np.maximum(x, 0.0),
        derivative=lambda x, a: np.where(x > 0, 1.0, 0.0),
        function=Function("relu", lambda x: apply(Builtin.MAXIMUM, 0.0, x)),
        local_derivative=lambda x, a: conditional(0.0, x, 1.0, 0.0),
        reason="1 above 0, where all passes, and 0 elsewhere, where nothing does",
        sentence="the rectifier relu leaves positive numbers, makes others 0",
    ),
    # Maas, Hannun and Ng, ICML workshop (2013); the derivative at 0 is that of the negative side.
    "leaky relu": Activation(
        value=lambda x: np.where(x > 0, x, _LEAK * x),
        derivative=lambda x, a: np.where(x > 0, 1.0, _LEAK),
        function=Function("lrelu", lambda x: conditional(0.0, x, x, Number(_LEAK) * x)),
        local_derivative=lambda x, a: conditional(0.0, x, 1.0, _LEAK),
        reason=f"1 above 0, where all passes, and {_LEAK:g} elsewhere, where that share passes",
        sentence=f"lrelu leaves positive numbers as they are, and {_LEAK:g} of all others",
    ),
    # Dugas et al., NIPS (2000), eq. 4.
    "softplus": Activation(
        value=lambda x: np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))),
        derivative=lambda x, a: _sigmoid(x),
        function=Function(
            "softplus",
            lambda x: Stable(
                apply(Builtin.LOGARITHM, 1 + Exponential(x)),
                apply(Builtin.MAXIMUM, 0.0, x) + _logarithm_of_one_and(Exponential(-apply(Builtin.ABSOLUTE, x))),
            ),
        ),
        local_derivative=lambda x, a: Call(SIGMOID, x),
        reason="flat far below 0 and as steep as 1 far above: its slope is the sigmoid",
        sentence="softplus is a rectifier with a rounded corner; it is always above 0",
    ),
    # Hendrycks and Gimpel, arXiv:1606.08415, section 2 (as SiLU); Elfwing, Uchibe and Doya, Neural Networks (2018).
    "silu": Activation(
        value=lambda x: x * _sigmoid(x),
        derivative=lambda x, a: _sigmoid(x) + a * (1.0 - _sigmoid(x)),
        function=Function("silu", lambda x: x * Call(SIGMOID, x)),
        local_derivative=lambda x, a: Call(SIGMOID, x) + a * (1 - Call(SIGMOID, x)),
        reason="a product of two factors: the slope of each times the other, added",
        sentence="silu multiplies a number by its own sigmoid: a rectifier with a dip below 0",
    ),
    # Hendrycks and Gimpel, arXiv:1606.08415, section 2, the approximation with tanh.
    "gelu": Activation(
        value=lambda x: 0.5 * x * (1.0 + _gelu_tanh(x)),
        derivative=lambda x, a: (
            0.5 * (1.0 + _gelu_tanh(x))
            + 0.5 * x * (1.0 - _gelu_tanh(x) ** 2) * _GELU_SCALE * (1.0 + 3 * _GELU_CUBE * x**2)
        ),
        function=Function("gelu", lambda x: Number(0.5) * x * (1 + _gelu_tanh_symbol(x))),
        local_derivative=lambda x, a: (
            Number(0.5) * (1 + _gelu_tanh_symbol(x))
            + Number(0.5)
            * x
            * (1 - _gelu_tanh_symbol(x) ** 2)
            * Number(_GELU_SCALE)
            * (1 + Number(3 * _GELU_CUBE) * x**2)
        ),
        reason="a product of two factors: the slope of each times the other, added",
        sentence="gelu weighs a number by how likely a normal one is smaller, in the form with tanh",
    ),
    "identity": Activation(
        value=lambda x: x,
        derivative=lambda x, a: np.ones_like(x),
        function=Function("id", lambda x: x),
        local_derivative=lambda x, a: Number(1.0),
        reason="what comes out changes as much as what goes in",
        sentence="a linear unit passes its weighted sum on as it is",
    ),
}
