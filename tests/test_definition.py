"""Definitions: what is read, and what a teacher is told of every mistake."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import contents
from xlbackprop import UserError, load
from xlbackprop.definition import parse
from xlbackprop.errors import DefinitionError
from xlbackprop.templates import names

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
    ({"iterations": 0}, "iterations: found 0, expected a whole number from 1"),
    ({"iterations": 2.5}, "iterations: found 2.5, expected a whole number"),
    ({"iterations": 2_000_000}, "iterations: found 2000000, expected a whole number from 1 to 1,048,544"),
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
    ({"layers": [{"weights": [[0.1, 0.2]], "activation": "relu6"}]}, 'layers[1].activation: found the text "relu6"'),
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
