"""The computation engine: forward pass, backward pass and update in plain NumPy matrices, every value kept.

It knows nothing of spreadsheets, nor of the symbolic derivation, which it exists to be compared with.

The equations are those of Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
Nature 323 (1986), cited below as RHW with the number of the equation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.engine.order import Passes, passes
from xlbackprop.network import softmax
from xlbackprop.network.activations import ACTIVATIONS, Activation
from xlbackprop.network.definition import Definition
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.names import (
    BATCH_SIZE,
    EPOCH,
    EPOCH_LOSS,
    IN_BATCH,
    MEAN_LOSS,
    RATE_NOW,
    RUNNING_LOSS,
    SAMPLE,
    TURN,
    UPDATE,
    Names,
    Row,
    derivative,
)
from xlbackprop.network.optimisers import OPTIMISERS, WEIGHT_DECAY, correction_name, state_name
from xlbackprop.network.schedules import SCHEDULES
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
    final: Mapping[str, float] = {}
    """What is learned, by name, as it is after the last iteration."""

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

    def after(self, name: str, iteration: int) -> float:
        """What a weight or a bias that is learned has become after an iteration."""
        is_last = iteration == len(self) - 1
        return self.final[name] if is_last else float(self.values[iteration + 1, self.names.index(name)])


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
    order = passes(first)
    values = np.empty((first.iterations, len(definitions), len(record.names)))
    final = _learn(network, order, record, values, listener)
    for start in range(0, first.iterations, _ITERATIONS_A_CHUNK):
        chunk = slice(start, start + _ITERATIONS_A_CHUNK)
        _complete(network, order.sample[chunk] - 1, record, values[chunk])
    _place(order, record, values)
    learned = [record.names[place] for place in record.learned]
    return [
        Trace(first.names, record.names, values[:, run], dict(zip(learned, final[run].tolist(), strict=True)))
        for run in range(len(definitions))
    ]


def evaluate(definition: Definition, changes: Mapping[str, Array], sample: int | NDArray[np.integer] = 0) -> Trace:
    """Compute one iteration for many settings of the weights and biases, all of them in one batched computation.

    Args:
        changes: by name, one value a setting, each of shape (settings,); what is not named stays as defined.
        sample: the number of the sample, from 0, or one a setting, shape (settings,).

    Returns:
        A trace that has one row a setting, in the place of one an iteration. Only what follows from weights and sample
        is in it; nothing that follows from the iterations before.
    """
    record = _Record(definition)
    network = _Network([definition])
    values = np.zeros((max(map(len, changes.values())), 1, len(record.names)))
    values[..., record.parameters] = network.all_parameters()
    for name, change in changes.items():
        values[:, 0, record.names.index(name)] = change
    _complete(network, np.broadcast_to(sample, len(values)), record, values)
    return Trace(definition.names, record.names, values[:, 0])


class _Record:
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
        self.epoch_losses = self._block([RUNNING_LOSS, EPOCH_LOSS] if len(definition.samples) > 1 else [])
        self.backward = {
            layer: self._backward_blocks(definition, layer) for layer in reversed(range(len(names.weights)))
        }
        self._memory(definition)
        self.names = tuple(self._names)

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
                if is_last and not definition.is_softmax
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
    by_activation: Array | None
    """∂E/∂a, shape (units,); None where the loss is differentiated together with the activation."""
    local: Array | None
    """∂a/∂h, shape (units,), or (units, units) for the softmax."""
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
        last = len(first.layers) - 1
        self.functions: list[Activation | None] = [ACTIVATIONS.get(layer.activation) for layer in first.layers]
        """None for the softmax."""
        self.loss = LOSSES[first.loss]
        self.last = last
        self.learns_biases = first.train_biases
        self.weight_limit = first.weight_limit
        self.optimiser = OPTIMISERS[first.optimiser.name]
        self.optimiser_settings = first.optimiser.settings
        self.schedule = SCHEDULES[first.schedule.name]
        self.schedule_settings = first.schedule.settings
        samples = [definition.samples for definition in definitions]
        self.inputs = np.array([[each.inputs for each in same] for same in zip(*samples, strict=True)])
        """Shape (samples, networks, inputs)."""
        self.targets = np.array([[each.targets for each in same] for same in zip(*samples, strict=True)])
        """Shape (samples, networks, outputs)."""
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

    def forward(self, inputs: Array, weights: Sequence[Array], biases: Sequence[Array]) -> list[_Layer]:
        """The forward pass, with weights (units, sources) and biases (none, one or units) a layer."""
        layers: list[_Layer] = []
        source = inputs
        for function, weight, bias in zip(self.functions, weights, biases, strict=True):
            pre = np.matvec(weight, source)  # RHW 1
            if bias.shape[-1]:
                pre = pre + bias
            source = softmax.softmax(pre) if function is None else function.value(pre)  # RHW 2
            layers.append(_Layer(pre, source))
        return layers

    def losses(self, targets: Array, output: _Layer) -> Array:
        """The loss of every output, shape (outputs,)."""
        return self.loss.shares(targets, output.pre_activation, output.activation)  # RHW 3

    def backward(
        self, inputs: Array, targets: Array, weights: Sequence[Array], layers: Sequence[_Layer]
    ) -> list[_Backward]:
        """The backward pass, the first layer first."""
        passed: list[_Backward] = []
        slope = self.loss.slope(targets, layers[-1].activation)  # RHW 4
        for index in range(self.last, -1, -1):
            layer, function = layers[index], self.functions[index]
            source = layers[index - 1].activation if index else inputs
            by_activation: Array | None = slope
            local: Array | None = None
            if index == self.last and self.loss.goes_with:
                by_activation, delta = None, slope
            elif function is None:
                local, delta = softmax.jacobian(layer.activation), softmax.pull_back(layer.activation, slope)
            else:
                local = function.derivative(layer.pre_activation, layer.activation)
                delta = slope * local  # RHW 5
            by_weight = delta[..., np.newaxis] * source[..., np.newaxis, :]  # RHW 6
            passed.append(_Backward(by_activation, local, delta, by_weight))
            if index:
                slope = np.vecmat(delta, weights[index])  # RHW 7
        return passed[::-1]

    def by_bias(self, index: int, delta: Array) -> Array:
        """∂E/∂b of a layer, shape (biases,): a bias that all units share gets the sum of their deltas."""
        shared = self.biases[index].shape[-1] == 1
        return delta.sum(axis=-1, keepdims=True) if shared else delta

    def updated(self, parameters: Array, gradients: Array, states: list[Array], count: int, rates: Array) -> Array:
        """The parameters after an update, of which `count` were made before; the states are brought up to date."""
        settings, optimiser = self.optimiser_settings, self.optimiser
        decay = settings[WEIGHT_DECAY.key]
        followed = gradients if optimiser.decays_apart or not decay else gradients + decay * parameters
        corrected = []
        for state, value in zip(optimiser.states, states, strict=True):
            value[...] = state.advance(value, followed, settings)
            corrected.append(value / (1 - settings[state.correction] ** (count + 1)) if state.correction else value)
        step = rates * optimiser.step(followed, corrected, settings)  # RHW 8
        if optimiser.decays_apart and decay:
            step = step + rates * decay * parameters
        changed = parameters - step
        limit = self.weight_limit
        return changed if limit is None else np.clip(changed, -limit, limit)


def _learn(network: _Network, order: Passes, record: _Record, values: Array, listener: Listener) -> Array:
    """Fill in what is carried from iteration to iteration; values has the shape (iterations, networks, quantities).

    Returns:
        What is learned as it is after the last iteration, shape (networks, learned).
    """
    parameters = network.all_parameters()
    gradients = np.zeros_like(parameters)
    weights, biases = network.split(parameters)
    by_weights, by_biases = network.split(gradients)
    learned = [record.parameters.index(place) for place in record.learned]
    all_learned = len(learned) == parameters.shape[-1]  # a choice of some takes longer than all that precedes it
    states = [np.zeros_like(parameters) for _ in record.states]
    means = np.zeros_like(parameters)
    history, mean_history, *state_history = (
        np.empty((min(len(values), _ITERATIONS_A_CHUNK), *parameters.shape)) for _ in (parameters, means, *states)
    )
    updates = order.update.astype(float)
    rates = network.schedule.rates(
        network.learning_rates, updates[:, np.newaxis, np.newaxis], network.schedule_settings
    )
    rates = np.broadcast_to(rates, (len(values), *network.learning_rates.shape))
    for start in range(0, len(values), _ITERATIONS_A_CHUNK):
        listener("training", start, len(values))
        chunk = slice(start, start + _ITERATIONS_A_CHUNK)
        places = (order.sample, order.in_batch, order.ends_batch, order.update)
        steps = zip(*(each[chunk].tolist() for each in places), rates[chunk], strict=True)
        for index, (sample, place, ends_batch, count, rate) in enumerate(steps):
            history[index] = parameters
            inputs, targets = network.inputs[sample - 1], network.targets[sample - 1]
            layers = network.forward(inputs, weights, biases)
            for layer, back in enumerate(network.backward(inputs, targets, weights, layers)):
                by_weights[layer][...] = back.by_weight
                if network.learns_biases and biases[layer].shape[-1]:
                    by_biases[layer][...] = network.by_bias(layer, back.delta)
            followed = gradients
            if order.batch_size > 1:
                means = gradients.copy() if place == 1 else means + (gradients - means) / place
                followed = mean_history[index] = means
            if ends_batch:
                # weights and biases are views of parameters: all of them are updated at once, after all gradients
                after = network.updated(parameters, followed, states, count, rate)
                if all_learned:
                    parameters[...] = after
                else:
                    parameters[..., learned] = after[..., learned]
            for state, kept in zip(states, state_history, strict=True):
                kept[index] = state
        filled = values[chunk]
        filled[..., record.parameters] = history[: len(filled)]
        for block, kept in zip(record.states, state_history, strict=True):
            filled[..., block] = kept[: len(filled), ..., learned]
        if order.batch_size > 1:
            filled[..., record.means] = mean_history[: len(filled), ..., learned]
    for key, block in record.corrections.items():
        values[..., block] = 1 - network.optimiser_settings[key] ** (updates[:, np.newaxis, np.newaxis] + 1)
    if record.rate_now.stop > record.rate_now.start:
        values[..., record.rate_now] = rates
    return np.asarray(parameters[..., learned])


def _complete(network: _Network, samples: NDArray[np.integer], record: _Record, values: Array) -> None:
    """Compute what follows from the weights and biases that stand in values, shape (iterations, networks, quantities).

    Args:
        samples: the number of the sample of every iteration, from 0.
    """
    leading = values.shape[:-1]
    weights, biases = network.split(values[..., record.parameters])
    inputs, targets = network.inputs[samples], network.targets[samples]
    layers = network.forward(inputs, weights, biases)
    losses = network.losses(targets, layers[-1])
    values[..., record.inputs] = inputs
    values[..., record.targets] = targets
    values[..., record.losses] = losses
    values[..., record.total_loss] = losses.sum(axis=-1, keepdims=True)
    backward = network.backward(inputs, targets, weights, layers)
    for index, (layer, back) in enumerate(zip(layers, backward, strict=True)):
        blocks = record.backward[index]
        source = layers[index - 1].activation if index else inputs
        values[..., record.pre_activations[index]] = layer.pre_activation
        values[..., record.activations[index]] = layer.activation
        if back.by_activation is not None and back.local is not None:
            values[..., blocks.loss_by_activation] = back.by_activation
            values[..., blocks.activation_by_pre] = back.local.reshape(*leading, -1)
        values[..., blocks.loss_by_pre] = back.delta
        values[..., blocks.pre_by_weight] = np.tile(source, back.delta.shape[-1])
        values[..., blocks.loss_by_weight] = back.by_weight.reshape(*leading, -1)
        if index:
            values[..., blocks.pre_by_source] = weights[index].reshape(*leading, -1)
        if index == len(layers) - 1 and blocks.loss_by_source.stop > blocks.loss_by_source.start:
            parts = back.delta[..., np.newaxis] * weights[index]
            values[..., blocks.loss_by_source] = parts.reshape(*leading, -1)
        if network.learns_biases and network.biases[index].size:
            values[..., blocks.loss_by_bias] = network.by_bias(index, back.delta)


def _place(order: Passes, record: _Record, values: Array) -> None:
    """Fill in where every iteration stands in its epoch and its batch, and the mean losses of the epochs."""
    columns = {
        SAMPLE: order.sample,
        TURN: order.turn,
        EPOCH: order.epoch,
        IN_BATCH: order.in_batch,
        BATCH_SIZE: order.size,
        UPDATE: order.update + 1,
    }
    for name, block in record.order.items():
        values[..., block] = columns[name][:, np.newaxis, np.newaxis]
    if order.samples > 1:
        losses = values[..., record.total_loss]
        running, whole = record.epoch_losses.start, record.epoch_losses.start + 1
        complete: Array | None = None
        for start in range(0, len(values), order.samples):
            epoch = slice(start, start + order.samples)
            taken = losses[epoch]
            turns = np.arange(1, len(taken) + 1)[:, np.newaxis, np.newaxis]
            means = np.cumsum(taken, axis=0) / turns
            values[epoch, :, running] = means[..., 0]
            values[epoch, :, whole] = means[..., 0] if complete is None else complete
            if len(taken) == order.samples:
                complete = means[-1, :, 0]
                values[epoch.stop - 1, :, whole] = complete


def _order_names(definition: Definition) -> Iterator[str]:
    yield SAMPLE
    if definition.order == "shuffled":
        yield TURN
    yield EPOCH
    if definition.samples_a_batch > 1:
        yield from (IN_BATCH, BATCH_SIZE, UPDATE)


def _kind(definition: Definition) -> tuple[object, ...]:
    """What networks that are trained at once have in common."""
    layers = tuple(layer.activation for layer in definition.layers)
    training = (definition.loss, definition.optimiser, definition.schedule, definition.train_biases)
    order = (len(definition.samples), definition.samples_a_batch, definition.order, definition.seed)
    return definition.names, definition.iterations, layers, training, order


def _flat(rows: tuple[Row, ...]) -> Row:
    return tuple(name for row in rows for name in row)
