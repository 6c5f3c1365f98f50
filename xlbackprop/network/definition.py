"""The definition of a walkthrough: a small network, what it learns from, and how it is trained."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.names import Names
from xlbackprop.network.optimisers import WEIGHT_DECAY
from xlbackprop.network.softmax import SOFTMAX

MOST_ITERATIONS = 10_000_000
"""Of a training, whatever becomes of it."""

LARGEST_NUMBER = 1e6
"""Numbers beyond this teach nothing and bring the spreadsheet's arithmetic near its limits."""


Real = Annotated[
    float, Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, description="a number from −1,000,000 to 1,000,000")
]
Reals = Annotated[tuple[Real, ...], Meta(min_length=1, description="a list of numbers, such as [0.05, 0.10]")]
LearningRate = Annotated[float, Meta(ge=0, le=LARGEST_NUMBER, description="a number from 0 to 1,000,000")]
LearningRates = Annotated[
    tuple[LearningRate, ...], Meta(min_length=2, max_length=8, description="a list of two to eight learning rates")
]
Iterations = Annotated[int, Meta(ge=1, le=MOST_ITERATIONS, description=f"a whole number from 1 to {MOST_ITERATIONS:,}")]
Samples = Annotated[
    tuple[Real | Reals, ...],
    Meta(min_length=1, description="a list of numbers, such as [0.05, 0.10], or a list of such lists, one a sample"),
]
Whole = Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1,000,000")]
Name = Annotated[str, Meta(description="a name in quotation marks")]
Line = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"\A[^\x00-\x1f\x7f\ufffe\uffff]*\Z",  # control characters have no place in it
        description="one line of text, 200 characters at most",
    ),
]
Text = Annotated[
    str,
    Meta(
        max_length=2000,
        pattern=r"\A[^\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]*\Z",  # what XML has no place for
        description="text, 2,000 characters at most",
    ),
]


class Layer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One layer of units, each with a weight for every unit of the layer before."""

    weights: Annotated[
        tuple[Reals, ...], Meta(min_length=1, description="a list of rows, one a unit, such as [[0.15, 0.20], …]")
    ]
    bias: Annotated[Real | Reals, Meta(description="one number for the layer, or a list of one a unit")] | None = None
    activation: Name = "sigmoid"

    @property
    def units(self) -> int:
        """How many units the layer has."""
        return len(self.weights)

    @property
    def biases(self) -> tuple[float, ...]:
        """The layer's biases: none, one for all its units, or one a unit."""
        return biases_of(self.bias)


class Sample(Struct, frozen=True):
    """One example to learn from."""

    inputs: tuple[float, ...]
    targets: tuple[float, ...]


class Method(Struct, frozen=True, kw_only=True):
    """An optimiser or a schedule, by name, with its settings by their keys."""

    name: str
    settings: dict[str, float]


class Comparison(Struct, frozen=True, kw_only=True):
    """Another way of training the same network, for comparison."""

    optimiser: Method
    learning_rate: float


GRADIENT_DESCENT = Method(name="gradient descent", settings={WEIGHT_DECAY.key: 0.0})
CONSTANT = Method(name="constant", settings={})


class Definition(Struct, frozen=True, kw_only=True, dict=True, omit_defaults=True):
    """One walkthrough: a small network, what it learns from, and how it is trained."""

    title: Line
    teaches: Line
    inputs: Samples
    targets: Samples
    learning_rate: LearningRate
    iterations: Iterations
    layers: Annotated[tuple[Layer, ...], Meta(min_length=1, description="at least one [[layers]] section")]
    note: Text = ""
    learning_rates: LearningRates = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0, 10.0, 1000.0)
    notation: Annotated[Literal["classic", "mazur", "z-a"], Meta(description='"classic", "mazur" or "z-a"')] = "classic"
    train_biases: Annotated[bool, Meta(description="true or false")] = False
    loss: Name = "half squared error"
    batch_size: Annotated[
        Whole | Literal["all"], Meta(description='a whole number of samples for each update, or "all"')
    ] = 1
    order: Annotated[Literal["given", "shuffled"], Meta(description='"given" or "shuffled"')] = "given"
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="a whole number from 0 on")] = 0
    optimiser: Method = GRADIENT_DESCENT
    schedule: Method = CONSTANT
    compare: tuple[Comparison, ...] = ()

    @cached_property
    def names(self) -> Names:
        """What the quantities of this walkthrough are called."""
        sizes = (len(self.samples[0].inputs), *(len(layer.weights) for layer in self.layers))
        return Names.of(sizes, tuple(len(layer.biases) for layer in self.layers), self.notation)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """What the network learns from."""
        return tuple(map(Sample, rows_of(self.inputs), rows_of(self.targets)))

    @cached_property
    def compared(self) -> tuple[Definition, ...]:
        """This walkthrough, trained in each of the ways that are to be compared."""
        return tuple(
            msgspec.structs.replace(self, optimiser=each.optimiser, learning_rate=each.learning_rate, compare=())
            for each in self.compare
        )

    @property
    def samples_a_batch(self) -> int:
        """After how many samples the weights are updated, but for a smaller last batch."""
        count = len(self.samples)
        return count if self.batch_size == "all" else min(self.batch_size, count)

    @property
    def is_softmax(self) -> bool:
        """Whether the outputs are shares of 1."""
        return self.layers[-1].activation == SOFTMAX

    @property
    def weight_limit(self) -> float | None:
        """Between which number and its negative weights are kept, so that no product of them overflows; None: freely.

        With bounded activations, gradients are bounded and weights grow with the number of iterations at most.
        """
        free = all(layer.activation == SOFTMAX or ACTIVATIONS[layer.activation].bounded for layer in self.layers)
        if free and not self.optimiser.settings[WEIGHT_DECAY.key]:
            return None
        return 10.0 ** min(12, 60 // len(self.layers))


def biases_of(bias: float | tuple[float, ...] | None) -> tuple[float, ...]:
    """The biases of a layer, however they are written."""
    if bias is None:
        return ()
    return bias if isinstance(bias, tuple) else (bias,)


def rows_of(values: Samples) -> tuple[tuple[float, ...], ...]:
    """The numbers sample by sample, however they are written."""
    first = values[0]
    return values if isinstance(first, tuple) else (values,)  # type: ignore[return-value]  # all are of one kind
