"""Where every quantity stands in a row of the trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from xlbackprop.network import (
    BATCH_SIZE,
    EPOCH,
    IN_BATCH,
    LOSSES,
    MEAN_LOSS,
    OPTIMISERS,
    RATE_NOW,
    SAMPLE,
    TURN,
    UPDATE,
    Definition,
    Row,
    correction_name,
    derivative,
    state_name,
)


class Record:
    """Where each block of quantities stands in a row of the trace."""

    def __init__(self, definition: Definition) -> None:
        names = definition.names
        self._names: list[str] = []
        self.order = {name: self._block([name]) for name in _order_names(definition) if len(definition.samples) > 1}
        self.inputs = self._block(names.inputs)
        self.targets = self._block(names.targets)
        self.weights: list[slice] = []
        self.biases: list[slice] = []
        self.pre_activations: list[slice] = []
        self.activations: list[slice] = []
        for layer, rows in enumerate(names.weights):
            self.weights.append(self._block(_flat(rows)))
            self.biases.append(self._block(names.biases[layer]))
            self.pre_activations.append(self._block(names.pre_activations[layer]))
            self.activations.append(self._block(names.activations[layer]))
        blocks = [block for pair in zip(self.weights, self.biases, strict=True) for block in pair]
        self.parameters = [place for block in blocks for place in range(block.start, block.stop)]
        self.losses = self._block(names.losses)
        self.total_loss = self._block((names.total_loss,))
        self.backward = {
            layer: self._backward_blocks(definition, layer) for layer in reversed(range(len(names.weights)))
        }
        self._memory(definition)
        self.quantities = tuple(self._names)

    def _memory(self, definition: Definition) -> None:
        """The blocks of what is carried from iteration to iteration."""
        blocks = zip(self.weights, self.biases, strict=True)
        learned = [block for pair in blocks for block in (pair if definition.train_biases else pair[:1])]
        self.learned = [place for block in learned for place in range(block.start, block.stop)]
        names = [self._names[place] for place in self.learned]
        self.means = self._block(derivative(MEAN_LOSS, name) for name in names if definition.samples_a_batch > 1)
        self.corrections: dict[str, slice] = {}
        self.states: list[slice] = []
        for state in OPTIMISERS[definition.optimiser.name].states:
            if state.correction:
                self.corrections[state.correction] = self._block([correction_name(state)])
            self.states.append(self._block(state_name(state, name) for name in names))
        self.rate_now = self._block([RATE_NOW] if definition.schedule.name != "constant" else [])

    def _backward_blocks(self, definition: Definition, layer: int) -> _BackwardBlocks:
        names, total = definition.names, definition.names.total_loss
        units, outputs = names.pre_activations[layer], names.activations[layer]
        sources = names.activations[layer - 1] if layer else ()
        is_last = layer == len(names.weights) - 1
        apart = not (is_last and LOSSES[definition.loss].goes_with)
        pairs = [(output, unit) for output in outputs for unit in units]
        crossed = is_last and definition.is_softmax
        return _BackwardBlocks(
            loss_by_activation=self._block(derivative(total, output) for output in outputs if apart),
            activation_by_pre=self._block(
                derivative(*pair) for pair in (pairs if crossed else zip(outputs, units, strict=True)) if apart
            ),
            loss_by_pre=self._block(derivative(total, unit) for unit in units),
            pre_by_weight=self._block(
                derivative(unit, weight)
                for unit, row in zip(units, names.weights[layer], strict=True)
                for weight in row
            ),
            pre_by_source=self._block(derivative(unit, source) for unit in units for source in sources),
            loss_by_source=self._block(
                derivative(loss, source)
                for loss in names.losses
                if is_last and not definition.is_softmax and len(names.losses) > 1
                for source in sources
            ),
            loss_by_weight=self._block(derivative(total, weight) for weight in _flat(names.weights[layer])),
            loss_by_bias=self._block(
                derivative(total, bias) for bias in names.biases[layer] if definition.train_biases
            ),
        )

    def _block(self, names: Iterable[str]) -> slice:
        start = len(self._names)
        self._names.extend(names)
        return slice(start, len(self._names))


class _BackwardBlocks(Struct, frozen=True):
    loss_by_activation: slice
    activation_by_pre: slice
    loss_by_pre: slice
    pre_by_weight: slice
    pre_by_source: slice
    loss_by_source: slice
    """∂E1/∂a_h1: each output's own part of ∂E/∂a_h1; only the sources of a last layer of several units have it."""
    loss_by_weight: slice
    loss_by_bias: slice


def _order_names(definition: Definition) -> Iterator[str]:
    yield SAMPLE
    if definition.order == "shuffled":
        yield TURN
    yield EPOCH
    if definition.samples_a_batch > 1:
        yield from (IN_BATCH, BATCH_SIZE, UPDATE)


def _flat(rows: tuple[Row, ...]) -> Row:
    return tuple(name for row in rows for name in row)
