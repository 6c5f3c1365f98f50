"""The order of training: which sample each iteration takes, and after which iterations the weights are updated."""

from __future__ import annotations

import random
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.network import Definition

Counts = NDArray[np.int32]


class SampleOrder(Struct, frozen=True, dict=True):
    """Every iteration passes one sample through the network; each array has the shape (iterations,)."""

    samples: int
    batch_size: int
    order: tuple[int, ...] | None
    """The samples in the order in which they are taken, counted from 1; None for the given order."""
    iterations: int

    @cached_property
    def _numbers(self) -> Counts:
        return np.arange(self.iterations, dtype=np.int32)

    @cached_property
    def epoch(self) -> Counts:
        """How often the whole data set has been begun, from 1."""
        return self._numbers // self.samples + 1

    @cached_property
    def turn(self) -> Counts:
        """The place within the epoch, from 1."""
        return self._numbers % self.samples + 1

    @cached_property
    def sample(self) -> Counts:
        """The number of the sample, from 1."""
        return self.turn if self.order is None else np.array(self.order, dtype=np.int32)

    @cached_property
    def in_batch(self) -> Counts:
        """The place within the batch, from 1."""
        return (self.turn - 1) % self.batch_size + 1

    @cached_property
    def size(self) -> Counts:
        """How many samples the batch has; the last one of an epoch may be smaller."""
        return np.asarray(np.minimum(self.batch_size, self.samples - self.turn + self.in_batch))

    @cached_property
    def ends_batch(self) -> NDArray[np.bool_]:
        """Whether the weights are updated after the iteration."""
        return np.asarray(self.in_batch == self.size)

    @cached_property
    def update(self) -> Counts:
        """How many updates have been made before the iteration."""
        return np.cumsum(self.ends_batch, dtype=np.int32) - self.ends_batch


def sample_order(definition: Definition) -> SampleOrder:
    """The order of the training of a definition."""
    count = len(definition.samples)
    order = None
    if definition.order == "shuffled" and count > 1:
        generator = random.Random(definition.seed)
        epochs = -(-definition.iterations // count)
        taken = [number for _ in range(epochs) for number in _shuffled(count, generator)]
        order = tuple(taken[: definition.iterations])
    return SampleOrder(count, definition.samples_a_batch, order, definition.iterations)


def _shuffled(count: int, generator: random.Random) -> list[int]:
    # random.shuffle may change between versions of Python, random.random does not
    return [number for _, number in sorted((generator.random(), number) for number in range(1, count + 1))]
