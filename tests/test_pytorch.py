"""PyTorch as a judge: the same networks trained by a library that we did not write, compared number by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from msgspec import Struct

from xlbackprop import Definition, train
from xlbackprop.engine.order import sample_order
from xlbackprop.engine.trace import Array, Trace
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.loading import parse
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.names import MEAN_LOSS, RATE_NOW, derivative
from xlbackprop.network.optimisers import OPTIMISERS, WEIGHT_DECAY
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.softmax import SOFTMAX

torch = pytest.importorskip("torch", reason="PyTorch is an optional judge: pip install -e '.[torch]'")
functional = torch.nn.functional

TOLERANCE = 1e-12
"""Absolute, for numbers that are about 1: fifty updates, each with some hundred roundings of 1e-16."""

UPDATES = 50

Tensor = Any
Settings = Mapping[str, float]

TORCH_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "leaky relu": functional.leaky_relu,
    "softplus": partial(functional.softplus, threshold=1e6),  # above its threshold it is the identity there
    "silu": functional.silu,
    "gelu": partial(functional.gelu, approximate="tanh"),
    "identity": lambda x: x,
    SOFTMAX: partial(torch.softmax, dim=-1),
}

TORCH_LOSSES: Mapping[str, Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    "half squared error": {"written out": lambda x, a, t: (0.5 * (a - t) ** 2).sum(dim=-1).mean()},
    "mean squared error": {"mse_loss": lambda x, a, t: functional.mse_loss(a, t)},
    "binary cross-entropy": {
        "binary_cross_entropy": lambda x, a, t: functional.binary_cross_entropy(a, t),
        "with logits": lambda x, a, t: functional.binary_cross_entropy_with_logits(x, t),
    },
    "categorical cross-entropy": {"cross_entropy": lambda x, a, t: functional.cross_entropy(x, t)},
}
"""From the last layer's pre-activations and activations and the targets, each of shape (samples, outputs)."""

TORCH_OPTIMISERS: Mapping[str, Callable[..., Any]] = {
    "gradient descent": lambda weights, s, **common: torch.optim.SGD(weights, **common),
    "momentum": lambda weights, s, **common: torch.optim.SGD(weights, momentum=s["momentum"], **common),
    "nesterov": lambda weights, s, **common: torch.optim.SGD(weights, momentum=s["momentum"], nesterov=True, **common),
    "rmsprop": lambda weights, s, **common: torch.optim.RMSprop(
        weights, alpha=s["smoothing"], eps=s["epsilon"], **common
    ),
    "adam": lambda weights, s, **common: torch.optim.Adam(
        weights, betas=(s["beta1"], s["beta2"]), eps=s["epsilon"], **common
    ),
    "adamw": lambda weights, s, **common: torch.optim.AdamW(
        weights, betas=(s["beta1"], s["beta2"]), eps=s["epsilon"], **common
    ),
}

TORCH_SCHEDULES: Mapping[str, Callable[[Any, Settings], Any]] = {
    "constant": lambda optimiser, s: torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0),
    "step": lambda optimiser, s: torch.optim.lr_scheduler.StepLR(optimiser, int(s["every"]), s["factor"]),
    "exponential": lambda optimiser, s: torch.optim.lr_scheduler.ExponentialLR(optimiser, s["factor"]),
    "cosine": lambda optimiser, s: torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, int(s["period"]), eta_min=s["lowest"]
    ),
}


class Update(Struct, frozen=True):
    """What PyTorch has before an update, and what it makes the update from."""

    iterations: list[int]
    """Those of the batch."""
    weights: dict[str, float]
    """Of the biases too."""
    loss: float
    gradients: dict[str, float]
    rate: float


class Model:
    """The network of a definition in PyTorch, in double precision."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.layers = [(_tensor(layer.weights), _tensor(layer.biases)) for layer in definition.layers]
        self.learned: dict[str, tuple[Tensor, tuple[int, ...]]] = {}
        """Where each weight and bias stands."""
        names = definition.names
        for (weight, bias), rows, biases in zip(self.layers, names.weights, names.biases, strict=True):
            for unit, row in enumerate(rows):
                self.learned |= {name: (weight, (unit, source)) for source, name in enumerate(row)}
            if definition.train_biases:
                self.learned |= {name: (bias, (index,)) for index, name in enumerate(biases)}

    def tensors(self) -> list[Tensor]:
        """What is learned, layer by layer."""
        return [
            tensor
            for weight, bias in self.layers
            for tensor in (weight, bias if self.definition.train_biases else None)
            if tensor is not None and tensor.numel()
        ]

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The pre-activations and the activations of the last layer for some samples."""
        pre = activation = inputs
        for (weight, bias), layer in zip(self.layers, self.definition.layers, strict=True):
            pre = activation @ weight.T
            if bias.numel():
                pre = pre + bias
            activation = TORCH_ACTIVATIONS[layer.activation](pre)
        return pre, activation

    def values(self) -> dict[str, float]:
        return {name: float(tensor.detach()[place]) for name, (tensor, place) in self.learned.items()}

    def gradients(self) -> dict[str, float]:
        return {name: float(tensor.grad[place]) for name, (tensor, place) in self.learned.items()}


def _tensor(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def updates(definition: Definition, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Iterator[Update]:
    """Train in PyTorch, with the samples in our order."""
    model, settings = Model(definition), definition.optimiser.settings
    optimiser = TORCH_OPTIMISERS[definition.optimiser.name](
        model.tensors(), settings, lr=definition.learning_rate, weight_decay=settings[WEIGHT_DECAY.key]
    )
    schedule = TORCH_SCHEDULES[definition.schedule.name](optimiser, definition.schedule.settings)
    order = sample_order(definition)
    batch: list[int] = []
    for iteration, ends_batch in enumerate(order.ends_batch):
        batch.append(iteration)
        if not ends_batch:
            continue
        samples = [definition.samples[order.sample[each] - 1] for each in batch]
        inputs = torch.tensor([sample.inputs for sample in samples], dtype=torch.float64)
        targets = torch.tensor([sample.targets for sample in samples], dtype=torch.float64)
        optimiser.zero_grad()
        value = loss(*model.forward(inputs), targets)
        value.backward()
        rate = optimiser.param_groups[0]["lr"]
        yield Update(batch, model.values(), float(value.detach()), model.gradients(), rate)
        optimiser.step()
        schedule.step()
        batch = []
    yield Update([], model.values(), 0.0, {}, 0.0)


def deviations(definition: Definition, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> dict[str, float]:
    """The largest difference between us and PyTorch, of each kind of number."""
    trace = train(definition)
    found: dict[str, list[float]] = {"weights": [], "losses": [], "gradients": [], "rates": []}
    batched = definition.samples_a_batch > 1
    count = 0
    for update in updates(definition, loss):
        if not update.iterations:
            found["weights"] += [abs(trace.final[name] - value) for name, value in update.weights.items()]
            continue
        count += 1
        last = update.iterations[-1]
        for iteration in update.iterations:
            found["weights"] += [abs(trace[name][iteration] - value) for name, value in update.weights.items()]
        found["losses"].append(abs(float(np.mean(trace["E_total"][update.iterations])) - update.loss))
        for name, value in update.gradients.items():
            gradients = trace[derivative("E_total", name)][update.iterations]
            found["gradients"].append(abs(float(np.mean(gradients)) - value))
            if batched:
                found["gradients"].append(abs(trace[derivative(MEAN_LOSS, name)][last] - value))
        ours = trace[RATE_NOW][last] if definition.schedule.name != "constant" else definition.learning_rate
        found["rates"].append(abs(ours - update.rate))
    assert count >= UPDATES
    assert len(found["gradients"]) >= count
    assert _has_moved(definition, trace), "a training that stands still compares nothing"
    return {kind: float(max(each)) for kind, each in found.items()}


def _has_moved(definition: Definition, trace: Trace) -> bool:
    names = [name for layer in definition.names.weights for row in layer for name in row]
    return any(abs(trace[name][-1] - trace[name][0]) > 0.01 for name in names)


def assert_agrees(definition: Definition) -> None:
    """PyTorch has the same weights, losses, gradients and learning rates over the whole training."""
    for name, loss in TORCH_LOSSES[definition.loss].items():
        found = deviations(definition, loss)
        assert max(found.values()) <= TOLERANCE, f"{name}: {found}"


def network(*, hidden: str = "tanh", output: str = "identity", updates_an_epoch: int = 5, **options: Any) -> Definition:
    """A network with one hidden layer, two outputs and five samples, trained over fifty updates or a few more.

    Its outputs do not share a bias: with the softmax its gradient would be 0 but for rounding, and Adam, which divides
    a gradient by its own size, would make a step of chance out of it.
    """
    samples = 5
    content: dict[str, Any] = {
        "title": "Judged by PyTorch",
        "teaches": "Nothing in particular.",
        "inputs": [[0.3, -0.7, 0.2], [0.9, 0.1, -0.5], [-0.4, 0.6, 0.8], [0.2, 0.2, -0.9], [-0.8, -0.5, 0.4]],
        "targets": [[0.2, 0.8], [0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0.7, 0.3]],
        "learning_rate": 0.1,
        "iterations": samples * -(-UPDATES // updates_an_epoch),
        "train_biases": True,
        "layers": [
            {
                "weights": [[0.5, -0.4, 0.3], [-0.3, 0.8, 0.1], [0.6, 0.2, -0.7], [-0.5, -0.6, 0.4]],
                "bias": [0.1, -0.2, 0.05, 0.3],
                "activation": hidden,
            },
            {"weights": [[0.7, -0.6, 0.4, 0.2], [-0.3, 0.5, -0.8, 0.6]], "bias": [-0.1, 0.2], "activation": output},
        ],
    }
    return parse(content | options, source="judged")


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser(name: str, weight_decay: float) -> None:
    assert_agrees(network(optimiser={"name": name, "weight_decay": weight_decay}))


@pytest.mark.parametrize("name", [name for name, each in OPTIMISERS.items() if each.settings])
def test_every_optimiser_with_other_settings(name: str) -> None:
    other = {"momentum": 0.5, "smoothing": 0.8, "beta1": 0.6, "beta2": 0.95, "epsilon": 1e-3}
    settings = {setting.key: other[setting.key] for setting in OPTIMISERS[name].settings}
    assert_agrees(network(optimiser={"name": name, **settings}, batch_size="all", updates_an_epoch=1))


SCHEDULE_SETTINGS: Mapping[str, Mapping[str, float]] = {
    "constant": {},
    "step": {"factor": 0.7, "every": 7},
    "exponential": {"factor": 0.95},
    "cosine": {"period": 60, "lowest": 0.01},
}


@pytest.mark.parametrize("optimiser", ["gradient descent", "adamw"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule(name: str, optimiser: str) -> None:
    assert_agrees(network(schedule={"name": name, **SCHEDULE_SETTINGS[name]}, optimiser=optimiser))


def test_a_cosine_rises_again_after_its_period() -> None:
    schedule = {"name": "cosine", "period": 12, "lowest": 0.01}
    assert_agrees(network(schedule=schedule))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_in_a_hidden_layer(name: str) -> None:
    assert_agrees(network(hidden=name))


@pytest.mark.parametrize("loss", [name for name, each in LOSSES.items() if each.goes_with is None])
@pytest.mark.parametrize("name", [*ACTIVATIONS, SOFTMAX])
def test_every_activation_of_the_outputs(name: str, loss: str) -> None:
    assert_agrees(network(output=name, loss=loss))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_from_far_below_0_to_far_above(name: str) -> None:
    points = np.concatenate([np.linspace(-40, 40, 801), [-0.0, 1e-9, -1e-9]])
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    value = TORCH_ACTIVATIONS[name](x)
    value.sum().backward()
    activation = ACTIVATIONS[name]
    ours: Array = activation.value(points)
    np.testing.assert_allclose(ours, value.detach().numpy(), rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(activation.derivative(points, ours), x.grad.numpy(), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name: str) -> None:
    output = LOSSES[name].goes_with or "tanh"
    assert_agrees(network(loss=name, output=output))
    assert_agrees(network(loss=name, output=output, batch_size=2, updates_an_epoch=3, optimiser="adam"))


@pytest.mark.parametrize("order", ["given", "shuffled"])
@pytest.mark.parametrize(("batch_size", "updates_an_epoch"), [(1, 5), (2, 3), (3, 2), ("all", 1)])
@pytest.mark.parametrize("optimiser", ["gradient descent", "momentum", "adam"])
def test_per_sample_in_batches_and_all_at_once(
    optimiser: str, batch_size: int | str, updates_an_epoch: int, order: str
) -> None:
    options: dict[str, Any] = {"batch_size": batch_size, "order": order, "seed": 7, "optimiser": optimiser}
    assert_agrees(network(updates_an_epoch=updates_an_epoch, schedule="exponential", **options))


def test_orders_that_are_shuffled_are_not_the_given_one() -> None:
    assert list(sample_order(network(order="shuffled", seed=7)).sample) != list(sample_order(network()).sample)


@pytest.mark.parametrize(("train_biases", "bias"), list(product([True, False], [None, 0.2, [0.1, -0.2, 0.05, 0.3]])))
def test_biases_of_every_kind(train_biases: bool, bias: object) -> None:
    definition = network()
    layers: list[dict[str, Any]] = [
        {"weights": [list(row) for row in layer.weights], "activation": layer.activation} for layer in definition.layers
    ]
    if bias is not None:
        layers[0]["bias"] = bias
    assert_agrees(network(layers=layers, train_biases=train_biases))


def test_a_single_sample_and_three_hidden_layers() -> None:
    weights = [
        [[0.5, -0.4], [-0.3, 0.8]],
        [[0.7, -0.6], [0.2, 0.4], [-0.9, 0.3]],
        [[0.15, 0.25, -0.35]],
        [[0.45], [-0.55]],
    ]
    layers = [
        {"weights": each, "bias": 0.1, "activation": activation}
        for each, activation in zip(weights, ["tanh", "gelu", "silu", "sigmoid"], strict=True)
    ]
    content: dict[str, Any] = {
        "inputs": [0.3, -0.7],
        "targets": [0.2, 0.9],
        "layers": layers,
        "iterations": UPDATES,
        "learning_rate": 1.0,
    }
    assert_agrees(network(**content))
