"""The computation engine: forward pass, backward pass and update in plain NumPy matrices, every value kept.

It knows nothing of spreadsheets, nor of the symbolic derivation, which it exists to be compared with.

The equations are those of Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
Nature 323 (1986), cited below as RHW with the number of the equation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.activations import ACTIVATIONS
from xlbackprop.definition import Definition
from xlbackprop.names import Names, Row, derivative
from xlbackprop.progress import Listener, nobody

Array = NDArray[np.float64]

_ITERATIONS_A_CHUNK = 1024


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


def train(definition: Definition, *, listener: Listener = nobody) -> Trace:
    """Train the network of a definition and keep every value of every iteration."""
    return train_all([definition], listener=listener)[0]


def train_all(definitions: Sequence[Definition], *, listener: Listener = nobody) -> list[Trace]:
    """Train many networks at once, in one batched computation: many learning rates, or every student's own numbers.

    Args:
        definitions: networks of one shape, each with numbers of its own.
        listener: is told how far the training has come.

    Raises:
        ValueError: the definitions differ in more than their numbers (names, shapes, iterations, activations).
    """
    first = definitions[0]
    record = _Record(first)
    network = _Network(definitions)
    values = np.empty((first.iterations, len(definitions), len(record.names)))
    _learn(network, record, values, listener)
    for start in range(0, first.iterations, _ITERATIONS_A_CHUNK):
        _complete(network, record, values[start : start + _ITERATIONS_A_CHUNK])
    return [Trace(first.names, record.names, values[:, run]) for run in range(len(definitions))]


def evaluate(definition: Definition, changes: Mapping[str, Array]) -> Trace:
    """Compute one iteration for many settings of the weights and biases, all of them in one batched computation.

    Args:
        changes: by name, one value a setting, each of shape (settings,); what is not named stays as defined.

    Returns:
        A trace that has one row a setting, in the place of one an iteration.
    """
    record = _Record(definition)
    network = _Network([definition])
    values = np.empty((max(map(len, changes.values())), len(record.names)))
    values[:, record.parameters] = network.all_parameters()
    for name, change in changes.items():
        values[:, record.names.index(name)] = change
    _complete(network, record, values)
    return Trace(definition.names, record.names, values)


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
        parameters = zip(self.weights, self.biases, strict=True)
        self.parameters = [place for pair in parameters for block in pair for place in range(block.start, block.stop)]
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


class _Layer(Struct, frozen=True):
    """What one layer computes in one forward and one backward pass; any axes may come before the ones named here."""

    pre_activation: Array
    """Shape (units,)."""
    activation: Array
    """Shape (units,)."""


class _Backward(Struct, frozen=True):
    by_activation: Array
    """∂E/∂a, shape (units,)."""
    local: Array
    """∂a/∂h, shape (units,)."""
    delta: Array
    """∂E/∂h, shape (units,)."""
    by_weight: Array
    """∂E/∂w, shape (units, sources)."""


class _Network:
    """The equations, in matrices; axes before the ones named in a docstring run through many networks at once."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        first = definitions[0]
        if any(_kind(definition) != _kind(first) for definition in definitions):
            raise ValueError("networks that are trained at once differ in their numbers only")
        self.functions = [ACTIVATIONS[layer.activation] for layer in first.layers]
        self.learns_biases = first.train_biases
        self.inputs = np.array([definition.inputs for definition in definitions])
        self.targets = np.array([definition.targets for definition in definitions])
        self.learning_rates = np.array([[definition.learning_rate] for definition in definitions])
        layers = list(zip(*(definition.layers for definition in definitions), strict=True))
        self.weights = [np.array([layer.weights for layer in each]) for each in layers]
        self.biases = [np.array([layer.biases for layer in each]) for each in layers]

    def parameters(self) -> list[Array]:
        """The initial weights and biases, layer by layer."""
        return [each for layer in zip(self.weights, self.biases, strict=True) for each in layer]

    def all_parameters(self) -> Array:
        """The same, side by side: shape (networks, parameters)."""
        return np.concatenate([each.reshape(len(each), -1) for each in self.parameters()], axis=-1)

    def split(self, flat: Array) -> tuple[list[Array], list[Array]]:
        """Views of the weights (units, sources) and the biases of every layer in all parameters, side by side."""
        views, start = [], 0
        for each in self.parameters():
            shape = each.shape[1:]
            end = start + math.prod(shape)
            views.append(flat[..., start:end].reshape(*flat.shape[:-1], *shape))
            start = end
        return views[::2], views[1::2]

    def forward(self, weights: Sequence[Array], biases: Sequence[Array]) -> list[_Layer]:
        """The forward pass, with weights (units, sources) and biases (none, one or units) a layer."""
        layers: list[_Layer] = []
        source = self.inputs
        for function, weight, bias in zip(self.functions, weights, biases, strict=True):
            pre = np.matvec(weight, source)  # RHW 1
            if bias.shape[-1]:
                pre = pre + bias
            source = function.value(pre)  # RHW 2
            layers.append(_Layer(pre, source))
        return layers

    def losses(self, output: Array) -> Array:
        """The loss of every output, shape (outputs,)."""
        return np.asarray(0.5 * (output - self.targets) ** 2)  # RHW 3

    def backward(self, weights: Sequence[Array], layers: Sequence[_Layer]) -> list[_Backward]:
        """The backward pass, the first layer first."""
        passes: list[_Backward] = []
        by_activation = layers[-1].activation - self.targets  # RHW 4
        for index in range(len(layers) - 1, -1, -1):
            layer = layers[index]
            source = layers[index - 1].activation if index else self.inputs
            local = self.functions[index].derivative(layer.pre_activation, layer.activation)
            delta = by_activation * local  # RHW 5
            by_weight = delta[..., np.newaxis] * source[..., np.newaxis, :]  # RHW 6
            passes.append(_Backward(by_activation, local, delta, by_weight))
            if index:
                by_activation = np.vecmat(delta, weights[index])  # RHW 7
        return passes[::-1]

    def by_bias(self, index: int, delta: Array) -> Array:
        """∂E/∂b of a layer, shape (biases,): a bias that all units share gets the sum of their deltas."""
        shared = self.biases[index].shape[-1] == 1
        return delta.sum(axis=-1, keepdims=True) if shared else delta


def _learn(network: _Network, record: _Record, values: Array, listener: Listener) -> None:
    """Fill in the weights and biases of every iteration; values has the shape (iterations, networks, quantities)."""
    parameters = network.all_parameters()
    history = np.empty((len(values), *parameters.shape))
    gradients = np.zeros_like(parameters)
    weights, biases = network.split(parameters)
    by_weights, by_biases = network.split(gradients)
    for iteration, row in enumerate(history):
        if iteration % _ITERATIONS_A_CHUNK == 0:
            listener("training", iteration, len(history))
        row[...] = parameters
        for index, back in enumerate(network.backward(weights, network.forward(weights, biases))):
            by_weights[index][...] = back.by_weight
            if network.learns_biases and biases[index].shape[-1]:
                by_biases[index][...] = network.by_bias(index, back.delta)
        # weights and biases are views of parameters, so that all of them are updated at once, after all gradients
        parameters -= network.learning_rates * gradients  # RHW 8
    values[..., record.parameters] = history


def _complete(network: _Network, record: _Record, values: Array) -> None:
    """Compute everything else from the weights and biases that stand in values; its last axis is the quantities'."""
    leading = values.shape[:-1]
    weights, biases = network.split(values[..., record.parameters])
    layers = network.forward(weights, biases)
    losses = network.losses(layers[-1].activation)
    values[..., record.inputs] = network.inputs
    values[..., record.targets] = network.targets
    values[..., record.losses] = losses
    values[..., record.total_loss] = losses.sum(axis=-1, keepdims=True)
    for index, (layer, back) in enumerate(zip(layers, network.backward(weights, layers), strict=True)):
        blocks = record.backward[index]
        source = layers[index - 1].activation if index else network.inputs
        values[..., record.pre_activations[index]] = layer.pre_activation
        values[..., record.activations[index]] = layer.activation
        values[..., blocks.loss_by_activation] = back.by_activation
        values[..., blocks.activation_by_pre] = back.local
        values[..., blocks.loss_by_pre] = back.delta
        values[..., blocks.pre_by_weight] = np.tile(source, back.delta.shape[-1])
        values[..., blocks.loss_by_weight] = back.by_weight.reshape(*leading, -1)
        if index:
            values[..., blocks.pre_by_source] = weights[index].reshape(*leading, -1)
        if index and index == len(layers) - 1:
            parts = back.delta[..., np.newaxis] * weights[index]
            values[..., blocks.loss_by_source] = parts.reshape(*leading, -1)
        if network.learns_biases and network.biases[index].size:
            values[..., blocks.loss_by_bias] = network.by_bias(index, back.delta)


def _kind(definition: Definition) -> tuple[object, ...]:
    activations = tuple(layer.activation for layer in definition.layers)
    return definition.names, definition.iterations, definition.train_biases, activations


def _flat(rows: tuple[Row, ...]) -> Row:
    return tuple(name for row in rows for name in row)
