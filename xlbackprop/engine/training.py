"""The computation engine: forward pass, backward pass and update in plain NumPy matrices, every value kept.

It knows nothing of spreadsheets, nor of the symbolic derivation, which it exists to be compared with.

The equations are those of Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
Nature 323 (1986), cited below as RHW with the number of the equation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlbackprop.engine.equations import Equations
from xlbackprop.engine.order import SampleOrder, sample_order
from xlbackprop.engine.record import Record
from xlbackprop.engine.trace import Array, Trace
from xlbackprop.engine.unrolled import LEAST_ITERATIONS, MOST_PARAMETERS, Unrolled, unrolled
from xlbackprop.ground.errors import UserError, at_most
from xlbackprop.ground.progress import Listener, nobody
from xlbackprop.network import BATCH_SIZE, EPOCH, IN_BATCH, SAMPLE, TURN, UPDATE, Definition

_ITERATIONS_A_CHUNK = 1024

Views = tuple[list[Array], list[Array]]
"""The weights and the biases of every layer, in an array of all of them."""

MOST_VALUES = 500_000_000
"""Of a trace: 4 GB."""


def train(definition: Definition, *, listener: Listener = nobody) -> Trace:
    """Train the network of a definition and keep every value of every iteration.

    Args:
        definition: what to train, for as many iterations as it says; see `load`.
        listener: is told how far the training has come.

    Returns:
        The values, shape (iterations, quantities) by the names of the definition's notation; all are plain numbers
        without units, losses and learning rates included.

    Raises:
        UserError: there would be more values than are kept, 500 million.
    """
    return train_all([definition], listener=listener)[0]


def train_all(definitions: Sequence[Definition], *, listener: Listener = nobody) -> list[Trace]:
    """Train many networks at once, in one batched computation: many learning rates, or every student's own numbers.

    Args:
        definitions: networks of one shape, each with numbers of its own.
        listener: is told how far the training has come.

    Raises:
        UserError: there would be more values than are kept.
        ValueError: the definitions differ in more than their numbers (names, shapes, iterations, activations).
    """
    first = definitions[0]
    record = Record(first)
    network = Equations(definitions)
    order = sample_order(first)
    shape = (first.iterations, len(definitions), len(record.quantities))
    if math.prod(shape) > MOST_VALUES:
        raise UserError(f"{first.title}: {at_most(math.prod(shape), MOST_VALUES, 'the values of a training')}")
    values = np.empty(shape)
    final = _learn(network, order, record, values, listener)
    for start in range(0, first.iterations, _ITERATIONS_A_CHUNK):
        chunk = slice(start, start + _ITERATIONS_A_CHUNK)
        _complete(network, order.sample[chunk] - 1, record, values[chunk])
    _place(order, record, values)
    learned = [record.quantities[place] for place in record.learned]
    return [
        Trace(first.names, record.quantities, values[:, run], dict(zip(learned, final[run].tolist(), strict=True)))
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
    record = Record(definition)
    network = Equations([definition])
    values = np.zeros((max(map(len, changes.values())), 1, len(record.quantities)))
    values[..., record.parameters] = network.all_parameters()
    for name, change in changes.items():
        values[:, 0, record.quantities.index(name)] = change
    _complete(network, np.broadcast_to(sample, len(values)), record, values)
    return Trace(definition.names, record.quantities, values[:, 0])


def _learn(network: Equations, order: SampleOrder, record: Record, values: Array, listener: Listener) -> Array:
    """Fill in what is carried from iteration to iteration; values has the shape (iterations, networks, quantities).

    Returns:
        What is learned as it is after the last iteration, shape (networks, learned).
    """
    parameters = network.all_parameters()
    gradients = np.zeros_like(parameters)
    views, gradient_views = network.split(parameters), network.split(gradients)
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
    is_plain = order.batch_size == 1 and not states
    written = _written_down(network, parameters, learned, rates) if is_plain else None
    for start in range(0, len(values), _ITERATIONS_A_CHUNK):
        listener("training", start, len(values))
        chunk = slice(start, start + _ITERATIONS_A_CHUNK)
        places = (order.sample, order.in_batch, order.ends_batch, order.update)
        steps: Iterable[tuple[Any, ...]] = zip(*(each[chunk].tolist() for each in places), rates[chunk], strict=True)
        if written is not None and _ran(written, network, order.sample[chunk], rates[chunk], parameters, history):
            steps = ()
        for index, (sample, place, ends_batch, count, rate) in enumerate(steps):
            history[index] = parameters
            inputs, targets = network.inputs[sample - 1], network.targets[sample - 1]
            _put_gradients(network, inputs, targets, views, gradient_views)
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


def _put_gradients(network: Equations, inputs: Array, targets: Array, parameters: Views, gradients: Views) -> None:
    """Compute the gradients of one iteration into views of where they are to stand."""
    weights, biases = parameters
    by_weights, by_biases = gradients
    layers = network.forward(inputs, weights, biases)
    for layer, back in enumerate(network.backward(inputs, targets, weights, layers)):
        by_weights[layer][...] = back.by_weight
        if network.learns_biases and biases[layer].shape[-1]:
            by_biases[layer][...] = network.by_bias(layer, back.delta)


def _written_down(network: Equations, parameters: Array, learned: list[int], rates: Array) -> Unrolled | None:
    """The iteration of plain gradient descent as a small network runs it fastest; None where NumPy is as fast."""
    networks, count = parameters.shape
    if networks > 1 or count > MOST_PARAMETERS or len(rates) < LEAST_ITERATIONS:
        return None

    def iteration(before: Array, inputs: Array, targets: Array, rate: Array) -> Array:
        gradients, after = np.zeros_like(before), before.copy()
        _put_gradients(network, inputs, targets, network.split(before), network.split(gradients))
        after[..., learned] = network.updated(before, gradients, [], 0, rate)[..., learned]
        return after

    try:
        return unrolled(iteration, parameters, network.inputs[0], network.targets[0], rates[0])
    except (ArithmeticError, TypeError):
        return None


def _ran(
    written: Unrolled, network: Equations, samples: NDArray[np.integer], rates: Array, parameters: Array, history: Array
) -> bool:
    """Whether the iterations of some samples could be run as written down; the parameters are then those after them."""
    rows = list(map(tuple, np.concatenate([network.inputs, network.targets], axis=-1)[:, 0].tolist()))
    taken = [rows[sample - 1] for sample in samples.tolist()]
    try:
        parameters[...] = written.train(parameters, taken, rates.ravel().tolist(), history)
    except ArithmeticError:
        return False
    return True


def _complete(network: Equations, samples: NDArray[np.integer], record: Record, values: Array) -> None:
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


def _place(order: SampleOrder, record: Record, values: Array) -> None:
    """Fill in where every iteration stands in its epoch and its batch."""
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
