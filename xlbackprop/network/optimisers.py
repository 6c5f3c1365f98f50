"""The optimisers: how weights are updated from gradients, each one entry with its numbers, its formulas, its sentences.

They are those of PyTorch's `torch.optim`, with weight decay as there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from xlbackprop.network.activations import Array
from xlbackprop.symbols import Builtin, Expression, Old, Symbol, apply

SettingValues = Mapping[str, float]
"""The settings by their keys."""
Symbols = Mapping[str, Expression]


class Hyperparameter(Struct, frozen=True):
    """A number that an optimiser or a schedule is set by."""

    key: str
    """What it is called in a definition."""
    symbol: str
    """What it is called in formulas."""
    sentence: str
    default: float
    least: float = 0.0
    most: float = 0.999999


class State(Struct, frozen=True):
    """What an optimiser remembers of the gradients of one parameter."""

    letter: str
    sentence: str
    """What it is, where {gradient} stands for the name."""
    advance: Callable[[Array, Array, SettingValues], Array]
    """The new state in numbers, from the old one and the gradient."""
    advanced: Callable[[Expression, Expression, Symbols], Expression]
    """The same in symbols."""
    correction: str | None = None
    """The key of the setting β for which the state is divided by 1 − β^(k + 1), as it begins at 0."""


class Optimiser(Struct, frozen=True):
    """One optimiser, told twice: in numbers for the engine, in symbols for the derivation."""

    title: str
    """What it is called at the head of a column."""
    step: Callable[[Array, list[Array], SettingValues], Array]
    """What is multiplied by the learning rate and subtracted, from the gradient and the (corrected) states."""
    stepped: Callable[[Expression, list[Expression], Symbols], Expression]
    """The same in symbols."""
    settings: tuple[Hyperparameter, ...] = ()
    states: tuple[State, ...] = ()
    decay: float = 0.0
    """The weight decay where a definition says nothing of it."""
    decays_apart: bool = False
    """Whether weight decay acts on the weights themselves and not through the gradients."""


MOMENTUM = Hyperparameter(
    "momentum", "μ", "the momentum: how much of the velocity is kept from iteration to iteration", 0.9
)
SMOOTHING = Hyperparameter("smoothing", "ρ", "how much of the mean of squared gradients is kept", 0.99)
BETA1 = Hyperparameter("beta1", "β1", "how much of the mean of gradients is kept", 0.9)
BETA2 = Hyperparameter("beta2", "β2", "how much of the mean of squared gradients is kept", 0.999)
EPSILON = Hyperparameter("epsilon", "ε", "a small number that keeps the step from dividing by 0", 1e-8, 1e-12, 1.0)
WEIGHT_DECAY = Hyperparameter(
    "weight_decay", "λ", "the weight decay: how strongly weights are pulled towards 0", 0.0, most=1.0
)

SETTINGS = (MOMENTUM, SMOOTHING, BETA1, BETA2, EPSILON, WEIGHT_DECAY)
"""All settings that optimisers have, in the order in which they are listed."""

_VELOCITY = State(
    "v",
    "the velocity: the gradients {gradient} so far, the older the weaker",
    lambda old, g, s: s["momentum"] * old + g,
    lambda old, g, s: s["momentum"] * old + g,
)
_MEAN = State(
    "m",
    "the running mean of the gradient {gradient}",
    lambda old, g, s: s["beta1"] * old + (1.0 - s["beta1"]) * g,
    lambda old, g, s: s["beta1"] * old + (1 - s["beta1"]) * g,
    correction="beta1",
)
_SQUARES = State(
    "v",
    "the running mean of the squared gradient {gradient}",
    lambda old, g, s: s["beta2"] * old + (1.0 - s["beta2"]) * g**2,
    lambda old, g, s: s["beta2"] * old + (1 - s["beta2"]) * g**2,
    correction="beta2",
)


def _root(x: Expression) -> Expression:
    return apply(Builtin.SQUARE_ROOT, x)


def _adam(title: str, *, decay: float, decays_apart: bool) -> Optimiser:
    return Optimiser(
        title=title,
        step=lambda g, states, s: states[0] / (np.sqrt(states[1]) + s["epsilon"]),
        stepped=lambda g, states, s: states[0] / (_root(states[1]) + s["epsilon"]),
        settings=(BETA1, BETA2, EPSILON),
        states=(_MEAN, _SQUARES),
        decay=decay,
        decays_apart=decays_apart,
    )


OPTIMISERS: Mapping[str, Optimiser] = {
    # Rumelhart, Hinton, Williams, Nature 323 (1986), eq. 8.
    "gradient descent": Optimiser(
        title="Gradient descent", step=lambda g, states, s: g, stepped=lambda g, states, s: g
    ),
    # Sutskever et al., ICML (2013), eq. 1 and 2, with the learning rate outside the velocity as in PyTorch.
    "momentum": Optimiser(
        title="Momentum",
        step=lambda g, states, s: states[0],
        stepped=lambda g, states, s: states[0],
        settings=(MOMENTUM,),
        states=(_VELOCITY,),
    ),
    # Sutskever et al. (2013), eq. 3 and 4, in PyTorch's form.
    "nesterov": Optimiser(
        title="Nesterov",
        step=lambda g, states, s: g + s["momentum"] * states[0],
        stepped=lambda g, states, s: g + s["momentum"] * states[0],
        settings=(MOMENTUM,),
        states=(_VELOCITY,),
    ),
    # Tieleman and Hinton, Coursera lecture 6.5 (2012), with ε outside the root as in PyTorch.
    "rmsprop": Optimiser(
        title="RMSprop",
        step=lambda g, states, s: g / (np.sqrt(states[0]) + s["epsilon"]),
        stepped=lambda g, states, s: g / (_root(states[0]) + s["epsilon"]),
        settings=(SMOOTHING, EPSILON),
        states=(
            State(
                "v",
                "the running mean of the squared gradient {gradient}",
                lambda old, g, s: s["smoothing"] * old + (1.0 - s["smoothing"]) * g**2,
                lambda old, g, s: s["smoothing"] * old + (1 - s["smoothing"]) * g**2,
            ),
        ),
    ),
    # Kingma and Ba, ICLR (2015), algorithm 1.
    "adam": _adam("Adam", decay=0.0, decays_apart=False),
    # Loshchilov and Hutter, ICLR (2019), algorithm 2.
    "adamw": _adam("AdamW", decay=0.01, decays_apart=True),
}


def correction_name(state: State) -> str:
    """What the divisor is called that makes up for a state's beginning at 0."""
    return f"c_{state.letter}"


def state_name(state: State, parameter: str) -> str:
    """What the state of one parameter is called: `v_w1`."""
    return f"{state.letter}_{parameter}"


def old_state(state: State, parameter: str) -> Symbol:
    """The state of one parameter in the iteration before."""
    return Old(state_name(state, parameter))
