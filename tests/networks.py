"""Generated walkthroughs: random small networks over every option that a definition has."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from xlbackprop.definition import Definition, parse

numbers = st.floats(-2, 2, allow_nan=False).map(lambda value: round(value, 4))


def contents(*, iterations: int = 4, largest_rate: float = 5.0) -> st.SearchStrategy[dict[str, Any]]:
    """The content of random definitions, as a TOML file would give it."""

    @st.composite
    def draw(data: st.DrawFn) -> dict[str, Any]:
        sizes = data(st.lists(st.integers(1, 3), min_size=2, max_size=4))
        layers = []
        for sources, units in pairwise(sizes):
            row = st.lists(numbers, min_size=sources, max_size=sources)
            layer: dict[str, Any] = {"weights": data(st.lists(row, min_size=units, max_size=units))}
            bias = data(st.none() | numbers | st.lists(numbers, min_size=units, max_size=units))
            if bias is not None:
                layer["bias"] = bias
            layers.append(layer)
        return {
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

    return draw()


def definitions(*, iterations: int = 4, largest_rate: float = 5.0) -> st.SearchStrategy[Definition]:
    """Random valid definitions."""
    return contents(iterations=iterations, largest_rate=largest_rate).map(
        lambda content: parse(content, source="generated")
    )


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
