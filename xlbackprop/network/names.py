"""What every quantity of a walkthrough is called, and which quantity a reader means by a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import count

from msgspec import Struct

from xlbackprop.ground.errors import UnknownQuantityError, did_you_mean, shown

LEARNING_RATE = "η"
ITERATION = "iteration"

SAMPLE, TURN, EPOCH = "sample", "turn", "epoch"
IN_BATCH, BATCH_SIZE, UPDATE = "in batch", "batch size", "update"
"""Where an iteration stands in a training with many samples."""

ORDER = "order"
"""The list of the samples in the order in which they are taken."""

WALKTHROUGH = "Walkthrough"
"""The sheet of a workbook of ours on which the table of the iterations stands."""

MEAN_LOSS = "Ē"
"""The mean of the loss over a batch, as it stands in ∂Ē/∂w5."""

RATE_NOW = "η_k"
"""The learning rate of an iteration, where a schedule changes it."""


class Notation(Struct, frozen=True):
    """How one author writes the names of a unit (`h1`, `o2`): its two values and its share of the loss."""

    pre_activation: str
    activation: str
    loss: str


NOTATIONS: Mapping[str, Notation] = {
    "classic": Notation(pre_activation="{unit}", activation="a_{unit}", loss="E{index}"),
    "mazur": Notation(pre_activation="net_{unit}", activation="out_{unit}", loss="E_{unit}"),
    "z-a": Notation(pre_activation="z_{unit}", activation="a_{unit}", loss="E_{unit}"),
}

Row = tuple[str, ...]


def derivative(numerator: str, denominator: str) -> str:
    """The name of ∂numerator/∂denominator; the total loss is written E there, as in ∂E/∂w5."""
    return f"∂{'E' if numerator == 'E_total' else numerator}/∂{denominator}"


def short_label(name: str) -> str:
    """The name as it heads a column or a node: the original sheet writes E_tot there."""
    return "E_tot" if name == "E_total" else name


def layer_title(layer: int, layers: int) -> str:
    """What a layer is called, counted from 0: the last one, the only hidden one, or one of several of these."""
    if layer == layers - 1:
        return "output layer"
    return "hidden layer" if layers == 2 else f"hidden layer {layer + 1}"


class Names(Struct, frozen=True, dict=True):
    """The names of one network's quantities, by layer (the first hidden layer is 0) and unit."""

    inputs: Row
    targets: Row
    weights: tuple[tuple[Row, ...], ...]
    """`weights[layer][unit][source]`, numbered through the network, unit by unit."""
    biases: tuple[Row, ...]
    """`biases[layer]`: none, one for the whole layer, or one a unit."""
    pre_activations: tuple[Row, ...]
    activations: tuple[Row, ...]
    losses: Row
    total_loss: str = "E_total"

    @classmethod
    def of(cls, sizes: tuple[int, ...], bias_counts: tuple[int, ...], notation: str) -> Names:
        """Name a network of `sizes` (inputs first, outputs last), `bias_counts[layer]` biases in each layer.

        One hidden layer gives `h1, h2`; several give `h1_1, h1_2, h2_1` (layer, then unit).
        """
        style = NOTATIONS[notation]
        hidden_layers = len(sizes) - 2
        numbers = count(1)
        bias_numbers = count(1)
        units: list[Row] = []
        for layer, size in enumerate(sizes[1:]):
            hidden = "h" if hidden_layers == 1 else f"h{layer + 1}_"
            prefix = "o" if layer == hidden_layers else hidden
            units.append(tuple(f"{prefix}{unit}" for unit in range(1, size + 1)))
        return cls(
            inputs=_numbered("i", sizes[0]),
            targets=_numbered("t", sizes[-1]),
            weights=tuple(
                tuple(tuple(f"w{next(numbers)}" for _ in range(sources)) for _ in layer)
                for sources, layer in zip(sizes, units, strict=False)
            ),
            biases=tuple(tuple(f"b{next(bias_numbers)}" for _ in range(biases)) for biases in bias_counts),
            pre_activations=tuple(tuple(style.pre_activation.format(unit=unit) for unit in layer) for layer in units),
            activations=tuple(tuple(style.activation.format(unit=unit) for unit in layer) for layer in units),
            losses=tuple(style.loss.format(unit=unit, index=index) for index, unit in enumerate(units[-1], 1)),
        )

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Units in every layer, the inputs first."""
        return (len(self.inputs), *(len(layer) for layer in self.activations))

    @cached_property
    def base(self) -> Row:
        """Every name that is not a derivative, in the same order whatever the notation."""
        rows = [self.inputs, self.targets, *(row for layer in self.weights for row in layer), *self.biases]
        rows += [*self.pre_activations, *self.activations, self.losses, (self.total_loss,)]
        return tuple(name for row in rows for name in row)

    def resolve(self, asked: str, known: Iterable[str]) -> str:
        """The one of the `known` names that a reader means by `asked`.

        Unicode and ASCII (`dE/dw1`), the other notations' names, letter case, spaces and underscores all do.

        Raises:
            UnknownQuantityError: nothing here is called that; the message suggests the nearest name.
        """
        names = tuple(known)
        if not isinstance(asked, str):
            raise UnknownQuantityError(f"found {shown(asked)}, expected the name of a quantity, such as {names[0]}")
        if asked in names:
            return asked
        numerator, slash, denominator = _simplified(asked).partition("/")
        if slash:
            parts = [self._aliases.get(part[1:]) for part in (numerator, denominator) if part.startswith("d")]
            meant = derivative(parts[0], parts[1]) if len(parts) == 2 and parts[0] and parts[1] else None
        else:
            meant = self._aliases.get(numerator)
        if meant not in names:
            raise UnknownQuantityError(f'there is no quantity "{asked}" here; {did_you_mean(asked, names)}')
        return meant

    @cached_property
    def _aliases(self) -> dict[str, str]:
        aliases = {"e": self.total_loss, "etot": self.total_loss}
        bias_counts = tuple(len(layer) for layer in self.biases)
        for notation in NOTATIONS:
            other = Names.of(self.sizes, bias_counts, notation)
            for theirs, ours in zip(other.base, self.base, strict=True):
                aliases.setdefault(_simplified(theirs), ours)
        aliases.update({_simplified(ours): ours for ours in self.base})
        return aliases


def _numbered(letter: str, number: int) -> Row:
    return tuple(f"{letter}{index}" for index in range(1, number + 1))


def _simplified(name: str) -> str:
    """The name as people type it: no case, no spaces, no underscores but those between two numbers (`h1_2`)."""
    text = re.sub(r"(?<!\d)_|_(?!\d)", "", name.lower().replace("∂", "d").replace(" ", ""))
    return re.sub(r"^de(tot|total)/", "de/", text)


LEARNING_RATE_SENTENCE = "the learning rate: how far each update goes against the gradient"
