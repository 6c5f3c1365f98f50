"""Generated walkthroughs: random small networks over every option that a definition has."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.definition import Definition
from xlbackprop.network.loading import load, parse
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.optimisers import OPTIMISERS
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.softmax import SOFTMAX

numbers = st.floats(-2, 2, allow_nan=False).map(lambda value: round(value, 4))
shares = st.floats(0, 1, allow_nan=False).map(lambda value: round(value, 4))


@st.composite
def contents(data: st.DrawFn, *, iterations: int = 4, largest_rate: float = 5.0, plain: bool = False) -> dict[str, Any]:
    """The content of random definitions, as a TOML file would give it.

    Args:
        data: draws what it is made of.
        iterations: the most.
        largest_rate: the largest learning rate.
        plain: only networks as the class knows them: sigmoid, half squared error, one sample, gradient descent.
    """
    sizes = data(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    layers = []
    for sources, units in pairwise(sizes):
        row = st.lists(numbers, min_size=sources, max_size=sources)
        layer: dict[str, Any] = {"weights": data(st.lists(row, min_size=units, max_size=units))}
        bias = data(st.none() | numbers | st.lists(numbers, min_size=units, max_size=units))
        if bias is not None:
            layer["bias"] = bias
        layers.append(layer)
    content = {
        "title": "A generated network",
        "teaches": "Nothing in particular.",
        "inputs": data(st.lists(numbers, min_size=sizes[0], max_size=sizes[0])),
        "targets": data(st.lists(numbers, min_size=sizes[-1], max_size=sizes[-1])),
        "learning_rate": round(data(st.floats(0, largest_rate)), 4),
        "iterations": data(st.integers(1, iterations)),
        "notation": data(st.sampled_from(["classic", "mazur", "z-a"])),
        "train_biases": data(st.booleans()),
        "layers": layers,
    }
    return content if plain else content | data(_options(content, sizes))


@st.composite
def _options(data: st.DrawFn, content: dict[str, Any], sizes: list[int]) -> dict[str, Any]:
    """What a definition can say beyond the class network."""
    loss = data(st.sampled_from(sorted(LOSSES)))
    activations = [data(st.sampled_from(sorted(ACTIVATIONS))) for _ in sizes[1:]]
    activations[-1] = LOSSES[loss].goes_with or data(st.sampled_from([*sorted(ACTIVATIONS), SOFTMAX]))
    target = shares if LOSSES[loss].goes_with else numbers
    samples = data(st.integers(1, 5))
    inputs = [data(st.lists(numbers, min_size=sizes[0], max_size=sizes[0])) for _ in range(samples)]
    targets = [data(st.lists(target, min_size=sizes[-1], max_size=sizes[-1])) for _ in range(samples)]
    if LOSSES[loss].goes_with == SOFTMAX:
        targets = [[1 - sum(each[1:]) / len(each), *(share / len(each) for share in each[1:])] for each in targets]
    several = samples > 1
    return {
        "loss": loss,
        "layers": [layer | {"activation": name} for layer, name in zip(content["layers"], activations, strict=True)],
        "inputs": inputs if several else inputs[0],
        "targets": targets if several else targets[0],
        "iterations": data(st.integers(1, 2 * content["iterations"])),
        "batch_size": data(st.integers(1, samples) | st.just("all")),
        "order": data(st.sampled_from(["given", "shuffled"])),
        "optimiser": data(_optimisers()),
        "schedule": data(st.sampled_from(sorted(SCHEDULES))),
    }


@st.composite
def _optimisers(data: st.DrawFn) -> dict[str, Any]:
    name = data(st.sampled_from(sorted(OPTIMISERS)))
    chosen = {"name": name, "weight_decay": data(st.sampled_from([0.0, 0.01, 0.3]))}
    # where a gradient is 0 but for rounding, its sign is chance, and g/(√(g²) + ε) would be all chance for a small ε
    return chosen | ({"epsilon": 0.01} if any(each.key == "epsilon" for each in OPTIMISERS[name].settings) else {})


def definitions(
    *, iterations: int = 4, largest_rate: float = 5.0, plain: bool = False
) -> st.SearchStrategy[Definition]:
    """Random valid definitions; see `contents`."""
    return contents(iterations=iterations, largest_rate=largest_rate, plain=plain).map(
        lambda content: parse(content, source="generated")
    )


def sized(*sizes: int, **changes: Any) -> dict[str, Any]:
    """The content of a definition whose layers have these sizes, the inputs first, and drawn weights."""
    softmax = {"activation": SOFTMAX} if changes.get("loss") == "categorical cross-entropy" else {}
    layers: list[dict[str, Any]] = [{"units": units} for units in sizes[1:]]
    layers[-1] |= softmax
    targets = [round(0.1 * (index % 9 + 1), 2) for index in range(sizes[-1])]
    return {
        "title": "-".join(map(str, sizes)),
        "teaches": "Nothing in particular.",
        "inputs": [round(0.05 * (index % 19 + 1), 2) for index in range(sizes[0])],
        "targets": [1.0] + [0.0] * (sizes[-1] - 1) if softmax else targets,
        "learning_rate": 0.5,
        "iterations": 3,
        "layers": layers,
    } | changes


WIDE = ("5-8-3", "12-10-8")
"""Networks that Excel's limits are tried on, by the sizes of their layers."""


def named(name: str, iterations: int) -> Definition:
    """A template, or a network by the sizes of its layers."""
    if not name[0].isdigit():
        return load(name, iterations=iterations)
    return parse(sized(*map(int, name.split("-")), iterations=iterations), source=name)


def with_few_samples(definition: Definition, count: int) -> Definition:
    """A definition with no more samples than a short training needs: the others make the work tenfold."""
    if len(definition.samples) <= count:
        return definition
    return replace(definition, inputs=definition.inputs[:count], targets=definition.targets[:count])


def deep() -> Definition:
    """A network with three hidden layers, one of them with a trained bias a unit and negative weights."""
    content = {
        "title": "Three hidden layers",
        "teaches": "Nothing in particular.",
        "inputs": [0.3, -0.7],
        "targets": [0.2, 0.9, 0.5],
        "learning_rate": 0.8,
        "iterations": 5,
        "train_biases": True,
        "layers": [
            {"weights": [[0.5, -0.4], [-0.3, 0.8]], "bias": [0.1, -0.2]},
            {"weights": [[0.7, -0.6], [0.2, 0.4], [-0.9, 0.3]]},
            {"weights": [[0.15, 0.25, -0.35]], "bias": 0.05},
            {"weights": [[0.45], [-0.55], [0.65]]},
        ],
    }
    return parse(content, source="deep")
