"""The loss of all samples from epoch to epoch, which a training with several of them is judged by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct

from xlbackprop.engine import Array, Trace, evaluate
from xlbackprop.network import Definition

MOST_POINTS = 200
"""More epochs than this are not told one by one: a curve looks no different, and every point takes all samples."""


class LossCurve(Struct, frozen=True):
    """At which points of a training the loss of all samples is taken: before it, after every epoch, and at its end."""

    samples: int
    iterations: int

    @property
    def made(self) -> tuple[int, ...]:
        """How many iterations have been made at every point; the last of them is the end of the training."""
        epochs = -(-self.iterations // self.samples)
        step = self.samples * -(-epochs // MOST_POINTS)
        return (*range(0, self.iterations, step), self.iterations)

    @property
    def epochs(self) -> tuple[float, ...]:
        """The same in epochs; the last one may not be complete."""
        return tuple(made / self.samples for made in self.made)

    def weights(self, trace: Trace, name: str) -> Array:
        """What a weight or a bias that is learned is at every point, shape (points,)."""
        return np.append(trace[name][list(self.made[:-1])], trace.final[name])

    def forward(self, definition: Definition, weights: Mapping[str, Array]) -> Trace:
        """Every sample passed through the network at every point, sample by sample within a point.

        Args:
            weights: everything that is learned, by name, each of shape (points,).
        """
        changes = {name: np.repeat(values, self.samples) for name, values in weights.items()}
        return evaluate(definition, changes, np.tile(np.arange(self.samples), len(self.made)))

    def losses(self, definition: Definition, trace: Trace) -> Array:
        """The mean loss of all samples at every point, shape (points,)."""
        weights = {name: self.weights(trace, name) for name in trace.final}
        passed = self.forward(definition, weights)
        return self.means(passed[definition.names.total_loss])

    def means(self, losses: Array) -> Array:
        """The mean loss of every point, shape (points,), from those of all passes."""
        return np.asarray(losses.reshape(-1, self.samples).sum(axis=1) / self.samples)
