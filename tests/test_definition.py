"""Definitions: what is read, and what a teacher is told of every mistake."""

from __future__ import annotations

import random
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.networks import contents
from xlbackprop import UserError, load, train
from xlbackprop.ground.errors import DefinitionError
from xlbackprop.network.embedded import from_workbook, to_cells, to_properties
from xlbackprop.network.initial_weights import METHODS, draw
from xlbackprop.network.loading import parse, validated
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

MISTAKES: list[tuple[dict[str, Any], str]] = [
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
    ({"layers": [{"units": 0}]}, "layers[1].units: found 0, expected a whole number from 1 to 10,000, how many units"),
    (
        {"layers": [{"units": 1, "initial": "ones"}]},
        'layers[1].initial: found the text "ones", expected one of "xavier"',
    ),
    (
        {"layers": [{"weights": [[0.1, 0.2]], "units": 2}]},
        "layers[1].units: found weights as well, expected either units or weights",
    ),
    (
        {"layers": [{"weights": [[0.1, 0.2]], "initial": "he"}]},
        "layers[1].initial: found weights as well, expected either initial or weights",
    ),
    ({"layers": [{"units": 1}, 2]}, "layers[2]: found 2, expected a [[layers]] section"),
    ({"layers": 2}, "layers: found 2, expected at least one [[layers]] section"),
    ({"layers": [{"units": 1, "bias": [[1]]}]}, "layers[1].bias[1]: found a list of 1, expected a number"),
    ({"layers": [{"weights": [0.1, 0.2]}]}, "layers[1].weights[1]: found 0.1, expected a list of numbers"),
    ({"layers": [{"unit": 1, "weights": [[1, 2]]}]}, "layers[1].unit: found an unknown key, expected a known one; did"),
    ({"inputs": [[], []]}, "inputs[1]: found an empty list, expected a list of numbers"),
    ({"inputs": [[0.1, []], [0.1, 0.2]]}, "inputs[1][2]: found an empty list, expected a number"),
    ({"inputs": {}}, "inputs: found a section, expected a list of numbers"),
    ({"samplse": "a.csv"}, 'samplse: found an unknown key, expected a known one; did you mean "samples"?'),
    ({"inputs": [[0.1, 0.2], 0.3]}, "inputs[2]: found 0.3, expected a list like the first one"),
    ({"inputs": [0.1, [0.3]]}, "inputs[2]: found a list of 1, expected a number like the first"),
    ({"inputs": [[0.1, 0.2], [0.3]]}, "inputs[2]: found 1 number, expected 2, as in the first sample"),
    ({"inputs": [[0.1, 0.2], [0.3, 0.4]]}, "targets: found 1 sample, expected 2, as many as in inputs"),
    ({"loss": "squared"}, 'loss: found the text "squared", expected one of "half squared error"'),
    ({"loss": "categorical cross-entropy", "targets": [1]}, 'expected activation = "softmax" there'),
    ({"loss": "binary cross-entropy", "targets": [1.5]}, "targets: found [1.5], expected numbers from 0 to 1"),
    (
        {"loss": "categorical cross-entropy", "targets": [0.5, 0.2], "layers": [{"units": 2, "activation": "softmax"}]},
        "targets: found 0.7 in all, expected 1 in all: each target is the share of one class",
    ),
    (
        {"batch_size": 0},
        'batch_size: found 0, expected a whole number of samples for each update, from 1 to 1,000,000, or "all"',
    ),
    ({"batch_size": "some"}, 'batch_size: found the text "some", expected a whole number of samples'),
    ({"order": "random"}, 'order: found the text "random", expected "given" or "shuffled"'),
    ({"seed": 2**32}, "seed: found 4294967296, expected a whole number from 0 to 4,294,967,295"),
    ({"seed": 10**5000}, "seed: found a number of more than 60 digits, expected a whole number from 0 to"),
    ({"seed": -1}, "seed: found -1, expected a whole number from 0 to 4,294,967,295"),
    ({"optimiser": "sgd"}, 'optimiser: found the text "sgd", expected one of "gradient descent", "momentum"'),
    ({"optimiser": {"name": "adam", "beta3": 1}}, "optimiser.beta3: found an unknown key, expected a setting of adam"),
    ({"optimiser": {"name": "adam", "beta1": 1.5}}, "optimiser.beta1: found 1.5, expected a number from 0 to 0.999999"),
    ({"schedule": {"name": "step", "every": 0}}, "schedule.every: found 0, expected a number from 1 to 1,000,000"),
    ({"schedule": {"name": "constant", "every": 3}}, "schedule.every: found an unknown key, expected none"),
    ({"compare": "adam"}, 'compare: found the text "adam", expected [[compare]] sections'),
    ({"compare": [{"name": "adam", "learning_rate": -1}]}, "compare[1].learning_rate: found -1, expected a number"),
    ({"compare": ["adam"]}, 'compare[1]: found the text "adam", expected [[compare]] sections'),
    ({"compare": [{"name": "adam", "optimiser": "adam"}]}, "compare[1].name: found an unknown key"),
    ({"compare": [{"learning_rate": 1}]}, "compare[1]: found no name, expected one of"),
    ({"optimiser": {"name": "adam", "settings": 3}}, "optimiser.settings: found an unknown key, expected a setting"),
    (
        {"optimiser": {"name": "adam", "settings": {"beta1": 0.5}, "beta2": 0.5}},
        "optimiser.settings: found an unknown key, expected a setting",
    ),
    ({"optimiser": {"nam": "adam"}}, 'optimiser: found no name, expected one of "gradient descent"'),
    ({"optimiser": 5}, 'optimiser: found 5, expected one of "gradient descent"'),
    ({"schedule": {"name": "step", "evry": 3}}, "schedule.evry: found an unknown key, expected a setting of step; did"),
    (
        {"layers": [{"weights": [[0.1, 0.2]], "loss": "mean squared error"}]},
        "layers[1].loss: found a key of the whole definition, expected it above the first section in brackets",
    ),
    (
        {"layers": {"weights": [[1, 2]]}},
        "layers: found a section in single brackets, [layers], expected at least one [[",
    ),
    (
        {"compare": {"optimiser": "adam"}},
        "compare: found a section in single brackets, [compare], expected [[compare]]",
    ),
    ({"": 1}, '"": found an unknown key'),
    ({"a\nb\x1b": 1}, '"a\\nb\\u001b": found an unknown key'),
    ({"learning-rate": 1}, "learning-rate: found an unknown key"),
    ({"k" * 5000: 1}, f"{'k' * 60}…"),
    ({"optimiser": {"name": "adam", "k" * 5000: 1}}, f'optimiser."{"k" * 60}…'),
    ({"optimiser": " ADAM"}, 'did you mean "adam"?'),
    ({"epochs": 5}, "epochs: found iterations as well, expected either epochs or iterations"),
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


MISSING: list[tuple[str, dict[str, Any], str]] = [
    ("inputs", {}, "inputs: found nothing, expected a list of numbers"),
    ("inputs", {}, "or a list of such lists, one a sample; or samples in its place"),
    (
        "iterations",
        {},
        "iterations: found nothing, expected a whole number from 1 to 10,000,000; or epochs in its place",
    ),
    ("iterations", {"epochs": 0}, "epochs: found 0, expected a whole number from 1 to 10,000,000"),
    ("iterations", {"epochs": 1.5}, "epochs: found 1.5, expected a whole number"),
    ("title", {}, "title: found nothing, expected one line of text"),
    ("layers", {}, "layers: found nothing, expected at least one [[layers]] section"),
    ("layers", {"layers": [{}]}, "layers[1].weights: found nothing, expected a list of rows"),
    ("layers", {"layers": [{}]}, "such as [[0.15, 0.20], …]; or units in its place"),
]


@pytest.mark.parametrize(("key", "instead", "message"), MISSING, ids=[message for *_, message in MISSING])
def test_a_missing_key_is_named_with_what_may_be_in_its_place(key: str, instead: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse({other: value for other, value in GOOD.items() if other != key} | instead, source="mine.toml")
    assert message in str(caught.value)


def test_unknown_keys_are_told_in_their_order() -> None:
    keys = [f"key{number}" for number in (3, 1, 2, 5, 4)]
    with pytest.raises(DefinitionError) as caught:
        parse({**dict.fromkeys(keys), **GOOD}, source="mine.toml")
    assert [problem.key for problem in caught.value.problems] == keys


def test_what_there_is_is_listed_once() -> None:
    for change, _ in MISTAKES:
        with pytest.raises(DefinitionError) as caught:
            parse(GOOD | change, source="mine.toml")
        assert not re.search(r"one of .*; there is: ", str(caught.value))


NUMPY = [
    ("iterations", np.int64(7), 7),
    ("learning_rate", np.float64(0.25), 0.25),
    ("learning_rate", np.float32(0.25), 0.25),
    ("title", np.str_("A text"), "A text"),
    ("train_biases", np.bool_(True), True),
    ("targets", np.array([0.25, 0.75]), (0.25, 0.75)),
    ("inputs", (np.float64(0.5), np.int32(1)), (0.5, 1.0)),
]


@pytest.mark.parametrize(("key", "value", "meant"), NUMPY)
def test_the_numbers_of_numpy_are_numbers(key: str, value: Any, meant: object) -> None:
    usual = load("classic")
    found = validated(msgspec.structs.replace(usual, **{key: value}))
    assert found == msgspec.structs.replace(usual, **{key: meant})
    assert type(getattr(found, key)) is type(meant)
    if key in ("iterations", "learning_rate"):
        assert load("classic", **{key: value}) == found


FROM_PYTHON = [
    ({"title": "a" * 201}, "title: found a text of 201 characters, expected one line of text, 200 characters at most"),
    ({"title": "a\x1bb"}, 'title: found the text "a\\x1bb", expected one line of text'),
    ({"note": "\x00"}, 'note: found the text "\\x00", expected text'),
    ({"iterations": 2.5}, "iterations: found 2.5, expected a whole number"),
    ({"learning_rate": np.nan}, "learning_rate: found nan (not a number)"),
    ({"targets": (0.5,)}, "targets: found 1 target, expected 2"),
    ({"title": object}, "found <class 'object'> in it; expected numbers and texts"),
]


@pytest.mark.parametrize(("change", "message"), FROM_PYTHON, ids=[message for _, message in FROM_PYTHON])
def test_what_is_made_in_python_is_held_to_the_same(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        validated(msgspec.structs.replace(load("classic"), **change))
    assert message in str(caught.value)


@pytest.mark.thorough
@given(contents())
def test_a_valid_definition_stays_as_it_is(content: dict[str, Any]) -> None:
    definition = parse(content, source="generated")
    assert validated(definition) == definition


@pytest.mark.parametrize("found", ["classic", None, Path("classic"), {"title": "a"}])
def test_what_is_no_definition_is_told(found: Any) -> None:
    with pytest.raises(UserError, match=r"definition: found .*, expected what load gives"):
        validated(found)


def test_all_mistakes_are_reported_together() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(GOOD | {"title": 1, "inputs": ["a"], "layers": [{"weights": [[1, "x"]]}], "extra": 1}, source="mine.toml")
    assert [problem.key for problem in caught.value.problems] == [
        "extra",
        "title",
        "inputs[1]",
        "layers[1].weights[1][2]",
    ]


@pytest.mark.thorough
@given(contents())
def test_generated_definitions_are_valid(content: dict[str, Any]) -> None:
    parse(content, source="generated")


@pytest.mark.thorough
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
        (None, "samples.csv: there is no such file"),
        ("", "samples.csv: found 0 columns, expected more than 1: inputs, then 1 target, with commas or semicolons"),
        ("a\n1\n", "samples.csv: found 1 column, expected more than 1: inputs, then 1 target,"),
        ("a,b\n", "samples.csv: found no sample"),
        ("a,b\n1,2,3\n", "line 2: found 3 columns, expected 2 as in the first line; a number has a decimal point"),
        ("a,b\n1\n", "line 2: found 1 column, expected 2 as in the first line"),
        ("a,b\n0,5,0,25\n", "line 2: found 4 columns, expected 2 as in the first line; a number has a decimal point"),
        (
            'a,b\n"0,5",1\n',
            'line 2, column 1: found the text "0,5", expected a number from −1,000,000 to 1,000,000, with a',
        ),
        ("a;b\n0,5;1\n", " with a decimal point: 0.5"),
        ("a,b\n1,x\n", 'line 2, column 2: found the text "x", expected a number from −1,000,000 to 1,000,000'),
        ("a,b\n1,nan\n", 'line 2, column 2: found the text "nan", expected a number'),
        ("a,b\n1,inf\n", 'line 2, column 2: found the text "inf", expected a number'),
        ("a,b\n1,1e999\n", 'line 2, column 2: found the text "1e999", expected a number'),
        ("a,b\n1,1000001\n", 'line 2, column 2: found the text "1000001", expected a number'),
        ("a,b\n1,1_000\n", 'line 2, column 2: found the text "1_000", expected a number'),
        ("a,b\n1,٣\n", 'line 2, column 2: found the text "٣", expected a number'),
        ("a,b\n1,\n", "line 2, column 2: found an empty cell, expected a number"),
        ("a,b\n\n1,2\n,\n1,x\n", 'line 5, column 2: found the text "x"'),
        ('a,b\n"1\n",2\n1,x\n', 'line 4, column 2: found the text "x"'),
        (
            "0,0\n0,1\n1,1\n",
            "line 1: found numbers, expected the names of the columns, then a line of numbers a sample",
        ),
        ("a,b\n1,x\n2,y\n", "samples.csv: 2 mistakes"),
        ("a,b\n" + "1,x\n" * 50, "samples.csv: 50 mistakes"),
        (
            "a,b\n" + "1,x\n" * 50,
            '  line 21, column 2: found the text "x", expected a number from −1,000,000 to 1,000,000\n  and 30 more',
        ),
    ],
)
def test_a_file_of_samples_that_cannot_be_used(content: str | None, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(WITH_SAMPLES)
    if content is not None:
        (tmp_path / "samples.csv").write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load(tmp_path / "mine.toml")
    assert message in str(caught.value)
    assert str(tmp_path / "samples.csv") in str(caught.value)


@pytest.mark.parametrize(
    "written",
    [
        SAMPLES,
        "\ufeff" + SAMPLES,
        SAMPLES.replace(",", ";"),
        SAMPLES.replace(",", "\t"),
        SAMPLES.replace("\n", "\r\n"),
        SAMPLES.replace("i1,", '"i1, the first",').replace(",", ";").replace("i1;", "i1,"),
        SAMPLES.replace("0,0,0", " 0.0 , +0,-0e3"),
        "\n" + SAMPLES.replace("1,0", "\n,,\n1,.0"),
    ],
)
def test_the_same_samples_however_they_are_written(written: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("\ufeff" + WITH_SAMPLES, encoding="utf-8")
    (tmp_path / "samples.csv").write_text(written, encoding="utf-8", newline="")
    assert [sample.inputs for sample in load(tmp_path / "mine.toml").samples] == [(0, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("changes", "lines", "message"),
    [
        ('loss = "binary cross-entropy"', "i1,t1\n1,0.5\n\n1,1.5\n", "samples.csv, line 4, targets: found [1.5]"),
        ('loss = "binary cross-entropy"', "i1,t1\n1,1.5\n", "samples.csv, line 2, targets: found [1.5]"),
        (
            "inputs = [1]",
            "i1,t1\n1,1\n",
            "samples: found inputs as well, expected either samples or inputs and targets",
        ),
        (
            "targets = [1]",
            "i1,t1\n1,1\n",
            "samples: found targets as well, expected either samples or inputs and targets",
        ),
    ],
)
def test_a_mistake_of_a_sample_is_told_by_its_line(changes: str, lines: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"{changes}\n{WITH_SAMPLES}", encoding="utf-8")
    (tmp_path / "samples.csv").write_text(lines, encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path / "mine.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["5", "[1]", '""', "true"])
def test_the_name_of_a_file_of_samples_is_a_text(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(WITH_SAMPLES.replace('"samples.csv"', name), encoding="utf-8")
    with pytest.raises(
        DefinitionError, match=r"samples: found .*, expected the name of a CSV file, with a line of column names"
    ):
        load(tmp_path / "mine.toml")


def test_a_decimal_comma_in_a_definition_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(WITH_SAMPLES.replace("learning_rate = 1", "learning_rate = 0,5"))
    with pytest.raises(UserError, match=r"mine.toml: this is not valid TOML: .*line 5.*; a number has a decimal point"):
        load(tmp_path / "mine.toml")


HINTS = [
    ("title = XOR", 'a text stands between straight quotation marks, such as "xor"'),
    ("title = “XOR”", "a text stands between straight quotation marks"),
    ('title = "C:\\Users"', "inside quotation marks write \\\\ for \\, or /"),
    ("learning_rate = .5", "a number has digits before and after its decimal point, such as 0.5"),
    ("learning_rate = 5.", "a number has digits before and after its decimal point"),
    ("inputs = [0.5, .5]", "a number has digits before and after its decimal point"),
    ("inputs = [0,05, 0,1]", "a number has a decimal point and no comma"),
    ("train_biases = True", "expected true or false, in small letters"),
    ("[layers]\n[layers]", "each such section has two brackets on either side, [[…]]"),
    ("inputs = [1, 2\nseed = 1", ""),
]


@pytest.mark.parametrize(("written", "hint"), HINTS, ids=[written for written, _ in HINTS])
def test_what_is_no_toml_is_shown_with_what_is_probably_wrong(written: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"seed = 1\n{written}\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load(tmp_path / "mine.toml")
    line = written.splitlines()[-1]
    _, shown, hinted = str(caught.value).partition(f"): {line}")
    assert shown
    assert hinted.startswith(f"; {hint}") if hint else not hinted


def test_what_is_no_toml_is_shown_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"a = 1\u2028\nseed = {'x' * 5000}\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load(tmp_path / "mine.toml")
    assert len(str(caught.value)) < 500


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=st.text(st.sampled_from('ab,;\t\n\r"01.5e-−٣ \x00'), max_size=40))
def test_any_file_of_samples_is_taken_or_explained(written: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(WITH_SAMPLES, encoding="utf-8")
    (tmp_path / "samples.csv").write_text(written, encoding="utf-8", newline="")
    lines = [line for line in re.split(r"[\r\n]+", written) if line.strip(",;\t ")]
    message, taken = "", 0
    try:
        taken = len(load(tmp_path / "mine.toml").samples)
    except UserError as error:
        message = str(error)
    assert str(tmp_path / "samples.csv") in message or 1 <= taken < len(lines)


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


@pytest.mark.thorough
@given(contents())
def test_a_definition_survives_the_workbook(content: dict[str, Any]) -> None:
    definition = parse(content, source="generated")
    assert from_workbook(to_properties(definition), ()) == definition
    assert from_workbook({}, to_cells(definition)) == definition


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
        ("x" * 5000, "there is no template"),
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


@pytest.mark.parametrize("depth", [1, 5, 11, 12, 40])
def test_values_stay_within_numbers_however_deep_a_network_is(depth: int) -> None:
    layer = {"weights": [[1e6]], "activation": "identity"}
    content: dict[str, Any] = {"title": "T", "teaches": "t.", "learning_rate": 1.0, "iterations": 3}
    content |= {"inputs": [1.0], "targets": [0.0], "layers": [layer] * depth}
    if depth > 11:
        with pytest.raises(DefinitionError, match=r"activations up to 1e\+72"):
            parse(content, source="deep")
        return
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(train(parse(content, source="deep")).values).all()
