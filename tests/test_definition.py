"""Definitions: what is read, and what a teacher is told of every mistake."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import contents
from xlbackprop import UserError, load
from xlbackprop.errors import DefinitionError
from xlbackprop.network.embedded import from_properties, to_properties
from xlbackprop.network.initial_weights import METHODS, draw
from xlbackprop.network.loading import parse
from xlbackprop.network.templates import names

GOOD: dict[str, Any] = {
    "title": "A title",
    "teaches": "Something.",
    "inputs": [0.05, 0.1],
    "targets": [0.5],
    "learning_rate": 1,
    "iterations": 3,
    "layers": [{"weights": [[0.1, 0.2], [0.3, 0.4]], "bias": [0.1, 0.2]}, {"weights": [[0.5, 0.6]]}],
}

MISTAKES = [
    ({"title": ""}, 'title: found the text "", expected one line of text'),
    ({"title": "a\x07b"}, 'title: found the text "a\\x07b", expected one line of text'),
    ({"title": "a\nb"}, 'title: found the text "a\\nb", expected one line of text'),
    ({"note": "a\nb\x00"}, 'note: found the text "a\\nb\\x00", expected text, 2,000 characters at most'),
    ({"title": 5}, "title: found 5, expected one line of text"),
    ({"inputs": []}, "inputs: found an empty list, expected a list of numbers"),
    ({"inputs": [0.1, "x"]}, 'inputs[2]: found the text "x", expected a number'),
    ({"inputs": [0.1, True]}, "inputs[2]: found true, expected a number"),
    ({"inputs": [0.1, float("nan")]}, "inputs[2]: found nan (not a number), expected a number"),
    ({"targets": 0.5}, "targets: found 0.5, expected a list of numbers"),
    ({"targets": [0.5, 0.5]}, "targets: found 2 targets, expected 1, one for every unit of the last layer"),
    ({"learning_rate": "fast"}, 'learning_rate: found the text "fast", expected a number from 0'),
    ({"learning_rate": float("inf")}, "learning_rate: found an infinite number, expected a number from 0"),
    ({"learning_rate": -0.1}, "learning_rate: found -0.1, expected a number from 0"),
    ({"learning_rates": [0.1]}, "learning_rates: found a list of 1, expected a list of two to eight learning rates"),
    ({"learning_rates": [1] * 9}, "learning_rates: found a list of 9, expected a list of two to eight learning rates"),
    ({"learning_rates": [0.1, -1]}, "learning_rates[2]: found -1, expected a number from 0 to 1,000,000"),
    ({"learning_rates": 0.1}, "learning_rates: found 0.1, expected a list of two to eight learning rates"),
    ({"iterations": 0}, "iterations: found 0, expected a whole number from 1"),
    ({"iterations": 2.5}, "iterations: found 2.5, expected a whole number"),
    ({"iterations": 20_000_000}, "iterations: found 20000000, expected a whole number from 1 to 10,000,000"),
    ({"notation": "mine"}, 'notation: found the text "mine", expected "classic", "mazur" or "z-a"'),
    ({"train_biases": 1}, "train_biases: found 1, expected true or false"),
    ({"learning_rat": 1}, 'learning_rat: found an unknown key, expected a known one; did you mean "learning_rate"?'),
    ({"layers": []}, "layers: found an empty list, expected at least one [[layers]] section"),
    ({"layers": [{}, {"weights": [[0.5]]}]}, "layers[1].weights: found nothing, expected a list of rows"),
    ({"layers": [{"weights": [[0.1]]}]}, "layers[1].weights[1]: found 1 weight, expected 2, one for every input"),
    (
        {"layers": [{"weights": [[0.1, 0.2]], "bias": [1, 2]}]},
        "layers[1].bias: found 2 biases, expected 1, one for every unit of the layer",
    ),
    ({"layers": [{"weights": [[0.1, "x"]]}]}, 'layers[1].weights[1][2]: found the text "x", expected a number'),
    (
        {"layers": [{"weights": [[0.1, 0.2]], "activation": "relu6"}]},
        'layers[1].activation: found the text "relu6", expected one of "sigmoid", "tanh", "relu"',
    ),
    (
        {"layers": [{"units": 2, "activation": "softmax"}, {"units": 1}]},
        'layers[1].activation: found the text "softmax", expected another one: the softmax is for the last layer',
    ),
    ({"layers": [{"units": 0}]}, "layers[1].units: found 0, expected a whole number, how many units the layer has"),
    (
        {"layers": [{"units": 1, "initial": "ones"}]},
        'layers[1].initial: found the text "ones", expected one of "xavier"',
    ),
    ({"layers": [{"units": 2, "weights": [[1, 2]]}]}, "layers[1].weights: found an unknown key"),
    ({"inputs": [[0.1, 0.2], 0.3]}, "inputs[2]: found 0.3, expected a list like the first one"),
    ({"inputs": [0.1, [0.3]]}, "inputs[2]: found a list of 1, expected a number like the first"),
    ({"inputs": [[0.1, 0.2], [0.3]]}, "inputs[2]: found 1 number, expected 2, as in the first sample"),
    ({"inputs": [[0.1, 0.2], [0.3, 0.4]]}, "targets: found 1 sample, expected 2, as many as in inputs"),
    ({"loss": "squared"}, 'loss: found the text "squared", expected one of "half squared error"'),
    (
        {"loss": "categorical cross-entropy", "targets": [1]},
        'expected activation = "softmax" there',
    ),
    ({"loss": "binary cross-entropy", "targets": [1.5]}, "targets: found [1.5], expected numbers from 0 to 1"),
    (
        {
            "loss": "categorical cross-entropy",
            "targets": [0.5, 0.2],
            "layers": [{"units": 2, "activation": "softmax"}],
        },
        "targets: found 0.7 in all, expected 1 in all: each target is the share of one class",
    ),
    ({"batch_size": 0}, 'batch_size: found 0, expected a whole number of samples for each update, or "all"'),
    ({"batch_size": "some"}, 'batch_size: found the text "some", expected a whole number of samples'),
    ({"order": "random"}, 'order: found the text "random", expected "given" or "shuffled"'),
    ({"seed": -1}, "seed: found -1, expected a whole number from 0 on"),
    ({"optimiser": "sgd"}, 'optimiser: found the text "sgd", expected one of "gradient descent", "momentum"'),
    ({"optimiser": {"name": "adam", "beta3": 1}}, "optimiser.beta3: found an unknown key, expected a setting of adam"),
    ({"optimiser": {"name": "adam", "beta1": 1.5}}, "optimiser.beta1: found 1.5, expected a number from 0 to 0.999999"),
    ({"schedule": {"name": "step", "every": 0}}, "schedule.every: found 0, expected a number from 1 to 1,000,000"),
    ({"schedule": {"name": "constant", "every": 3}}, "schedule.every: found an unknown key, expected none"),
    ({"compare": "adam"}, 'compare: found the text "adam", expected [[compare]] sections'),
    ({"compare": [{"name": "adam", "learning_rate": -1}]}, "compare[1].learning_rate: found -1, expected a number"),
    ({"epochs": 0, "iterations": 1}, "epochs: found 0, expected a whole number from 1 on"),
]


@pytest.mark.parametrize("name", names())
def test_templates_are_valid(name: str) -> None:
    assert load(name).teaches.endswith(".")


@pytest.mark.parametrize(("change", "message"), MISTAKES, ids=[message.split(",")[0] for _, message in MISTAKES])
def test_a_mistake_is_named_with_what_was_found_and_expected(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(GOOD | change, source="mine.toml")
    assert str(caught.value).startswith("mine.toml: 1 mistake\n")
    assert message in str(caught.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(DefinitionError, match="inputs: found nothing, expected a list of numbers"):
        parse({key: value for key, value in GOOD.items() if key != "inputs"}, source="mine.toml")


def test_all_mistakes_are_reported_together() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(GOOD | {"title": 1, "inputs": ["a"], "layers": [{"weights": [[1, "x"]]}], "extra": 1}, source="mine.toml")
    assert [problem.key for problem in caught.value.problems] == [
        "extra",
        "title",
        "inputs[1]",
        "layers[1].weights[1][2]",
    ]


@given(contents())
def test_generated_definitions_are_valid(content: dict[str, Any]) -> None:
    parse(content, source="generated")


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["weights", "bias"]), inner),
            max_leaves=6,
        ),
    )
)
def test_any_toml_content_is_taken_or_explained(content: dict[str, Any]) -> None:
    with suppress(DefinitionError):
        parse(GOOD | content, source="mine.toml")


SAMPLES = "i1,i2,t1\n0,0,0\n0,1,1\n1,0,1\n"
WITH_SAMPLES = """
title = "From a file"
teaches = "Nothing."
samples = "samples.csv"
learning_rate = 1
epochs = 5
[[layers]]
units = 2
[[layers]]
units = 1
"""


def test_samples_from_a_file_beside_the_definition(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(WITH_SAMPLES)
    (tmp_path / "samples.csv").write_text(SAMPLES)
    definition = load(tmp_path / "mine.toml")
    assert [sample.inputs for sample in definition.samples] == [(0, 0), (0, 1), (1, 0)]
    assert [sample.targets for sample in definition.samples] == [(0,), (1,), (1,)]
    assert definition.iterations == 15, "epochs are told in iterations"
    assert load(tmp_path / "mine.toml", iterations=4).iterations == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"samples.csv: cannot be read \(No such file"),
        ("", "found 0 columns, expected more than 1"),
        ("a\n1\n", "found 1 columns, expected more than 1: inputs, then 1 targets"),
        ("a,b\n", "found no sample"),
        ("a,b\n1,2,3\n", "line 2: found 3 columns, expected 2"),
        ("a,b\n1,x\n", 'line 2, column 2: found "x", expected a number'),
        ("a,b\n1,nan\n", r"targets\[1\]\[1\]: found nan"),
    ],
)
def test_a_file_of_samples_that_cannot_be_used(content: str | None, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(WITH_SAMPLES)
    if content is not None:
        (tmp_path / "samples.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        load(tmp_path / "mine.toml")


def test_drawn_weights_are_written_out_and_the_same_for_a_seed() -> None:
    drawn = GOOD | {"layers": [{"units": 3, "initial": "he", "activation": "relu"}, {"units": 1}], "seed": 4}
    first, again = parse(drawn, source="a"), parse(drawn, source="b")
    assert first == again
    assert first.layers != parse(drawn | {"seed": 5}, source="c").layers
    assert [len(layer.weights) for layer in first.layers] == [3, 1]
    assert all(round(weight, 4) == weight for layer in first.layers for row in layer.weights for weight in row)


@pytest.mark.parametrize("method", METHODS)
def test_drawn_weights_have_the_spread_of_their_method(method: str) -> None:
    sources, units = 40, 60
    weights = np.array(draw(method, sources, units, random.Random(1)))
    spread = {"xavier": np.sqrt(2 / (sources + units)), "he": np.sqrt(2 / sources), "uniform": np.sqrt(1 / sources / 3)}
    assert weights.std() == pytest.approx(spread[method], rel=0.05)
    assert abs(weights.mean()) < 0.02


@given(contents())
def test_a_definition_survives_the_workbook(content: dict[str, Any]) -> None:
    definition = parse(content, source="generated")
    assert from_properties(to_properties(definition)) == definition


def test_values_given_in_place_of_the_templates_own() -> None:
    definition = load("classic", iterations=5, learning_rate=0.25)
    assert (definition.iterations, definition.learning_rate) == (5, 0.25)


def test_a_mistake_in_a_given_value_does_not_blame_the_template() -> None:
    with pytest.raises(DefinitionError, match=r"^the values given for classic: 1 mistake\n  iterations: found 0"):
        load("classic", iterations=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"title = ", "this is not valid TOML"),
        (b"\xff\xfe\x00", "this is not a text file in UTF-8"),
        (b"", "7 mistakes"),
    ],
)
def test_a_file_that_is_no_definition(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("clasic", 'there is no template "clasic"; did you mean "classic"'),
        ("", 'there is no template ""; there is: classic'),
        ("nowhere/mine.toml", "there is no such file"),
        ("mine.toml", "there is no such file"),
    ],
)
def test_a_template_that_does_not_exist(asked: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(asked)


def test_a_folder_is_no_definition(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this is a folder"):
        load(tmp_path)
