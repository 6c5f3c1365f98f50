"""The questions on Start here: each template has its own, and what they hint at is what the engine computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from tests.cases import thorough_but
from xlbackprop import Definition, load, train
from xlbackprop.network.templates import names
from xlbackprop.walkthrough import Lesson, fit
from xlbackprop.workbook.sheets.questions import MOST_QUESTIONS, questions
from xlbackprop.workbook.sheets.registry import SHEETS

LONGEST = 76
"""Characters that the column has room for."""
TITLES = tuple(sheet.title for sheet in SHEETS)
PARTICULAR = {
    "and-or": "right before any training",
    "xor": "right before any training",
    "regression": "where there are no samples? Type 6.",
    "iris-mini": "How many of the 15 samples",
    "deep": "In which of the 4 layers",
    "dead-relu": "a_h2 is 0 for every sample",
    "optimisers": "Which of the 4 trains the network first",
}


def asked(definition: Definition, sheets: tuple[str, ...] = TITLES) -> list[str]:
    lesson = Lesson(definition, fit(definition, "compact"), train(definition), sheets=sheets)
    return [question.words for question in questions(lesson)]


@pytest.mark.parametrize("template", thorough_but(names(), "classic", "dead-relu"))
def test_every_template_has_a_few_of_its_own(template: str) -> None:
    words = asked(load(template))
    assert 3 <= len(words) <= MOST_QUESTIONS
    assert max(map(len, words)) <= LONGEST
    assert all("?" in each for each in words)
    assert any(PARTICULAR.get(template, "says, which gradients all but vanish") in each for each in words)


def test_nobody_is_sent_to_a_sheet_that_is_not_there() -> None:
    assert not any("before any training" in each for each in asked(load("xor"), ("Start here", "Walkthrough")))


def test_twins_are_asked_of_with_all_that_makes_them_alike() -> None:
    """Units that share their bias have none of their own to copy."""
    own, none = ("in and out", "copies h1's bias and weights"), ("in and out", "copies h1's weights")
    for template, words in (("xor", own), ("classic", none)):
        assert any(all(each in question for each in words) for question in asked(load(template)))
    assert any("copies net_h1's weights, in and out" in question for question in asked(load("mazur")))


def test_twins_that_differ_on_the_way_out_part() -> None:
    hidden, output = (definition := load("classic")).layers
    trace = train(replace(definition, layers=(replace(hidden, weights=(hidden.weights[0],) * 2), output)))
    assert trace["h1"][0] == trace["h2"][0]
    assert trace["h1"][1] != trace["h2"][1]


@pytest.mark.parametrize("template", ["classic", "xor"])
def test_twins_stay_twins(template: str) -> None:
    definition = load(template)
    hidden, output = definition.layers
    bias = hidden.bias if not isinstance(hidden.bias, tuple) else (hidden.bias[0],) * 2
    twins = replace(hidden, weights=(hidden.weights[0],) * 2, bias=bias)
    outputs = replace(output, weights=tuple((row[0],) * 2 for row in output.weights))
    trace = train(replace(definition, layers=(twins, outputs)))
    first, second = definition.names.activations[0]
    np.testing.assert_array_equal(trace[first], trace[second])


def test_a_target_that_is_met_leaves_no_gradient() -> None:
    definition = load("classic")
    said = float(train(definition)["a_o1"][0])
    first = train(replace(definition, targets=(said, 0.5))).at(0)
    assert [name for name in ("w5", "w6", "w7", "w8") if first[f"∂E/∂{name}"] == 0] == ["w5", "w6"]


def test_a_dead_unit_is_only_asked_of_where_there_is_one(tmp_path: Path) -> None:
    definition = load("dead-relu")
    hidden, output = definition.layers
    awake = replace(definition, layers=(replace(hidden, bias=(0.1, 0.1)), output))
    assert not any("for every sample" in each for each in asked(awake))
