"""Every value of a training run, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.network import Names, Row

Array = NDArray[np.float64]


class Trace(Struct, frozen=True, eq=False, dict=True):
    """Every intermediate value of a training run, by iteration and by the walkthrough's names.

    Iteration 0 holds the initial weights, iteration k what k updates have made of them. Made by `train`.
    """

    names: Names
    quantities: Row
    """The quantities in the order of the calculation."""
    values: Array
    """Shape (iterations, quantities)."""
    final: Mapping[str, float] = {}
    """What is learned, by name, as it is after the last iteration."""

    def __getitem__(self, name: str) -> Array:
        """One value an iteration of a quantity, shape (iterations,).

        `trace["a_h1"]`; ASCII (`dE/dw1`) and other notations' names are understood too.

        Raises:
            UnknownQuantityError: no quantity here is called that.
        """
        if name not in self._columns:
            name = self.names.resolve(name, self.quantities)
        return self.values[:, self._columns[name]]

    @cached_property
    def _columns(self) -> Mapping[str, int]:
        """Where each quantity stands in the values."""
        return {name: column for column, name in enumerate(self.quantities)}

    def __len__(self) -> int:
        """The number of iterations."""
        return len(self.values)

    def at(self, iteration: int) -> dict[str, float]:
        """All values of one iteration by name, in the order of the calculation.

        Raises:
            IndexError: there is no such iteration.
        """
        return dict(zip(self.quantities, self.values[iteration].tolist(), strict=True))

    def after(self, name: str, iteration: int) -> float:
        """What a weight or a bias that is learned has become after an iteration."""
        is_last = iteration == len(self) - 1
        return self.final[name] if is_last else float(self.values[iteration + 1, self._columns[name]])
