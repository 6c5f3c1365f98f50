"""The computation engine: forward pass, backward pass and update in plain NumPy matrices, every value kept.

It knows nothing of spreadsheets, nor of the symbolic derivation, which it exists to be compared with.

The equations are those of Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
Nature 323 (1986), cited below as RHW with the number of the equation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from xlbackprop.activations import ACTIVATIONS
from xlbackprop.definition import Definition
from xlbackprop.names import Names, Row, derivative

Array = NDArray[np.float64]


class Trace(Struct, frozen=True, eq=False):
    """Every intermediate value of a training run, by iteration and by the walkthrough's names.

    Iteration 0 holds the initial weights, iteration k what k updates have made of them.
    """

    labels: Names
    names: Row
    """The quantities in the order of the calculation."""
    values: Array
    """Shape (iterations, quantities)."""

    def __getitem__(self, name: str) -> Array:
        """One value an iteration of a quantity, shape (iterations,).

        `trace["a_h1"]`; ASCII (`dE/dw1`) and other notations' names are understood too.

        Raises:
            UnknownQuantityError: no quantity here is called that.
        """
        return self.values[:, self.names.index(self.labels.resolve(name, self.names))]

    def __len__(self) -> int:
        """The number of iterations."""
        return len(self.values)

    def at(self, iteration: int) -> dict[str, float]:
        """All values of one iteration by name, in the order of the calculation."""
        return dict(zip(self.names, self.values[iteration].tolist(), strict=True))


def train(definition: Definition) -> Trace:
    """Train the network of a definition and keep every value of every iteration."""
    record = _Record(definition)
    values = _train(definition, record, np.array([definition.learning_rate]), *_initial(definition, 1))
    return Trace(definition.names, record.names, values[0])


def train_many(definition: Definition, learning_rates: Sequence[float]) -> list[Trace]:
    """Train the same network once for each learning rate, all of them in one batched computation."""
    record = _Record(definition)
    rates = np.array(learning_rates, dtype=np.float64)
    values = _train(definition, record, rates, *_initial(definition, len(rates)))
    return [Trace(definition.names, record.names, run) for run in values]


def evaluate(definition: Definition, changes: Mapping[str, Array]) -> Trace:
    """Compute one iteration for many settings of the weights and biases, all of them in one batched computation.

    Args:
        changes: by name, one value a setting, each of shape (settings,); what is not named stays as defined.

    Returns:
        A trace that has one row a setting, in the place of one an iteration.
    """
    names = definition.names
    runs = max(map(len, changes.values()))
    record = _Record(definition)
    weights, biases = _initial(definition, runs)
    for layer, rows in enumerate(names.weights):
        for unit, row in enumerate(rows):
            for source, name in enumerate(row):
                if name in changes:
                    weights[layer][:, unit, source] = changes[name]
        for index, name in enumerate(names.biases[layer]):
            if name in changes:
                biases[layer][:, index] = changes[name]
    values = _train(replace(definition, iterations=1), record, np.zeros(runs), weights, biases)
    return Trace(names, record.names, values[:, 0])


class _Record:
    """Where each block of quantities stands in a row of the trace."""

    def __init__(self, definition: Definition) -> None:
        names = definition.names
        self._names: list[str] = []
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
        self.losses = self._block(names.losses)
        self.total_loss = self._block((names.total_loss,))
        self.backward = {
            layer: self._backward_blocks(definition, layer) for layer in reversed(range(len(names.weights)))
        }
        self.names = tuple(self._names)

    def _backward_blocks(self, definition: Definition, layer: int) -> _BackwardBlocks:
        names, total = definition.names, definition.names.total_loss
        units, outputs = names.pre_activations[layer], names.activations[layer]
        sources = names.activations[layer - 1] if layer else ()
        return _BackwardBlocks(
            loss_by_activation=self._block(derivative(total, unit) for unit in outputs),
            activation_by_pre=self._block(map(derivative, outputs, units)),
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
                if layer == len(names.weights) - 1
                for source in sources
            ),
            loss_by_weight=self._block(derivative(total, weight) for weight in _flat(names.weights[layer])),
            loss_by_bias=self._block(
                derivative(total, bias) for bias in names.biases[layer] if definition.train_biases
            ),
        )

    def _block(self, names: Iterator[str] | Row | map[str]) -> slice:
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
    """∂E1/∂a_h1: each output's own part of ∂E/∂a_h1; only the last layer's sources have it."""
    loss_by_weight: slice
    loss_by_bias: slice


def _initial(definition: Definition, runs: int) -> tuple[list[Array], list[Array]]:
    """The weights (runs, units, sources) and the biases (runs, biases) of every layer at the start of some runs."""
    weights = [np.tile(np.array(layer.weights), (runs, 1, 1)) for layer in definition.layers]
    biases = [np.tile(np.array(layer.biases, dtype=np.float64), (runs, 1)) for layer in definition.layers]
    return weights, biases


def _train(
    definition: Definition, record: _Record, learning_rates: Array, weights: list[Array], biases: list[Array]
) -> Array:
    """Shape (learning rates, iterations, quantities); the first axis runs through all learning rates at once."""
    runs, iterations = len(learning_rates), definition.iterations
    values = np.zeros((runs, iterations, len(record.names)))
    rate = learning_rates[:, np.newaxis]
    inputs, targets = np.array(definition.inputs), np.array(definition.targets)
    functions = [ACTIVATIONS[layer.activation] for layer in definition.layers]
    last = len(weights) - 1

    for iteration in range(iterations):
        row = values[:, iteration]
        row[:, record.inputs] = inputs
        row[:, record.targets] = targets

        sources = [row[:, record.inputs]]
        for layer, function in enumerate(functions):
            row[:, record.weights[layer]] = weights[layer].reshape(runs, -1)
            row[:, record.biases[layer]] = biases[layer]
            pre = (weights[layer] @ sources[layer][:, :, np.newaxis])[:, :, 0]  # RHW 1
            if biases[layer].shape[1]:
                pre = pre + biases[layer]
            row[:, record.pre_activations[layer]] = pre
            row[:, record.activations[layer]] = function.value(pre)  # RHW 2
            sources.append(row[:, record.activations[layer]])
        losses = 0.5 * (sources[-1] - targets) ** 2  # RHW 3
        row[:, record.losses] = losses
        row[:, record.total_loss] = losses.sum(axis=1, keepdims=True)

        by_activation = sources[-1] - targets  # RHW 4
        for layer in range(last, -1, -1):
            blocks, source = record.backward[layer], sources[layer]
            local = functions[layer].derivative(row[:, record.pre_activations[layer]], sources[layer + 1])
            delta = by_activation * local  # RHW 5
            gradient = delta[:, :, np.newaxis] * source[:, np.newaxis, :]  # RHW 6
            row[:, blocks.loss_by_activation] = by_activation
            row[:, blocks.activation_by_pre] = local
            row[:, blocks.loss_by_pre] = delta
            row[:, blocks.pre_by_weight] = np.broadcast_to(source[:, np.newaxis], gradient.shape).reshape(runs, -1)
            row[:, blocks.loss_by_weight] = gradient.reshape(runs, -1)
            if layer:
                parts = delta[:, :, np.newaxis] * weights[layer]
                row[:, blocks.pre_by_source] = weights[layer].reshape(runs, -1)
                if layer == last:
                    row[:, blocks.loss_by_source] = parts.reshape(runs, -1)
                by_activation = parts.sum(axis=1)  # RHW 7
            if definition.train_biases:
                shared = biases[layer].shape[1] == 1
                bias_gradient = delta.sum(axis=1, keepdims=True) if shared else delta
                row[:, blocks.loss_by_bias] = bias_gradient[:, : biases[layer].shape[1]]
                biases[layer] = biases[layer] - rate * row[:, blocks.loss_by_bias]
            # by_activation above was made with the weights of this iteration: all gradients are, before any update
            weights[layer] = weights[layer] - rate[:, :, np.newaxis] * gradient  # RHW 8
    return values


def _flat(rows: tuple[Row, ...]) -> Row:
    return tuple(name for row in rows for name in row)
