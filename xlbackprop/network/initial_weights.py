"""Initial weights drawn by seed, rounded so that they can be written down and calculated with by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

_DECIMALS = 4

Draw = Callable[[float, int, int], float]
"""A weight from a random number between 0 and 1 and the numbers of a unit's sources and of the layer's units."""


def _between(limit: float, chance: float) -> float:
    return limit * (2 * chance - 1)


def _normal(chance: float) -> float:
    from statistics import NormalDist  # which takes longer to load than all of our own modules about networks

    return NormalDist().inv_cdf(max(chance, 1e-12))


METHODS: Mapping[str, Draw] = {
    # Glorot and Bengio, AISTATS (2010), eq. 16.
    "xavier": lambda chance, sources, units: _between(math.sqrt(6 / (sources + units)), chance),
    # He et al., ICCV (2015), eq. 10.
    "he": lambda chance, sources, units: math.sqrt(2 / sources) * _normal(chance),
    # LeCun et al., Efficient BackProp (1998), section 4.6, as a uniform distribution.
    "uniform": lambda chance, sources, units: _between(1 / math.sqrt(sources), chance),
}


def draw(method: str, sources: int, units: int, generator: random.Random) -> tuple[tuple[float, ...], ...]:
    """The weights of a layer, one row a unit; the same generator gives the same ones with every version of Python."""
    return tuple(
        tuple(round(METHODS[method](generator.random(), sources, units), _DECIMALS) for _ in range(sources))
        for _ in range(units)
    )
