"""The learning-rate schedules: each one entry with its numbers, its formula and its sentence, as in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from xlbackprop.network.activations import Array
from xlbackprop.network.optimisers import Hyperparameter, SettingValues, Symbols
from xlbackprop.symbols import Builtin, Expression, Number, Raised, apply


class Schedule(Struct, frozen=True):
    """One schedule, told twice: in numbers for the engine, in symbols for the derivation."""

    rates: Callable[[Array, Array, SettingValues], Array]
    """The learning rates, from the first one and the numbers k of the updates made so far."""
    rate: Callable[[Expression, Expression, Symbols], Expression]
    """The same in symbols."""
    sentence: str
    settings: tuple[Hyperparameter, ...] = ()


LEAST_FACTOR = 0.001
"""Spreadsheet programs do not know 0 to the power of 0, and no smaller one can be told from it after two updates."""

_FACTOR = Hyperparameter("factor", "γ", "what the learning rate is multiplied by", 0.5, LEAST_FACTOR, 1.0)
_EVERY = Hyperparameter("every", "K", "after how many updates the learning rate falls", 10, 1, 1e6)
_PERIOD = Hyperparameter("period", "K", "over how many updates the learning rate falls", 50, 1, 1e6)
_LOWEST = Hyperparameter("lowest", "η_min", "the learning rate at the end of the fall", 0.0, most=1e6)

SCHEDULES: Mapping[str, Schedule] = {
    "constant": Schedule(
        rates=lambda first, k, s: first, rate=lambda first, k, s: first, sentence="the learning rate of this iteration"
    ),
    "step": Schedule(
        rates=lambda first, k, s: first * s["factor"] ** np.floor(k / s["every"]),
        rate=lambda first, k, s: first * Raised(s["factor"], apply(Builtin.FLOOR, k / s["every"])),
        sentence="the learning rate of this iteration: multiplied by γ after every K updates",
        settings=(_FACTOR, _EVERY),
    ),
    "exponential": Schedule(
        rates=lambda first, k, s: first * s["factor"] ** k,
        rate=lambda first, k, s: first * Raised(s["factor"], k),
        sentence="the learning rate of this iteration: multiplied by γ after every update",
        settings=(
            Hyperparameter(
                "factor", "γ", "what the learning rate is multiplied by after every update", 0.99, LEAST_FACTOR, 1.0
            ),
        ),
    ),
    # Loshchilov and Hutter, ICLR (2017), eq. 5.
    "cosine": Schedule(
        rates=lambda first, k, s: s["lowest"] + 0.5 * (first - s["lowest"]) * (1 + np.cos(np.pi * k / s["period"])),
        rate=lambda first, k, s: (
            s["lowest"]
            + Number(0.5) * (first - s["lowest"]) * (1 + apply(Builtin.COSINE, Number(math.pi) * k / s["period"]))
        ),
        sentence="the learning rate of this iteration: it falls along a cosine over K updates",
        settings=(_PERIOD, _LOWEST),
    ),
}
