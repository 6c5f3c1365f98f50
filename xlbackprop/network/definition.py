"""The definition of a walkthrough: a small network, what it learns from, and how it is trained."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.initial_weights import METHODS
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.names import LEARNING_RATE, LEARNING_RATE_SENTENCE, Names
from xlbackprop.network.optimisers import OPTIMISERS, WEIGHT_DECAY
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.softmax import SOFTMAX

MOST_ITERATIONS = 10_000_000
"""Of a training, whatever becomes of it."""

MOST_UNITS = 10_000
"""Of a layer whose weights are drawn."""

LARGEST_SEED = 2**32 - 1

LARGEST_NUMBER = 1e6
"""Numbers beyond this teach nothing and bring the spreadsheet's arithmetic near its limits."""


class About(Struct, frozen=True):
    """What there is to say of a key of a definition beside its type; it stands in the annotation of its field."""

    purpose: str
    """What the key is for, in words that are followed by what it may be."""
    names: tuple[str, ...] = ()
    """What it may be, where that is one of some names; the description of its type says it otherwise."""
    instead_of: tuple[str, ...] = ()
    """The keys in whose place it stands; a definition has either it or them."""
    heading: str = ""
    """What it and the keys after it are about."""


Real = Annotated[
    float, Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, description="a number from −1,000,000 to 1,000,000")
]
Reals = Annotated[tuple[Real, ...], Meta(min_length=1, description="a list of numbers, such as [0.05, 0.10]")]
Rate = Annotated[float, Meta(ge=0, le=LARGEST_NUMBER, description="a number from 0 to 1,000,000")]
Samples = Annotated[
    tuple[Real | Reals, ...],
    Meta(min_length=1, description="a list of numbers, such as [0.05, 0.10], or a list of such lists, one a sample"),
]
Whole = Annotated[int, Meta(ge=1, le=1_000_000)]
OneLine = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"\A[^\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]*\Z",  # control characters have no place in it
        description="one line of text, 200 characters at most",
    ),
]
Text = Annotated[
    str,
    Meta(
        max_length=2000,
        pattern=r"\A[^\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]*\Z",  # what XML has no place for
        description="text, 2,000 characters at most",
    ),
]


Bias = Annotated[Real | Reals, Meta(description="one number for the layer, or a list of one a unit")]
LayerBias = Annotated[Bias | None, About("What is added to the weighted sum of a unit, nothing by default")]
LayerActivation = Annotated[
    str,
    About(
        f"What makes a unit's activation of its weighted sum, where {SOFTMAX} is for the last layer only",
        names=(*ACTIVATIONS, SOFTMAX),
    ),
]


class Layer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One layer of units, each with a weight for every unit of the layer before."""

    weights: Annotated[
        tuple[Reals, ...],
        Meta(min_length=1, description="a list of rows, one a unit, such as [[0.15, 0.20], …]"),
        About("The weights"),
    ]
    bias: LayerBias = None
    activation: LayerActivation = "sigmoid"

    @property
    def units(self) -> int:
        """How many units the layer has."""
        return len(self.weights)

    @property
    def biases(self) -> tuple[float, ...]:
        """The layer's biases: none, one for all its units, or one a unit."""
        return biases_of(self.bias)


class DrawnLayer(Struct, frozen=True, kw_only=True):
    """A layer as a definition has it whose weights are to be drawn."""

    units: Annotated[
        int,
        Meta(ge=1, le=MOST_UNITS, description=f"a whole number from 1 to {MOST_UNITS:,}, how many units the layer has"),
        About("Or weights that are drawn, in place of given ones, for so many units", instead_of=("weights",)),
    ]
    initial: Annotated[str, About("How they are drawn", names=tuple(METHODS), instead_of=("weights",))] = "xavier"
    bias: LayerBias = None
    activation: LayerActivation = "sigmoid"

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
    """One walkthrough: a small network, what it learns from, and how it is trained.

    Made by `load`, complete and checked: weights that were to be drawn are numbers here. Its fields are the keys of a
    TOML file, in the same shapes: `inputs` and `targets` a list of numbers, or a list of those a sample; `weights` of
    a layer (units, units of the layer before). Nothing has a unit.
    """

    title: Annotated[OneLine, About("What the walkthrough is called")]
    teaches: Annotated[OneLine, About("What it teaches, in one sentence")]
    note: Annotated[Text, About("What else there is to say, which stands under the network")] = ""
    notation: Annotated[
        Literal["classic", "mazur", "z-a"],
        Meta(description='"classic", "mazur" or "z-a"'),
        About("In whose way the quantities of a unit are written"),
    ] = "classic"
    inputs: Annotated[Samples, About("What goes in, a number for each input", heading="What it learns from")]
    targets: Annotated[Samples, About("What should come out, a number for each output")]
    loss: Annotated[
        str,
        About(
            "How wrong the network is, as one number, which training makes small",
            names=tuple(LOSSES),
            heading="How it is trained",
        ),
    ] = "half squared error"
    learning_rate: Annotated[Rate, About(f"{LEARNING_RATE}, {LEARNING_RATE_SENTENCE}")]
    learning_rates: Annotated[
        tuple[Rate, ...],
        Meta(min_length=2, max_length=8, description="a list of two to eight learning rates, each from 0 to 1,000,000"),
        About("Those that the sheet Learning rates compares"),
    ] = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0, 10.0, 1000.0)
    iterations: Annotated[
        int,
        Meta(ge=1, le=MOST_ITERATIONS, description=f"a whole number from 1 to {MOST_ITERATIONS:,}"),
        About("How many rows the table has, each for one sample"),
    ]
    batch_size: Annotated[
        Whole | Literal["all"],
        Meta(description='a whole number of samples for each update, from 1 to 1,000,000, or "all"'),
        About("How many samples to look at before the weights change"),
    ] = 1
    order: Annotated[
        Literal["given", "shuffled"],
        Meta(description='"given" or "shuffled"'),
        About("In which order to take the samples"),
    ] = "given"
    optimiser: Annotated[Method, About("How a weight follows its gradient", names=tuple(OPTIMISERS))] = GRADIENT_DESCENT
    schedule: Annotated[
        Method, About("How the learning rate changes as the training goes on", names=tuple(SCHEDULES))
    ] = CONSTANT
    train_biases: Annotated[
        bool, Meta(description="true or false"), About("Whether biases are learned as weights are")
    ] = False
    seed: Annotated[
        int,
        Meta(ge=0, le=LARGEST_SEED, description=f"a whole number from 0 to {LARGEST_SEED:,}"),
        About("What draws the numbers, the same seed the same numbers"),
    ] = 0
    layers: Annotated[
        tuple[Layer, ...],
        Meta(min_length=1, description="at least one [[layers]] section"),
        About("The layers", heading="The network: a section for each layer, the last one for the outputs"),
    ]
    compare: Annotated[
        tuple[Comparison, ...],
        Meta(description="[[compare]] sections, one an optimiser"),
        About("Other ways to train the same network, none by default", heading="For comparison"),
    ] = ()

    @cached_property
    def names(self) -> Names:
        """What the quantities of this walkthrough are called."""
        return Names.of(self.sizes, tuple(len(layer.biases) for layer in self.layers), self.notation)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units in every layer, the inputs first."""
        return (len(by_sample(self.inputs)[0]), *(layer.units for layer in self.layers))

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """What the network learns from."""
        return tuple(map(Sample, by_sample(self.inputs), by_sample(self.targets)))

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
    def target_range(self) -> tuple[float, float]:
        """Between which numbers every target is."""
        return LOSSES[self.loss].target_range or (-LARGEST_NUMBER, LARGEST_NUMBER)

    @property
    def weight_limit(self) -> float | None:
        """Between which number and its negative weights are kept, so that no product of them overflows; None: freely.

        With bounded activations, gradients are bounded and weights grow with the number of iterations at most.
        """
        free = all(layer.activation == SOFTMAX or ACTIVATIONS[layer.activation].bounded for layer in self.layers)
        if free and not self.optimiser.settings[WEIGHT_DECAY.key]:
            return None
        return 10.0 ** min(12, 60 // len(self.layers))


class Shorthand(Struct, frozen=True, kw_only=True):
    """What a definition may say in place of keys; these are what it is read as."""

    samples: Annotated[
        str,
        Meta(
            min_length=1,
            description="the name of a CSV file, with a line of column names and then a line of numbers a sample, "
            "inputs before targets",
        ),
        About("Or a file beside this one, in place of inputs and targets", instead_of=("inputs", "targets")),
    ]
    epochs: Annotated[
        int,
        Meta(ge=1, le=MOST_ITERATIONS, description=f"a whole number from 1 to {MOST_ITERATIONS:,}"),
        About("Or how often to go through all samples, in place of iterations", instead_of=("iterations",)),
    ]


def biases_of(bias: float | tuple[float, ...] | None) -> tuple[float, ...]:
    """The biases of a layer, however they are written."""
    if bias is None:
        return ()
    return bias if isinstance(bias, tuple) else (bias,)


def by_sample(values: Samples) -> tuple[tuple[float, ...], ...]:
    """The numbers sample by sample, however they are written."""
    first = values[0]
    return values if isinstance(first, tuple) else (values,)  # type: ignore[return-value]  # all are of one kind
