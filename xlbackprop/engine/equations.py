"""The equations of training, in NumPy matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from xlbackprop.engine.trace import Array
from xlbackprop.network import ACTIVATIONS, LOSSES, OPTIMISERS, SCHEDULES, WEIGHT_DECAY, Activation, Definition, softmax

_WEIGHTED_SUMS = "...us,...s->...u"
_PULLED_BACK = "...u,...us->...s"
"""Sums over sources and over units. NumPy's matrix products would be those of BLAS, which add in another order on each
kind of processor, so that the last digits would differ; `einsum` adds in one order, and is as fast."""


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


class Equations:
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
            pre = np.einsum(_WEIGHTED_SUMS, weight, source)  # RHW 1
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
                slope = np.einsum(_PULLED_BACK, delta, weights[index])  # RHW 7
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


def _kind(definition: Definition) -> tuple[object, ...]:
    """What networks that are trained at once have in common."""
    layers = tuple(layer.activation for layer in definition.layers)
    training = (definition.loss, definition.optimiser, definition.schedule, definition.train_biases)
    order = (len(definition.samples), definition.samples_a_batch, definition.order, definition.seed)
    return definition.names, definition.iterations, layers, training, order
