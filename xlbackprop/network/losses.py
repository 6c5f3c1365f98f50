"""The loss functions: each one entry with its value, its derivative, its formula and its sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from xlbackprop.network.activations import Array
from xlbackprop.network.softmax import SOFTMAX, log_of_sum
from xlbackprop.symbols import Builtin, Exponential, Expression, Number, Stable, Sum, Symbol, apply, sum_of


class Outputs(Struct, frozen=True):
    """The symbols of the output layer, output by output."""

    targets: tuple[Symbol, ...]
    pre_activations: tuple[Symbol, ...]
    activations: tuple[Symbol, ...]

    def worded(self, words: str, index: int) -> str:
        """A sentence or a reason of a loss, with the names of one output."""
        mean = f", divided by the {len(self.targets)} outputs" if len(self.targets) > 1 else ""
        return words.format(output=self.activations[index].name, target=self.targets[index].name, mean=mean)


class Loss(Struct, frozen=True):
    """One loss function, told twice: in numbers for the engine, in symbols for the derivation.

    The arrays have the shape (…, outputs).
    """

    shares: Callable[[Array, Array, Array], Array]
    """Every output's share of the loss, from the targets, pre-activations and activations; the loss is their sum."""
    slope: Callable[[Array, Array], Array]
    """From the targets and the activations: ∂E/∂a; where `goes_with` names an activation, ∂E/∂(pre-activation)."""
    share: Callable[[Outputs, int], Expression]
    """One output's share as a reader writes it."""
    slope_expression: Callable[[Outputs, int], Expression]
    """The slope of one output as a reader writes it."""
    sentence: str
    """What the share of an output is, where {output} and {target} stand for the names, and {mean} where a mean is taken
    for what it does."""
    reason: str
    """Why its slope is what it is, with the same; where it goes with an activation, that of both together."""
    target_range: tuple[float, float] | None = None
    """Between which numbers a target has to be; None for all numbers that a definition may have."""
    goes_with: str | None = None
    """The only activation that the last layer may have with this loss: both are differentiated as one."""


def _mean(outputs: Outputs, expression: Expression) -> Expression:
    """The part of a mean over all outputs that one of them makes."""
    count = len(outputs.targets)
    return expression if count == 1 else expression / count


def _log(x: Expression) -> Expression:
    return apply(Builtin.LOGARITHM, x)


def _squared(outputs: Outputs, index: int) -> Expression:
    return (outputs.targets[index] - outputs.activations[index]) ** 2


def _off(outputs: Outputs, index: int) -> Expression:
    return outputs.activations[index] - outputs.targets[index]


def _binary_shares(t: Array, x: Array, a: Array) -> Array:
    return np.asarray((np.maximum(x, 0.0) - x * t + np.log1p(np.exp(-np.abs(x)))) / t.shape[-1])


def _binary_share(outputs: Outputs, index: int) -> Expression:
    t, x, a = outputs.targets[index], outputs.pre_activations[index], outputs.activations[index]
    written = -(t * _log(a) + (1 - t) * _log(1 - a))
    smooth = _log(1 + Exponential(-apply(Builtin.ABSOLUTE, x)))
    computed = Sum((apply(Builtin.MAXIMUM, 0.0, x) - x * t, smooth))
    return Stable(_mean(outputs, written), _mean(outputs, computed))


def _categorical_shares(t: Array, x: Array, a: Array) -> Array:
    highest = x.max(axis=-1, keepdims=True)
    log_of_all = highest + np.log(np.exp(x - highest).sum(axis=-1, keepdims=True))
    return np.asarray(t * (log_of_all - x))


def _categorical_share(outputs: Outputs, index: int) -> Expression:
    t, x, a = outputs.targets[index], outputs.pre_activations[index], outputs.activations[index]
    return Stable(-(t * _log(a)), t * (log_of_sum(outputs.pre_activations) - x))


LOSSES: Mapping[str, Loss] = {
    # Rumelhart, Hinton, Williams, Nature 323 (1986), eq. 3 and 4.
    "half squared error": Loss(
        shares=lambda t, x, a: np.asarray(0.5 * (a - t) ** 2),
        slope=lambda t, a: a - t,
        share=lambda outputs, index: Number(0.5) * _squared(outputs, index),
        slope_expression=_off,
        sentence="the error of {output}: half the squared distance from its target {target}",
        reason="the 2 of the square and the ½ cancel; no other error contains {output}",
    ),
    # Bishop, Pattern Recognition and Machine Learning (2006), eq. 5.11, as a mean over the outputs.
    "mean squared error": Loss(
        shares=lambda t, x, a: (a - t) ** 2 / t.shape[-1],
        slope=lambda t, a: 2.0 * (a - t) / t.shape[-1],
        share=lambda outputs, index: _mean(outputs, _squared(outputs, index)),
        slope_expression=lambda outputs, index: _mean(outputs, 2 * _off(outputs, index)),
        sentence="the error of {output}: the squared distance from its target {target}{mean}",
        reason="the square gives the 2{mean}; no other error contains {output}",
    ),
    # Bishop (2006), eq. 5.21, as a mean over the outputs; with the sigmoid its derivative is eq. 5.18.
    "binary cross-entropy": Loss(
        shares=_binary_shares,
        slope=lambda t, a: (a - t) / t.shape[-1],
        share=_binary_share,
        slope_expression=lambda outputs, index: _mean(outputs, _off(outputs, index)),
        sentence="the error of {output}: how surprised it is by its target {target}{mean}",
        target_range=(0.0, 1.0),
        goes_with="sigmoid",
        reason=(
            "the derivative of the logarithm divides by {output} · (1 − {output}), the sigmoid multiplies by it: "
            "the distance from the target is left{mean}"
        ),
    ),
    # Bishop (2006), eq. 5.24; with the softmax its derivative is eq. 5.18, here for targets of any sum.
    "categorical cross-entropy": Loss(
        shares=_categorical_shares,
        slope=lambda t, a: a * t.sum(axis=-1, keepdims=True) - t,
        share=_categorical_share,
        slope_expression=lambda outputs, index: Stable(
            _off(outputs, index), outputs.activations[index] * sum_of(outputs.targets) - outputs.targets[index]
        ),
        sentence="the error of {output}: how surprised it is by its target {target}",
        target_range=(0.0, 1.0),
        goes_with=SOFTMAX,
        reason=(
            "the derivatives of logarithm and softmax together leave the distance from the target, "
            "{output} − {target}, as long as the targets add up to 1; where they add up to s, {output} · s − {target}"
        ),
    ),
}
